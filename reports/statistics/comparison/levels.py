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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reports.statistics.comparison.effect import Gap, correlation, gap
from reports.statistics.comparison.estimates import Estimate
from reports.statistics.comparison.metrics import FAILURES, JUDGED, Metric
from reports.statistics.comparison.pieces import SliceName
from reports.statistics.intervals import Floats

ERROR_RATE = 0.05
"""The chance that a comparison of runs of the same thing shows any difference at all, as long as such
runs differ by no more than what is allowed for."""
SPEED = frozenset({"throughput_tps", "latency_p50_ms"})
_ALIKE = 0.9
"""Correlation of the parts between runs of the speed figures of one target, as `tests.calibrate`
measures it: whatever makes one run slower than another, makes all its figures slower."""
_DRAWS = 20_000
_MOST = 200
"""Of more figures than these the level is the error rate divided by their number."""
_SEED = 0x51DE


def _shared(a: tuple[SliceName, Metric], b: tuple[SliceName, Metric]) -> float:
    (where, metric), (there, other) = a, b
    if a == b:
        return 1.0
    if where.target != there.target or not {metric.key, other.key} <= SPEED:
        return 0.0
    return _ALIKE if metric.more_is_better == other.more_is_better else -_ALIKE


def level_of_each(correlation: Floats, error_rate: float) -> float:
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


RunEstimates = Mapping[SliceName, Mapping[str, Estimate | None]]
"""Every figure of a run, by slice and metric."""


@dataclass(frozen=True, slots=True)
class ComparedFigure:
    """One figure of one slice, with what every run says of it; `gap` is None if one says nothing."""

    where: SliceName
    metric: Metric
    runs: tuple[Estimate, ...]
    gap: Gap | None

    @property
    def can_differ(self) -> bool:
        """Whether it could be found different: it can be had, and something was counted.

        What cannot be found different can be no false alarm and needs no share of the error rate
        (R. E. Tarone, "A Modified Bonferroni Method for Discrete Data", Biometrics 46, 1990).
        """
        return self.gap is not None and (self.metric.is_ratio or any(e.events for e in self.runs))


def judged_of(
    sides: Sequence[Sequence[RunEstimates]], wanted: Iterable[SliceName], allowance: float | None
) -> list[ComparedFigure]:
    """Every figure of the wanted slices; `allowance` is as for `gap`."""
    judged = []
    for where in wanted:
        for metric in JUDGED:
            old, now = ([run[where][metric.key] for run in side] for side in sides)
            there = [e for e in (*old, *now) if e is not None]
            if metric is FAILURES and not any(e.events for e in there):
                # Nothing failed, as it should be: no row is needed for that.
                continue
            difference = None
            # Half of the runs are not the figure of all of them.
            if len(there) == len(old) + len(now):
                difference = gap(metric, there[: len(old)], there[len(old) :], allowance)
            judged.append(ComparedFigure(where, metric, tuple(there), difference))
    return judged


def levels_of(judged: Sequence[ComparedFigure]) -> dict[bool, float]:
    """The level at which the figures of speed, and the others, are judged."""
    families = [
        [one for one in judged if one.can_differ and (one.metric.key in SPEED) is speed]
        for speed in (True, False)
    ]
    asked = [family for family in families if family]
    return {
        speed: level_of_each(_correlation(family), ERROR_RATE / max(1, len(asked)))
        for speed, family in zip((True, False), families, strict=True)
    }


def _correlation(family: Sequence[ComparedFigure]) -> Floats:
    """(M, M) how the figures of a family go together by chance."""
    matrix = np.eye(len(family))
    for i, a in enumerate(family):
        for j, b in enumerate(family[:i]):
            if a.gap is None or b.gap is None:
                continue
            shared = _shared((a.where, a.metric), (b.where, b.metric))
            own = b.runs if a.where == b.where else ()
            matrix[i, j] = matrix[j, i] = correlation(a.gap, b.gap, a.runs, own, shared)
    return matrix
