"""The views that queries ask: the one place that knows the columns of `attempts/*.parquet`.

`attempts` has a row for each measured attempt, `accesses` one for each row that such an attempt read
for the check or wrote, `transactions` the last attempt of each, `warmup` the attempts of the warm-up;
`recorded` is all that the files hold,
`whole` the measured attempts with every column, which `attempts` need not have.
"""

from collections.abc import Iterable

from loadtest.record.outcome import CONFLICTS, COUNTED, Outcome
from reports.analysis.reading.checks import MOMENTS

REMOTE = ("remote_ns", "remote_retries", "read_units", "write_units")
"""What the other side said of an attempt; null where it said nothing."""


def create(
    files: Iterable[str], *, alike: bool, until_ns: int | None, measured_from_ns: int | None
) -> list[str]:
    """The statements that make the views.

    Args:
        files: paths of the Parquet files, without characters that a pattern would be made of.
        alike: whether all files have the same columns.
        until_ns: the planned end of measuring; what should have started later is run-out, in no figure.
        measured_from_ns: the begin of measuring; what started later is no warm-up.
    """
    listed = ", ".join(f"'{file}'" for file in files)
    measured = "block >= 0" + (f" AND intended_start_ns < {until_ns}" if until_ns is not None else "")
    warm = "block < 0" + (f" AND start_ns < {measured_from_ns}" if measured_from_ns is not None else "")
    return [
        f"""
        CREATE VIEW recorded AS
        SELECT transaction, attempt, final, "user", block, target, operation, key_type, "rows",
            intended_start_ns, {", ".join(MOMENTS)}, backoff_ns, outcome, sqlstate, {", ".join(REMOTE)},
            begin_sent_ns AS start_ns,
            ended_ns AS end_ns,
            coalesce(commit_sent_ns, ended_ns) - begin_sent_ns AS statements_ns,
            coalesce(ended_ns - commit_sent_ns, 0) AS commit_ns,
            coalesce(commit_sent_ns - first_answered_ns, 0) AS window_low_ns,
            CASE WHEN commit_sent_ns IS NULL THEN 0
                ELSE coalesce(ended_ns - begin_answered_ns, 0) END AS window_high_ns,
            ended_ns - intended_start_ns AS latency_ns,
            outcome = '{Outcome.COMMITTED}' AS committed,
            outcome IN ({_listed(CONFLICTS)}) AS conflicted,
            outcome IN ({_listed(COUNTED)}) AS decided,
            final AND decided AS counted,
            {measured} AS measured
        FROM read_parquet([{listed}], union_by_name = {"false" if alike else "true"})
        """,
        "CREATE VIEW whole AS SELECT * EXCLUDE measured FROM recorded WHERE measured",
        "CREATE VIEW attempts AS FROM whole",
        f"CREATE VIEW warmup AS SELECT * EXCLUDE measured FROM recorded WHERE {warm}",
        """
        CREATE VIEW accesses AS
        SELECT touched."table" AS "table", touched."row" AS "row", * EXCLUDE (touched)
        FROM (SELECT unnest("rows") AS touched, * EXCLUDE "rows" FROM whole)
        """,
        """
        CREATE VIEW transactions AS
        SELECT transaction, attempt - 1 AS retries, * EXCLUDE (transaction, attempt, final)
        FROM attempts WHERE final
        """,
    ]


_FEW = 500_000
"""So many attempts are kept in memory, more in a file."""


def keep(attempts: int, folder: str) -> list[str]:
    """The statements that copy what most queries ask out of the Parquet files: DuckDB's own tables are
    read several times faster, and the whole of it many times. What is large and asked once stays there.

    Args:
        attempts: how many there are.
        folder: where a file may be made.
    """
    place = "memory" if attempts <= _FEW else "kept"
    return [
        *([f"ATTACH '{folder}/kept.duckdb' AS kept"] if place == "kept" else []),
        f"""
        CREATE TABLE {place}.measured AS
        SELECT * EXCLUDE ("rows", {", ".join(MOMENTS)}, sqlstate, {", ".join(REMOTE)},
            latency_ns, decided, counted)
        FROM whole
        """,
        f"""
        CREATE OR REPLACE VIEW attempts AS
        SELECT *, end_ns - intended_start_ns AS latency_ns, committed OR conflicted AS decided,
            final AND decided AS counted
        FROM {place}.measured
        """,
    ]


def _listed(outcomes: Iterable[Outcome]) -> str:
    return ", ".join(f"'{outcome}'" for outcome in sorted(outcomes))
