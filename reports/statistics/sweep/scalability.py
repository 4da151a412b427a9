"""The universal scalability law, fitted to throughput against users.

    X(N) = λ N / (1 + σ (N − 1) + κ N (N − 1))

λ is the throughput of one user, σ the share of the work that users must do one after another
(*contention*), κ what each pair of users costs (*coherency*). N. J. Gunther, "Guerrilla Capacity
Planning", 2007, chapter 4; "A General Theory of Computational Scalability Based on Rational Functions",
arXiv:0808.1431.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_LOADS = 4
LEAST_FREEDOM = 3
"""Different numbers of users, and measurements more than the three parameters, that a fit needs."""
MOST_MISFIT = 0.15
"""How far the law may be from the mean of the measurements at any number of users, as a share."""
DRAWS = 2000
_PARAMETERS = 3
_FAR = 2.0
"""A peak is named up to this multiple of the most users that were measured."""

Vector = NDArray[np.float64]


def _throughput(
    users: Vector, lam: Vector | float, sigma: Vector | float, kappa: Vector | float
) -> Vector:
    return lam * users / (1 + sigma * (users - 1) + kappa * users * (users - 1))


@dataclass(frozen=True, slots=True)
class Law:
    """The law with its three parameters; λ in transactions a second, σ and κ without a unit."""

    lam: float
    sigma: float
    kappa: float

    def at(self, users: Vector) -> Vector:
        """Transactions a second of so many users."""
        return _throughput(users, self.lam, self.sigma, self.kappa)

    @property
    def peak(self) -> float | None:
        """The number of users of the highest throughput, √((1 − σ)/κ); None where it never falls."""
        if self.kappa <= 0:
            return None
        return math.sqrt(max(0.0, 1 - self.sigma) / self.kappa)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A parameter with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Fit:
    """The law as it was fitted.

    `misfit` is the largest relative distance between the law and the mean of the measurements at one
    number of users. `peak` is None where the data do not show that throughput falls, or only far beyond
    them. `draws` are the parameters (λ, σ, κ) of each redrawn fit, shape (DRAWS, 3).
    """

    law: Law
    lam: Estimate
    sigma: Estimate
    kappa: Estimate
    misfit: float
    peak: Estimate | None
    draws: Vector

    def band(self, users: Vector) -> tuple[Vector, Vector]:
        """The 95 % interval of the law's throughput at these users, point by point."""
        curves = _throughput(users, *(self.draws[:, [i]] for i in range(_PARAMETERS)))
        low, high = np.quantile(curves, [0.025, 0.975], axis=0)
        return low, high


@dataclass(frozen=True, slots=True)
class NoFit:
    """Why there is no fit: a clause that follows a name and a colon."""

    why: str


def fit_law(users: Sequence[float], throughput: Sequence[float], seed: int) -> Fit | NoFit:
    """Fit the law to runs, one pair of values each; repeats are pairs with the same users.

    With a = 1/λ, b = σ/λ and c = κ/λ the law says N/X = a + b (N − 1) + c N (N − 1), which is linear.
    So relative errors are minimised by non-negative least squares, which has one answer and needs no
    starting point. Intervals are a bootstrap of the residuals: their logarithms are widened by
    √(n/(n − 3)), drawn with replacement, and each drawn set is scaled by √(ν/χ²) with a χ² of ν = n − 3
    degrees of freedom, so that the error's own size is uncertain as in Student's t.
    """
    n, x = np.asarray(users, float), np.asarray(throughput, float)
    known = (x > 0) & (n > 0)
    n, x = n[known], x[known]
    different = len(set(n))
    freedom = len(n) - _PARAMETERS
    if different < LEAST_LOADS or freedom < LEAST_FREEDOM:
        return NoFit(
            f"too few points for three parameters ({different} different numbers of users in {len(n)} "
            f"runs; it takes {LEAST_LOADS} in {LEAST_FREEDOM + _PARAMETERS})"
        )
    law = Law(*(float(one) for one in _solve(n, x[None, :])[0]))
    logs = np.log(x / law.at(n))
    misfit, where = _misfit(n, logs)
    if abs(misfit) > MOST_MISFIT:
        side = "above" if misfit > 0 else "below"
        return NoFit(
            f"the law does not fit: at {where:,.0f} users the measured throughput is "
            f"{abs(misfit):.0%} {side} it".replace("%", " %")
        )
    draws = _draws(n, law, logs, seed)
    lam, sigma, kappa = (
        _estimate(value, draws[:, i]) for i, value in enumerate((law.lam, law.sigma, law.kappa))
    )
    return Fit(law, lam, sigma, kappa, abs(misfit), _peak(law, kappa, draws, float(n.max())), draws)


