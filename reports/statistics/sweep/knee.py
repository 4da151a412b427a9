"""The knee of a curve: the load beyond which more load buys more waiting than throughput.

Kleinrock's *power* is throughput divided by mean latency; its greatest value marks the knee
(L. Kleinrock, "Power and Deterministic Rules of Thumb for Probabilistic Problems in Computer
Communications", ICC 1979). In a closed loop without pauses power is X²/U by Little's law, so its peak
is where doubling the users no longer makes √2 times the throughput. In an open loop it is where one per
cent more arrivals cost one per cent of latency.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

LEAST_LOADS = 3
"""Loads that a peak needs: one on each side of it."""
TOLERANCES = (0.30, 0.20, 0.10)
"""Powers nearer to one another than this share are not told apart: by the repeats of the load that has
fewer, 1, 2, and 3 or more. In a closed loop power goes with the square of throughput, so the last is
five per cent of throughput. Calibrated: of curves of 3 to 12 loads with the same power everywhere,
measured with 5 % of noise in throughput, at most 5 in a hundred are said to have a knee, or to be
beyond it."""


class KneeState(StrEnum):
    """What there is to say of a curve's knee."""

    FOUND = "found"
    BELOW = "below"
    """Power falls from the lowest load on: the knee is there, or below it."""
    ABOVE = "above"
    """Power has not fallen at the highest load: the knee is there, or above it."""
    FLAT = "flat"
    """No load's power can be told from another's."""
    TOO_FEW = "too few"
    """Fewer loads than a peak needs."""


@dataclass(frozen=True, slots=True)
class Knee:
    """A knee at one of the measured loads; `low` and `high` are the loads that it lies between.

    Without a knee `at` is None. `low` is None where the lowest load may already be beyond it, `high`
    where the highest may not have reached it.
    """

    state: KneeState
    at: float | None = None
    low: float | None = None
    high: float | None = None


def find_knee(loads: Sequence[float], powers: Sequence[Sequence[float]]) -> Knee:
    """The knee of a curve.

    Args:
        loads: at least two different ones, ascending: users, or transactions a second.
        powers: for each load, throughput divided by mean latency of each of its repeats; any unit.

    A load is shown to be worse than that of the greatest median power if the best of its repeats is
    lower, by more than the tolerance of so many repeats, than the worst of the repeats there. All
    others are candidates. The knee lies between the load before the first candidate and the one after
    the last.
    """
    if len(loads) < LEAST_LOADS:
        return Knee(KneeState.TOO_FEW)
    best = max(range(len(powers)), key=lambda i: median(powers[i]))
    worst = min(powers[best])
    candidates = [
        i
        for i, values in enumerate(powers)
        if max(values) >= (1 - _tolerance(min(len(values), len(powers[best])))) * worst
    ]
    first, last = candidates[0], candidates[-1]
    if first == 0 and last == len(loads) - 1:
        return Knee(KneeState.FLAT)
    if last == len(loads) - 1:
        return Knee(KneeState.ABOVE, low=loads[first - 1])
    if first == 0:
        return Knee(KneeState.BELOW, high=loads[last + 1])
    return Knee(KneeState.FOUND, loads[best], loads[first - 1], loads[last + 1])


def _tolerance(repeats: int) -> float:
    return TOLERANCES[min(repeats, len(TOLERANCES)) - 1]
