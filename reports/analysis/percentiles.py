"""Percentiles of every sample kept, and the rule for when one is not printed."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

BEYOND = 10
"""A percentile needs this many samples beyond it; with fewer, chance decides its value."""

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


def at(sorted_values: NDArray[np.int64], quantile: float) -> float:
    """The quantile of values in ascending order, between two of them by straight line."""
    place = (len(sorted_values) - 1) * quantile
    below = int(place)
    above = min(below + 1, len(sorted_values) - 1)
    low, high = float(sorted_values[below]), float(sorted_values[above])
    return low + (high - low) * (place - below)


def standard_error(sorted_values: NDArray[np.int64], quantile: float) -> float:
    """How far chance moves a quantile of independent values in ascending order, in their unit.

    Of n values, the number below the true quantile q has the standard deviation √(n·q·(1 − q)); what
    lies so many places above and below is two standard errors apart (R. S. Woodruff, "Confidence
    Intervals for Medians and Other Position Measures", JASA 47, 1952, pp. 635–646). No distribution is
    assumed. Values that follow one another are seldom independent, so it is a lower end.
    """
    reach = math.sqrt(quantile * (1 - quantile) / len(sorted_values))
    low, high = max(0.0, quantile - reach), min(1.0, quantile + reach)
    return (at(sorted_values, high) - at(sorted_values, low)) / 2


def describe(sorted_ns: NDArray[np.int64]) -> Distribution:
    """Mean, percentiles and maximum of nanoseconds in ascending order, as milliseconds."""
    samples = len(sorted_ns)
    if not samples:
        return Distribution(0, None, None, None, None, None, None, None)
    marks = {
        name: at(sorted_ns, quantile) / 1e6 if enough(samples, quantile) else None
        for name, quantile in QUANTILES.items()
    }
    mean = float(np.mean(sorted_ns, dtype=np.float64)) / 1e6
    errors = {
        name: standard_error(sorted_ns, QUANTILES[name]) / 1e6
        for name, value in marks.items()
        if value is not None
    }
    return Distribution(samples, mean, **marks, max=float(sorted_ns[-1]) / 1e6, errors=errors)
