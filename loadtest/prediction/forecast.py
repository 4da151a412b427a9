"""What a workload will do before it is run: conflicts, retries, throughput, added latency.

`forecast` puts a workload through `equilibrium.settle` three times: once as it is, and once at each
end of what is not known (where in a request the window begins and ends, and how well the model
itself holds). Every figure is an interval with its best value in between.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from loadtest.errors import InputError
from loadtest.prediction.equilibrium import Equilibrium, Load, Place, settle
from loadtest.prediction.popularity import popularity_of
from loadtest.workload.access import AccessLaw
from loadtest.workload.retry import RetryPolicy

MODEL_FACTOR = 1.15
"""How far the model may be out in the pressure on an account; docs/methodology.md, "Predicting"."""

IN_STEP_FACTOR = 1.3
"""The same, upwards, for policies without jitter: who lost to one commit tries again together."""
_IN_STEP = ("immediate", "fixed", "exponential")

_CHAINS = 400
_LINKS = 48
_DRAWS = 20_000
_SEED = 20_250_117
_HALVINGS = 10


_FEW_USERS = 16
"""With more, chance decides who meets whom."""
_OF_FEW = 1.2
"""How far the pressure of two users may be out beside `MODEL_FACTOR`; less by U − 1 for U."""
_HOT = 0.1
"""A conflict rate from which on all of that is allowed for."""
_NO_MATTER = 1.02
_CAPTURE = 1.6
"""How much less pressure few users may make with exponential backoff without jitter."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A best value and the two ends of what it may be."""

    low: float
    best: float
    high: float

    def of(self, scale: float) -> "Interval":
        """The same in another unit."""
        return Interval(self.low * scale, self.best * scale, self.high * scale)


@dataclass(frozen=True, slots=True)
class Region:
    """An endpoint and what an attempt through it takes, in seconds, without any conflict.

    The window, from snapshot to decision, is not visible from outside: it is at least
    `window_low_s` and at most `window_high_s`.
    """

    name: str
    window_low_s: float
    window_high_s: float
    attempt_s: float
    """Mean time of an attempt, with the client's own before the next one."""
    window_spread: float = 0.0
    """Standard deviation of the windows over their mean."""
    share: float = 1.0
    """Of users or transactions, in proportion to the other Regions'."""
    between_s: float = 0.0
    """The client's own time between two transactions, beside any think time."""
    start_spread_s: float | None = None
    """Standard deviation of the time from a scheduled start to the snapshot; None where it is not
    known, and then it varies as the windows do."""


UNKNOWN_PLACEMENT = Interval(0.0, 0.5, 1.0)
"""The window may lie anywhere between its two ends."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What is to be forecast: transfers over an access law, by users or by a rate."""

    law: AccessLaw
    regions: tuple[Region, ...]
    retry: RetryPolicy
    users: int | None = None
    """With `rate`: how many transactions can be under way at once; without it: a closed loop."""
    rate: float | None = None
    """Transactions started a second, on a schedule (open loop)."""
    evenly: bool = False
    """Whether the schedule of an open loop is evenly spaced, as in `occbench run`, or random."""
    think_s: float = 0.0
    placement: Interval = UNKNOWN_PLACEMENT
    """Where the window lies between its ends, 0 the shortest and 1 the longest."""

    def __post_init__(self) -> None:
        if self.users is None and self.rate is None:
            raise InputError("a forecast needs a number of users or a rate")
        if not self.regions:
            raise InputError("a forecast needs at least one Region")
        rest_s = self.think_s + min(region.attempt_s + region.between_s for region in self.regions)
        if self.rate is None and rest_s <= 0:
            raise InputError(
                "users who wait for their answers need a time above 0 for a transaction: give "
                "--latency-ms, --attempt-ms or --think-time"
            )


