"""How long a piece must be so that its neighbour tells nothing about it.

Pieces that follow one another share whatever lasts longer than they do: a checkpoint, a neighbour on
the machine, one crowded account. Redrawing such pieces as if they were independent makes an interval
too narrow, so neighbours are taken together until they no longer resemble one another. This is the
method of batch means (G. S. Fishman, "Grouping Observations in Digital Simulation", Management
Science 24, 1978), with a floor below which there would be too few batches left to learn anything.
"""

import numpy as np
from numpy.typing import NDArray

from reports.statistics.comparison.metrics import METRICS, Metric
from reports.statistics.comparison.pieces import Pieces

MOST, FEWEST = 64, 8
"""Batches: more are not needed, and with fewer the spread is hardly known."""
RESEMBLANCE = 0.2
"""Neighbours with a correlation of so much are taken together while there are enough of them."""
_STRONGEST = 0.7


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
    return max(
        correlation(series_of(pieces, metric))
        for metric in METRICS
        if metric.key in ("throughput_tps", "latency_p50_ms", "conflict_rate")
    )


def series_of(pieces: Pieces, metric: Metric) -> NDArray[np.float64]:
    """(P,) a figure's course over the pieces; of a latency, the mean of its logarithm.

    A percentile of one piece alone would be of too few transactions to follow.
    """
    if metric.kind == "latency":
        times = getattr(pieces, metric.above)
        above = times @ np.log(pieces.middles_ms[metric.above])
        below = times.sum(axis=1)
    else:
        above, below = pieces.events(metric)
    whole = above.sum() / below.sum() if below.sum() else 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        # A piece in which nothing happened says nothing of this figure.
        return np.where(below > 0, above / below, whole)


def correlation(series: NDArray[np.float64]) -> float:
    """Lag-one autocorrelation, corrected for the −1/n that independent values show on average."""
    size = len(series)
    centred = series - series.mean()
    spread = float(centred @ centred)
    if size < 3 or spread <= 0:
        return 0.0
    return float(centred[1:] @ centred[:-1]) / spread + 1 / size


def inflation(series: NDArray[np.float64]) -> float:
    """By what the variance of the mean grows for the resemblance that batches still have.

    (1 + r) / (1 − r), as of a first-order autoregression; never below 1.
    """
    r = min(max(correlation(series), 0.0), _STRONGEST)
    return (1 + r) / (1 - r)
