"""How far a run's figures could lie from what they would be, had it gone on for ever.

A bootstrap over batches of time (B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993,
chapter 8): as many batches as there are, drawn with replacement, give the figure anew, and the spread
of the draws is the figure's standard error. It is multiplied by √(n/(n−1)), for the bootstrap takes the
batches' spread around their own mean (T. Hesterberg, "What Teachers Should Know About the Bootstrap",
2015), and widened for what resemblance the batches still have.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.analysis import percentiles
from reports.statistics.comparison.independence import batches, inflation, series_of
from reports.statistics.comparison.metrics import JUDGED, METRICS, Metric
from reports.statistics.comparison.pieces import Pieces

MIN_BATCHES = 5
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
    draws: NDArray[np.float64]
    events: float = 0.0
    trials: float = 0.0


def estimates(pieces: Pieces, metrics: Iterable[Metric] = JUDGED) -> dict[str, Estimate | None]:
    """Each metric's estimate; None where the run is too short for it."""
    if len(pieces) < MIN_BATCHES:
        return dict.fromkeys(m.key for m in metrics)
    joined = batches(pieces)
    size = len(joined)
    rng = np.random.default_rng(_SEED)
    weights = rng.multinomial(size, np.full(size, 1 / size), DRAWS).astype(float)
    times: dict[str, NDArray[np.float64]] = {}
    found: dict[str, Estimate | None] = {}
    for metric in metrics:
        figure = _figure(pieces, metric)
        if metric.kind == "throughput" and figure == 0:
            found[metric.key] = _nothing_committed(joined)
            continue
        if figure is None or (figure <= 0 and metric.is_ratio):
            found[metric.key] = None
            continue
        if metric.kind == "latency":
            if metric.above not in times:
                times[metric.above] = weights @ getattr(joined, metric.above)
            drawn = _time(times[metric.above], joined.middles_ms[metric.above], metric.quantile)
        else:
            above, below = joined.events(metric)
            with np.errstate(divide="ignore", invalid="ignore"):
                drawn = (weights @ above) / (weights @ below)
        found[metric.key] = _estimate(metric, figure, drawn, joined)
    return found


def _figure(pieces: Pieces, metric: Metric) -> float | None:
    """A figure of the whole slice; within half a per cent where it is a time that is not compared."""
    if metric in METRICS:
        return pieces.figures[metric.key]
    if metric.kind != "latency":
        return pieces.share(metric)
    times = getattr(pieces, metric.above).sum(axis=0)
    samples = int(times.sum())
    if not (percentiles.enough(samples, metric.quantile) if metric.quantile else samples):
        return None
    return float(_time(times[None, :], pieces.middles_ms[metric.above], metric.quantile)[0])


def _estimate(
    metric: Metric, figure: float, drawn: NDArray[np.float64], joined: Pieces
) -> Estimate | None:
    size = len(joined)
    if metric.is_ratio:
        with np.errstate(divide="ignore"):
            drawn = np.log(drawn)
    there = np.isfinite(drawn)
    if np.count_nonzero(there) < _LEAST_DRAWN * DRAWS:
        return None
    standard = _standardised(drawn, there)
    drawn = drawn[there]
    more = size / (size - 1) * inflation(series_of(joined, metric))
    # Half of the middle 68.3 %: one batch with a stall, drawn twice or not at all, moves a p99 so far
    # that the draws' own standard deviation would speak of hardly anything else.
    low, high = np.quantile(drawn, (_ONE_BELOW, 1 - _ONE_BELOW))
    variance = (float(high - low) / 2) ** 2 * more
    if metric.is_ratio:
        return Estimate(figure, float(np.log(figure)), variance, size - 1, standard)
    events, trials = (float(values.sum()) for values in joined.events(metric))
    return Estimate(figure, figure, variance, size - 1, standard, events, trials)


def _nothing_committed(joined: Pieces) -> Estimate:
    """The throughput of a run without a commit: on the scale of ratios, that of half a commit.

    A count of one half has a logarithm with a variance of 1/0.5.
    """
    value = float(np.log(0.5 / joined.seconds.sum()))
    return Estimate(0.0, value, 2.0, len(joined) - 1, np.zeros(DRAWS))


def _standardised(drawn: NDArray[np.float64], there: NDArray[np.bool_]) -> NDArray[np.float64]:
    found = np.zeros(len(drawn))
    spread = float(drawn[there].std())
    if spread > 0:
        found[there] = (drawn[there] - drawn[there].mean()) / spread
    return found


def _time(
    histograms: NDArray[np.float64], middles: NDArray[np.float64], quantile: float | None
) -> NDArray[np.float64]:
    """(draws, bins) counts → (draws,) a quantile, by straight line within a bin, or the mean.

    NaN where a draw has no transaction.
    """
    if quantile is None:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray((histograms @ middles) / histograms.sum(axis=1))
    running = np.cumsum(histograms, axis=1)
    logs = np.log(middles)
    step = logs[1] - logs[0] if len(logs) > 1 else 0.0
    row = np.arange(len(histograms))
    wanted = running[:, -1] * quantile
    column = np.minimum((running < wanted[:, None]).sum(axis=1), histograms.shape[1] - 1)
    inside = histograms[row, column]
    before = running[row, column] - inside
    share = np.clip((wanted - before) / np.maximum(inside, 1e-12), 0, 1)
    found = np.asarray(np.exp(logs[column] + (share - 0.5) * step))
    found[running[:, -1] == 0] = np.nan
    return found