@dataclass(frozen=True, slots=True)
class RegionForecast:
    """What a Region's own transactions do."""

    name: str
    conflict_rate: Interval
    goodput_tps: Interval


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the workload will do; shares from 0 to 1, rates a second, times in milliseconds."""

    conflict_rate: Interval
    """Conflicts / attempts."""
    retry_rate: Interval
    """Transactions that are tried again / transactions."""
    retries_mean: Interval
    """Retries of a transaction."""
    give_up_rate: Interval
    """Transactions that are given up / transactions."""
    goodput_tps: Interval
    """Committed transactions a second."""
    started_tps: Interval
    """Transactions started a second."""
    added_ms: Interval
    """Mean time that conflicts add to a transaction: further attempts and backoff."""
    added_p50_ms: Interval
    added_p99_ms: Interval
    latency_ms: Interval
    """Mean time of a transaction, from its first attempt to the end of its last."""
    busy: Interval
    """Transactions under way at the same time, those that wait to be tried again included."""
    regions: tuple[RegionForecast, ...]
    settled: bool
    """False where there is no steady state: accounts are wanted more often than they can commit."""
    few_users: bool
    """True where so few users share so hot accounts that the ranges were widened for it."""
    kept: bool
    """False where the rate needs more users than there are: the figures are those of all users busy."""


def forecast(workload: Workload) -> Forecast:
    """The workload's figures, with their intervals."""
    place = workload.placement
    # Each end is the most favourable, or the least, of everything that is not known.
    best = _solve(workload, place.best, 1.0)
    most = most_pressure(workload.retry)
    few_users = _few_users(workload, best)
    few = _solve(workload, place.low, 1 / (_least_pressure(workload.retry, few_users) * few_users), -1)
    many = _solve(workload, place.high, most * few_users, 1)

    def figure(of: Callable[[_Solved], float]) -> Interval:
        middle, one, other = of(best), of(few), of(many)
        return Interval(min(middle, one, other), middle, max(middle, one, other))

    regions = tuple(
        RegionForecast(
            region.name,
            figure(lambda s, r=r: s.conflict_rate(r)),  # type: ignore[misc]
            figure(lambda s, r=r: s.goodput(r)),  # type: ignore[misc]
        )
        for r, region in enumerate(workload.regions)
    )
    return Forecast(
        conflict_rate=figure(lambda s: s.conflict_rate()),
        retry_rate=figure(lambda s: s.retry_rate()),
        retries_mean=figure(lambda s: s.attempts() - 1),
        give_up_rate=figure(lambda s: s.give_up_rate()),
        goodput_tps=figure(lambda s: s.goodput()),
        started_tps=figure(lambda s: float(s.found.started.sum())),
        added_ms=figure(lambda s: 1e3 * s.added_s()),
        added_p50_ms=figure(lambda s: 1e3 * s.added_quantiles()[0]),
        added_p99_ms=figure(lambda s: 1e3 * s.added_quantiles()[1]),
        latency_ms=figure(lambda s: 1e3 * (s.first_s() + s.added_s())),
        busy=figure(lambda s: s.busy()),
        regions=regions,
        settled=all(one.found.settled for one in (best, few, many)),
        few_users=few_users > 1,
        kept=best.kept,
    )


def most_pressure(retry: RetryPolicy) -> float:
    """By which factor accounts may be wanted more than the model has it, with this policy."""
    return IN_STEP_FACTOR if retry.name in _IN_STEP else MODEL_FACTOR


def _least_pressure(retry: RetryPolicy, few_users: float) -> float:
    """By which factor accounts may be wanted less than the model has it.

    Exponential backoff without jitter lets one of a few users win again and again while the others
    wait ever longer.
    """
    return MODEL_FACTOR * (_CAPTURE if few_users > 1 and retry.name == "exponential" else 1.0)


def _few_users(workload: Workload, best: "_Solved") -> float:
    """By which factor more the pressure may be out because few users meet again and again.

    Who starts when is then no chance: two users that retry at once stay in step, two that back off
    get out of each other's way. How much was found by simulation; docs/methodology.md.
    """
    users = workload.users if workload.rate is None or not best.kept else None
    if users is None or not 2 <= users <= _FEW_USERS:
        return 1.0
    factor = 1 + _OF_FEW * min(1.0, best.conflict_rate() / _HOT) / (users - 1)
    return factor if factor > _NO_MATTER else 1.0


