"""How far a run's figures could lie from what they would be, had it gone on for ever.

Pieces that follow one another share whatever lasts longer than they do: a checkpoint, a neighbour on
the machine, one crowded account. So neighbours are taken together until they no longer resemble one
another (batch means: G. S. Fishman, "Grouping Observations in Digital Simulation", Management Science
24, 1978), with a floor below which there would be too few batches left to learn anything.

A bootstrap over these batches gives the figure anew in each draw, and the spread of the draws is its
standard error. That is multiplied by √(n/(n−1)), for the bootstrap takes the batches' spread around
their own mean (T. Hesterberg, "What Teachers Should Know About the Bootstrap", 2015), and widened for
what resemblance the batches still have.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from reports.analysis import percentiles
from reports.statistics.comparison.metrics import JUDGED, METRICS, Metric
from reports.statistics.comparison.pieces import Pieces
from reports.statistics.intervals import Floats, quantile_bins, redraw

MOST, FEWEST = 64, 8
"""Batches: more are not needed, and with fewer the spread is hardly known."""
MIN_BATCHES = 5
RESEMBLANCE = 0.2
"""Neighbours with a correlation of so much are taken together while there are enough of them."""
_STRONGEST = 0.7
DRAWS = 1000
_SEED = 0xC0FFEE
_ONE_BELOW = 0.158655
"""What lies more than one standard deviation below the mean of a normal distribution."""
_LEAST_DRAWN = 0.95
"""The share of draws in which the figure must exist."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """One figure of one slice of one run, on the scale on which it is compared.

    `value` is the logarithm of a throughput or latency, and a share as it is; `variance` that of
    `value`, with `freedom` degrees of freedom behind it. `draws` are those of the bootstrap, with mean
    0 and standard deviation 1, or all 0; two figures of one slice of one run have the same batches at
    the same place in them. `events` of `trials` are what a share was counted from; of other figures
    both are 0.
    """

    figure: float
    value: float
    variance: float
    freedom: int
    draws: Floats
    events: float = 0.0
    trials: float = 0.0


def estimates(pieces: Pieces, metrics: Iterable[Metric] = JUDGED) -> dict[str, Estimate | None]:
    """Each metric's estimate; None where the run is too short for it."""
    if len(pieces) < MIN_BATCHES:
        return dict.fromkeys(m.key for m in metrics)
    joined = batches(pieces)
    weights = redraw(len(joined), DRAWS, _SEED)
    return {metric.key: _estimate(pieces, joined, weights, metric) for metric in metrics}


def _estimate(pieces: Pieces, joined: Pieces, weights: Floats, metric: Metric) -> Estimate | None:
    figure, size = _figure(pieces, metric), len(joined)
    if metric.kind == "throughput" and figure == 0:
        # On the scale of ratios that of half a commit; its logarithm has a variance of 1/0.5.
        nothing = float(np.log(0.5 / joined.counts["seconds"].sum()))
        return Estimate(0.0, nothing, 2.0, size - 1, np.zeros(DRAWS))
    if figure is None or (figure <= 0 and metric.is_ratio):
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        if metric.kind == "latency":
            times = weights @ joined.times[metric.above]
            drawn = _time(times, joined.middles_ms[metric.above], metric.quantile)
        else:
            above, below = joined.events(metric)
            drawn = (weights @ above) / (weights @ below)
        if metric.is_ratio:
            drawn = np.log(drawn)
    there = np.isfinite(drawn)
    if np.count_nonzero(there) < _LEAST_DRAWN * DRAWS:
        return None
    known, standard = drawn[there], np.zeros(len(drawn))
    if (spread := float(known.std())) > 0:
        standard[there] = (known - known.mean()) / spread
    # Half of the middle 68.3 %: one batch with a stall, drawn twice or not at all, moves a p99 so far
    # that the draws' own standard deviation would speak of hardly anything else.
    low, high = np.quantile(known, (_ONE_BELOW, 1 - _ONE_BELOW))
    more = size / (size - 1) * inflation(_series(joined, metric))
    variance = (float(high - low) / 2) ** 2 * more
    if metric.is_ratio:
        return Estimate(figure, float(np.log(figure)), variance, size - 1, standard)
    events, trials = (float(values.sum()) for values in joined.events(metric))
    return Estimate(figure, figure, variance, size - 1, standard, events, trials)


def _figure(pieces: Pieces, metric: Metric) -> float | None:
    """A figure of the whole slice; within half a per cent where it is a time that is not compared."""
    if metric in METRICS:
        return pieces.figures[metric.key]
    if metric.kind != "latency":
        return pieces.share(metric)
    times = pieces.times[metric.above].sum(axis=0)
    samples = int(times.sum())
    if not (percentiles.enough(samples, metric.quantile) if metric.quantile else samples):
        return None
    return float(_time(times[None, :], pieces.middles_ms[metric.above], metric.quantile)[0])


def _time(histograms: Floats, middles: Floats, quantile: float | None) -> Floats:
    """(draws, bins) counts → (draws,) a quantile, by straight line within a bin, or the mean.

    NaN where a draw has no transaction.
    """
    samples = histograms.sum(axis=1)
    if quantile is None:
        return np.asarray((histograms @ middles) / samples)
    logs = np.log(middles)
    step = logs[1] - logs[0] if len(logs) > 1 else 0.0
    column, share = quantile_bins(histograms, quantile)
    return np.where(samples == 0, np.nan, np.exp(logs[column] + (share - 0.5) * step))


def batches(pieces: Pieces) -> Pieces:
    """The pieces taken together until neighbours are independent, or only FEWEST would be left."""
    size = min(len(pieces), MOST)
    made = pieces.joined(size)
    while size // 2 >= FEWEST and _resemblance(made) > RESEMBLANCE:
        size //= 2
        made = pieces.joined(size)
    return made


def _resemblance(pieces: Pieces) -> float:
    """The strongest correlation of neighbours, over throughput, mean latency and conflict rate."""
    followed = ("throughput_tps", "latency_p50_ms", "conflict_rate")
    return max(correlation(_series(pieces, one)) for one in METRICS if one.key in followed)


def _series(pieces: Pieces, metric: Metric) -> Floats:
    """(P,) a figure's course over the pieces; of a latency, the mean of its logarithm.

    A percentile of one piece alone would be of too few transactions to follow.
    """
    if metric.kind == "latency":
        times = pieces.times[metric.above]
        above, below = times @ np.log(pieces.middles_ms[metric.above]), times.sum(axis=1)
    else:
        above, below = pieces.events(metric)
    whole = above.sum() / below.sum() if below.sum() else 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        # A piece in which nothing happened says nothing of this figure.
        return np.where(below > 0, above / below, whole)


def correlation(series: Floats) -> float:
    """Lag-one autocorrelation, corrected for the −1/n that independent values show on average."""
    size = len(series)
    centred = series - series.mean()
    spread = float(centred @ centred)
    if size < 3 or spread <= 0:
        return 0.0
    return float(centred[1:] @ centred[:-1]) / spread + 1 / size


def inflation(series: Floats) -> float:
    """By what the variance of the mean grows for the resemblance that batches still have.

    (1 + r) / (1 − r), as of a first-order autoregression; never below 1.
    """
    r = min(max(correlation(series), 0.0), _STRONGEST)
    return (1 + r) / (1 - r)