_SUPPORTS = ((0,), (0, 1), (0, 2), (0, 1, 2))
"""Which of a, b and c are not zero: λ is finite, so a is always there."""


def _solve(n: Vector, x: Vector) -> Vector:
    """(λ, σ, κ) of each set of throughputs; `x` has the shape (sets, runs), the result (sets, 3).

    The least squares with non-negative parameters are those of the support, of the four possible ones,
    that fits best among those whose plain least squares are not negative.
    """
    scale = float(n.max())
    plain = np.stack([np.ones_like(n), (n - 1) / scale, n * (n - 1) / scale**2], axis=1)
    # Each row multiplied by X/N: what is left of 1 is the relative error.
    weight = np.median(n / x, axis=1)[:, None, None]
    terms = plain * (x / n)[:, :, None] * weight
    solutions, least = np.zeros((len(x), _PARAMETERS)), np.full(len(x), np.inf)
    for support in _SUPPORTS:
        some = terms[:, :, support]
        turned = some.transpose(0, 2, 1)
        solved = np.linalg.solve(turned @ some, turned.sum(axis=2)[:, :, None])
        error = ((some @ solved)[:, :, 0] - 1) ** 2
        better = (solved[:, :, 0] >= 0).all(axis=1) & (error.sum(axis=1) < least)
        least = np.where(better, error.sum(axis=1), least)
        full = np.zeros_like(solutions)
        full[:, support] = solved[:, :, 0]
        solutions = np.where(better[:, None], full, solutions)
    a, b, c = solutions.T
    return np.stack([1 / (a * weight[:, 0, 0]), b / a / scale, c / a / scale**2], axis=1)


def _misfit(n: Vector, logs: Vector) -> tuple[float, float]:
    """The largest relative distance of a mean from the law, with its sign, and where it is."""
    means = {float(load): math.expm1(float(logs[n == load].mean())) for load in set(n)}
    where = max(means, key=lambda load: abs(means[load]))
    return means[where], where


def _draws(n: Vector, law: Law, logs: Vector, seed: int) -> Vector:
    rng = np.random.default_rng(seed)
    freedom = len(n) - _PARAMETERS
    centred = (logs - logs.mean()) * math.sqrt(len(n) / freedom)
    scale = np.sqrt(freedom / rng.chisquare(freedom, (DRAWS, 1)))
    drawn = rng.choice(centred, (DRAWS, len(n))) * scale
    return _solve(n, law.at(n) * np.exp(drawn))


def _estimate(value: float, draws: Vector) -> Estimate:
    low, high = (float(end) for end in np.quantile(draws, [0.025, 0.975]))
    return Estimate(value, min(low, value), max(high, value))


def _peak(law: Law, kappa: Estimate, draws: Vector, most: float) -> Estimate | None:
    peak = law.peak
    if peak is None or kappa.low <= 0 or not 1 < peak <= _FAR * most:
        return None
    peaks = np.sqrt(np.maximum(0.0, 1 - draws[:, 1]) / np.maximum(draws[:, 2], 1e-300))
    return _estimate(peak, peaks)
