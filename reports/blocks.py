"""When each block was measured, and for which key type.

With several key types a run alternates them in blocks; with one, its measured time is cut into
blocks just the same, or is a single one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.load import Attempts
from reports.run_file import Run


@dataclass(frozen=True, slots=True)
class Blocks:
    """The blocks of the measured time, in order.

    `numbers`, `starts_ns`, `ends_ns` have one element a block; `present[b, k]` says whether key
    type k (a code) has attempts in block b; `index[n]` is the place of block number n.
    """

    numbers: NDArray[np.int64]
    starts_ns: NDArray[np.int64]
    ends_ns: NDArray[np.int64]
    present: NDArray[np.bool_]
    index: NDArray[np.int64]

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

    def duration_of(self, key_type: int) -> float:
        """The measured time of the blocks in which this key type ran."""
        return float(self.seconds[self.present[:, key_type]].sum())

    @property
    def paired(self) -> bool:
        """Whether every block belongs to one key type."""
        return bool((self.present.sum(axis=1) == 1).all())


def find_blocks(run: Run, attempts: Attempts) -> Blocks:
    """The blocks' bounds: the schedule's where the attempts fit it, else the first starts."""
    rows = attempts.measured
    kinds = len(attempts.key_types)
    attempted = np.bincount(rows.block * np.int64(kinds) + rows.key_type)
    seen = np.pad(attempted, (0, -len(attempted) % kinds)).reshape(-1, kinds) > 0
    numbers = np.flatnonzero(seen.any(axis=1)).astype(np.int64)
    first = np.full(len(seen), np.iinfo(np.int64).max)
    last = np.full(len(seen), np.iinfo(np.int64).min)
    np.minimum.at(first, rows.block, rows.intended_start_ns)
    np.maximum.at(last, rows.block, rows.intended_start_ns)
    first, last = first[numbers], last[numbers]

    begin = run.measured_from_ns if run.measured_from_ns is not None else int(first[0])
    end = run.measured_until_ns
    if end is not None and run.planned_end_ns is not None:
        end = min(end, run.planned_end_ns)
    if end is None:
        end = int((rows.start_ns + rows.statements_ns + rows.commit_ns).max())
    end = max(end, int(last[-1]) + 1)

    starts = _scheduled(run, numbers, len(np.flatnonzero(seen.any(axis=0))), begin, first, last)
    if starts is None:
        starts = first.copy()
        starts[0] = min(begin, first[0])
    ends = np.append(starts[1:], end)
    index = np.full(len(seen), -1)
    index[numbers] = np.arange(len(numbers))
    return Blocks(numbers, starts, ends, seen[numbers], index)


def _scheduled(
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
