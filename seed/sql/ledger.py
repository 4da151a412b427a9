"""The record of what is seeded, in SQL: a row for each table, and the ledger of loaded batches.

    occbench_tables   what a table holds, and whether it is complete
    occbench_batches  the batches of a table that is being loaded; a batch's row is written in the
                      transaction that writes the batch, so a batch is there whole or not at all

The ledger goes by `load_id`, which is new for every new table: rows that an earlier table left
behind mean nothing to a later one. Once a table is complete its ledger rows are deleted, for they
say nothing any more that the manifest does not say.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from psycopg import errors

from loadtest.targets.base.dialect import Dialect
from loadtest.targets.base.table import Column, Table
from seed.manifest import TABLES, Manifest
from seed.plan import LARGEST_BATCH
from seed.sql.statements import Connection, column_types, execute

BATCHES = Table(
    "occbench_batches",
    (Column("table_name", "text"), Column("load_id", "uuid"), Column("batch", "bigint")),
    ("table_name", "load_id", "batch"),
)

_COLUMNS = ", ".join(column.name for column in TABLES.columns)
_OF = "WHERE table_name = %s AND load_id = %s"


def make_tables(connection: Connection, dialect: Dialect) -> None:
    """Make the two tables where they are not there yet."""
    for table in (TABLES, BATCHES):
        if column_types(connection, table.name) is None:
            for statement in dialect.create_table(table):
                # Another seeding may make it at the same moment; PostgreSQL reports that as a
                # doubled row in its own catalogue.
                with suppress(errors.DuplicateTable, errors.DuplicateObject, errors.UniqueViolation):
                    execute(connection, statement)


def read_manifest(connection: Connection, table: str) -> Manifest | None:
    """What a table holds; None where it was never seeded or is no longer there."""
    found = recorded(connection, table)
    return found if found is not None and column_types(connection, table) is not None else None


def recorded(connection: Connection, table: str) -> Manifest | None:
    """What is recorded of a table, whether it is there or not."""
    found = _read(connection, "WHERE table_name = %s", (table,))
    return found[0] if found else None


def contents(connection: Connection) -> list[Manifest]:
    """Every seeded table of the database, by name."""
    found = _read(connection, "ORDER BY table_name")
    return [one for one in found if column_types(connection, one.table) is not None]


def _read(connection: Connection, condition: str, parameters: Sequence[Any] = ()) -> list[Manifest]:
    try:
        cursor = execute(
            connection,
            f"SELECT {_COLUMNS} FROM {TABLES.name} {condition}",  # noqa: S608
            parameters,
        )
    except errors.UndefinedTable:
        return []
    return [Manifest(*row) for row in cursor.fetchall()]


def insert(connection: Connection, manifest: Manifest) -> bool:
    """Write a new table's row; False where another command wrote one first."""
    marks = ", ".join(["%s"] * len(TABLES.columns))
    values = [str(one) if isinstance(one, str) else one for one in manifest.row().values()]
    try:
        execute(
            connection,
            f"INSERT INTO {TABLES.name} ({_COLUMNS}) VALUES ({marks})",  # noqa: S608
            values,
        )
    except errors.UniqueViolation:
        return False
    return True


def update(connection: Connection, before: Manifest, after: Manifest) -> bool:
    """Put `after` in place of `before`; False where another command changed the row first."""
    cursor = execute(
        connection,
        f"UPDATE {TABLES.name} SET state = %s, accounts = %s, part_start = %s, "  # noqa: S608
        f"batch = %s, block = %s, total = %s {_OF} AND state = %s AND accounts = %s",
        (
            *(after.state, after.accounts, after.part_start, after.batch, after.block, after.total),
            *(before.table, before.load_id, before.state, before.accounts),
        ),
    )
    return cursor.rowcount == 1


def forget(connection: Connection, manifest: Manifest) -> None:
    """Remove a table's row; its ledger can wait, for nothing reads it without the row."""
    execute(
        connection,
        f"DELETE FROM {TABLES.name} {_OF}",  # noqa: S608
        (manifest.table, manifest.load_id),
    )


def clear(connection: Connection, manifest: Manifest, most: int | None) -> None:
    """Delete a table's ledger rows, at most so many in a transaction."""
    step = (most or LARGEST_BATCH) * manifest.batch
    for start in range(manifest.part_start, manifest.accounts, step):
        execute(
            connection,
            f"DELETE FROM {BATCHES.name} {_OF} AND batch >= %s AND batch < %s",  # noqa: S608
            (manifest.table, manifest.load_id, start, start + step),
        )


def loaded_batches(connection: Connection, manifest: Manifest, start: int, stop: int) -> set[int]:
    """The numbers of the loaded batches, from start up to but not including stop."""
    cursor = execute(
        connection,
        f"SELECT batch FROM {BATCHES.name} {_OF} AND batch >= %s AND batch < %s",  # noqa: S608
        (manifest.table, manifest.load_id, start, stop),
    )
    return {number for (number,) in cursor.fetchall()}


def count_loaded(connection: Connection, manifest: Manifest) -> int:
    """How many batches are in the ledger; all where another command has found the table complete."""
    row = execute(
        connection,
        f"SELECT count(*) FROM {BATCHES.name} {_OF} AND batch >= %s",  # noqa: S608
        (manifest.table, manifest.load_id, manifest.part_start),
    ).fetchone()
    counted = 0 if row is None else int(row[0])
    if counted < manifest.layout.batch_count and is_complete(connection, manifest):
        return manifest.layout.batch_count
    return counted


def is_complete(connection: Connection, manifest: Manifest) -> bool:
    """Whether this very table is recorded as complete by now."""
    now = recorded(connection, manifest.table)
    return now is not None and now.load_id == manifest.load_id and now.complete
