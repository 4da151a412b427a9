"""`attempts/*.parquet` → columns.

Files are read one after another straight into arrays of their final size, dictionary columns as
small codes, so that ten million attempts need little more memory than their numbers.
"""

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from loadtest.errors import InputError
from loadtest.errors.messages import quoted
from loadtest.record.attempt import COUNTED, OUTCOME_CODE, OUTCOMES, Outcome
from loadtest.record.run import Run
from loadtest.workload.keyspace import KeyType
from reports.analysis.reading.attempts_file import REMOTE, open_file, read_file
from reports.analysis.reading.nothing import Last, nothing_measured
from reports.analysis.reading.parallel import beside
from reports.analysis.reading.record_files import Record, find_record

_NUMBERS: dict[str, type[np.generic]] = {
    "transaction": np.int64,
    "attempt": np.int32,
    "final": np.bool_,
    "block": np.int32,
    "intended_start_ns": np.int64,
    "start_ns": np.int64,
    "statements_ns": np.int64,
    "commit_ns": np.int64,
    "window_low_ns": np.int64,
    "window_high_ns": np.int64,
    "backoff_ns": np.int64,
}
COUNTED_CODES = np.array([outcome in COUNTED for outcome in OUTCOMES])
"""By outcome code: whether an attempt counts, and a transaction whose last attempt ended so."""
_WORDS = ("target", "scenario", "key_type")
_LONGEST_WORD = 1000
_MOST_USERS = 1 << 20
_LONGEST_RUN_NS = 1 << 55
"""Over a year."""


@dataclass(slots=True)
class Columns:
    """Attempts as parallel arrays, one element an attempt, in no particular order.

    `*_ns` are int64 nanoseconds (`start_ns`, `intended_start_ns` since the epoch). `target`,
    `scenario`, `key_type` are int8 codes into the tuples of names in `Attempts`; `outcome` is an
    int8 code into `attempt.OUTCOMES`. Attempt *i* touched `touched[i]` accounts; they lie
    in `accounts`, one attempt's after another's. `remote` holds the columns in which the other side
    said anything of any attempt: −1 or NaN where it said nothing of this one.
    """

    transaction: NDArray[np.int64]
    attempt: NDArray[np.int32]
    final: NDArray[np.bool_]
    block: NDArray[np.int32]
    intended_start_ns: NDArray[np.int64]
    start_ns: NDArray[np.int64]
    statements_ns: NDArray[np.int64]
    commit_ns: NDArray[np.int64]
    window_low_ns: NDArray[np.int64]
    window_high_ns: NDArray[np.int64]
    backoff_ns: NDArray[np.int64]
    target: NDArray[np.int8]
    scenario: NDArray[np.int8]
    key_type: NDArray[np.int8]
    outcome: NDArray[np.int8]
    touched: NDArray[np.int16]
    accounts: NDArray[np.int64]
    remote: dict[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.attempt)

    def end_ns(self) -> NDArray[np.int64]:
        """When each attempt ended."""
        return self.start_ns + self.statements_ns + self.commit_ns

    def counted(self) -> NDArray[np.bool_]:
        """Which attempts are the last ones of transactions that count: those that have a latency."""
        return np.asarray(self.final & COUNTED_CODES[self.outcome], np.bool_)

    def latency_ns(self) -> NDArray[np.int64]:
        """The latency of each transaction that counts, in the order of the attempts."""
        counted = self.counted()
        return (self.end_ns() - self.intended_start_ns)[counted]


@dataclass(slots=True)
class Warmup:
    """What the charts over time show of the warm-up; it is in no figure."""

    end_ns: NDArray[np.int64]
    outcome: NDArray[np.int8]
    first_start_ns: int | None


