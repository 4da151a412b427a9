"""Percentiles of every sample kept, and the rule for when one is not printed."""

from dataclasses import dataclass

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
    return Distribution(samples, mean, **marks, max=float(sorted_ns[-1]) / 1e6)
