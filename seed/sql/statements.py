"""The few things that schema and manifest need from a connection, on any target.

Connections are in autocommit, so every statement here is a transaction of its own: Aurora DSQL
takes one DDL statement a transaction and never DDL together with DML.
"""

import random
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg import errors

Connection = psycopg.Connection[tuple[Any, ...]]

PASSING: tuple[type[psycopg.Error], ...] = (
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.LockNotAvailable,
    errors.TooManyConnections,
    errors.ConfigurationLimitExceeded,
)
"""The same transaction may well succeed a moment later: conflicts, and asking for more at once than
there is to be had."""

_TRIES = 8

T = TypeVar("T")


def execute(
    connection: Connection, sql: str, parameters: Sequence[Any] = ()
) -> psycopg.Cursor[tuple[Any, ...]]:
    """Run one statement, again after an error that may pass.

    DSQL answers a conflict (OC001) to the first statement of a session that has not yet seen a
    change of the schema, so even a SELECT can need a second try.
    """
    # Names of tables come from scenarios, never from users, and values travel as parameters.
    return again(lambda: connection.execute(sql, parameters or None))


def again(deed: Callable[[], T]) -> T:
    """Do it, and once more after each error that may pass, for a few seconds at most."""
    for attempt in range(_TRIES - 1):
        try:
            return deed()
        except PASSING:
            pause(attempt)
    return deed()


def backoff_s(attempt: int) -> float:
    """How long to wait before trying again: jitter under a ceiling that doubles up to 2 s.

    At least half the ceiling, so that a dozen tries outlast a server's recovery from a crash.
    """
    ceiling = min(2.0, 0.05 * 2**attempt)
    return random.uniform(ceiling / 2, ceiling)  # noqa: S311 - nothing to guess here


def pause(attempt: int) -> None:
    """Wait before trying again."""
    time.sleep(backoff_s(attempt))


def one_line(error: BaseException) -> str:
    """What a database's error says, on one line, with its SQLSTATE."""
    primary = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    lines = (primary or str(error)).strip().splitlines()
    text = lines[0] if lines else type(error).__name__
    state = error.sqlstate if isinstance(error, psycopg.Error) else None
    return f"{text} ({state})" if state else text


def column_types(connection: Connection, table: str) -> list[tuple[str, int]] | None:
    """Each column's name and type OID, or None where there is no such table.

    Asked of the table itself: that follows the search path and needs no catalogue.
    """
    try:
        cursor = execute(connection, f"SELECT * FROM {table} LIMIT 0")  # noqa: S608
    except errors.UndefinedTable:
        return None
    return [(column.name, column.type_code) for column in cursor.description or ()]
