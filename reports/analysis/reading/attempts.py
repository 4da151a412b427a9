"""A record's attempts, to be asked in SQL: DuckDB over the Parquet files, within a memory limit."""

import atexit
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import duckdb
import pandas as pd
from numpy.typing import NDArray

from loadtest.errors import InputError
from loadtest.errors.messages import quoted
from loadtest.record.outcome import OUTCOMES, Outcome
from loadtest.record.run import Run
from loadtest.workload.keyspace import KeyType
from reports.analysis.reading import checks, views
from reports.analysis.reading.checks import File
from reports.analysis.reading.nothing import Last, nothing_measured
from reports.analysis.reading.record_files import Record, find_record

MEMORY_MB = 1200
"""What DuckDB may hold; what needs more goes to files in the system's temporary folder."""
_MOST_THREADS = 8
"""Each thread holds memory of its own."""
_FEW = 200_000
"""So many attempts are kept in memory and read by one thread: to wake others would take longer."""
_BACKWARDS = {
    name: f"{name} < greatest({', '.join(checks.MOMENTS[:number])})"
    for number, name in enumerate(checks.MOMENTS)
    if number
}
"""Moment → the condition that it lies before an earlier one."""
_LONGEST_RUN_NS = 1 << 55
"""Over a year."""
_T = TypeVar("_T")