@dataclass(slots=True)
class Attempts:
    """Every attempt of a run: the measured ones as columns, the warm-up apart."""

    measured: Columns
    warmup: Warmup
    targets: tuple[str, ...]
    scenarios: tuple[str, ...]
    key_types: tuple[str, ...]
    sqlstates: dict[tuple[str, str], int] = field(default_factory=dict)
    """Measured attempts by (outcome, SQLSTATE), where there was a SQLSTATE."""
    users: dict[str, int] = field(default_factory=dict)
    """How many users worked on each target, where the record says who did."""
    committed_users: int | None = None
    """How many users committed anything; None where the record does not say, or cannot count them."""
    record: Record = field(default_factory=lambda: Record(()))
    """The files that it was read from."""


class _Vocabulary:
    """Words → small codes, the same in every file whatever each file's own dictionary says."""

    def __init__(self, words: tuple[str, ...] = (), *, closed: bool = False) -> None:
        self.words = list(words)
        self._closed = closed

    def code(self, column: pa.ChunkedArray, where: str) -> NDArray[np.int8]:
        encoded = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
        if not pa.types.is_dictionary(encoded.type):
            encoded = encoded.dictionary_encode()
        if encoded.dictionary.null_count:
            raise InputError(f"{where}: a name is empty")
        translation = np.array(
            [self._known(word, where) for word in encoded.dictionary.to_pylist()], np.int8
        )
        indices = encoded.indices.to_numpy(zero_copy_only=False)
        return translation[indices] if len(indices) else np.empty(0, np.int8)

    def _known(self, word: str, where: str) -> int:
        if word not in self.words:
            if len(word) > _LONGEST_WORD:
                raise InputError(f"{where} is damaged: {quoted(word)} is no name")
            if self._closed:
                raise InputError(f"{where}: {quoted(word)} is not an outcome that this version knows")
            if len(self.words) > 126:
                raise InputError(f"{where}: more than 127 different names in one column")
            self.words.append(word)
        return self.words.index(word)


def _tables(files: list[tuple[Path, pq.ParquetFile]]) -> Iterator[tuple[Path, pa.Table]]:
    """The files' tables, each read while the one before it is worked on."""
    with beside() as reader:
        ahead: Future[pa.Table] | None = None
        for place, (path, _) in enumerate(files):
            table = (ahead or reader.submit(read_file, *files[place])).result()
            ahead = reader.submit(read_file, *files[place + 1]) if place + 1 < len(files) else None
            yield path, table


def _numpy(column: pa.ChunkedArray) -> NDArray[Any]:
    return np.asarray(column.to_numpy())


class _Store:
    """Arrays of the size that the files' footers announce, filled file by file."""

    def __init__(self, rows: int) -> None:
        self.rows, self._size = 0, rows
        self.numbers = {name: np.empty(rows, kind) for name, kind in _NUMBERS.items()}
        self.codes = {name: np.empty(rows, np.int8) for name in (*_WORDS, "outcome")}
        self.touched = np.empty(rows, np.int16)
        self.accounts: list[NDArray[np.int64]] = []
        self.remote: dict[str, NDArray[Any]] = {}

    def remote_column(self, name: str) -> NDArray[Any]:
        """The column of what the other side said; made when the first file has something in it."""
        if name not in self.remote:
            kind, absent = REMOTE[name]
            self.remote[name] = np.full(self._size, absent, kind)
        return self.remote[name]

    def columns(self) -> Columns:
        """The filled part; shrinks without copying."""
        n = self.rows
        accounts = np.concatenate(self.accounts) if self.accounts else np.empty(0, np.int64)
        self.accounts.clear()
        arrays = {**self.numbers, **self.codes}
        return Columns(
            **{name: array[:n] for name, array in arrays.items()},
            touched=self.touched[:n],
            accounts=accounts,
            remote={name: array[:n] for name, array in self.remote.items()},
        )


