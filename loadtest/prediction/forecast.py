"""The forecast: a workload's conflicts, retries, throughput and added latency before it is run.

`forecast` solves the equilibrium (`equilibrium.py`) three times: once as the workload is, and once at
each end of what is not known (where in a request the window begins and ends, and how accurate the
model itself is). Every figure is an interval with its best value in between.
"""

from collections.abc import Callable
from dataclasses import dataclass

from loadtest.prediction.equilibrium import Endpoint, Load, settle
from loadtest.prediction.figures import Figures, Waits
from loadtest.prediction.popularity import popularity_of
from loadtest.prediction.workload import UNKNOWN_PLACEMENT, Interval, Region, Workload
from loadtest.workload.retry import RetryPolicy

MODEL_FACTOR = 1.15
"""How far the model may be out in the pressure on an account; docs/methodology.md, "Predicting"."""

IN_STEP_FACTOR = 1.3
"""The same, upwards, for policies without jitter: all that failed by one commit try again together."""
_IN_STEP = ("immediate", "fixed", "exponential")

_FEW_USERS = 16
"""With more, chance decides which users meet."""
_OF_FEW = 1.2
"""How far the pressure of two users may be out beside `MODEL_FACTOR`; less by U − 1 for U."""
_CONTENDED = 0.1
"""A conflict rate from which on all of that is allowed for."""
_NO_MATTER = 1.02
_CAPTURE = 1.6
"""How much less pressure few users may make with exponential backoff without jitter."""

_HALVINGS = 10


@dataclass(frozen=True, slots=True)
class RegionForecast:
    """The figures of one Region's own transactions."""

    name: str
    conflict_rate: Interval
    goodput_tps: Interval


@dataclass(frozen=True, slots=True)
class Forecast:
    """The figures of the workload; shares from 0 to 1, rates a second, times in milliseconds."""

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
    """True where so few users share accounts so popular that the ranges were widened for it."""
    kept: bool
    """False where the rate needs more users than there are: the figures are those of all users busy."""


_FIGURES: dict[str, Callable[[Figures], float]] = {
    "conflict_rate": Figures.conflict_rate,
    "retry_rate": Figures.retry_rate,
    "retries_mean": lambda f: f.attempts() - 1,
    "give_up_rate": Figures.give_up_rate,
    "goodput_tps": Figures.goodput_tps,
    "started_tps": Figures.started_tps,
    "added_ms": lambda f: 1e3 * f.added_s(),
    "added_p50_ms": lambda f: 1e3 * f.added_quantiles()[0],
    "added_p99_ms": lambda f: 1e3 * f.added_quantiles()[1],
    "latency_ms": lambda f: 1e3 * f.latency_s(),
    "busy": Figures.busy,
}


def forecast(workload: Workload) -> Forecast:
    """Return the workload's figures, with their intervals."""
    placement, retry = workload.placement, workload.retry
    best = _solve(workload, placement.best)
    few_users = _few_users(workload, best)
    # Each end is the most favourable, or the least, of everything that is not known.
    least = 1 / (_least_pressure(retry, few_users) * few_users)
    low = _solve(workload, placement.low, least, -1)
    high = _solve(workload, placement.high, most_pressure(retry) * few_users, 1)

    def interval(of: Callable[[Figures], float]) -> Interval:
        values = of(best), of(low), of(high)
        return Interval(min(values), values[0], max(values))

    return Forecast(
        **{name: interval(of) for name, of in _FIGURES.items()},
        regions=tuple(
            RegionForecast(
                region.name,
                interval(lambda figures, n=number: figures.conflict_rate(n)),  # type: ignore[misc]
                interval(lambda figures, n=number: figures.goodput_tps(n)),  # type: ignore[misc]
            )
            for number, region in enumerate(workload.regions)
        ),
        settled=all(one.equilibrium.settled for one in (best, low, high)),
        few_users=few_users > 1,
        kept=best.kept,
    )


def most_pressure(retry: RetryPolicy) -> float:
    """Return the factor by which accounts may be wanted more than the model says."""
    return IN_STEP_FACTOR if retry.name in _IN_STEP else MODEL_FACTOR


def _least_pressure(retry: RetryPolicy, few_users: float) -> float:
    """Return the factor by which accounts may be wanted less than the model says.

    Exponential backoff without jitter lets one of a few users win again and again while the others
    wait ever longer.
    """
    return MODEL_FACTOR * (_CAPTURE if few_users > 1 and retry.name == "exponential" else 1.0)


