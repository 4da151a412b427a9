"""Where a simulation's randomness comes from: one seed, a stream for each purpose."""

import math

import numpy as np
from numpy.typing import NDArray

from loadtest.prediction.simulation.config import SimulateConfig
from loadtest.prediction.simulation.engine import BATCH, DRAWN, SERVICE_DRAWS, Draws

_POOL = 4 * BATCH
"""How many accounts and times are there at once."""

_CHUNK = _POOL - BATCH
"""How many accounts are drawn at once: always as many, for the draws of a chunk depend on its size,
and key types come to the end of their pools at different times."""

_FAR_NS = 2.0**62
"""Later than any simulation; moments are 64-bit integers."""

_SERVICE, _CHANCE, _ACCOUNTS, _ARRIVALS, STAGGER = range(5)
"""Purposes; streams of different purposes are independent."""


def stream(seed: int, purpose: int) -> np.random.Generator:
    """The random numbers of one purpose."""
    return np.random.Generator(np.random.SFC64([seed, 0x51, purpose]))


class Supply:
    """Draws, renewed before each batch; arrays are used again."""

    def __init__(self, config: SimulateConfig) -> None:
        kinds = len(config.keys)
        self._law = config.law()
        self._service = stream(config.seed, _SERVICE)
        self._chance = stream(config.seed, _CHANCE)
        # Every key type meets the same accounts in the same order, as in a run.
        self._pairs = [stream(config.seed, _ACCOUNTS) for _ in range(kinds)]
        self._schedules = schedules(config)
        # With one Region there is no way to go, and no factor is drawn for it.
        spreads = [config.spread] * (SERVICE_DRAWS - 1) + [config.trip_spread]
        used = SERVICE_DRAWS if any(config.decision_trips_ms()) else SERVICE_DRAWS - 1
        self._varied = [(n, *lognormal(spread)) for n, spread in enumerate(spreads[:used]) if spread]
        places = len(self._schedules)
        self.draws = Draws(
            service=np.ones((SERVICE_DRAWS, _POOL), np.float32),
            chance=np.empty(BATCH),
            payer=np.empty((kinds, _POOL), np.int64),
            payee=np.empty((kinds, _POOL), np.int64),
            pair=np.full(kinds, _POOL),
            arrivals=np.empty((places, _POOL), np.int64),
            place=np.full(places, _POOL),
        )

    def renew(self, counts: NDArray[np.int64]) -> None:
        """Have everything that the next batch may need; `counts` are the world's."""
        draws = self.draws
        if not counts[DRAWN] or _POOL - counts[DRAWN] < BATCH:
            self._draw_service()
            counts[DRAWN] = 0
        self._chance.random(out=draws.chance)
        for key, used in enumerate(draws.pair.tolist()):
            if _POOL - used < BATCH:
                drawn = self._law.draw_pairs(self._pairs[key], _CHUNK)
                for pool, new in zip((draws.payer, draws.payee), drawn, strict=True):
                    _go_on(pool[key], new)
                draws.pair[key] = used - _CHUNK
        for region, used in enumerate(draws.place.tolist()):
            if _POOL - used < BATCH:
                _go_on(draws.arrivals[region], self._schedules[region].next(used))
                draws.place[region] = 0

    def _draw_service(self) -> None:
        for row, mean, deviation in self._varied:
            factors = self._service.standard_normal(out=self.draws.service[row], dtype=np.float32)
            np.multiply(factors, np.float32(deviation), out=factors)
            np.add(factors, np.float32(mean), out=factors)
            np.exp(factors, out=factors)


def lognormal(spread: float) -> tuple[float, float]:
    """(μ, σ) of the logarithm of a log-normal factor with mean 1 and this standard deviation.

    σ² = ln(1 + spread²), μ = −σ²/2 (any textbook; Johnson, Kotz and Balakrishnan, "Continuous
    Univariate Distributions", volume 1, chapter 14).
    """
    variance = math.log1p(spread * spread)
    return -variance / 2, math.sqrt(variance)


def _go_on(pool: NDArray[np.int64], new: NDArray[np.int64]) -> None:
    """Leave out as many of the first as there are new ones, which follow the last."""
    left = len(pool) - len(new)
    pool[:left] = pool[len(new) :].copy()
    pool[left:] = new


class Schedule:
    """One Region's part of an open loop: evenly spaced, or at random moments (exponential gaps)."""

    def __init__(self, mean_ns: float, first_ns: float, random: np.random.Generator | None) -> None:
        self._mean_ns, self._first_ns, self._random = mean_ns, first_ns, random
        self._made, self._moment = 0, 0.0

    def next(self, size: int) -> NDArray[np.int64]:
        """So many more places, in nanoseconds since the beginning."""
        if self._random is None:
            places = self._first_ns + np.arange(self._made, self._made + size) * self._mean_ns
            self._made += size
        else:
            gaps = self._random.standard_exponential(size) * self._mean_ns
            places = self._moment + np.cumsum(gaps)
            self._moment = float(places[-1])
        return np.asarray(np.rint(np.minimum(places, _FAR_NS)), np.int64)


def schedules(config: SimulateConfig) -> list[Schedule]:
    """The open loop of each Region, by its weight; none in a closed loop.

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
        Schedule(1e9 * total / (config.rate * region.weight), 1e9 * number / config.rate, random)
        for number, (region, random) in enumerate(zip(regions, streams, strict=True))
    ]


def scheduled(config: SimulateConfig, until_ns: int) -> int:
    """How many transactions an open loop should have started in the measured time, up to then."""
    from_ns = config.measured_ns()[0]
    found = 0
    for schedule in schedules(config):
        places = schedule.next(_POOL)
        while places[-1] < until_ns:
            found += int(np.count_nonzero(places >= from_ns))
            places = schedule.next(_POOL)
        found += int(np.count_nonzero((places >= from_ns) & (places < until_ns)))
    return found
