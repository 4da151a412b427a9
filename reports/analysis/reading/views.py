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
        CREATE TEMP VIEW recorded AS
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
            outcome IN ({literals(sorted(CONFLICTS))}) AS conflicted,
            outcome IN ({literals(sorted(COUNTED))}) AS decided,
            final AND decided AS counted,
            {measured} AS measured,
            {warm} AS warm
        FROM read_parquet([{listed}], union_by_name = {"false" if alike else "true"})
        """,
        "CREATE TEMP VIEW whole AS SELECT * EXCLUDE (measured, warm) FROM recorded WHERE measured",
        "CREATE TEMP VIEW attempts AS FROM whole",
        "CREATE TEMP VIEW warmup AS SELECT * EXCLUDE (measured, warm) FROM recorded WHERE warm",
        """
        CREATE TEMP VIEW accesses AS
        SELECT touched."table" AS "table", touched."row" AS "row", * EXCLUDE (touched)
        FROM (SELECT unnest("rows") AS touched, * EXCLUDE "rows" FROM whole)
        """,
        """
        CREATE TEMP VIEW transactions AS
        SELECT transaction, attempt - 1 AS retries, * EXCLUDE (transaction, attempt, final)
        FROM attempts WHERE final
        """,
    ]


KEEP = (
    f"""
    CREATE TEMP TABLE measured AS
    SELECT * EXCLUDE ("rows", {", ".join(MOMENTS)}, sqlstate, {", ".join(REMOTE)}) FROM whole
    """,
    "CREATE OR REPLACE TEMP VIEW attempts AS FROM measured",
)
"""The statements that copy what most queries ask out of the Parquet files."""


def literals(names: Iterable[str]) -> str:
    """Words as a list in SQL, without its brackets."""
    return ", ".join("'" + name.replace("'", "''") + "'" for name in names)
