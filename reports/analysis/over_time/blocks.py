"""When each block was measured, and for which key type.

With several key types a run alternates them in blocks; with one, its measured time is cut into
blocks just the same, or is a single one.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtest.record.run import Run
from loadtest.workload.blocks import key_of_block
from reports.analysis.reading.attempts import Attempts

_SLIVER = 1e-6
"""A last block shorter than this share of a block comes of rounding."""
_MOST_BLOCKS = 1_000_000
_EARLY_SHARE = 0.1
"""A start that lies so much of a block, and `_EARLY_NS`, before its block is of another schedule."""
_EARLY_NS = 50_000_000


@dataclass(frozen=True, slots=True)
class Blocks:
    """The blocks of the measured time, in order.

    `numbers`, `starts_ns`, `ends_ns` have one element a block; `present[b, k]` says whether
    block b belongs to key type `key_types[k]`, or shows attempts of it; `index[n]` is the place of
    block number n.
    """

    numbers: NDArray[np.int64]
    starts_ns: NDArray[np.int64]
    ends_ns: NDArray[np.int64]
    present: NDArray[np.bool_]
    index: NDArray[np.int64]
    key_types: tuple[str, ...]

    @property
    def from_ns(self) -> int:
        """When measuring began."""
        return int(self.starts_ns[0])

    @property
    def until_ns(self) -> int:
        """When measuring ended."""
        return int(self.ends_ns[-1])

    @property
    def seconds(self) -> NDArray[np.float64]:
        """The length of each block."""
        return np.asarray((self.ends_ns - self.starts_ns) / 1e9, np.float64)

    @property
    def duration_s(self) -> float:
        """The measured time."""
        return float(self.seconds.sum())

    def of(self, key_type: str) -> NDArray[np.bool_]:
        """Which blocks belong to this key type."""
        return np.asarray(self.present[:, self.key_types.index(key_type)])

    def duration_of(self, key_type: str) -> float:
        """The measured time of the blocks in which this key type ran."""
        return float(self.seconds[self.of(key_type)].sum())

    @property
    def paired(self) -> bool:
        """Whether every block belongs to one key type."""
        return bool((self.present.sum(axis=1) == 1).all())


def find_blocks(run: Run, attempts: Attempts) -> Blocks:
    """The blocks as they were scheduled; of a record that does not say, as the attempts show them.

    A scheduled block in which nothing started is one all the same: the database stood still.
    """
    starts = _Starts(attempts)
    return _planned(run, attempts, starts) or _inferred(run, attempts, starts)


class _Starts:
    """When the attempts of each block started; a block's number is the place in the arrays."""

    def __init__(self, attempts: Attempts) -> None:
        found = attempts.frame(
            """
            SELECT block, key_type, min(start_ns) AS earliest, max(start_ns) AS latest,
                min(start_ns) FILTER (attempt = 1) AS first, max(start_ns) FILTER (attempt = 1) AS last,
                max(end_ns) AS ended
            FROM attempts GROUP BY ALL
            """
        )
        kinds = attempts.key_types
        whole = found.drop(columns="key_type").astype("Int64").groupby("block")
        by_block = whole.agg({"earliest": "min", "latest": "max", "first": "min", "last": "max"})
        size = int(by_block.index.max()) + 1
        self.seen = np.zeros((size, len(kinds)), bool)
        self.seen[found["block"], [kinds.index(kind) for kind in found["key_type"]]] = True
        self.earliest = np.full(size, np.iinfo(np.int64).max)
        self.earliest[by_block.index] = by_block["earliest"]
        # A retry is no start; where a file was lost, a later attempt must do.
        self.first = by_block["first"].fillna(by_block["earliest"]).to_numpy(np.int64)
        self.last = by_block["last"].fillna(by_block["latest"]).to_numpy(np.int64)
        """Of the blocks that have attempts, in their order."""
        self.last_of_all = int(found["last"].max()) if found["last"].notna().any() else 0
        self.ended = int(found["ended"].max())


def _end_ns(run: Run, starts: _Starts) -> int:
    """When measuring ended, as far as the run says; with the last attempt otherwise."""
    end = run.measured_until_ns if run.measured_until_ns is not None else starts.ended
    planned = run.planned_end_ns
    return end if planned is None else min(end, planned)


def _planned(run: Run, attempts: Attempts, starts: _Starts) -> Blocks | None:
    """The schedule's blocks; None where it is not known, or is not the one that the run kept."""
    begin, keys, seen = run.measured_from_ns, run.config.keys, starts.seen
    if begin is None or not run.config.block or not keys or not set(keys) <= set(attempts.key_types):
        return None
    length = max(1, round(run.config.block * 1e9))
    end = _end_ns(run, starts)
    if len(seen) > math.ceil((end - begin) / length):
        # Stopped early: a process may have gone on for a moment.
        end = min(starts.last_of_all + 1, begin + len(seen) * length)
    # What rounding leaves over is no block of its own.
    size = max(len(seen), math.ceil((end - begin) / length - _SLIVER))
    if begin + (size - 1) * length >= end or size > _MOST_BLOCKS:
        return None

    codes = np.array([attempts.key_types.index(key) for key in keys])
    order = [key_of_block(number, len(keys), run.config.seed) for number in range(size)]
    present = np.zeros((size, seen.shape[1]), bool)
    present[np.arange(size), codes[order]] = True
    begins = begin + np.arange(size, dtype=np.int64) * length
    early = begins[: len(seen)] - starts.earliest > max(_EARLY_SHARE * length, _EARLY_NS)
    if (seen & ~present[: len(seen)]).any() or early.any():
        return None
    numbers = np.arange(size, dtype=np.int64)
    return Blocks(numbers, begins, np.append(begins[1:], end), present, numbers, attempts.key_types)


def _inferred(run: Run, attempts: Attempts, starts: _Starts) -> Blocks:
    """Blocks of a record that does not say: from the first starts in each."""
    seen, first, last = starts.seen, starts.first, starts.last
    numbers = np.flatnonzero(seen.any(axis=1)).astype(np.int64)
    begin = run.measured_from_ns if run.measured_from_ns is not None else int(first[0])
    end = max(_end_ns(run, starts), int(last[-1]) + 1)

    begins = _evenly(run, numbers, len(np.flatnonzero(seen.any(axis=0))), begin, first, last)
    if begins is None:
        begins = first.copy()
        begins[0] = min(begin, first[0])
    ends = np.append(begins[1:], end)
    index = np.full(len(seen), -1)
    index[numbers] = np.arange(len(numbers))
    return Blocks(numbers, begins, ends, seen[numbers], index, attempts.key_types)


def _evenly(
    run: Run,
    numbers: NDArray[np.int64],
    key_types: int,
    begin: int,
    first: NDArray[np.int64],
    last: NDArray[np.int64],
) -> NDArray[np.int64] | None:
    """Starts a block length apart, if the attempts fit; None where the run kept another time."""
    for length in _lengths(run, key_types):
        starts = begin + np.round(numbers * length * 1e9).astype(np.int64)
        tolerance = 0.02 * length * 1e9
        # The last block may run on: what is left of the duration is too short for one of its own.
        if (first >= starts - tolerance).all() and (last[:-1] < starts[1:] + tolerance).all():
            return starts
    return None


def _lengths(run: Run, key_types: int) -> list[float]:
    """The block lengths, in seconds, that a run may have kept: as asked, or fitted to its time."""
    asked, duration = run.config.block, run.config.duration
    if not asked:
        return []
    found = [asked]
    if duration:
        groups = max(1, round(duration / (asked * key_types)))
        found.append(duration / (groups * key_types))
    return found
