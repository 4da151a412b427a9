"""An access law as classes of like accounts: few enough to solve equations over them.

A hundred million accounts become some hundred and fifty classes. The most popular accounts, which
decide how often transactions meet, have a class of their own each; further down a class holds
accounts whose popularity differs by a few per cent.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtest.workload.access import AccessLaw, Hotspot, Uniform, Zipf

_ALONE = 40
"""So many of the most popular accounts have a class of their own."""
_CLASSES_A_DECADE = 14


@dataclass(frozen=True, slots=True)
class Popularity:
    """Accounts in classes; element i of each array is of class i, the most popular first."""

    members: NDArray[np.float64]
    """How many accounts are in the class."""
    access: NDArray[np.float64]
    """p: the probability that one access goes to a certain account of the class; Σ members · p = 1."""

    def pairs(self) -> NDArray[np.float64]:
        """J[i, j]: the share of transfers whose accounts are of classes i and j, in either order.

        The payee is drawn until it differs from the payer, so the transfer a → b has the
        probability p_a p_b / (1 − p_a). J is symmetric and adds up to 1.
        """
        partners = self.members[None, :] - np.eye(len(self.members))
        one_way = (self.members * self.access / (1 - self.access))[:, None] * partners * self.access
        return np.asarray((one_way + one_way.T) / 2, np.float64)

    def pairs_in(self) -> NDArray[np.float64]:
        """Return how many unordered pairs of accounts share J[i, j] + J[j, i] (or J[i, i])."""
        both = np.outer(self.members, self.members)
        np.fill_diagonal(both, self.members * (self.members - 1) / 2)
        return both

    def writes(self) -> NDArray[np.float64]:
        """q: how many writes a transfer makes, on average, to a certain account; Σ members · q = 2."""
        return np.asarray(2 * self.pairs().sum(axis=1) / self.members, np.float64)


def popularity_of(law: AccessLaw) -> Popularity:
    """The classes of a law; takes the same time for a hundred million accounts as for a thousand."""
    if isinstance(law, Uniform):
        return Popularity(np.array([float(law.accounts)]), np.array([1 / law.accounts]))
    if isinstance(law, Hotspot):
        cold = law.accounts - law.hot
        members = np.array([law.hot, cold], np.float64)
        access = np.array([law.access_share / law.hot, (1 - law.access_share) / cold])
        # Hot is what is accessed more often, whatever the option's words call it.
        order = np.argsort(-access, kind="stable")
        return Popularity(members[order], access[order])
    if isinstance(law, Zipf):
        return _zipf(law)
    raise NotImplementedError(f"no classes for {type(law).__name__}")


def _zipf(law: Zipf) -> Popularity:
    """Single ranks first, then runs of ranks, each a sixth longer, with their mean probability."""
    alone = min(law.accounts, _ALONE)
    runs = math.ceil(math.log10(law.accounts / alone) * _CLASSES_A_DECADE)
    # Rank k stands at k; a run is bounded half a step before its first and behind its last rank.
    edges = np.concatenate(
        (np.arange(1, alone + 1), np.unique(np.rint(np.geomspace(alone, law.accounts, runs + 1))) + 1)
    )
    edges = np.unique(edges).astype(np.float64)
    first, ends = edges[:-1], edges[1:]
    # Σ k^−θ over a run is the integral between its bounds, but for θ(θ + 1) / (24 k²) of it, which
    # is nothing from rank 40 on; single ranks are exact.
    weight = np.where(ends - first == 1, first**-law.theta, _area(first - 0.5, ends - 0.5, law.theta))
    members = ends - first
    return Popularity(members, weight / weight.sum() / members)


def _area(low: NDArray[np.float64], high: NDArray[np.float64], theta: float) -> NDArray[np.float64]:
    """∫ x^−θ from low to high, written so that θ near 1 loses no digits."""
    ratio = np.log(high / low)
    grown = (1 - theta) * ratio
    safe = np.where(grown == 0, 1.0, grown)
    return np.asarray(
        low ** (1 - theta) * ratio * np.where(grown == 0, 1.0, np.expm1(safe) / safe), np.float64
    )