def _few_users(workload: Workload, best: Figures) -> float:
    """Return the factor by which the pressure may be out because few users meet again and again.

    When each starts is then no chance: two users that retry at once stay in step, two that back off
    get out of each other's way. The factor was measured by simulation; docs/methodology.md.
    """
    users = workload.users if workload.rate is None or not best.kept else None
    if users is None or not 2 <= users <= _FEW_USERS:
        return 1.0
    factor = 1 + _OF_FEW * min(1.0, best.conflict_rate() / _CONTENDED) / (users - 1)
    return factor if factor > _NO_MATTER else 1.0


def _solve(workload: Workload, placement: float, contention: float = 1.0, end: int = 0) -> Figures:
    """Solve the equilibrium with the windows placed so, and the pressure on accounts times a factor.

    `end` is −1 or 1 for the fewest or most meetings of evenly spaced starts, 0 for the likely ones.
    """
    retry = workload.retry
    waits = Waits.of(retry)
    most = 1 if retry.name == "none" else retry.max_attempts
    popularity = popularity_of(workload.law)
    total = sum(region.share for region in workload.regions)
    endpoints = tuple(_endpoint(region, placement, total, end) for region in workload.regions)

    def under(load: Load, *, kept: bool = True) -> Figures:
        equilibrium = settle(
            popularity, endpoints, load, waits.mean,
            max_attempts=most, contention=contention, end=end,
        )  # fmt: skip
        return Figures(equilibrium, endpoints, waits, kept)

    if workload.rate is None:
        return under(Load(workload.users, workload.think_s, None))
    open_loop = under(Load(None, 0.0, workload.rate, workload.evenly))
    if workload.users is None:
        return open_loop
    if open_loop.equilibrium.settled and open_loop.busy() <= workload.users:
        return open_loop
    # The schedule runs ahead of the users: all of them are busy all the time.
    return under(Load(workload.users, 0.0, None), kept=False)


def _endpoint(region: Region, placement: float, total: float, end: int) -> Endpoint:
    window_s = region.window_low_s + placement * (region.window_high_s - region.window_low_s)
    start_spread_s = region.start_spread_s
    if start_spread_s is None and window_s:
        # What an attempt takes beside its window varies like it, variance in proportion to time; how
        # much of it comes before the snapshot is not known: none, half, all.
        before_s = (end + 1) / 2 * max(0.0, region.attempt_s - window_s)
        start_spread_s = region.window_spread * (window_s * before_s) ** 0.5
    return Endpoint(
        region.share / total, window_s, region.window_spread, region.attempt_s, region.between_s,
        start_spread_s or 0.0,
    )  # fmt: skip


def conflict_rate_of(
    workload: Workload, placement: float, contention: float = 1.0, end: int = 0
) -> float:
    """Return the conflict rate alone, with the windows placed so: a third of the work of `forecast`.

    `contention` is a factor on the pressure on accounts, to see what the model's inaccuracy is worth.
    """
    return _solve(workload, placement, contention, end).conflict_rate()


def placement_from(workload: Workload, measured: Interval) -> Interval:
    """Return where the windows must lie between their ends for the conflict rate to be as measured.

    Ends of the measured interval that no placement explains become the nearest end, 0 or 1; whether
    any explains it at all, `explained_range` says.
    """
    lowest, highest = (conflict_rate_of(workload, end) for end in (0.0, 1.0))
    if highest <= lowest:
        return UNKNOWN_PLACEMENT

    def placement_of(rate: float) -> float:
        if not lowest < rate < highest:
            return float(rate >= highest)
        low, high = 0.0, 1.0
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if conflict_rate_of(workload, middle) < rate else (low, middle)
        return (low + high) / 2

    return Interval(*(placement_of(rate) for rate in (measured.low, measured.best, measured.high)))


def explained_range(workload: Workload) -> tuple[float, float]:
    """Return the conflict rates that the model gives with the shortest and the longest windows."""
    few_users = _few_users(workload, _solve(workload, 0.5))
    least = _least_pressure(workload.retry, few_users)
    return (
        conflict_rate_of(workload, 0.0, 1 / (least * few_users), -1),
        conflict_rate_of(workload, 1.0, most_pressure(workload.retry) * few_users, 1),
    )
