"""What a closed loop leaves out: the arrivals that a stall would have met, and that nobody started.

A user that waits starts nothing. So a stall shows once for each user, instead of once for each
transaction that would have come meanwhile (coordinated omission). G. Tene's correction, which
HdrHistogram makes (`recordValueWithExpectedInterval`), adds those for every slow answer, as if all had
met it; a transaction that is slow by itself, for it retries while others go on, then counts many times.
The record knows better: a stall is where nothing ends, although the one that ends next has begun.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.analysis import percentiles
from reports.analysis.blocks import Blocks
from reports.analysis.reading.load import Attempts

Floats = NDArray[np.float64]

TAIL = 0.99
STALL_LATENCIES = 2.0
"""Median latencies from which a time without an end is a stall."""
_STEPS_A_STALL = 8
_MOST_STEPS = 4_000_000
_ROUNDS = 40


@dataclass(frozen=True, slots=True)
class Omission:
    """What arrivals that come evenly would have met on a target."""

    p99_s: float
    """Their p99 in seconds."""
    share: float
    """Share of the measured time that is stalls."""
    longest_s: float
    """The longest stall; 0 where there was none."""


def find_omissions(
    attempts: Attempts, blocks: Blocks, latency_ns: NDArray[np.int64]
) -> dict[str, Omission]:
    """By target, where it has enough transactions for a p99; `latency_ns` is that of
    `Columns.latency_ns`.
    """
    rows = attempts.measured
    counted = rows.counted()
    target = rows.target[counted]
    began_s = (rows.intended_start_ns[counted] - blocks.from_ns) / 1e9
    present = np.flatnonzero(np.bincount(target, minlength=len(attempts.targets)))
    found = {}
    for code in present.tolist():
        mine = target == code if len(present) > 1 else slice(None)
        if percentiles.enough(len(began_s[mine]), TAIL):
            found[attempts.targets[code]] = omission(
                began_s[mine], latency_ns[mine] / 1e9, blocks.duration_s
            )
    return found


def omission(began_s: Floats, latency_s: Floats, length_s: float) -> Omission:
    """What arrivals spread evenly over the measured time would have met.

    One that comes within a stall waits for its end, and takes the median at least. One that comes at
    another time takes as long as any transaction that was made.

    Args:
        began_s: when each transaction started, from the begin of the measured time, in any order.
        latency_s: how long it took.
        length_s: the measured time.
    """
    usual = float(np.median(latency_s))
    p99 = float(np.quantile(latency_s, TAIL))
    stalls = _stalls(began_s, latency_s, length_s, STALL_LATENCIES * usual)
    share = min(1.0, float(stalls.sum()) / length_s)
    if not len(stalls):
        return Omission(p99, 0.0, 0.0)

    def longer(x: float) -> float:
        """Share of arrivals that take longer than x, x being at least the median."""
        in_stalls = float(np.maximum(stalls - x, 0).sum()) / length_s
        return in_stalls + (1 - share) * np.count_nonzero(latency_s > x) / len(latency_s)

    low, high = usual, float(latency_s.max())
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        low, high = (middle, high) if longer(middle) > 1 - TAIL else (low, middle)
    return Omission(max(p99, high), share, float(stalls.max()))


def _stalls(began_s: Floats, latency_s: Floats, length_s: float, shortest_s: float) -> Floats:
    """How long each time was in which nothing ended while the one that ended next was waiting, within
    the measured time, where that is longer than `shortest_s`.
    """
    # Ten million are not sorted for the few that lie beside a stall: those are found by their steps.
    ended = began_s + latency_s
    ends = np.minimum(ended, length_s)
    steps = int(min(_MOST_STEPS, np.ceil(_STEPS_A_STALL * length_s / shortest_s)))
    width = length_s / steps
    place = np.minimum((ends / width).astype(np.int64), steps - 1)
    used = np.flatnonzero(np.bincount(place, minlength=steps))
    before, after = np.append(-1, used[:-1]), used
    beside = (after - before + 1) * width > shortest_s
    before, after = before[beside], after[beside]
    near = np.zeros(steps + 1, bool)
    # Before the first end there is nothing: the last place stands for it.
    near[before], near[after] = True, True
    chosen = np.flatnonzero(near[place])
    # In the order in which they ended, those too that ended after the measured time.
    chosen = chosen[np.argsort(ended[chosen], kind="stable")]
    own = place[chosen]
    first = np.searchsorted(own, after)
    last = np.searchsorted(own, before, side="right") - 1
    since = np.where(last >= 0, ends[chosen[last]], 0.0)
    following = chosen[first]
    stalls = ends[following] - np.maximum(since, began_s[following])
    return np.asarray(stalls[stalls > shortest_s])
