"""Figures over time: what is drawn is thinned into bins, what is computed is not."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.analysis import percentiles
from reports.analysis.over_time.blocks import Blocks
from reports.analysis.ranks import COARSE, Ordered, Ranks
from reports.analysis.reading.attempts import Attempts

_MOST_BINS = 120
_FEWEST_BINS = 10
_SHORTEST_S = 0.5
_FEWEST_ATTEMPTS = 20
_FOR_P99 = 1_300
_FEWEST_SHOWN = 0.6
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


class _Bins:
    """Blocks cut into parts, or several of them taken together; those of a key type each for itself
    where key types alternate.
    """

    def __init__(self, blocks: Blocks, key_type: str | None) -> None:
        self.from_ns = blocks.from_ns
        self.parts, self.together = 1, 1
        if key_type is None:
            width = next((w for w in _NICE_S if blocks.duration_s / w <= _MOST_BINS), _NICE_S[-1])
            self.parts = max(1, min(round(blocks.duration_s / width), 4 * _MOST_BINS))
            self._blocks = blocks.numbers[:1]
            self._starts_ns, self._ends_ns = blocks.starts_ns[:1], blocks.ends_ns[-1:]
            return
        own = blocks.of(key_type)
        # The same for every key type, or their lines would not compare.
        most = int(blocks.present.sum(axis=0).max())
        self.together = math.ceil(most / _MOST_BINS)
        if self.together == 1:
            enough = math.ceil(_FEWEST_BINS / most)
            self.parts = max(1, min(enough, int(np.median(blocks.seconds) / _SHORTEST_S)))
        self._blocks = blocks.numbers[own]
        self._starts_ns, self._ends_ns = blocks.starts_ns[own], blocks.ends_ns[own]

    @property
    def size(self) -> int:
        """How many bins there are."""
        return math.ceil(len(self._starts_ns) / self.together) * self.parts

    def segments(self, **columns: str) -> pd.DataFrame:
        """What `_placed` needs of each block."""
        return pd.DataFrame(
            {
                "block": self._blocks,
                "segment": np.arange(len(self._blocks)),
                "segment_ns": self._starts_ns,
                "length_ns": np.maximum(self._ends_ns - self._starts_ns, 1),
                **columns,
            }
        )

    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
        """(middle in epoch ns, own seconds, joined) of each bin."""
        lengths = (self._ends_ns - self._starts_ns).astype(float)
        if self.parts > 1:
            steps = (np.arange(self.parts) + 0.5) / self.parts
            middles = self._starts_ns[:, None] + lengths[:, None] * steps
            seconds = np.repeat(lengths / self.parts / 1e9, self.parts)
            joined = np.arange(len(seconds)) % self.parts > 0
            return middles.ravel(), seconds, joined
        heads = np.arange(0, len(lengths), self.together)
        tails = np.minimum(heads + self.together, len(lengths)) - 1
        middles = (self._starts_ns[heads] + self._ends_ns[tails]) / 2
        return middles, np.add.reduceat(lengths, heads) / 1e9, np.zeros(len(heads), bool)


def over_time(
    attempts: Attempts, blocks: Blocks, key_types: list[str], *, alternating: bool, closed: bool
) -> dict[str, Series]:
    """Throughput, conflict rate and latency percentiles of each key type over time.

    Args:
        attempts: the run's attempts.
        blocks: its blocks.
        key_types: those that ran.
        alternating: whether other key types had blocks of their own between.
        closed: whether users started their next transaction when the last had ended.
    """
    if not alternating:
        return _whole_time(attempts, blocks, "key_type", key_types)
    bins = {key_type: _Bins(blocks, key_type) for key_type in key_types}
    segments = pd.concat([found.segments(key_type=key_type) for key_type, found in bins.items()])
    # Within a block of its own, counting by ends would leave the first part short by all that is still
    # under way, and give the last part what ends after the block: a sawtooth where all is steady. An
    # open loop starts when its schedule says, so there only ends show what the database did.
    moment = "intended_start_ns" if closed else "end_ns"
    source = _placed(
        next(iter(bins.values())), "attempts JOIN segments USING (block, key_type)", moment
    )
    return _series(attempts, source, "key_type", bins, alternating=True, segments=segments)


def targets_over_time(attempts: Attempts, blocks: Blocks, targets: list[str]) -> dict[str, Series]:
    """The same of each target; all of them run all the time."""
    return _whole_time(attempts, blocks, "target", targets)


def _whole_time(attempts: Attempts, blocks: Blocks, column: str, names: list[str]) -> dict[str, Series]:
    """Series of what ran all the time, whatever its blocks were."""
    bins = _Bins(blocks, None)
    source = _placed(bins, "attempts CROSS JOIN segments", "end_ns")
    return _series(
        attempts,
        source,
        column,
        dict.fromkeys(names, bins),
        alternating=False,
        segments=bins.segments().drop(columns="block"),
    )


def _placed(bins: _Bins, source: str, moment: str) -> str:
    """The attempts of a source that has segments, with their bin as the column `place`."""
    if bins.parts == 1:
        place = f"segment // {bins.together}"
    else:
        # What comes after its block counts in the block's last part.
        part = f"trunc(({moment} - segment_ns)::DOUBLE / length_ns * {bins.parts})"
        place = f"segment * {bins.parts} + greatest(0, least({bins.parts - 1}, {part}))::BIGINT"
    return f"(SELECT *, {place} AS place FROM {source})"


def _series(
    attempts: Attempts,
    source: str,
    column: str,
    bins: dict[str, _Bins],
    *,
    alternating: bool,
    segments: pd.DataFrame,
) -> dict[str, Series]:
    """A series for each value of the column."""
    counts = attempts.frame(
        f"""
        SELECT "{column}" AS name, place, count(*) FILTER (decided) AS decided,
            count(*) FILTER (conflicted) AS conflicts,
            count(*) FILTER (final AND committed) AS committed, count(*) FILTER (counted) AS counted
        FROM {source} GROUP BY ALL
        """,
        segments=segments,
    )
    ranks = Ranks(
        attempts, f"{source} WHERE counted", "latency_ns", (column, "place"), COARSE, segments=segments
    )
    mine = {name: counts[counts["name"] == name].drop(columns="name") for name in bins}
    merged = {name: _merged(bins[name].size, int(mine[name]["counted"].sum())) for name in bins}
    slices: dict[tuple[str, int], list[int]] = {}
    for number, name, place in ranks.groups.itertuples():
        slices.setdefault((name, place // merged[name]), []).append(number)
    found = ranks.pick({key: np.array(groups) for key, groups in slices.items()}, _ranks_drawn)
    return {
        name: _one(bins[name], mine[name], merged[name], _drawn(found, name), alternating=alternating)
        for name in bins
    }


def _one(
    bins: _Bins,
    counts: pd.DataFrame,
    merged: int,
    latencies: dict[int, Ordered],
    *,
    alternating: bool,
) -> Series:
    size = bins.size
    by_place = counts.set_index("place").reindex(range(size), fill_value=0)
    decided, conflicts, committed = (
        by_place[name].to_numpy(float) for name in ("decided", "conflicts", "committed")
    )
    middle_ns, seconds, joined = bins.bounds()
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(decided >= _FEWEST_ATTEMPTS, conflicts / decided, np.nan)
        throughput = np.where(seconds > 0, committed / seconds, np.nan)
    middle_s = np.asarray((middle_ns - bins.from_ns) / 1e9, np.float64)
    heads = np.arange(0, size, merged)
    counts_of_heads = np.diff(np.append(heads, size))
    return Series(
        middle_s=middle_s,
        seconds=seconds,
        throughput_tps=throughput,
        conflict_rate=rate,
        joined=joined,
        latency_middle_s=np.add.reduceat(middle_s, heads) / counts_of_heads,
        latency_ms=_percentiles(latencies, len(heads)),
        latency_joined=joined[heads] if merged == 1 or not alternating else np.zeros(len(heads), bool),
    )


def _merged(bins: int, samples: int) -> int:
    """How many bins to take together, so that most can show a p99 without leaving too few bins."""
    wanted = math.ceil(_FOR_P99 * bins / max(1, samples))
    return max(1, min(wanted, bins // _FEWEST_BINS))


def _ranks_drawn(samples: int) -> set[int]:
    shown = [quantile for quantile in DRAWN.values() if percentiles.enough(samples, quantile)]
    return percentiles.ranks_of(samples, *shown)


def _drawn(found: dict[tuple[str, int], Ordered], name: str) -> dict[int, Ordered]:
    return {place: values for (of, place), values in found.items() if of == name}


def _percentiles(latencies: dict[int, Ordered], size: int) -> NDArray[np.float64]:
    """DRAWN of each bin, in milliseconds; NaN where too few samples lie beyond.

    A percentile that few bins can show is left out of all: its line would be a row of dots.
    """
    found = np.full((size, len(DRAWN)), np.nan)
    for place, values in latencies.items():
        for column, quantile in enumerate(DRAWN.values()):
            if percentiles.enough(len(values), quantile):
                found[place, column] = percentiles.at(values, quantile) / 1e6
    found[:, np.isfinite(found).mean(axis=0) < _FEWEST_SHOWN] = np.nan
    return found


def warmup_over_time(attempts: Attempts, measured_from_ns: int) -> WarmupSeries | None:
    """The warm-up in up to 20 bins, None if there was none."""
    first_ns = attempts.warmup_from_ns
    if first_ns is None or measured_from_ns <= first_ns:
        return None
    length = (measured_from_ns - first_ns) / 1e9
    size = max(1, min(20, int(length / _SHORTEST_S)))
    width = length / size
    place = f"trunc((end_ns - {first_ns}) / 1e9 / {width})"
    counts = attempts.frame(
        f"""
        SELECT greatest(0, least({size - 1}, {place}))::INTEGER AS place,
            count(*) FILTER (decided) AS decided, count(*) FILTER (conflicted) AS conflicts,
            count(*) FILTER (committed) AS committed
        FROM warmup GROUP BY ALL
        """
    )
    by_place = counts.set_index("place").reindex(range(size), fill_value=0).astype(float)
    decided, conflicts, committed = (by_place[name].to_numpy() for name in by_place)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(decided >= _FEWEST_ATTEMPTS, conflicts / decided, np.nan)
    middle_s = np.asarray((np.arange(size) + 0.5) * width - length, np.float64)
    return WarmupSeries(middle_s, committed / width, rate)
