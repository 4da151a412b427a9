"""How sure each figure must be so that many judged at once are rarely wrong.

Figures are judged in two families, each with half of the error rate: speed (throughput and median
latency), which says whether the system became slower, and all others. So the many figures that say
little do not drown the two that say most.

Within a family figures move together: in a closed loop throughput is the inverse of latency, and a
machine that is slower for one key type is slower for the other. Dividing the error rate by their number
would take them as independent. Instead the level that each gets is read from the distribution of the
largest of as many normal deviates with the correlation that the figures have (T. Hothorn, F. Bretz,
P. Westfall, "Simultaneous Inference in General Parametric Models", Biometrical Journal 50, 2008).
"""

import math

import numpy as np
from numpy.typing import NDArray

from reports.statistics.comparison.metrics import Metric
from reports.statistics.comparison.pieces import SliceName

SPEED = frozenset({"throughput_tps", "latency_p50_ms"})
TOGETHER = 0.9
"""Correlation of the parts between runs of the speed figures of one target, as `tests.calibrate`
measures it: whatever makes one run slower than another, makes all its figures slower."""
_DRAWS = 20_000
_MOST = 200
"""Of more figures than these the level is the error rate divided by their number."""
_SEED = 0x51DE


def shared_between(a: tuple[SliceName, Metric], b: tuple[SliceName, Metric]) -> float:
    """The correlation of two figures' parts between runs."""
    (where, metric), (there, other) = a, b
    if a == b:
        return 1.0
    if where.target != there.target or not {metric.key, other.key} <= SPEED:
        return 0.0
    return TOGETHER if metric.more_is_better == other.more_is_better else -TOGETHER


def level_of_each(correlation: NDArray[np.float64], error_rate: float) -> float:
    """The level at which each of M figures is judged, given their (M, M) correlation.

    It lies between `error_rate` / M, for independent figures, and `error_rate`, for one figure M times.
    """
    count = len(correlation)
    if count <= 1 or count > _MOST:
        return error_rate / max(1, count)
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    deviates = np.random.default_rng(_SEED).standard_normal((_DRAWS, count))
    largest = np.abs(deviates @ root.T).max(axis=1)
    reached = float(np.quantile(largest, 1 - error_rate))
    return min(error_rate, max(error_rate / count, math.erfc(reached / math.sqrt(2))))
