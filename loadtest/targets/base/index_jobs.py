"""Indexes that are built after the statement is answered: starting a job, and waiting for it.

`CREATE INDEX ASYNC` gives a job's id at once. `sys.jobs` shows the job as submitted, processing,
completed or failed, and forgets it some time later. Until the job is completed the index is there
but not valid, and stays so for good if the job fails.

`SqlTarget.build_index` comes here by itself where the dialect says `asynchronous_indexes`; a target
has nothing to override.
"""

import time
from collections.abc import Sequence
from typing import Any

import psycopg

from loadtest.errors import TargetError
from loadtest.targets.base.dialect import Dialect
from loadtest.targets.base.table import Table

Connection = psycopg.Connection[tuple[Any, ...]]

LONGEST_BUILD_S = 3_000.0
"""How long to wait for one index: not as long as a session lives."""
_UNSEEN_S = 60.0
"""How long a job may be missing in `sys.jobs` after it was started."""
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0

_JOB = "SELECT status, details FROM sys.jobs WHERE job_id = %s"
_UNFINISHED = (
    "SELECT job_id FROM sys.jobs WHERE (object_name = %s OR object_name LIKE %s) "
    "AND status IN ('submitted', 'processing') ORDER BY start_time DESC LIMIT 1"
)
_VALID = (
    "SELECT i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relname = %s"
)


class JobFailed(TargetError):  # noqa: N818 - what happened, not a bug
    """The target gave up building an index."""


def build_index(
    dialect: Dialect, called: str, connection: Connection, table: Table, columns: Sequence[str]
) -> None:
    """Have an index on these columns, and return when it can be used; nothing where it is there.

    What an interrupted command has begun is waited for; what a failed job has left is made anew.
    `called` is the target's name, to begin an error with. Raises JobFailed with the job's own
    words, TargetError where it takes too long, psycopg.Error.
    """
    name = dialect.index_name(table, columns)
    create = dialect.create_index(table, columns)
    job = _start(connection, create)
    if job is None:
        # In this order: a job may be completed between the two questions.
        job = _unfinished(connection, name)
        if job is None and not _is_valid(connection, name):
            _execute(connection, dialect.drop_index(table, columns))
            job = _start(connection, create)
    if job is None:
        return
    try:
        wait_for_job(connection, job)
    except TargetError as error:
        raise type(error)(f"{called}: index {name}: {error}") from None


def wait_for_job(connection: Connection, job_id: str, longest_s: float = LONGEST_BUILD_S) -> None:
    """Return when a job is completed.

    Raises JobFailed with its details when it fails, TargetError when it takes longer than
    `longest_s` seconds or is not to be found, psycopg.Error.
    """
    began = time.monotonic()
    pause_s = _SHORTEST_PAUSE_S
    while True:
        found = _execute(connection, _JOB, job_id).fetchone()
        waited_s = time.monotonic() - began
        status, details = found if found is not None else ("", "")
        if status == "completed":
            return
        if status not in ("", "submitted", "processing"):
            cause = f": {_one_line(details)}" if details else ""
            raise JobFailed(f"job {job_id} {status}{cause}; the same command builds the index anew")
        if not status and waited_s > min(_UNSEEN_S, longest_s):
            raise TargetError(
                f"job {job_id} is not in sys.jobs; check that the user may read it, and give the "
                "same command again"
            )
        if waited_s > longest_s:
            raise TargetError(
                f"job {job_id} is still {status} after {waited_s:.0f} s; the same command goes on "
                "waiting for it"
            )
        time.sleep(pause_s)
        pause_s = min(_LONGEST_PAUSE_S, 1.5 * pause_s)


def _start(connection: Connection, create: str) -> str | None:
    """The job's id; None where an index of the name is there, finished or not."""
    cursor = _execute(connection, create)
    row = cursor.fetchone() if cursor.description else None
    return None if row is None or row[0] is None else str(row[0])


def _is_valid(connection: Connection, name: str) -> bool:
    row = _execute(connection, _VALID, name).fetchone()
    return row is not None and bool(row[0])


def _unfinished(connection: Connection, name: str) -> str | None:
    """The job that is building the index."""
    # With or without its schema.
    ending = "%." + name.replace("_", r"\_")
    row = _execute(connection, _UNFINISHED, name, ending).fetchone()
    return None if row is None else str(row[0])


def _execute(connection: Connection, sql: str, *values: str) -> psycopg.Cursor[tuple[Any, ...]]:
    return connection.execute(sql.encode(), values or None)


def _one_line(text: str) -> str:
    return " ".join(text.split())
