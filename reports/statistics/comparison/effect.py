"""Two sides' estimates of one figure → how much they differ, and how sure that is."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from reports.analysis.shares import FELT
from reports.statistics.comparison.estimates import Estimate
from reports.statistics.comparison.metrics import LIKE_LOAD, Metric
from reports.statistics.comparison.pieces import SliceName
from reports.statistics.intervals import student_t

ALLOWANCE_FREEDOM = 20
"""The degrees of freedom that what is allowed for between runs has: it is a measured figure, too."""
FOUND_SHARE = 0.9
"""The share of comparisons in which a change counts as one that would be found."""
MOST_FREEDOM = 1e6
"""Degrees of freedom of what is only counted, and the most that Student's t is asked for."""
WIDEST = math.log(2)
"""An interval that reaches farther to either side says hardly anything."""


class Verdict(StrEnum):
    """What a comparison of one figure comes to."""

    BETTER = "better"
    WORSE = "worse"
    DIFFERS = "different"
    """Better by itself, in a comparison that calls nothing better."""
    NONE_SHOWN = "no difference shown"
    TOO_LITTLE = "too little data"


@dataclass(frozen=True, slots=True)
class Gap:
    """The difference of two sides' means on the scale of the estimates, with its variance.

    `figures` are the sides' means on the scale that people read. The variance is that `between` runs
    plus those `within` each run, in the order of the runs, bases first. `freedom` are the degrees of
    freedom of their sum. `scatter` is the standard deviation of one run that `between` was made of, as
    a share of the figure; None of a share of which nothing was counted.
    """

    base: float
    new: float
    figures: tuple[float, float]
    between: float
    within: tuple[float, ...]
    freedom: float
    scatter: float | None

    @property
    def difference(self) -> float:
        """NEW − BASE."""
        return self.new - self.base

    @property
    def variance(self) -> float:
        """Of the difference."""
        return self.between + sum(self.within)


@dataclass(frozen=True, slots=True)
class Effect:
    """One figure of one slice, NEW against BASE; None where there is too little data.

    `base` and `new` are the figures, milliseconds, commits a second or shares. `change`, `low` and
    `high` are a share of the base's figure (0.1: 10 % more) for throughput and latency, and the
    difference of the shares otherwise. `between` is which share of the change's variance is the part
    between runs, `scatter` the standard deviation of one run that this part was made of, as a share of
    the figure. `found_from` is the true change, on the scale of `change`, that would be found nine
    times of ten.
    """

    slice: SliceName
    metric: Metric
    verdict: Verdict = Verdict.TOO_LITTLE
    base: float | None = None
    new: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    between: float | None = None
    scatter: float | None = None
    found_from: float | None = None

    @property
    def differs(self) -> bool:
        """Whether a difference was shown."""
        return self.verdict in (Verdict.BETTER, Verdict.WORSE, Verdict.DIFFERS)

    @property
    def unlike_load(self) -> bool:
        """Whether it is a share of transactions that gave up or failed, and the sides differ in it.

        Failures come in bursts, of which intervals say little; what a headline would name counts.
        """
        felt = self.metric.key == "failures" and abs(self.change or 0.0) >= FELT
        return self.metric.key in LIKE_LOAD and (self.differs or felt)


