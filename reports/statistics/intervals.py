"""Student's t, and drawing anew with replacement: what every interval of this folder is made with."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def student_t(freedom: float, quantile: float) -> float:
    """A quantile of Student's t distribution with these degrees of freedom."""
    # Here, for importing it takes longer than everything else that a summary needs.
    from scipy.special import stdtrit

    return float(stdtrit(freedom, quantile))


def redraw(size: int, draws: int, seed: int) -> Floats:
    """(draws, size) how often each of `size` parts is drawn, of as many draws with replacement.

    A bootstrap: the sums of the parts with these weights are what the whole might have been (B. Efron,
    R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 8).
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(size, np.full(size, 1 / size), draws).astype(float)


def quantile_bins(histograms: Floats, quantile: float) -> tuple[NDArray[np.intp], Floats]:
    """In which bin the quantile of each histogram (a row) lies, and after which share of the bin."""
    running = np.cumsum(histograms, axis=1)
    wanted = running[:, -1] * quantile
    column = np.minimum((running < wanted[:, None]).sum(axis=1), histograms.shape[1] - 1)
    row = np.arange(len(histograms))
    inside = histograms[row, column]
    before = running[row, column] - inside
    return column, np.clip((wanted - before) / np.maximum(inside, 1e-12), 0, 1)
