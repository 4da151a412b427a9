"""Percentiles of every sample kept, and the rule for when one is not printed."""

import math
from dataclasses import dataclass, field
from typing import Protocol

BEYOND = 10
"""A percentile needs this many samples beyond it; with fewer, chance decides its value."""


class Sorted(Protocol):
    """Values in ascending order: an array, or those that are known of `reports.analysis.ranks`."""

    def __len__(self) -> int: ...

    def __getitem__(self, rank: int, /) -> float: ...

    def mean(self) -> float:
        """The mean of all values."""


QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}


@dataclass(frozen=True, slots=True)
class Distribution:
    """Times in milliseconds; a percentile with too few samples behind it is None."""

    samples: int
    mean: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None
    p999: float | None
    max: float | None
    errors: dict[str, float] = field(default_factory=dict)
    """Standard error of each percentile that is known, in milliseconds: for rounding."""


def enough(samples: int, quantile: float) -> bool:
    """Whether at least BEYOND samples are expected above this quantile."""
    # The tolerance keeps 1,000 samples enough for 0.99, whatever 1 - 0.99 is in binary.
    return samples * (1.0 - quantile) >= BEYOND - 1e-6


def at(values: Sorted, quantile: float) -> float:
    """The quantile of values in ascending order, between two of them by straight line."""
    place = (len(values) - 1) * quantile
    below, above = _around(len(values), quantile)
    low, high = float(values[below]), float(values[above])
    return low + (high - low) * (place - below)


def standard_error(values: Sorted, quantile: float) -> float:
    """How far chance moves a quantile of independent values in ascending order, in their unit.

    Of n values, the number below the true quantile q has the standard deviation √(n·q·(1 − q)); what
    lies so many places above and below is two standard errors apart (R. S. Woodruff, "Confidence
    Intervals for Medians and Other Position Measures", JASA 47, 1952, pp. 635–646). No distribution is
    assumed. Values that follow one another are seldom independent, so it is a lower end.
    """
    low, high = _reach(len(values), quantile)
    return (at(values, high) - at(values, low)) / 2


def describe(values_ns: Sorted) -> Distribution:
    """Mean, percentiles and maximum of nanoseconds in ascending order, as milliseconds."""
    samples = len(values_ns)
    if not samples:
        return Distribution(0, None, None, None, None, None, None, None)
    marks = {
        name: at(values_ns, quantile) / 1e6 if enough(samples, quantile) else None
        for name, quantile in QUANTILES.items()
    }
    errors = {
        name: standard_error(values_ns, QUANTILES[name]) / 1e6
        for name, value in marks.items()
        if value is not None
    }
    mean, most = float(values_ns.mean()) / 1e6, float(values_ns[samples - 1]) / 1e6
    return Distribution(samples, mean, **marks, max=most, errors=errors)


def ranks_of(samples: int, *quantiles: float) -> set[int]:
    """The ranks of the values that `at` needs for these quantiles of so many samples."""
    return {rank for quantile in quantiles for rank in _around(samples, quantile)}


def ranks_described(samples: int) -> set[int]:
    """The ranks of the values that `describe` needs of so many samples."""
    shown = [quantile for quantile in QUANTILES.values() if enough(samples, quantile)]
    reaches = [end for quantile in shown for end in _reach(samples, quantile)]
    return ranks_of(samples, *shown, *reaches) | {samples - 1}


def _around(samples: int, quantile: float) -> tuple[int, int]:
    """The ranks between which a quantile lies."""
    below = int((samples - 1) * quantile)
    return below, min(below + 1, samples - 1)


def _reach(samples: int, quantile: float) -> tuple[float, float]:
    """The quantiles that lie one standard deviation of a count away."""
    reach = math.sqrt(quantile * (1 - quantile) / samples)
    return max(0.0, quantile - reach), min(1.0, quantile + reach)