def gap(
    metric: Metric, bases: Sequence[Estimate], news: Sequence[Estimate], allowance: float | None
) -> Gap:
    """The difference of the sides' means, and the error of that.

    Every run counts alike, however long it is. A run's figure scatters for two reasons: what happened
    in it (its estimate's variance), and what was different about it as a whole. The second has the
    variance τ². That is what is allowed for, or what the runs of a side scatter beyond their own
    variances, whichever is larger: an allowance never outvotes runs that show more. What is allowed for
    has ALLOWANCE_FREEDOM degrees of freedom, what runs show as many as there are runs, less two; τ² has
    the harmonic mean of both, weighted by the shares of τ² below and above the allowance. So it does
    not jump where the runs begin to show more.

    Args:
        metric: what is compared.
        bases: one estimate for each run of BASE.
        news: the same of NEW.
        allowance: standard deviation between runs, as a share of the figure; 0 for runs that are known
            to differ by nothing that their blocks do not show. None: what the metric allows, its
            `allowance` and `lasting`.
    """
    sides = (bases, news)
    means = [statistics.fmean(e.value for e in side) for side in sides]
    variances = [[_variance(metric, e, (*bases, *news)) for e in side] for side in sides]
    scale = 1.0 if metric.is_ratio else (means[0] + means[1]) / 2
    own = sum(map(statistics.fmean, variances)) / 2
    if allowance is None:
        expected = (metric.allowance * scale) ** 2 + metric.lasting * own
    else:
        expected = (allowance * scale) ** 2
    freedom = len(bases) + len(news) - 2
    shown = 0.0
    if freedom:
        scatter = sum(
            (e.value - mean) ** 2 for side, mean in zip(sides, means, strict=True) for e in side
        )
        shown = max(0.0, scatter / freedom - own)
    tau = max(expected, shown)
    excess = 1 - expected / tau if tau > 0 else 0.0
    unsure = (1 - excess) / ALLOWANCE_FREEDOM + (excess / freedom if freedom else 0.0)
    between = tau * (1 / len(bases) + 1 / len(news))
    within = [variance / len(side) ** 2 for side in variances for variance in side]
    total = between + sum(within)
    # Satterthwaite's degrees of freedom of a sum of estimated variances.
    doubt = between**2 * unsure
    doubt += sum(p**2 / e.freedom for p, e in zip(within, (*bases, *news), strict=True))
    return Gap(
        means[0],
        means[1],
        (_figure(metric, bases), _figure(metric, news)),
        between,
        tuple(within),
        total**2 / doubt if doubt > 0 else math.inf,
        math.sqrt(tau) / scale if scale else None,
    )


def _figure(metric: Metric, side: Sequence[Estimate]) -> float:
    """A side's figure: the mean of its runs', of ratios the geometric one."""
    figures = [e.figure for e in side]
    if not metric.is_ratio:
        return statistics.fmean(figures)
    return statistics.geometric_mean(figures) if min(figures) > 0 else 0.0


def _variance(metric: Metric, estimate: Estimate, everyone: Sequence[Estimate]) -> float:
    """A run's own variance; of a share or a count, at least that of independent events.

    Blocks that happen to agree show too little where few events were counted. The share is that of all
    runs together, as tests of equal shares take it, with two events and two non-events added: without
    them none counted would mean none possible (the "plus four" of A. Agresti, B. Coull, "Approximate Is
    Better than 'Exact' for Interval Estimation of Binomial Proportions", The American Statistician 52,
    1998, there for a single share).
    """
    if metric.is_ratio or not estimate.trials:
        return estimate.variance
    if metric.kind == "count":
        rate = (sum(e.events for e in everyone) + 2) / sum(e.trials for e in everyone)
        return max(estimate.variance, rate / estimate.trials)
    share = (sum(e.events for e in everyone) + 2) / (sum(e.trials for e in everyone) + 4)
    return max(estimate.variance, share * (1 - share) / estimate.trials)


def correlation(
    a: Gap, b: Gap, runs_a: Sequence[Estimate], runs_b: Sequence[Estimate], shared: float
) -> float:
    """How two figures' differences go together by chance.

    Args:
        a: one figure's gap.
        b: the other's.
        runs_a: the estimates that `a` was made of, in order.
        runs_b: those of `b`, of the same slice of the same runs; empty if of another slice, whose
            blocks are others.
        shared: the correlation of the parts between runs.
    """
    covariance = shared * math.sqrt(a.between * b.between)
    for one, other, in_a, in_b in zip(runs_a, runs_b, a.within, b.within, strict=False):
        covariance += float(np.mean(one.draws * other.draws)) * math.sqrt(in_a * in_b)
    scale = math.sqrt(a.variance * b.variance)
    return covariance / scale if scale > 0 else 0.0


def effect(where: SliceName, metric: Metric, apart: Gap, level: float) -> Effect:
    """The figure's change with its interval and verdict; `level` is the chance of a false alarm."""
    error, freedom = math.sqrt(apart.variance), min(apart.freedom, MOST_FREEDOM)
    reach = error * student_t(freedom, 1 - level / 2)
    sure = reach + error * student_t(freedom, FOUND_SHARE)
    change, low, high = apart.difference, apart.difference - reach, apart.difference + reach
    verdict = Verdict.NONE_SHOWN
    if low > 0 or high < 0:
        verdict = Verdict.BETTER if (low > 0) == metric.more_is_better else Verdict.WORSE
    elif metric.is_ratio and reach > WIDEST:
        verdict = Verdict.TOO_LITTLE
    if metric.is_ratio:
        change, low, high, sure = (math.expm1(v) for v in (change, low, high, sure))
    part = apart.between / apart.variance if apart.variance > 0 else 0.0
    return Effect(where, metric, verdict, *apart.figures, change, low, high, part, apart.scatter, sure)
