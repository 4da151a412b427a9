"""A run's folder opened for questions: in a notebook, or in a program of one's own."""

from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import pandas as pd

from loadtest.errors import InputError
from loadtest.record.run import read_run
from reports.analysis.over_time.blocks import find_blocks
from reports.analysis.reading.attempts import open_attempts
from reports.documents.run.summary import summarise

_SECOND = "(end_ns - getvariable('from_ns')) // 1_000_000_000"

FRAMES = {
    "outcomes": """
        SELECT target, key_type, operation, outcome, count(*) AS attempts
        FROM attempts GROUP BY ALL ORDER BY ALL
    """,
    "errors": """
        SELECT outcome, sqlstate, count(*) AS attempts
        FROM attempts WHERE sqlstate IS NOT NULL GROUP BY ALL ORDER BY attempts DESC, outcome, sqlstate
    """,
    "retries": """
        SELECT target, key_type, retries, count(*) AS transactions
        FROM transactions WHERE counted GROUP BY ALL ORDER BY ALL
    """,
    "throughput_by_second": f"""
        SELECT {_SECOND} AS second, target, key_type,
            count(*) FILTER (final AND committed) AS committed,
            count(*) FILTER (conflicted) AS conflicts,
            count(*) FILTER (conflicted) / nullif(count(*) FILTER (decided), 0) AS conflict_rate
        FROM attempts GROUP BY ALL ORDER BY ALL
    """,
    "latency_by_second": f"""
        SELECT {_SECOND} AS second, target, key_type, count(*) AS transactions,
            quantile_cont(latency_ns, 0.5) / 1e6 AS p50_ms,
            quantile_cont(latency_ns, 0.95) / 1e6 AS p95_ms,
            quantile_cont(latency_ns, 0.99) / 1e6 AS p99_ms
        FROM transactions WHERE counted GROUP BY ALL ORDER BY ALL
    """,
    "time_by_attempt": """
        SELECT attempt, count(*) AS attempts, avg(statements_ns) / 1e6 AS statements_ms,
            avg(commit_ns) / 1e6 AS commit_ms, avg(backoff_ns) / 1e6 AS backoff_ms,
            count(*) FILTER (conflicted) / count(*) AS conflict_rate
        FROM attempts WHERE decided GROUP BY ALL ORDER BY ALL
    """,
    "rows": """
        SELECT "table", key_type, "row", count(*) AS accesses,
            count(*) FILTER (conflicted) AS conflicts
        FROM accesses WHERE decided GROUP BY ALL
        ORDER BY conflicts DESC, accesses DESC, "table", key_type, "row"
    """,
    "users": """
        SELECT target, "user", count(*) FILTER (final) AS transactions,
            count(*) FILTER (final AND committed) AS committed,
            count(*) FILTER (conflicted) AS conflicts
        FROM attempts GROUP BY ALL ORDER BY ALL
    """,
    "blocks": """
        SELECT block, key_type, target,
            (min(start_ns) - getvariable('from_ns')) / 1e9 AS first_start_s,
            count(*) FILTER (final AND committed) AS committed,
            count(*) FILTER (conflicted) / nullif(count(*) FILTER (decided), 0) AS conflict_rate
        FROM attempts GROUP BY ALL ORDER BY ALL
    """,
}
"""Name → query over the views. Seconds count from the begin of measuring, by when an attempt ended."""


class OpenRun:
    """A run's record, to be asked in SQL; made by `open_run`.

    `attempts` and `transactions` are DuckDB relations over the measured attempts, and over the last
    attempt of each transaction with its `retries` and `latency_ns`; in `sql` they are views, as are
    `accesses` (one row for each row that an attempt touched), `warmup` and `recorded` (every attempt
    that was written). `frame` gives one of these tables:

    - `outcomes`: attempts by target, key type, operation and outcome
    - `errors`: attempts by outcome and SQLSTATE
    - `retries`: transactions by target, key type and number of retries
    - `throughput_by_second`: committed transactions, conflicts and conflict rate
    - `latency_by_second`: p50, p95 and p99 of the transactions that count
    - `time_by_attempt`: means of the parts of first attempts, of second ones, and so on
    - `rows`: accesses and conflicts of every row, those with most conflicts first
    - `users`: transactions, commits and conflicts of each user
    - `blocks`: when each block began, what it committed, its conflict rate

    It can be used with `with`; otherwise `close` ends it.
    """

    frames = tuple(FRAMES)
    """The names that `frame` takes."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        run = read_run(self.path)
        self.settings: dict[str, Any] = run.settings
        """What the run was asked for, as `run.json` has it."""
        self._attempts = open_attempts(self.path, run, keep=False)
        begin = find_blocks(run, self._attempts).from_ns
        self._attempts.execute(f"SET VARIABLE from_ns = {begin}")

    def __enter__(self) -> "OpenRun":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it and delete its temporary files."""
        self._attempts.close()

    @property
    def attempts(self) -> duckdb.DuckDBPyRelation:
        """Every measured attempt."""
        return self._attempts.connection.view("attempts")

    @property
    def transactions(self) -> duckdb.DuckDBPyRelation:
        """The last attempt of every transaction that ended in the measured time."""
        return self._attempts.connection.view("transactions")

    def sql(self, query: str) -> pd.DataFrame:
        """The answer of a query over the views."""
        return self._attempts.connection.execute(query).df()

    def frame(self, name: str) -> pd.DataFrame:
        """One of the tables in `frames`; raises InputError for another name."""
        if name not in FRAMES:
            raise InputError(f"there is no frame {name!r}; there are {', '.join(FRAMES)}")
        return self._attempts.frame(FRAMES[name])

    def summary(self) -> dict[str, Any]:
        """The figures of the report, as `summary.json` has them."""
        return summarise(self.path)


def open_run(path: str | Path) -> OpenRun:
    """Open a run's folder.

    Raises:
        InputError: if it is not a result folder, or a file in it is broken.
    """
    return OpenRun(path)