def _put(
    store: _Store, table: pa.Table, codes: dict[str, NDArray[np.int8]], measured: NDArray[np.bool_]
) -> None:
    """Append a file's measured attempts."""
    everything = bool(measured.all())
    start, stop = store.rows, store.rows + int(np.count_nonzero(measured))
    for name, array in store.numbers.items():
        values = _numpy(table.column(name))
        array[start:stop] = values if everything else values[measured]
    for name in REMOTE:
        if name in table.column_names and (column := table.column(name)).null_count < len(column):
            kind, absent = REMOTE[name]
            said = column.fill_null(pa.scalar(absent, column.type)).to_numpy().astype(kind, copy=False)
            store.remote_column(name)[start:stop] = said if everything else said[measured]
    for name, codes_of_file in codes.items():
        store.codes[name][start:stop] = codes_of_file if everything else codes_of_file[measured]
    lists = table.column("rows").combine_chunks()
    lists = lists if isinstance(lists, pa.Array) else pa.concat_arrays(lists.chunks)
    lengths = np.diff(lists.offsets.to_numpy())
    numbers = lists.flatten().field("row").to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
    if not everything:
        numbers = numbers[np.repeat(measured, lengths)]
        lengths = lengths[measured]
    store.touched[start:stop] = lengths
    store.accounts.append(numbers)
    store.rows = stop


def load_attempts(folder: Path, run: Run | None = None) -> Attempts:
    """Read every attempt of a result folder.

    Args:
        folder: the run's folder.
        run: what its run.json says: which files are the run's; transactions that started after the
            planned end are run-out, in no figure at all; attempts outside every block that started
            after the begin of measuring are no warm-up.

    Raises:
        InputError: naming the file that is broken, or saying that nothing was measured.
    """
    until_ns = run.planned_end_ns if run else None
    measured_from_ns = run.measured_from_ns if run else None
    record, files = _files(folder, run)
    store = _Store(sum(file.metadata.num_rows for _, file in files))
    words = {name: _Vocabulary() for name in _WORDS}
    words["key_type"] = _Vocabulary(tuple(str(k) for k in KeyType))
    words["outcome"] = _Vocabulary(tuple(OUTCOMES), closed=True)
    sqlstates: dict[tuple[str, str], int] = {}
    users, committing = _Users(), _Users()
    warm_ends: list[NDArray[np.int64]] = []
    warm_outcomes: list[NDArray[np.int8]] = []
    warm_first: int | None = None
    last: Last | None = None
    for path, table in _tables(files):
        codes = {name: words[name].code(table.column(name), str(path)) for name in words}
        warm = _numpy(table.column("block")) < 0
        measured = ~warm
        if until_ns is not None:
            measured &= _numpy(table.column("intended_start_ns")) < until_ns
        _put(store, table, codes, measured)
        _count_sqlstates(sqlstates, table, codes["outcome"], measured)
        user = _numpy(table.column("user"))
        users.add(codes["target"][measured], user[measured])
        committed = measured & (codes["outcome"] == OUTCOME_CODE[Outcome.COMMITTED])
        committing.add(codes["target"][committed], user[committed])
        if not store.rows:
            last = _later(last, table, codes["outcome"], run)
        if measured_from_ns is not None:
            # What began when measuring had ended has no block either.
            warm &= _numpy(table.column("start_ns")) < measured_from_ns
        if warm.any():
            start = _numpy(table.column("start_ns"))[warm].astype(np.int64)
            took = np.add(_numpy(table.column("statements_ns")), _numpy(table.column("commit_ns")))[
                warm
            ]
            warm_ends.append(start + took)
            warm_outcomes.append(codes["outcome"][warm])
            warm_first = min(int(start.min()), warm_first or int(start.min()))
    record.say(folder)
    if not store.rows:
        raise nothing_measured(f"{folder} holds no measured attempts: ", run, last)
    columns = store.columns()
    _check_moments(folder, columns, run)
    empty = np.empty(0, np.int64)
    return Attempts(
        measured=columns,
        warmup=Warmup(
            np.concatenate(warm_ends) if warm_ends else empty,
            np.concatenate(warm_outcomes) if warm_outcomes else empty.astype(np.int8),
            warm_first,
        ),
        targets=tuple(words["target"].words),
        scenarios=tuple(words["scenario"].words),
        key_types=tuple(words["key_type"].words),
        sqlstates=dict(sorted(sqlstates.items())),
        users=users.by_target(words["target"].words),
        committed_users=committing.in_all() if users.known else None,
        record=record,
    )


