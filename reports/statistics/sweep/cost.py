"""What contention costs: the share of working time that conflicts took, and where it hurts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

HURTS = 0.10
"""The share of a transaction's time from which contention is said to hurt."""


def contention_cost(
    *, conflict_rate: float, statements_ms: float, commit_ms: float, backoff_ms: float, other_ms: float
) -> float | None:
    """The share of the time that users worked on transactions which went into conflicts; 0 to 1.

    Lost is the backoff, and of the time in attempts the share that conflicted:

        (backoff + conflict rate · (statements + commit)) / (statements + commit + backoff + other)

    All times are means of a transaction, in milliseconds. An attempt that conflicts is taken to last as
    long as one that commits, as it does where conflicts are decided at COMMIT. The wait of an open loop
    for a free user is in neither part. In a closed loop the throughput that is lost is the same share,
    as long as an attempt takes the same time without conflicts.

    Returns None where no time was spent.
    """
    attempts = statements_ms + commit_ms
    worked = attempts + backoff_ms + other_ms
    return (backoff_ms + conflict_rate * attempts) / worked if worked > 0 else None


class OnsetState(StrEnum):
    """What there is to say of where contention begins to hurt."""

    FOUND = "found"
    BEFORE = "before"
    """It hurts at every measured load."""
    NOT_REACHED = "not reached"
    """It hurts at none of them."""
    OPEN = "open"
    """It passes the line once, but the repeats at an end of the axis lie on both sides of it."""
    UNCLEAR = "unclear"
    """It falls back below the line: no single place is shown."""


@dataclass(frozen=True, slots=True)
class Onset:
    """Where the cost passes HURTS: about `at`, between the measured `low` and `high` as it seems.

    `low` is the side on which it does not hurt. On an axis on which contention falls (more accounts)
    that is the larger of the two values. Of an OPEN one `low` is None where it may hurt at the first
    load already, and `high` where it may not yet do so at the last.
    """

    state: OnsetState
    at: float | None = None
    low: float | None = None
    high: float | None = None


def find_onset(loads: Sequence[float], costs: Sequence[Sequence[float]]) -> Onset:
    """Where contention begins to hurt along a curve.

    Args:
        loads: the values of the axis in the order in which contention is expected to grow.
        costs: for each load, the contention cost of each of its repeats.

    `low` is the last load before which, and at which, no repeat reached HURTS; `high` the first from
    which on every repeat did. Between them `at` is where the medians cross the line, on a straight line
    over the logarithm of the load (over the load itself where one of them is not above zero).
    """
    calm = [max(values) < HURTS for values in costs]
    hurt = [min(values) >= HURTS for values in costs]
    if all(calm):
        return Onset(OnsetState.NOT_REACHED)
    if all(hurt):
        return Onset(OnsetState.BEFORE)
    low = calm.index(False) - 1
    high = len(loads) - hurt[::-1].index(False)
    middle = [median(values) for values in costs]
    crossings = [i for i in range(1, len(loads)) if (middle[i - 1] < HURTS) != (middle[i] < HURTS)]
    falls = any(middle[i] < HURTS for i in crossings)
    if low < 0 or high >= len(loads) or falls:
        return Onset(
            OnsetState.UNCLEAR if falls else OnsetState.OPEN,
            low=loads[low] if low >= 0 else None,
            high=loads[high] if high < len(loads) else None,
        )
    after = crossings[0]
    share = (HURTS - middle[after - 1]) / (middle[after] - middle[after - 1])
    at = _between(loads[after - 1], loads[after], share)
    return Onset(OnsetState.FOUND, at, loads[low], loads[high])


def _between(low: float, high: float, share: float) -> float:
    if low > 0 and high > 0:
        return math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
    return low + share * (high - low)
