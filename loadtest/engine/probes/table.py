"""The table of the consistency probes, and the check that endpoints are those of one database.

Every run has rows of its own, one for each ordered pair of endpoints, under numbers that no other
run has; they are deleted when it is over. Statements are of the plainest kind, each a transaction of
its own, so that Aurora DSQL takes them: no DDL beside DML, nothing of ON CONFLICT.
"""

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from loadtest.errors import InputError, OccbenchError, TargetError
from loadtest.record.probes import ordered_pairs
from loadtest.targets import SqlTarget, Statement, StatementFailed, Target
from loadtest.targets.base.table import Column, Table

if TYPE_CHECKING:
    from loadtest.targets.base.sql import Connection, SqlSession

PROBE_TABLE = Table("occbench_probe", (Column("id", "bigint"), Column("value", "bigint")), ("id",))

WRITE = Statement(
    "probe_write", "UPDATE occbench_probe SET value = $2 WHERE id = $1", ("bigint", "bigint")
)
READ = Statement("probe_read", "SELECT value FROM occbench_probe WHERE id = $1", ("bigint",))
STATEMENTS = (WRITE, READ)
"""What a session that probes prepares."""

_ROW_BITS = 16
_TRIES = 8
_PATIENCE_S = 5.0
_LOOK_EVERY_S = 0.05
_CONFLICT, _NO_TABLE, _NO_DATA = "40", "42P01", "02000"


def endpoints_of(targets: Sequence[Target]) -> list[tuple[int, SqlTarget]]:
    """Return the targets that can be probed, each with its index among all."""
    return [(index, one) for index, one in enumerate(targets) if isinstance(one, SqlTarget)]


def check_endpoints(targets: Sequence[Target]) -> None:
    """Raise InputError where there are not two targets to probe; ask none of them."""
    if len(endpoints_of(targets)) < 2:
        raise InputError(
            "--consistency compares endpoints that speak SQL, and needs at least two such targets; "
            "name another with --target, or leave it out"
        )


def prepare(targets: Sequence[Target]) -> int:
    """Make the table and a run's rows in it, and check that the endpoints serve one database.

    Returns the number of the first row; that of pair n of `ordered_pairs` is n more.

    Raises InputError where the endpoints are not of one database, TargetError where a target does not
    let the table be made, written or read.
    """
    endpoints = [endpoint for _, endpoint in endpoints_of(targets)]
    first = endpoints[0]
    # A number by chance: runs at the same time must not meet in a row, nor two databases agree.
    first_row = secrets.randbits(63 - _ROW_BITS) << _ROW_BITS
    with _asking(first), closing(first.connect()) as connection:
        _make_table(first, connection)
        _insert(first, connection, first_row, len(endpoints))
    try:
        for other in endpoints[1:]:
            _find(first, other, first_row, len(endpoints))
        for endpoint in endpoints:
            endpoint.rehearse(STATEMENTS, lambda session: _rehearse(session, first_row))
    except OccbenchError:
        remove_rows([first], first_row)
        raise
    return first_row


def remove_rows(targets: Sequence[Target], first_row: int) -> None:
    """Delete a run's rows through the first endpoint that allows it, if any does."""
    for _, endpoint in endpoints_of(targets):
        try:
            with closing(endpoint.connect()) as connection:
                _execute(
                    endpoint,
                    connection,
                    "DELETE FROM occbench_probe WHERE id >= %s AND id < %s",
                    (first_row, first_row + (1 << _ROW_BITS)),
                )
        except OccbenchError:
            continue
        except endpoint.errors:
            continue
        return


def packed(number: int) -> bytes:
    """A bigint as sessions take it."""
    return number.to_bytes(8, "big", signed=True)


def commit_value(session: "SqlSession", row: int, value: int) -> int:
    """Write the value into the row and commit; returns when COMMIT was answered.

    Raises StatementFailed, also where the row is not there.
    """
    session.begin()
    if session.execute(WRITE.name, (packed(row), packed(value))) != 1:
        raise StatementFailed(_NO_DATA, f"row {row} is gone", commit_sent=False, connected=True)
    session.commit()
    return session.ended_ns