class Attempts:
    """The views of `reports.analysis.reading.views`, and the names that occur in them.

    Opened by `open_attempts`, and closed after use.
    """

    def __init__(
        self, folder: Path, record: Record, files: Sequence[File], run: Run | None, *, keep: bool
    ) -> None:
        self.folder, self.record, self._files = folder, record, files
        self._place = tempfile.TemporaryDirectory(prefix="occbench-", ignore_cleanup_errors=True)
        rows = sum(file.rows for file in files)
        self.few = keep and rows <= _FEW
        """Whether the attempts are copied into memory, where many questions are answered faster."""
        self.connection = _database(os.getpid()).cursor()
        self.connection.execute(f"SET threads = {_threads(rows)}")
        columns = [file.types for file in files]
        for statement in views.create(
            self._links(),
            alike=all(one == columns[0] for one in columns),
            until_ns=run.planned_end_ns if run else None,
            measured_from_ns=run.measured_from_ns if run else None,
        ):
            self.connection.execute(statement)
        self.remote = tuple(name for name in views.REMOTE if any(name not in f.empty for f in files))
        """The columns in which the other side said anything of any attempt."""
        self._kinds = self._find_kinds()
        self.targets, self.operations, self.key_types = self._names(run)
        if self.few:
            for statement in views.KEEP:
                self.execute(statement)

    def __enter__(self) -> "Attempts":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection and delete what it wrote."""
        self.connection.close()
        self._place.cleanup()

    def frame(self, query: str, **tables: pd.DataFrame) -> pd.DataFrame:
        """The answer of a query over the views, and over these tables by their names.

        Raises:
            InputError: naming the file that is damaged.
        """
        columns = self.columns(query, **tables)
        return pd.DataFrame({name: _series(column) for name, column in columns.items()})

    def columns(self, query: str, **tables: pd.DataFrame) -> dict[str, NDArray[Any]]:
        """The same as arrays, masked where values are missing; raises what `frame` raises."""
        return self._ask(query, tables, duckdb.DuckDBPyConnection.fetchnumpy)

    def one(self, query: str, **tables: pd.DataFrame) -> tuple[Any, ...]:
        """The only row of an answer; raises what `frame` raises."""
        return self._ask(query, tables, duckdb.DuckDBPyConnection.fetchall)[0]

    def execute(self, statement: str, **tables: pd.DataFrame) -> None:
        """Run a statement that has no answer; raises what `frame` raises."""
        self._ask(statement, tables, lambda _: None)

    def _ask(
        self,
        query: str,
        tables: dict[str, pd.DataFrame],
        fetch: Callable[[duckdb.DuckDBPyConnection], _T],
    ) -> _T:
        try:
            for name, table in tables.items():
                # As arrays, which DuckDB looks at in half the time of a frame.
                self.connection.register(name, {c: table[c].to_numpy() for c in table})
            return fetch(self.connection.execute(query))
        except (duckdb.OutOfMemoryException, duckdb.BinderException, duckdb.ParserException):
            raise
        except (duckdb.Error, MemoryError, ValueError) as error:
            if isinstance(error, (duckdb.FatalException, duckdb.InternalException)):
                _database.cache_clear()  # It answers nothing any more.
            raise self._damage(error) from error
        finally:
            for name in tables:
                self.connection.unregister(name)

    @cached_property
    def users(self) -> dict[str, int]:
        """How many users worked on each target, where the record says who did."""
        found = self._users.groupby("target")["user"].nunique()
        return {str(name): int(count) for name, count in found.items() if count}

    @cached_property
    def committed_users(self) -> int | None:
        """How many users committed anything; None where the record does not say."""
        known = self._users.dropna()
        return int(known["user"][known["committed"]].nunique()) if len(known) else None

    @property
    def warmup_from_ns(self) -> int | None:
        """When the first attempt of the warm-up started; None where there was none."""
        first = self._kinds["warm_from_ns"]
        return int(first[first >= 0].min()) if (first >= 0).any() else None

    @property
    def sqlstates(self) -> dict[tuple[str, str], int]:
        """Measured attempts by (outcome, SQLSTATE), where there was a SQLSTATE."""
        known = self._kinds[self._kinds["measured"]].dropna(subset="sqlstate")
        counts = known.groupby(["outcome", "sqlstate"], sort=True)["attempts"].sum()
        return {(str(o), str(s)): int(n) for (o, s), n in counts.items()}

    @cached_property
    def _users(self) -> pd.DataFrame:
        return self.frame(
            'SELECT target, "user", bool_or(committed) AS committed FROM attempts GROUP BY ALL'
        )

    def bounds(self, column: str) -> tuple[int, int]:
        """The least and the largest value of a column in all that is recorded."""
        if all(column in file.bounds for file in self._files):
            ends = [file.bounds[column] for file in self._files]
            return min(least for least, _ in ends), max(most for _, most in ends)
        return self.one(f'SELECT min("{column}"), max("{column}") FROM recorded')

    def _links(self) -> list[str]:
        """Names of the files that hold nothing but letters: DuckDB takes a path for a pattern."""
        found = []
        for number, file in enumerate(self._files):
            link = Path(self._place.name) / f"{number}.parquet"
            link.symlink_to(file.path.absolute())
            found.append(str(link))
        return found

    def _find_kinds(self) -> pd.DataFrame:
        """What there is, and by that what is to be checked of every attempt; −1 is no warm-up."""
        backwards = "".join(
            f"coalesce(bool_or({wrong}), false) AS {name}, " for name, wrong in _BACKWARDS.items()
        )
        return self.frame(
            f"""
            SELECT target, operation, key_type, outcome, sqlstate, measured, count(*) AS attempts,
                max(len("rows")) AS most_rows, max(ended_ns - begin_sent_ns) AS longest_ns, {backwards}
                coalesce(min(start_ns) FILTER (warm), -1) AS warm_from_ns
            FROM recorded GROUP BY ALL ORDER BY ALL
            """
        )

    def check_order(self) -> None:
        """Refuse attempts of which a moment lies before an earlier one, or that took over a year.

        Raises:
            InputError: naming the file.
        """
        for name, wrong in _BACKWARDS.items():
            if self._kinds[name].any():
                path = self._file_where(f"bool_or({wrong})")
                raise InputError(
                    f"{path} is damaged: {quoted(name)} lies before a moment that was earlier; delete "
                    "that one file to report on the rest of the run"
                )
        longest = int(self._kinds["longest_ns"].max()) if len(self._kinds) else 0
        if longest > checks.LONGEST_NS:
            path = self._file_where(f"max(ended_ns - begin_sent_ns) > {checks.LONGEST_NS}")
            raise InputError(f"{path} is damaged: an attempt took {longest} ns; delete that one file")

    def _names(self, run: Run | None) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        """The names of targets, operations and key types; raises InputError for what is no name."""
        found = self._kinds
        for column in ("target", "operation", "key_type", "outcome"):
            for name in found[column].unique():
                if len(name) > checks.LONGEST_NAME:
                    raise InputError(f"{self.folder} is damaged: {quoted(name)} is no name")
        for outcome in found["outcome"].unique():
            if outcome not in OUTCOMES:
                raise InputError(
                    f"{self.folder}: {quoted(outcome)} is not an outcome that this version knows"
                )
        if len(found) and found["most_rows"].max() > checks.MOST_ROWS:
            raise InputError(
                f"{self.folder} is damaged: an attempt has {found['most_rows'].max()} rows"
            )
        kept = found[found["measured"]]
        asked = [target.name for target in run.targets] if run else []
        kinds = [str(kind) for kind in KeyType]
        return (
            tuple(sorted(kept["target"].unique(), key=lambda name: (_place(asked, name), name))),
            tuple(sorted(kept["operation"].unique())),
            (*kinds, *sorted(set(kept["key_type"]) - set(kinds))),
        )

    def _file_where(self, condition: str) -> Path:
        """The first file for all of whose attempts together a condition holds."""
        for number, file in enumerate(self._files):
            there = f"'{self._place.name}/{number}.parquet'"
            if self.connection.execute(f"SELECT {condition} FROM {there}").fetchall()[0][0]:
                return file.path
        return self.folder

    def _damage(self, error: Exception) -> InputError:
        """What is wrong, after a query has failed: the first file that cannot be read alone."""
        for number, file in enumerate(self._files):
            try:
                self.connection.execute(
                    f"SELECT max(hash(COLUMNS(*))) FROM '{self._place.name}/{number}.parquet'"
                ).fetchall()
            except (duckdb.Error, MemoryError, ValueError):
                return InputError(
                    f"{file.path} is damaged; delete that one file to report on the rest of the run"
                )
        line = next(iter(str(error).splitlines()), "")
        return InputError(f"{self.folder} is damaged: {line[:200]}")


def _series(column: NDArray[Any]) -> "pd.Series[Any]":
    """A column for pandas, with words as Python's own: Arrow's are slow where there are few."""
    if column.dtype == object:
        return pd.Series(column.tolist(), dtype=object)
    return pd.Series(column)


@cache
def _database(_process: int) -> duckdb.DuckDBPyConnection:
    """The process's own database, which every record opened is a cursor of: to make one takes longer
    than all that is asked of a small record. A child must not use that of its parent.
    """
    place = tempfile.TemporaryDirectory(prefix="occbench-", ignore_cleanup_errors=True)
    atexit.register(place.cleanup)
    database = duckdb.connect(
        config={
            "memory_limit": f"{MEMORY_MB}MB",
            "temp_directory": f"{place.name}/spilled",
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    database.execute("SET enable_progress_bar = false")
    return database


def _threads(attempts: int) -> int:
    """How many threads read a record of so many attempts."""
    return min(_MOST_THREADS, len(os.sched_getaffinity(0))) if attempts > _FEW else 1


def _place(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else len(names)


def open_attempts(
    folder: Path, run: Run | None = None, *, quiet: bool = False, keep: bool = True
) -> Attempts:
    """Check a result folder's files of attempts and open them.

    Args:
        folder: the run's folder.
        run: what its run.json says: which files are the run's; transactions that should have started
            after the planned end are run-out, in no figure at all; attempts outside every block that
            started after the begin of measuring are no warm-up.
        quiet: whether not to say on stderr what is left out or missing.
        keep: whether to copy what most queries ask, for many of them; of little use for a few.

    Raises:
        InputError: naming the file that is broken, or saying that nothing was measured.
    """
    record = find_record(folder, run)
    listed = (run.files if run else None) or {}
    files = [checks.read_footer(path) for path in record.paths]
    kept = [file for file in files if file.rows == listed.get(file.path.name, file.rows)]
    there = tuple(file.path for file in kept)
    resized = tuple(path.name for path in record.paths if path not in there)
    record = replace(record, paths=there, resized=resized)
    if not quiet:
        record.say(folder)
    nothing = f"{folder} holds no measured attempts: "
    if not kept:
        raise nothing_measured(nothing, run)
    attempts = Attempts(folder, record, kept, run, keep=keep)
    try:
        _check_unknown(attempts, kept)
        attempts.check_order()
        if not attempts.targets:
            raise nothing_measured(nothing, run, _last(attempts, run))
        _check_moments(attempts, run)
    except BaseException:
        attempts.close()
        raise
    return attempts


def _check_unknown(attempts: Attempts, files: Sequence[File]) -> None:
    """Read the bounds of columns of which a footer does not say them, in one query."""
    names = sorted(set().union(*(file.unknown for file in files)))
    if not names:
        return
    parts = []
    for name in names:
        least = most = column = f'"{name}"'
        if name == "rows":
            numbers = f"list_transform({column}, lambda one: one.row)"
            least, most = f"list_min({numbers})", f"list_max({numbers})"
        parts.append(f"min({least}), max({most}), count(*) - count({column})")
    found = attempts.one(f"SELECT {', '.join(parts)} FROM recorded")
    for name, least, most, nulls in zip(names, *(found[part::3] for part in range(3)), strict=True):
        path = next(file.path for file in files if name in file.unknown)
        if nulls and name not in checks.MAY_BE_EMPTY:
            raise InputError(f"{path}: column {quoted(name)} has empty values")
        if name in checks.RANGES and most is not None:
            checks.check_range(path, name, least, most)


def _last(attempts: Attempts, run: Run | None) -> Last | None:
    """Of the attempts that began within the run's time, the one that ended last."""
    until_ns = run.measured_until_ns if run else None
    began = "true" if until_ns is None else f"start_ns < {until_ns}"
    ended_ns, outcome = attempts.one(
        f"SELECT max(end_ns), arg_max(outcome, (end_ns, outcome)) FROM recorded WHERE {began}"
    )
    return None if ended_ns is None else Last(int(ended_ns), Outcome(outcome))


def _check_moments(attempts: Attempts, run: Run | None) -> None:
    """Refuse a record whose attempts lie years apart, or far from the measured time."""
    moments = [m for m in (run.measured_from_ns, run.measured_until_ns) if m] if run else []
    for name in ("begin_sent_ns", "intended_start_ns"):
        moments += attempts.bounds(name)
    if max(moments) - min(moments) > _LONGEST_RUN_NS:
        raise InputError(
            f"{attempts.folder} is damaged: its attempts lie years apart from one another, or from the "
            "measured time in run.json"
        )
