"""Access laws: the distribution of accesses over the accounts.

A law says how probable each *rank* is (rank 0 the most popular); `spread` then maps ranks to account
numbers one to one, so that popular accounts are not neighbours in key order.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from loadtest.errors import InputError
from loadtest.workload.skew import parse_skew

_CHUNK = 1 << 20
_EXACT_HEAD = 1 << 16


class AccessLaw(ABC):
    """A distribution over `accounts` ranks; at least two accounts, for a transfer needs two."""

    def __init__(self, accounts: int) -> None:
        if accounts < 2:
            raise InputError(f"a transfer needs at least 2 accounts, not {accounts}")
        self.accounts = accounts

    @abstractmethod
    def draw_ranks(self, rng: np.random.Generator, size: int) -> NDArray[np.int64]:
        """Return `size` independent ranks, each 0 … accounts − 1."""

    @abstractmethod
    def _probabilities(self, ranks: NDArray[np.int64]) -> NDArray[np.float64]:
        """The probability of each of these ranks."""

    def probabilities(self) -> Iterator[NDArray[np.float64]]:
        """Yield every rank's probability, in chunks, so that memory does not grow with accounts."""
        for start in range(0, self.accounts, _CHUNK):
            stop = min(start + _CHUNK, self.accounts)
            yield self._probabilities(np.arange(start, stop, dtype=np.int64))

    def draw_pairs(
        self, rng: np.random.Generator, size: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return `size` (payer, payee) account numbers, different within each pair.

        The payee is drawn again until it differs, so it follows the law conditioned on the payer.
        """
        payer = self.draw_ranks(rng, size)
        payee = self.draw_ranks(rng, size)
        while (same := np.flatnonzero(payer == payee)).size:
            payee[same] = self.draw_ranks(rng, same.size)
        return self.spread(payer), self.spread(payee)

    def spread(self, ranks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rank → account number, one to one: multiplication by a unit modulo the number of accounts."""
        if self.accounts == 2:
            return ranks
        return (ranks * _unit_near_golden_section(self.accounts)) % self.accounts

    def writes_per_transfer(self) -> Iterator[NDArray[np.float64]]:
        """Yield q_k, the expected writes that one transfer makes to each rank, in chunks; sums to 2."""
        odds = sum(float(np.sum(p / (1 - p))) for p in self.probabilities())
        for p in self.probabilities():
            yield p + p * (odds - p / (1 - p))

    def sum_q_squared(self) -> float:
        """Σ_k q_k² of a transfer between two different accounts; 4 / N when uniform."""
        return sum(float(np.sum(q * q)) for q in self.writes_per_transfer())

    def meeting_probability(self) -> float:
        """The probability that two transfers have an account in common.

        By inclusion and exclusion: Σ q_k² counts the pairs that share both accounts twice. With
        x = 1 / (1 − p), the pair {a, b} has probability p_a p_b (x_a + x_b), and the sum of the
        squares over all pairs comes apart into sums over single accounts.
        """
        zeroth = first = second = diagonal = 0.0
        for p in self.probabilities():
            x = 1 / (1 - p)
            square = p * p
            zeroth += float(np.sum(square))
            first += float(np.sum(square * x))
            second += float(np.sum(square * x * x))
            diagonal += float(np.sum(square * square * x * x))
        same_pair = second * zeroth + first * first - 2 * diagonal
        return self.sum_q_squared() - same_pair


def _unit_near_golden_section(n: int) -> int:
    """A number without common divisor with n, near 0.618 n: successive multiples lie far apart.

    Beyond three billion accounts it is smaller, so that n times the number still is a 64-bit integer.
    """
    unit = max(1, round(min(n, (2**63 - 1) // n) * 0.6180339887498949))
    while math.gcd(unit, n) != 1:
        unit += 1
    return unit


class Uniform(AccessLaw):
    """The same probability for every account."""

    def draw_ranks(self, rng: np.random.Generator, size: int) -> NDArray[np.int64]:
        """Return `size` independent ranks."""
        return rng.integers(0, self.accounts, size)

    def _probabilities(self, ranks: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.full(len(ranks), 1.0 / self.accounts)

    def sum_q_squared(self) -> float:
        """Σ_k q_k² = 4 / N."""
        return 4.0 / self.accounts


class Zipf(AccessLaw):
    """Rank k (from 1) with probability proportional to k^−θ.

    Drawn by rejection-inversion (Hörmann and Derflinger, "Rejection-inversion to generate variates
    from monotone discrete distributions", 1996): exact, and without a table of all accounts.
    """

    def __init__(self, accounts: int, theta: float) -> None:
        super().__init__(accounts)
        self.theta = theta
        self._low = self._integral(np.array([1.5]))[0] - 1.0
        self._high = self._integral(np.array([accounts + 0.5]))[0]
        self._total = self._sum()

    def _integral(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """∫ x^−θ, written so that θ near 1 loses no digits."""
        log_x = np.log(x)
        t = (1.0 - self.theta) * log_x
        safe = np.where(t == 0, 1.0, t)
        return np.asarray(log_x * np.where(t == 0, 1.0, np.expm1(t) / safe), np.float64)

    def _inverse(self, y: NDArray[np.float64]) -> NDArray[np.float64]:
        t = np.maximum(y * (1.0 - self.theta), -1.0 + 1e-15)
        safe = np.where(t == 0, 1.0, t)
        return np.asarray(np.exp(y * np.where(t == 0, 1.0, np.log1p(t) / safe)), np.float64)

    def _sum(self) -> float:
        """Σ k^−θ: the head term by term, the tail by Euler and Maclaurin."""
        head = min(self.accounts, _EXACT_HEAD)
        total = float(np.sum(np.arange(1, head + 1, dtype=np.float64) ** -self.theta))
        if self.accounts > head:
            a, b = float(head), float(self.accounts)
            area = float(np.diff(self._integral(np.array([a, b])))[0])
            ends = (b**-self.theta - a**-self.theta) / 2
            slopes = -self.theta * (b ** (-self.theta - 1) - a ** (-self.theta - 1)) / 12
            total += area + ends + slopes
        return total

    def draw_ranks(self, rng: np.random.Generator, size: int) -> NDArray[np.int64]:
        """Return `size` independent ranks."""
        ranks = np.empty(size, np.int64)
        missing = np.arange(size)
        while missing.size:
            u = rng.uniform(self._low, self._high, missing.size)
            k = np.clip(np.rint(self._inverse(u)), 1, self.accounts)
            accepted = u >= self._integral(k + 0.5) - k**-self.theta
            ranks[missing[accepted]] = k[accepted].astype(np.int64) - 1
            missing = missing[~accepted]
        return ranks

    def _probabilities(self, ranks: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray((ranks + 1.0) ** -self.theta / self._total, np.float64)


class Hotspot(AccessLaw):
    """A share of the accesses goes to a share of the accounts, evenly within each part."""

    def __init__(self, accounts: int, access_share: float, account_share: float) -> None:
        super().__init__(accounts)
        self.hot = min(max(1, round(accounts * account_share)), accounts - 1)
        self.access_share = access_share

    def draw_ranks(self, rng: np.random.Generator, size: int) -> NDArray[np.int64]:
        """Return `size` independent ranks."""
        is_hot = rng.random(size) < self.access_share
        spot = rng.random(size)
        cold = self.hot + (spot * (self.accounts - self.hot)).astype(np.int64)
        return np.where(is_hot, (spot * self.hot).astype(np.int64), cold)

    def _probabilities(self, ranks: NDArray[np.int64]) -> NDArray[np.float64]:
        cold = (1.0 - self.access_share) / (self.accounts - self.hot)
        return np.where(ranks < self.hot, self.access_share / self.hot, cold)


def parse_access(text: str, accounts: int) -> AccessLaw:
    """Return the access law that `--skew TEXT` means over this many accounts."""
    skew = parse_skew(text)
    if skew.kind == "zipf":
        return Zipf(accounts, *skew.values)
    if skew.kind == "hotspot":
        return Hotspot(accounts, *skew.values)
    return Uniform(accounts)