def _later(
    last: Last | None, table: pa.Table, outcome: NDArray[np.int8], run: Run | None
) -> Last | None:
    """Of an attempt and those of a file that began within the run's time, the one that ended last."""
    start, *took = (
        _numpy(table.column(name)).astype(np.int64)
        for name in ("start_ns", "statements_ns", "commit_ns")
    )
    until_ns = run.measured_until_ns if run else None
    began = start < until_ns if until_ns is not None else np.ones(len(start), np.bool_)
    if not began.any():
        return last
    ends = (start + sum(took))[began]
    place = int(np.argmax(ends))
    found = Last(int(ends[place]), OUTCOMES[outcome[began][place]])
    return found if last is None or found.ended_ns > last.ended_ns else last


def _check_moments(folder: Path, columns: Columns, run: Run | None) -> None:
    """Refuse a record whose attempts lie years apart, or far from the measured time."""
    moments = [m for m in (run.measured_from_ns, run.measured_until_ns) if m] if run else []
    for starts in (columns.start_ns, columns.intended_start_ns):
        moments += [int(starts.min()), int(starts.max())]
    if max(moments) - min(moments) > _LONGEST_RUN_NS:
        raise InputError(
            f"{folder} is damaged: its attempts lie years apart from one another, or from the measured "
            "time in run.json"
        )


def _files(folder: Path, run: Run | None) -> tuple[Record, list[tuple[Path, pq.ParquetFile]]]:
    """The files that are read, as long as they were written."""
    record = find_record(folder, run)
    listed = (run.files if run else None) or {}
    files = [(path, open_file(path)) for path in record.paths]
    kept = [
        (path, file)
        for path, file in files
        if file.metadata.num_rows == listed.get(path.name, file.metadata.num_rows)
    ]
    there = tuple(path for path, _ in kept)
    resized = tuple(path.name for path in record.paths if path not in there)
    return replace(record, paths=there, resized=resized), kept


class _Users:
    """Which users worked on which target."""

    def __init__(self) -> None:
        self._seen: dict[int, NDArray[np.bool_]] = {}

    def add(self, target: NDArray[np.int8], user: NDArray[np.int32]) -> None:
        for code in np.flatnonzero(np.bincount(target)):
            own = user[target == code]
            seen = self._seen.get(int(code), np.zeros(0, np.bool_))
            there = np.bincount(np.clip(own, 0, _MOST_USERS), minlength=len(seen)) > 0
            there[: len(seen)] |= seen
            self._seen[int(code)] = there

    @property
    def known(self) -> bool:
        """Whether anything says who worked, and no number is too large to be told from others."""
        return bool(self._seen) and all(len(seen) <= _MOST_USERS for seen in self._seen.values())

    def in_all(self) -> int:
        """How many there are, each counted once."""
        longest = max((len(seen) for seen in self._seen.values()), default=0)
        together = np.zeros(longest, np.bool_)
        for seen in self._seen.values():
            together[: len(seen)] |= seen
        return int(np.count_nonzero(together))

    def by_target(self, names: list[str]) -> dict[str, int]:
        return {names[code]: int(np.count_nonzero(seen)) for code, seen in self._seen.items()}


def _count_sqlstates(
    counts: dict[tuple[str, str], int],
    table: pa.Table,
    outcome: NDArray[np.int8],
    measured: NDArray[np.bool_],
) -> None:
    column = table.column("sqlstate")
    if column.null_count == len(column):
        return
    rows = np.flatnonzero(measured & np.asarray(column.is_valid().to_numpy()))
    encoded = column.take(pa.array(rows)).combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    pairs = outcome[rows].astype(np.int64) * len(encoded.dictionary) + encoded.indices.to_numpy()
    for pair, number in zip(*np.unique(pairs, return_counts=True), strict=True):
        code, state = divmod(int(pair), len(encoded.dictionary))
        name = (str(OUTCOMES[code]), str(encoded.dictionary[state].as_py()))
        counts[name] = counts.get(name, 0) + int(number)