def read_value(session: "SqlSession", row: int) -> tuple[int | None, int]:
    """Read the row in a transaction of its own; returns its value, and when it was answered.

    Raises StatementFailed.
    """
    session.begin()
    value = session.fetch(READ.name, (packed(row),))
    answered_ns = session.first_answered_ns
    # Nothing was written; a rollback never raises, and the value has been read.
    session.rollback()
    return None if value is None else int(value), answered_ns


def _rehearse(session: "SqlSession", row: int) -> None:
    session.begin()
    session.execute(WRITE.name, (packed(row), packed(0)))
    session.fetch(READ.name, (packed(row),))
    session.commit()


def _make_table(target: SqlTarget, connection: "Connection") -> None:
    """Make the table unless it exists; another run may do so at the same moment."""
    if _is_there(target, connection):
        return
    try:
        for statement in target.dialect.create_table(PROBE_TABLE):
            _execute(target, connection, statement)
    except target.errors:
        if not _is_there(target, connection):
            raise
        return
    target.after_create(connection, PROBE_TABLE)


def _is_there(target: SqlTarget, connection: "Connection") -> bool:
    return _count(target, connection, 0, 1) is not None


def _insert(target: SqlTarget, connection: "Connection", first_row: int, endpoints: int) -> None:
    """A row for each pair, those of one writer in a statement: no limit of rows is in reach."""
    rows = range(first_row, first_row + len(ordered_pairs(endpoints)))
    for start in range(0, len(rows), endpoints - 1):
        some = rows[start : start + endpoints - 1]
        values = ", ".join("(%s, 0)" for _ in some)
        insert = f"INSERT INTO occbench_probe (id, value) VALUES {values}"  # noqa: S608 - only %s
        _execute(target, connection, insert, tuple(some))


def _find(first: SqlTarget, other: SqlTarget, first_row: int, endpoints: int) -> None:
    """Wait until rows that were written through the first endpoint appear in the other."""
    wanted = len(ordered_pairs(endpoints))
    deadline = time.monotonic() + _PATIENCE_S
    with _asking(other), closing(other.connect()) as connection:
        while _count(other, connection, first_row, wanted) != wanted:
            if time.monotonic() > deadline:
                raise InputError(
                    f"targets {first.name} and {other.name} do not serve the same database; "
                    "--consistency compares endpoints of one: leave it out, or name such endpoints"
                )
            time.sleep(_LOOK_EVERY_S)


def _count(target: SqlTarget, connection: "Connection", first_row: int, rows: int) -> int | None:
    """Count these rows; None where there is no such table."""
    count = "SELECT count(*) FROM occbench_probe WHERE id >= %s AND id < %s"
    try:
        row = _execute(target, connection, count, (first_row, first_row + rows)).fetchone()
    except target.errors as error:
        if _sqlstate(error) == _NO_TABLE:
            return None
        raise
    return int(row[0])


def _execute(
    target: SqlTarget, connection: "Connection", sql: str, parameters: Sequence[Any] = ()
) -> Any:
    """Run one statement, again after a conflict, such as with a change of the schema."""
    for attempt in range(1, _TRIES):
        try:
            return connection.execute(sql, tuple(parameters) or None)
        except target.errors as error:
            if not _sqlstate(error).startswith(_CONFLICT):
                raise
            time.sleep(_LOOK_EVERY_S * attempt)
    return connection.execute(sql, tuple(parameters) or None)


def _sqlstate(error: Exception) -> str:
    return getattr(error, "sqlstate", None) or ""


@contextmanager
def _asking(target: SqlTarget) -> Iterator[None]:
    """Raise a driver's error as the target explains it, with what the statement was for."""
    try:
        yield
    except target.errors as error:
        raise TargetError(
            f"{target.explain(error)}; --consistency keeps its values in the table "
            f"{PROBE_TABLE.name}, and makes it where it is not there"
        ) from None