def _solve(workload: Workload, placement: float, contention: float, end: int = 0) -> "_Solved":
    """The equilibrium with the windows placed so, and the pressure on accounts changed by a factor.

    `end` is −1 or 1 for the fewest or most meetings of evenly spaced starts, 0 for the likely ones.
    """
    retry = workload.retry
    waits = _Waits.of(retry)
    most = 1 if retry.name == "none" else retry.max_attempts
    popularity = popularity_of(workload.law)
    total = sum(region.share for region in workload.regions)
    places = tuple(_place(region, placement, total, end) for region in workload.regions)

    def at(load: Load) -> _Solved:
        found = settle(
            popularity, places, load, waits.mean, max_attempts=most, contention=contention, end=end
        )
        return _Solved(found, places, waits)

    if workload.rate is None:
        return at(Load(workload.users, workload.think_s, None))
    free = at(Load(None, 0.0, workload.rate, workload.evenly))
    if workload.users is None or (free.found.settled and free.busy() <= workload.users):
        return free
    # The schedule runs ahead of the users: all of them are busy all the time.
    return replace(at(Load(workload.users, 0.0, None)), kept=False)


def conflict_rate_of(
    workload: Workload, placement: float, contention: float = 1.0, end: int = 0
) -> float:
    """The conflict rate alone, with the windows placed so: a third of the work of `forecast`.

    `contention` is a factor on the pressure on accounts, to see what the model's inaccuracy is worth.
    """
    return _solve(workload, placement, contention, end).conflict_rate()


