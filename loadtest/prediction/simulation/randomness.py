"""A simulation's random numbers: one seed, a stream for each purpose."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loadtest.prediction.simulation.config import SimulateConfig
from loadtest.prediction.simulation.state import BATCH, SERVICE_TIMES, RandomNumbers

_POOL = 4 * BATCH
"""How many accounts and times there are at once."""

_CHUNK = _POOL - BATCH
"""How many accounts are drawn at once: always as many, for the draws of a chunk depend on its size,
and key types come to the end of their pools at different times."""

_FAR_NS = 2.0**62
"""Later than any simulation; moments are 64-bit integers."""

_SERVICE, _CHANCE, _ACCOUNTS, _ARRIVALS, STAGGER = range(5)
"""Purposes; streams of different purposes are independent."""


def stream(seed: int, purpose: int) -> np.random.Generator:
    """Return the random numbers of one purpose."""
    return np.random.Generator(np.random.SFC64([seed, 0x51, purpose]))


class RandomSource:
    """Random numbers, renewed before each batch; arrays are used again."""

    def __init__(self, config: SimulateConfig) -> None:
        key_types = len(config.keys)
        self._law = config.law()
        self._service = stream(config.seed, _SERVICE)
        self._chance = stream(config.seed, _CHANCE)
        # Every key type meets the same accounts in the same order, as in a run.
        self._accounts = [stream(config.seed, _ACCOUNTS) for _ in range(key_types)]
        self._arrivals = arrivals_of(config)
        # With one Region there is no way to go, and no factor is drawn for it.
        spreads = [config.spread] * (SERVICE_TIMES - 1) + [config.trip_spread]
        used = SERVICE_TIMES if any(config.decision_trips_ms()) else SERVICE_TIMES - 1
        self._varied = [(n, *lognormal(spread)) for n, spread in enumerate(spreads[:used]) if spread]
        regions = len(self._arrivals)
        self.numbers = RandomNumbers(
            service=np.ones((SERVICE_TIMES, _POOL), np.float32),
            chance=np.empty(BATCH),
            payer=np.empty((key_types, _POOL), np.int64),
            payee=np.empty((key_types, _POOL), np.int64),
            next_pair=np.full(key_types, _POOL),
            arrivals=np.empty((regions, _POOL), np.int64),
            next_arrival=np.full(regions, _POOL),
        )

    def renew(self, counts: Any) -> None:
        """Draw what the next batch may need; `counts` are the state's."""
        numbers = self.numbers
        if not counts.served or _POOL - counts.served < BATCH:
            self._draw_service()
            counts.served = 0
        self._chance.random(out=numbers.chance)
        for key, used in enumerate(numbers.next_pair.tolist()):
            if _POOL - used < BATCH:
                drawn = self._law.draw_pairs(self._accounts[key], _CHUNK)
                for pool, new in zip((numbers.payer, numbers.payee), drawn, strict=True):
                    _shift_in(pool[key], new)
                numbers.next_pair[key] = used - _CHUNK
        for region, used in enumerate(numbers.next_arrival.tolist()):
            if _POOL - used < BATCH:
                _shift_in(numbers.arrivals[region], self._arrivals[region].next(used))
                numbers.next_arrival[region] = 0

    def _draw_service(self) -> None:
        for row, mean, deviation in self._varied:
            factors = self._service.standard_normal(out=self.numbers.service[row], dtype=np.float32)
            np.multiply(factors, np.float32(deviation), out=factors)
            np.add(factors, np.float32(mean), out=factors)
            np.exp(factors, out=factors)


def lognormal(spread: float) -> tuple[float, float]:
    """Return (μ, σ) of the logarithm of a log-normal factor with mean 1 and this standard deviation.

    σ² = ln(1 + spread²), μ = −σ²/2 (any textbook; Johnson, Kotz and Balakrishnan, "Continuous
    Univariate Distributions", volume 1, chapter 14).
    """
    variance = math.log1p(spread * spread)
    return -variance / 2, math.sqrt(variance)


def _shift_in(pool: NDArray[np.int64], new: NDArray[np.int64]) -> None:
    """Drop as many of the first as there are new ones, which follow the last."""
    left = len(pool) - len(new)
    pool[:left] = pool[len(new) :].copy()
    pool[left:] = new


class Arrivals:
    """One Region's part of an open loop: evenly spaced, or at random moments (exponential gaps)."""

    def __init__(self, mean_ns: float, first_ns: float, random: np.random.Generator | None) -> None:
        self._mean_ns, self._first_ns, self._random = mean_ns, first_ns, random
        self._made, self._moment = 0, 0.0

    def next(self, size: int) -> NDArray[np.int64]:
        """Return so many more arrivals, in nanoseconds since the beginning."""
        if self._random is None:
            moments = self._first_ns + np.arange(self._made, self._made + size) * self._mean_ns
            self._made += size
        else:
            gaps = self._random.standard_exponential(size) * self._mean_ns
            moments = self._moment + np.cumsum(gaps)
            self._moment = float(moments[-1])
        return np.asarray(np.rint(np.minimum(moments, _FAR_NS)), np.int64)


def arrivals_of(config: SimulateConfig) -> list[Arrivals]:
    """Return the open loop of each Region, by its weight; none in a closed loop.

    How many transactions arrive at a Region does not depend on how fast it is. Evenly spaced ones of
    several Regions are interleaved.
    """
    if config.rate is None:
        return []
    regions = config.region_list()
    total = sum(region.weight for region in regions)
    streams: list[np.random.Generator | None] = [None] * len(regions)
    if config.arrivals == "random":
        streams = list(stream(config.seed, _ARRIVALS).spawn(len(regions)))
    return [
        Arrivals(1e9 * total / (config.rate * region.weight), 1e9 * number / config.rate, random)
        for number, (region, random) in enumerate(zip(regions, streams, strict=True))
    ]


def scheduled(config: SimulateConfig, until_ns: int) -> int:
    """Return how many transactions an open loop should have started in the measured time until then."""
    from_ns = config.measured_ns()[0]
    due = 0
    for arrivals in arrivals_of(config):
        last = -1
        while last < until_ns:
            moments = arrivals.next(_POOL)
            due += int(np.count_nonzero((moments >= from_ns) & (moments < until_ns)))
            last = moments[-1]
    return due
