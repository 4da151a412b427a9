"""Figures over time: what is drawn is thinned into bins, what is computed is not."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtest.record.attempt import OUTCOME_CODE, Outcome
from reports.analysis import percentiles
from reports.analysis.blocks import Blocks
from reports.analysis.figures import CONFLICT_CODES
from reports.analysis.reading.load import COUNTED_CODES, Attempts, Warmup

_MOST_BINS = 120
_FEWEST_BINS = 10
_SHORTEST_S = 0.5
_FEWEST_ATTEMPTS = 20
_FOR_P99 = 1_300
_FEWEST_SHOWN = 0.6
_AT_ONCE = 1 << 18
_NICE_S = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)

DRAWN = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
"""The percentiles drawn over time."""


@dataclass(frozen=True, slots=True)
class Series:
    """One key type, or target, over time, one element a bin; NaN where a bin has too little to show.

    `middle_s` counts from the start of measuring; `seconds` is how long the key type ran within the
    bin. `joined[i]` says whether bin i follows bin i - 1 directly, with no other key type's block
    between them. Percentiles need more samples than rates, so theirs are bins of their own:
    `latency_ms` is (latency bins, DRAWN), `latency_middle_s` and `latency_joined` belong to it.
    """

    middle_s: NDArray[np.float64]
    seconds: NDArray[np.float64]
    throughput_tps: NDArray[np.float64]
    conflict_rate: NDArray[np.float64]
    joined: NDArray[np.bool_]
    latency_middle_s: NDArray[np.float64]
    latency_ms: NDArray[np.float64]
    latency_joined: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class WarmupSeries:
    """The warm-up, all key types together; `middle_s` is negative."""

    middle_s: NDArray[np.float64]
    throughput_tps: NDArray[np.float64]
    conflict_rate: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Bins:
    """A key type's blocks cut into parts, or several of them taken together."""

    starts_ns: NDArray[np.int64]
    ends_ns: NDArray[np.int64]
    segment_of: NDArray[np.int64]
    """Block's number → segment, an element of `starts_ns`."""
    parts: int
    together: int

    @property
    def size(self) -> int:
        return math.ceil(len(self.starts_ns) / self.together) * self.parts

    def place(self, block: NDArray[np.integer], when_ns: NDArray[np.int64]) -> NDArray[np.int32]:
        """The bin of each attempt, by the number of the block it belongs to and its moment."""
        found = np.empty(len(block), np.int32)
        lengths = np.maximum(self.ends_ns - self.starts_ns, 1)
        # Some at a time: on the way to their bins ten million moments would take a lot of memory.
        for start in range(0, len(block), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            segment = self.segment_of[block[some]]
            if self.parts == 1:
                found[some] = segment // self.together
                continue
            share = (when_ns[some] - self.starts_ns[segment]) / lengths[segment]
            # What comes after its block counts in the block's last part.
            part = np.clip((share * self.parts).astype(np.int64), 0, self.parts - 1)
            found[some] = segment * self.parts + part
        return found

    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """(middle in epoch ns, own seconds, joined) of each bin."""
        lengths = (self.ends_ns - self.starts_ns).astype(float)
        if self.parts > 1:
            steps = (np.arange(self.parts) + 0.5) / self.parts
            middles = self.starts_ns[:, None] + lengths[:, None] * steps
            seconds = np.repeat(lengths / self.parts / 1e9, self.parts)
            joined = np.arange(len(seconds)) % self.parts > 0
            return middles.ravel(), seconds, joined
        heads = np.arange(0, len(lengths), self.together)
        tails = np.minimum(heads + self.together, len(lengths)) - 1
        middles = (self.starts_ns[heads] + self.ends_ns[tails]) / 2
        return middles, np.add.reduceat(lengths, heads) / 1e9, np.zeros(len(heads), bool)


def _bins(blocks: Blocks, key_type: int | None, alternating: bool) -> _Bins:
    if key_type is None or not alternating:
        width = next((w for w in _NICE_S if blocks.duration_s / w <= _MOST_BINS), _NICE_S[-1])
        parts = max(1, min(round(blocks.duration_s / width), 4 * _MOST_BINS))
        nowhere = np.zeros(len(blocks.index), np.int64)
        return _Bins(blocks.starts_ns[:1], blocks.ends_ns[-1:], nowhere, parts, 1)
    own = blocks.present[:, key_type]
    rank = np.cumsum(own) - 1
    # The same for every key type, or their lines would not compare.
    most = int(blocks.present.sum(axis=0).max())
    together = math.ceil(most / _MOST_BINS)
    parts = min(math.ceil(_FEWEST_BINS / most), int(np.median(blocks.seconds) / _SHORTEST_S))
    return _Bins(
        blocks.starts_ns[own],
        blocks.ends_ns[own],
        rank[blocks.index],
        max(1, parts) if together == 1 else 1,
        together,
    )


def over_time(
    attempts: Attempts,
    blocks: Blocks,
    end_ns: NDArray[np.int64],
    latency_ns: NDArray[np.int64],
    *,
    key_type: int,
    alternating: bool,
    closed: bool,
) -> Series:
    """Throughput, conflict rate and latency percentiles of a key type over time.

    Args:
        attempts: the run's attempts.
        blocks: its blocks.
        end_ns: end of each attempt.
        latency_ns: that of `Columns.latency_ns`.
        key_type: the key type's code.
        alternating: whether other key types had blocks of their own between.
        closed: whether users started their next transaction when the last had ended.
    """
    rows = attempts.measured
    bins = _bins(blocks, key_type, alternating)
    own = rows.key_type == key_type
    # All of ten million is not copied.
    mine = slice(None) if own.all() else own
    # Within a block of its own, counting by ends would leave the first part short by all that is still
    # under way, and give the last part what ends after the block: a sawtooth where all is steady. An
    # open loop starts when its schedule says, so there only ends show what the database did.
    moments = rows.intended_start_ns if alternating and closed else end_ns
    place = bins.place(rows.block[mine], moments[mine])
    return _series(attempts, blocks, bins, mine, place, latency_ns, alternating=alternating)


def targets_over_time(
    attempts: Attempts,
    blocks: Blocks,
    end_ns: NDArray[np.int64],
    latency_ns: NDArray[np.int64],
    targets: list[int],
) -> dict[int, Series]:
    """The same of each target, by its code; targets are used at the same time and share their bins."""
    rows = attempts.measured
    bins = _bins(blocks, None, alternating=False)
    place = bins.place(rows.block, end_ns)
    found = {}
    for target in targets:
        mine = rows.target == target
        found[target] = _series(
            attempts, blocks, bins, mine, place[mine], latency_ns, alternating=False
        )
    return found


def _series(
    attempts: Attempts,
    blocks: Blocks,
    bins: _Bins,
    mine: NDArray[np.bool_] | slice,
    place: NDArray[np.int32],
    latency_ns: NDArray[np.int64],
    *,
    alternating: bool,
) -> Series:
    """The attempts that are `mine`, of which `place` has the bins."""
    rows = attempts.measured
    all_counted = rows.counted()
    outcome, counted = rows.outcome[mine], all_counted[mine]
    latency_ns = latency_ns[mine if isinstance(mine, slice) else mine[all_counted]]
    size = bins.size
    decided = np.bincount(place[COUNTED_CODES[outcome]], minlength=size)
    conflicts = np.bincount(place[CONFLICT_CODES[outcome]], minlength=size)
    committed = np.bincount(
        place[counted & (outcome == OUTCOME_CODE[Outcome.COMMITTED])], minlength=size
    )
    middle_ns, seconds, joined = bins.bounds()
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(decided >= _FEWEST_ATTEMPTS, conflicts / decided, np.nan)
        throughput = np.where(seconds > 0, committed / seconds, np.nan)
    middle_s = np.asarray((middle_ns - blocks.from_ns) / 1e9, np.float64)
    merged = _merged(size, int(np.count_nonzero(counted)))
    heads = np.arange(0, size, merged)
    counts = np.diff(np.append(heads, size))
    return Series(
        middle_s=middle_s,
        seconds=seconds,
        throughput_tps=throughput,
        conflict_rate=rate,
        joined=joined,
        latency_middle_s=np.add.reduceat(middle_s, heads) / counts,
        latency_ms=_percentiles(place[counted] // np.int32(merged), latency_ns, len(heads)),
        latency_joined=joined[heads] if merged == 1 or not alternating else np.zeros(len(heads), bool),
    )


def _merged(bins: int, samples: int) -> int:
    """How many bins to take together, so that most can show a p99 without leaving too few bins."""
    wanted = math.ceil(_FOR_P99 * bins / max(1, samples))
    return max(1, min(wanted, bins // _FEWEST_BINS))


def _percentiles(
    place: NDArray[np.int32], latency_ns: NDArray[np.int64], size: int
) -> NDArray[np.float64]:
    """DRAWN of each bin, in milliseconds; NaN where too few samples lie beyond.

    A percentile that few bins can show is left out of all: its line would be a row of dots.
    """
    # 16-bit numbers are sorted by radix: linear in the number of attempts.
    order = np.argsort(place.astype(np.uint16), kind="stable")
    grouped = latency_ns[order]
    stops = np.cumsum(np.bincount(place, minlength=size))
    found = np.full((size, len(DRAWN)), np.nan)
    for index, (start, stop) in enumerate(zip(np.r_[0, stops[:-1]], stops, strict=True)):
        values = grouped[start:stop]
        values.sort()
        for column, quantile in enumerate(DRAWN.values()):
            if percentiles.enough(len(values), quantile):
                found[index, column] = percentiles.at(values, quantile) / 1e6
    found[:, np.isfinite(found).mean(axis=0) < _FEWEST_SHOWN] = np.nan
    return found


def warmup_over_time(warmup: Warmup, measured_from_ns: int) -> WarmupSeries | None:
    """The warm-up in up to 20 bins, None if there was none."""
    if warmup.first_start_ns is None:
        return None
    length = (measured_from_ns - warmup.first_start_ns) / 1e9
    if length <= 0:
        return None
    size = max(1, min(20, int(length / _SHORTEST_S)))
    width = length / size
    since = (warmup.end_ns - warmup.first_start_ns) / 1e9
    place = np.clip((since / width).astype(np.int64), 0, size - 1)
    decided = np.bincount(place[COUNTED_CODES[warmup.outcome]], minlength=size)
    conflicts = np.bincount(place[CONFLICT_CODES[warmup.outcome]], minlength=size)
    committed = np.bincount(place[warmup.outcome == OUTCOME_CODE[Outcome.COMMITTED]], minlength=size)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(decided >= _FEWEST_ATTEMPTS, conflicts / decided, np.nan)
    middle_s = np.asarray((np.arange(size) + 0.5) * width - length, np.float64)
    return WarmupSeries(middle_s, committed / width, rate)