def _place(region: Region, placement: float, total: float, end: int) -> Place:
    window_s = region.window_low_s + placement * (region.window_high_s - region.window_low_s)
    start_spread_s = region.start_spread_s
    if start_spread_s is None and window_s:
        # What an attempt takes beside its window varies like it, variance in proportion to time; how
        # much of it comes before the snapshot is not known: none, half, all.
        before_s = (end + 1) / 2 * max(0.0, region.attempt_s - window_s)
        start_spread_s = region.window_spread * (window_s * before_s) ** 0.5
    return Place(
        region.share / total, window_s, region.window_spread, region.attempt_s, region.between_s,
        start_spread_s or 0.0,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Waits:
    """What a policy makes a transaction wait."""

    mean: NDArray[np.float64]
    """Mean wait after the first, second, … failure, in seconds."""
    so_far: NDArray[np.float64]
    """(chain, failures): everything that an example of a transaction has waited after so many."""

    @classmethod
    def of(cls, policy: RetryPolicy) -> "_Waits":
        """The policy's own function, fed with evenly spread random numbers in random order."""
        rng = np.random.default_rng(_SEED)
        even = replace(policy, max_attempts=0)
        waits = np.zeros((_CHAINS, _LINKS))
        middles = (np.arange(_CHAINS) + 0.5) / _CHAINS
        previous = [0.0] * _CHAINS
        for link in range(_LINKS):
            luck = rng.permutation(middles).tolist()
            previous = [
                even.wait_after(link + 1, before, u) or 0.0
                for before, u in zip(previous, luck, strict=True)
            ]
            waits[:, link] = previous
        so_far = np.concatenate((np.zeros((_CHAINS, 1)), np.cumsum(waits, axis=1)), axis=1)
        return cls(waits.mean(axis=0), so_far)


@dataclass(slots=True)
class _Solved:
    """One equilibrium, and the figures that follow from it."""

    found: Equilibrium
    places: tuple[Place, ...]
    waits: _Waits
    kept: bool = True
    _drawn: tuple[float, float] | None = None

    def _weights(self, region: int | None = None) -> NDArray[np.float64]:
        """How many transactions a second want what, (class, class, place)."""
        started = self.found.started
        if region is not None:
            started = np.where(np.arange(len(started)) == region, started, 0.0)
        return np.asarray(self.found.pairs[:, :, None] * started)

    def _mean(self, values: NDArray[np.float64]) -> float:
        """Of all transactions."""
        weights = self._weights()
        total = float(weights.sum())
        return float((weights * values).sum()) / total if total else float(np.mean(values))

    def attempts(self) -> float:
        """Of a transaction."""
        return self._mean(self.found.attempts())

    def conflict_rate(self, region: int | None = None) -> float:
        """Conflicts / attempts."""
        attempts = self._weights(region) * self.found.attempts()
        total = float(attempts.sum())
        return float((attempts * (1 - self.found.spared)).sum()) / total if total else 0.0

    def retry_rate(self) -> float:
        """Transactions with a second attempt / transactions."""
        return self._mean(1 - self.found.spared) if self.found.most_attempts > 1 else 0.0

    def give_up_rate(self) -> float:
        """Transactions whose attempts run out / transactions."""
        return max(0.0, self._mean(1 - self.found.committing()))

    def goodput(self, region: int | None = None) -> float:
        """Commits a second."""
        return float((self._weights(region) * self.found.committing()).sum())

    def first_s(self) -> float:
        """One attempt."""
        return self._mean(np.broadcast_to(self._attempt_s(), self.found.spared.shape))

    def _attempt_s(self) -> NDArray[np.float64]:
        return np.array([place.attempt_s for place in self.places])

    def added_s(self) -> float:
        """Further attempts and backoff of a transaction, on average."""
        further = self._mean((self.found.attempts() - 1) * self._attempt_s())
        if self.found.most_attempts == 1:
            return further
        failed = 1 - self.found.spared
        waited, left = np.zeros_like(failed), failed.copy()
        links = min(self.found.most_attempts - 1, len(self.waits.mean))
        for link in range(links):
            waited += self.waits.mean[link] * left
            left = left * failed
        beyond = self.found.most_attempts - 1 - links
        if beyond:
            series = -np.expm1(beyond * np.log(np.maximum(failed, 1e-300))) / self.found.spared
            waited += self.waits.mean[-1] * left * series
        return further + self._mean(waited)

    def busy(self) -> float:
        """Transactions under way at the same time (Little's law)."""
        return float(self.found.started.sum()) * (self.first_s() + self.added_s())

    def added_quantiles(self) -> tuple[float, float]:
        """(median, p99) of what conflicts add to a transaction, in seconds.

        Transactions are drawn, with their number of attempts and their backoff; each further
        attempt takes its mean time.
        """
        if self._drawn is None:
            self._drawn = self._draw()
        return self._drawn

    def _draw(self) -> tuple[float, float]:
        rng = np.random.default_rng(_SEED)
        weights = np.ravel(self._weights())
        if not weights.sum() or self.found.most_attempts == 1:
            return 0.0, 0.0
        # Evenly spread numbers instead of random ones: popular and rare accounts in proportion.
        even = (np.arange(_DRAWS) + 0.5) / _DRAWS
        cells = np.searchsorted(np.cumsum(weights) / weights.sum(), even)
        cells = np.minimum(cells, len(weights) - 1)
        failed = 1 - np.ravel(self.found.spared)[cells]
        luck = rng.permutation(even)
        with np.errstate(divide="ignore"):
            failures = np.floor(np.log(luck) / np.log(np.maximum(failed, 1e-300)))
        failures = np.clip(failures, 0, self.found.most_attempts - 1).astype(np.int64)
        known = np.minimum(failures, self.waits.so_far.shape[1] - 1)
        # Giving up, there is no wait after the last failure; `failures` counts the retries made.
        waited = self.waits.so_far[rng.integers(0, len(self.waits.so_far), _DRAWS), known]
        waited = waited + (failures - known) * self.waits.mean[-1]
        added = failures * self._attempt_s()[cells % len(self.places)] + waited
        median, high = np.quantile(added, (0.5, 0.99))
        return float(median), float(high)


def placement_from(workload: Workload, measured: Interval) -> Interval:
    """Where the windows must lie between their two ends for the conflict rate to be as measured.

    Ends of the measured interval that no placement explains become the nearest end, 0 or 1; whether
    any explains it at all, `explained_range` says.
    """
    lowest, highest = (conflict_rate_of(workload, end) for end in (0.0, 1.0))
    if highest <= lowest:
        return UNKNOWN_PLACEMENT

    def place_of(rate: float) -> float:
        if not lowest < rate < highest:
            return float(rate >= highest)
        low, high = 0.0, 1.0
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if conflict_rate_of(workload, middle) < rate else (low, middle)
        return (low + high) / 2

    return Interval(place_of(measured.low), place_of(measured.best), place_of(measured.high))


def explained_range(workload: Workload) -> tuple[float, float]:
    """The conflict rates that the model gives the workload with the shortest and longest windows."""
    few_users = _few_users(workload, _solve(workload, 0.5, 1.0))
    least = _least_pressure(workload.retry, few_users)
    return (
        conflict_rate_of(workload, 0.0, 1 / (least * few_users), -1),
        conflict_rate_of(workload, 1.0, most_pressure(workload.retry) * few_users, 1),
    )
