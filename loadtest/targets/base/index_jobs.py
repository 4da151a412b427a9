"""Indexes that are built after the statement is answered: starting a job, and waiting for it.

`CREATE INDEX ASYNC` gives a job's id at once. `sys.jobs` shows the job as submitted, processing,
completed or failed, and forgets it some time later. Until the job is completed the index is there
but not valid, and stays so for good if the job fails.
"""

import time
from collections.abc import Sequence
from typing import Any

import psycopg

from loadtest.errors import TargetError
from loadtest.errors.messages import one_line
from loadtest.targets.base.dialect import Dialect
from loadtest.targets.base.table import Table

Connection = psycopg.Connection[tuple[Any, ...]]

_LONGEST_BUILD_S = 3_000.0
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


def build_index(dialect: Dialect, connection: Connection, table: Table, columns: Sequence[str]) -> None:
    """Have an index on these columns, and return when it can be used; nothing where it is there.

    What an interrupted command has begun is waited for; what a failed job has left is made anew.
    Raises TargetError with the job's own words or where it takes too long, psycopg.Error.
    """
    name = dialect.index_name(table, columns)
    create = dialect.create_index(table, columns)
    job = _value(connection, create)
    if job is None:  # an index of the name is there, finished or not
        # In this order: a job may be completed between the two questions. With or without its schema.
        ending = "%." + name.replace("_", r"\_")
        job = _value(connection, _UNFINISHED, name, ending)
        if job is None and not _value(connection, _VALID, name):
            connection.execute(dialect.drop_index(table, columns).encode())
            job = _value(connection, create)
    if job is not None:
        try:
            wait_for_job(connection, str(job))
        except TargetError as error:
            raise TargetError(f"index {name}: {error}") from None


def wait_for_job(connection: Connection, job_id: str, longest_s: float = _LONGEST_BUILD_S) -> None:
    """Return when a job is completed.

    Raises TargetError when it fails, takes longer than `longest_s` seconds or is not to be found,
    psycopg.Error.
    """
    began = time.monotonic()
    pause_s = _SHORTEST_PAUSE_S
    while True:
        row = connection.execute(_JOB, (job_id,)).fetchone()
        waited_s = time.monotonic() - began
        status, details = row or ("", "")
        if status == "completed":
            return
        if status not in ("", "submitted", "processing"):
            cause = f": {one_line(details)}" if details else ""
            raise TargetError(f"job {job_id} {status}{cause}; the same command builds the index anew")
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


def _value(connection: Connection, query: str, *values: str) -> Any:
    """The first column of the first row; None where there is none."""
    cursor = connection.execute(query.encode(), values or None)
    row = cursor.fetchone() if cursor.description else None
    return row and row[0]
