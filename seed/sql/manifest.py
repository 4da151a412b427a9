"""What is seeded: one row for each table, and the ledger of the batches that are loaded.

    occbench_tables   what a table holds, and whether it is complete
    occbench_batches  the batches of a table that is being loaded; a batch's row is written in the
                      transaction that writes the batch, so a batch is there whole or not at all

The ledger goes by `load_id`, which is new for every new table: rows that an earlier table left
behind mean nothing to a later one. Once a table is complete its ledger rows are deleted, for they
say nothing any more that the manifest does not say.
"""

import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

from psycopg import errors

from loadtest.targets.base.dialect import Dialect
from loadtest.targets.base.table import Column, Table
from loadtest.workload.keyspace import KeyType
from seed.batches import Layout
from seed.plan import LARGEST_BATCH
from seed.sql.statements import Connection, column_types, execute

State = Literal["creating", "loading", "complete"]

TABLES = Table(
    "occbench_tables",
    (
        Column("table_name", "text"),
        Column("load_id", "uuid"),
        Column("state", "text"),
        Column("key_type", "text"),
        Column("key_source", "text"),
        Column("key_seed", "bigint"),
        Column("balance", "bigint"),
        Column("accounts", "bigint"),
        Column("part_start", "bigint"),
        Column("batch", "bigint"),
        Column("block", "bigint"),
        Column("total", "numeric"),
    ),
    ("table_name",),
)
BATCHES = Table(
    "occbench_batches",
    (Column("table_name", "text"), Column("load_id", "uuid"), Column("batch", "bigint")),
    ("table_name", "load_id", "batch"),
)

_COLUMNS = ", ".join(column.name for column in TABLES.columns)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one table holds."""

    table: str
    load_id: uuid.UUID
    state: State
    key_type: KeyType
    key_source: str
    """`computed`, or `file:` and the beginning of the file's SHA-256."""
    key_seed: int
    balance: int
    accounts: int
    part_start: int
    """Accounts below this were complete before the part that is, or was last, being loaded."""
    batch: int
    block: int
    total: int
    """What the scenario's total was when the table was complete; no transaction may change it."""

    @property
    def complete(self) -> bool:
        """Whether all accounts are there."""
        return self.state == "complete"

    @property
    def layout(self) -> Layout:
        """The batches of the part that is being loaded."""
        return Layout(self.part_start, self.accounts, self.batch, self.block)


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
    found = _read(connection, "ORDER BY table_name", ())
    return [m for m in found if column_types(connection, m.table) is not None]


def _read(connection: Connection, condition: str, parameters: tuple[str, ...]) -> list[Manifest]:
    try:
        cursor = execute(
            connection,
            f"SELECT {_COLUMNS} FROM {TABLES.name} {condition}",  # noqa: S608
            parameters,
        )
    except errors.UndefinedTable:
        return []
    return [
        Manifest(name, load_id, state, KeyType(key_type), source, *(int(n) for n in numbers))
        for name, load_id, state, key_type, source, *numbers in cursor.fetchall()
    ]


def claim(connection: Connection, manifest: Manifest) -> bool:
    """Write a new table's row; False where somebody else wrote one first."""
    marks = ", ".join(["%s"] * len(TABLES.columns))
    values = (
        manifest.table,
        manifest.load_id,
        manifest.state,
        str(manifest.key_type),
        manifest.key_source,
        manifest.key_seed,
        manifest.balance,
        manifest.accounts,
        manifest.part_start,
        manifest.batch,
        manifest.block,
        manifest.total,
    )
    try:
        execute(
            connection,
            f"INSERT INTO {TABLES.name} ({_COLUMNS}) VALUES ({marks})",  # noqa: S608
            values,
        )
    except errors.UniqueViolation:
        return False
    return True


def advance(connection: Connection, manifest: Manifest, state: State, total: int = 0) -> Manifest:
    """Put a table into its next state."""
    execute(
        connection,
        f"UPDATE {TABLES.name} SET state = %s, total = %s "  # noqa: S608
        "WHERE table_name = %s AND load_id = %s",
        (state, total, manifest.table, manifest.load_id),
    )
    return replace(manifest, state=state, total=total)


def begin_part(
    connection: Connection, manifest: Manifest, accounts: int, batch: int, block: int
) -> Manifest | None:
    """Turn a complete table into one that is being extended; None where somebody else did it."""
    cursor = execute(
        connection,
        f"UPDATE {TABLES.name} SET state = 'loading', part_start = accounts, "  # noqa: S608
        "accounts = %s, batch = %s, block = %s "
        "WHERE table_name = %s AND load_id = %s AND state = 'complete' AND accounts = %s",
        (accounts, batch, block, manifest.table, manifest.load_id, manifest.accounts),
    )
    if cursor.rowcount != 1:
        return None
    return replace(
        manifest,
        state="loading",
        part_start=manifest.accounts,
        accounts=accounts,
        batch=batch,
        block=block,
    )


def forget(connection: Connection, manifest: Manifest) -> None:
    """Remove a table's row; its ledger can wait, for nothing reads it without the row."""
    execute(
        connection,
        f"DELETE FROM {TABLES.name} WHERE table_name = %s AND load_id = %s",  # noqa: S608
        (manifest.table, manifest.load_id),
    )


def clear_ledger(connection: Connection, manifest: Manifest, most: int = LARGEST_BATCH) -> None:
    """Delete a table's ledger rows, at most so many in a transaction."""
    step = most * manifest.batch
    for start in range(manifest.part_start, manifest.accounts, step):
        execute(
            connection,
            f"DELETE FROM {BATCHES.name} WHERE table_name = %s AND load_id = %s "  # noqa: S608
            "AND batch >= %s AND batch < %s",
            (manifest.table, manifest.load_id, start, start + step),
        )


def loaded_batches(connection: Connection, manifest: Manifest, start: int, stop: int) -> set[int]:
    """The numbers of the loaded batches, from start up to but not including stop."""
    cursor = execute(
        connection,
        f"SELECT batch FROM {BATCHES.name} WHERE table_name = %s AND load_id = %s "  # noqa: S608
        "AND batch >= %s AND batch < %s",
        (manifest.table, manifest.load_id, start, stop),
    )
    return {number for (number,) in cursor.fetchall()}


def count_loaded(connection: Connection, manifest: Manifest) -> int:
    """How many batches are in the ledger; all where another command has found the table complete."""
    row = execute(
        connection,
        f"SELECT count(*) FROM {BATCHES.name} WHERE table_name = %s AND load_id = %s "  # noqa: S608
        "AND batch >= %s",
        (manifest.table, manifest.load_id, manifest.part_start),
    ).fetchone()
    counted = 0 if row is None else int(row[0])
    if counted == manifest.layout.batch_count:
        return counted
    now = recorded(connection, manifest.table)
    complete = now is not None and now.load_id == manifest.load_id and now.complete
    return manifest.layout.batch_count if complete else counted


def is_loaded(connection: Connection, manifest: Manifest) -> bool:
    """Whether every batch is there."""
    return count_loaded(connection, manifest) == manifest.layout.batch_count
