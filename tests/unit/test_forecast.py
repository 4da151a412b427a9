"""Forecasts: the published runs, the intervals, and agreement with the simulation."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.errors import InputError
from loadtest.prediction.forecast import conflict_rate_of, explained_range, forecast, placement_from
from loadtest.prediction.simulation import SimulateConfig, simulate
from loadtest.prediction.workload import Interval, Region, Workload, with_delays
from loadtest.workload.access import parse_access
from loadtest.workload.retry import POLICIES, RetryPolicy
from tests.agreement import Case, Outcome, agree, grid, outcome_of, simulated, workload_of
from tests.examples import at_most

# Measured on Aurora DSQL: accounts, calls a second, mean time of a call, attempts allowed, and the
# conflicts or retries that were counted for one call.
PUBLISHED = [
    (1_000, 909, 20.12, 1, 0.0656),
    (1_000, 931, 19.29, 10, 0.0735),
    (1_000_000, 4192, 409.45, 10, 0.006667),
]


def uniform(
    accounts: int, rate: float | None, window_ms: float, *, most: int, users: int | None = None
) -> Workload:
    name = "none" if most == 1 else "immediate"
    region = Region("", window_ms / 1000, window_ms / 1000, window_ms / 1000)
    retry = RetryPolicy(name, 0, 0, most)
    return Workload(parse_access("uniform", accounts), (region,), retry, users=users, rate=rate)


@pytest.mark.parametrize(("accounts", "rate", "ms", "most", "measured"), PUBLISHED)
def test_the_published_runs(accounts: int, rate: float, ms: float, most: int, measured: float) -> None:
    found = forecast(uniform(accounts, rate, ms, most=most))
    told = found.conflict_rate if most == 1 else found.retries_mean
    assert told.best == pytest.approx(measured, rel=0.1)
    assert told.low < measured < told.high
    if most == 1:
        assert found.goodput_tps.best == pytest.approx(rate * (1 - found.conflict_rate.best))
        assert found.retry_rate.best == 0
    else:
        assert found.goodput_tps.best == pytest.approx(rate, rel=1e-3)


@pytest.mark.parametrize(("accounts", "rate", "ms", "most", "measured"), PUBLISHED)
def test_the_published_runs_simulated(
    accounts: int, rate: float, ms: float, most: int, measured: float, tmp_path: Path
) -> None:
    """A window is 0.05 ms shorter than the call: the snapshot is not its first moment."""
    config = SimulateConfig.read(
        keys="int", accounts=accounts, rate=rate, retry="none" if most == 1 else "immediate",
        max_attempts=most, statement_ms=0.1, commit_ms=ms - 0.3, decided_at=1, spread=0.1,
        warmup=2, duration=200_000 / rate, out=tmp_path,
    )  # fmt: skip
    found = outcome_of(simulate(config)).conflict_rate
    told = found.best if most == 1 else found.best / (1 - found.best)
    assert told == pytest.approx(measured, rel=0.1)


@pytest.mark.parametrize("case", list(grid()), ids=str)
def test_formula_and_simulation_agree(case: Case, tmp_path: Path) -> None:
    found = simulated(case, tmp_path, attempts=25_000)
    best = conflict_rate_of(workload_of(case), 0.5)
    assert agree(found, best), f"simulated {found.conflict_rate}, formula {best}"


OPEN = [
    Case(1_000, "uniform", 20, None, 1000, arrivals="even"),
    Case(1_000, "uniform", 20, None, 1000, "immediate", arrivals="random"),
    Case(200, "uniform", 5, None, 300, "none", 1, "even"),
    Case(10_000, "zipf:0.8", 20, None, 400, arrivals="even"),
    Case(1_000_000, "hotspot:0.9/0.1", 50, None, 3000, "decorrelated-jitter", arrivals="random"),
    Case(1_000, "zipf:1.1", 20, 100, retry="exponential", max_attempts=5),
    Case(1_000, "zipf:0.8", 20, 8, retry="fixed"),
]


@pytest.mark.parametrize("case", OPEN, ids=str)
def test_other_loads_and_policies_agree_in_every_figure(case: Case, tmp_path: Path) -> None:
    found = simulated(case, tmp_path, attempts=60_000)
    told = forecast(workload_of(case))
    assert agree(found, told.conflict_rate.best), f"{found.conflict_rate} and {told.conflict_rate}"
    assert told.goodput_tps.best == pytest.approx(found.committed_tps, rel=0.1)
    assert told.give_up_rate.best == pytest.approx(found.give_up_rate, rel=0.1, abs=0.003)


IN_STEP = [
    Case(1_000, "zipf:0.8", 5, 8, retry="immediate"),
    Case(200, "uniform", 5, 100, retry="fixed"),
    Case(1_000_000, "zipf:0.8", 5, 150, retry="immediate"),
]


@pytest.mark.parametrize("case", IN_STEP, ids=str)
def test_retries_in_step_are_within_the_range(case: Case, tmp_path: Path) -> None:
    """Where retries meet one another again the best value is too low; the range says so."""
    found = simulated(case, tmp_path, attempts=100_000).conflict_rate
    told = forecast(workload_of(case)).conflict_rate
    assert told.low < found.best < told.high
    assert told.high < 1.5 * told.best


EVEN = [
    ("zipf:1.1", 1_000, 300, "full-jitter", 0),
    ("uniform", 100, 250, "none", 1),
    ("uniform", 100, 300, "none", 1),
    ("uniform", 100, 380, "none", 1),
]


def at_half(skew: str, accounts: int, load: dict[str, Any], policy: RetryPolicy, out: Path) -> Outcome:
    """A simulation of attempts of 5 ms whose snapshot and decision fall in the middle of a request."""
    config = SimulateConfig.read(
        keys="int", accounts=accounts, skew=skew, retry=policy.name, max_attempts=policy.max_attempts,
        warmup=1, duration=200, out=out, **load,
    )  # fmt: skip
    return outcome_of(simulate(config))


def half_a_request(skew: str, accounts: int, load: dict[str, Any], policy: RetryPolicy) -> Workload:
    """The same for the formula: the window is 0.5 + 1 + 1 ms of the 5 ms."""
    spread = 0.25 * math.hypot(0.5, 1, 1) / 2.5
    region = Region("", 0.0025, 0.0025, 0.005, spread)
    return Workload(parse_access(skew, accounts), (region,), policy, evenly="rate" in load, **load)


@pytest.mark.parametrize(("skew", "accounts", "rate", "retry", "most"), EVEN)
def test_even_starts_just_beyond_a_window(
    skew: str, accounts: int, rate: int, retry: str, most: int, tmp_path: Path
) -> None:
    """λW is 0.6 to 0.95: whether two meet is decided by how much their times vary."""
    policy, load = RetryPolicy(retry, 0.005, 1.0, most), {"rate": float(rate)}
    found = at_half(skew, accounts, load, policy, tmp_path).conflict_rate
    told = forecast(half_a_request(skew, accounts, load, policy)).conflict_rate
    assert told.low < found.best < told.high
    assert told.best == pytest.approx(found.best, rel=0.4)


FEW = [
    (2, 2, "full-jitter"), (4, 2, "none"), (4, 2, "immediate"), (10, 2, "full-jitter"),
    (4, 4, "none"), (2, 6, "full-jitter"), (2, 2, "exponential"), (4, 6, "exponential"),
]  # fmt: skip


@pytest.mark.parametrize(("accounts", "users", "retry"), FEW)
def test_few_users_are_within_a_wider_range(
    accounts: int, users: int, retry: str, tmp_path: Path
) -> None:
    policy, load = RetryPolicy(retry, 0.005, 1.0, 10), {"users": users}
    found = at_half("uniform", accounts, load, policy, tmp_path)
    told = forecast(half_a_request("uniform", accounts, load, policy))
    assert told.few_users
    assert told.conflict_rate.low < found.conflict_rate.best < told.conflict_rate.high
    assert told.goodput_tps.low < found.committed_tps < told.goodput_tps.high


def test_few_users_on_cool_accounts_or_many_on_hot_ones_have_the_narrow_range() -> None:
    policy = RetryPolicy("full-jitter", 0.005, 1.0, 10)
    for accounts, users in ((100_000, 3), (10, 40)):
        assert not forecast(half_a_request("uniform", accounts, {"users": users}, policy)).few_users


def test_regions_with_even_starts_are_within_their_ranges(tmp_path: Path) -> None:
    """Nine tenths of 100 a second take 2.5 ms, the others 32.5 ms: each meets others of its own."""
    config = SimulateConfig.read(
        keys="int", accounts=200, rate=100.0, regions="east:9,west", round_trips="east/west=60",
        decided_in="east", warmup=1, duration=300, out=tmp_path,
    )  # fmt: skip
    from reports.statistics.model import build_model

    model = build_model(simulate(config))
    asked = half_a_request("uniform", 200, {"rate": 100.0}, RetryPolicy("full-jitter", 0.005, 1.0, 10))
    (near,) = asked.regions
    far = replace(
        near,
        name="west",
        window_low_s=0.0325,
        window_high_s=0.0325,
        attempt_s=0.065,
        window_spread=0.02,
    )
    told = forecast(replace(asked, regions=(replace(near, name="east", share=9.0), far)))
    for region in told.regions:
        found = model.targets[region.name].conflict_rate
        assert found is not None
        assert region.conflict_rate.low <= found <= region.conflict_rate.high
    assert told.regions[1].conflict_rate.low > 0.02


def test_users_need_time() -> None:
    with pytest.raises(InputError, match="time above 0"):
        uniform(1_000, None, 0, most=1, users=64)


def test_policies_without_jitter_have_the_wider_range() -> None:
    asked = workload_of(Case(1_000, "zipf:0.8", 20, None, 200))
    jittered, in_step = (
        forecast(replace(asked, retry=RetryPolicy(name, 0.005, 1.0, 10))).conflict_rate
        for name in ("full-jitter", "fixed")
    )
    assert in_step.best == jittered.best, "in an open loop waiting changes no rate"
    assert in_step.low == jittered.low
    assert in_step.high > jittered.high * 1.05


def test_what_a_retry_costs_by_hand() -> None:
    """Two attempts at most, 10 ms between them: whoever fails once waits once and runs once more."""
    asked = uniform(2, 20, 20, most=2)
    found = forecast(replace(asked, retry=RetryPolicy("exponential", 0.01, 1.0, 2)))
    failed = found.retry_rate.best
    assert 0.1 < failed < 0.5
    assert found.added_ms.best == pytest.approx(failed * (10 + 20), rel=1e-6)
    assert found.retries_mean.best == pytest.approx(failed)
    assert found.added_p99_ms.best == pytest.approx(30)


def test_other_commit_delays() -> None:
    region = Region("r", 0.002, 0.014, 0.016, 0.25, share=7.0)
    assert with_delays((region,), ()) == (region,)
    (there,) = with_delays((region,), (30.0,), (10.0,))
    assert there.window_low_s == pytest.approx(0.022)
    assert there.window_high_s == pytest.approx(0.034)
    assert there.attempt_s == pytest.approx(0.036)
    assert there.window_spread == pytest.approx(0.25 * 8 / 28), "a delay does not vary"
    (nearer,) = with_delays((region,), (0.0,), (10.0,))
    assert nearer.window_low_s == 0
    assert nearer.window_high_s == pytest.approx(0.004)
    east, west = with_delays((region,), (10.0, 40.0), (10.0,))
    assert east == replace(region, name="10 ms")
    assert (west.name, west.share) == ("40 ms", 7.0)
    assert west.attempt_s == pytest.approx(0.046)
    both = with_delays((east, west), (50.0,), (10.0, 40.0))
    assert [round(1000 * found.attempt_s) for found in both] == [56, 56]


def test_regions_agree_with_the_simulation_one_by_one(tmp_path: Path) -> None:
    """Commits are decided in the east; from the west the way there is 40 ms longer."""
    config = SimulateConfig.read(
        keys="int", accounts=2_000, skew="zipf:0.5", users=64, regions="east,west",
        round_trips="east/west=40", decided_in="east", statement_ms=1, commit_ms=4, decided_at=1,
        spread=0, trip_spread=0, warmup=2, duration=60, out=tmp_path,
    )  # fmt: skip
    from reports.statistics.model import build_model

    model = build_model(simulate(config))
    ways = (("east", 5.5), ("west", 45.5))
    regions = tuple(
        Region(name, ms / 1000, ms / 1000, (ms + 1.5) / 1000, share=0.5) for name, ms in ways
    )
    retry = RetryPolicy("full-jitter", 0.005, 1.0, 10)
    told = forecast(Workload(parse_access("zipf:0.5", 2_000), regions, retry, users=64))
    for region in told.regions:
        found = model.targets[region.name]
        assert region.conflict_rate.best == pytest.approx(found.conflict_rate, rel=0.1)
        assert region.goodput_tps.best == pytest.approx(found.throughput_tps, rel=0.1)
        assert region.conflict_rate.low < region.conflict_rate.best < region.conflict_rate.high


def test_added_latency_agrees_with_the_simulation(tmp_path: Path) -> None:
    case = Case(1_000, "zipf:0.8", 20, 32)
    from reports.statistics.model import build_model

    attempt_ms = 24.0
    config = SimulateConfig.read(
        keys="int", accounts=case.accounts, skew=case.skew, users=32, statement_ms=1, commit_ms=21,
        decided_at=1, spread=0, warmup=5, duration=200, out=tmp_path,
    )  # fmt: skip
    found = build_model(simulate(config)).overall.latency
    region = Region("", 0.0225, 0.0225, attempt_ms / 1000)
    told = forecast(replace(workload_of(case), regions=(region,)))
    assert found.mean is not None
    assert found.p99 is not None
    assert told.added_ms.best + attempt_ms == pytest.approx(found.mean, rel=0.1)
    assert told.added_p99_ms.best + attempt_ms == pytest.approx(found.p99, rel=0.15)
    assert told.added_p50_ms.best == 0


@at_most(25)
@given(
    st.sampled_from(["uniform", "zipf:1.1", "hotspot:0.9/0.1"]), st.integers(50, 1_000_000),
    st.floats(0, 0.05), st.floats(0, 0.05), st.integers(1, 300), st.sampled_from(list(POLICIES)),
)  # fmt: skip
def test_every_figure_lies_in_its_interval(
    skew: str, accounts: int, low_s: float, more_s: float, users: int, policy: str
) -> None:
    region = Region("r", low_s, low_s + more_s, low_s + more_s + 1e-3, 0.3)
    retry = RetryPolicy(policy, 0.005, 1.0, 10)
    found = forecast(Workload(parse_access(skew, accounts), (region,), retry, users=users))
    for name in found.__slots__:
        value = getattr(found, name)
        if isinstance(value, Interval):
            assert value.low <= value.best <= value.high, name
            assert value.low >= -1e-9, name
    for share in (found.conflict_rate, found.retry_rate, found.give_up_rate):
        assert share.high <= 1
    assert found.goodput_tps.high <= found.started_tps.high * (1 + 1e-9)
    assert found.busy.best <= users * (1 + 1e-3)


def test_the_conflict_rate_gives_the_window_away() -> None:
    region = Region("r", 0.001, 0.021, 0.025, 0.2)
    retry = RetryPolicy("full-jitter", 0.005, 1.0, 10)
    workload = Workload(parse_access("uniform", 1_000), (region,), retry, users=32)
    for placed in (0.1, 0.5, 0.9):
        rate = conflict_rate_of(workload, placed)
        told = placement_from(workload, Interval(rate * 0.95, rate, rate * 1.05))
        assert told.best == pytest.approx(placed, abs=0.02)
        assert told.low < placed < told.high
    low, high = explained_range(workload)
    assert low < conflict_rate_of(workload, 0.0) < conflict_rate_of(workload, 1.0) < high
    in_step = replace(workload, retry=RetryPolicy("immediate", 0, 0, 10))
    assert explained_range(in_step)[1] == pytest.approx(conflict_rate_of(in_step, 1.0, 1.3))
    none = placement_from(workload, Interval(0.9, 0.95, 0.99))
    assert (none.low, none.high) == (1, 1), "nothing explains so many; the longest is the nearest"


def test_a_rate_that_the_users_cannot_keep() -> None:
    asked = uniform(1_000, 2_000, 20, most=10, users=20)
    found = forecast(asked)
    assert not found.kept
    assert found.goodput_tps.best < 1_000
    closed = forecast(replace(asked, rate=None))
    assert found.conflict_rate.best == pytest.approx(closed.conflict_rate.best)
    assert forecast(replace(asked, users=200)).kept


def test_nothing_asked_is_nothing_found() -> None:
    found = forecast(uniform(1_000, 0, 20, most=10))
    assert found.conflict_rate.best == found.goodput_tps.best == found.added_ms.best == 0
    with pytest.raises(InputError, match="users or a rate"):
        uniform(1_000, None, 20, most=1)


def test_bounds_are_honest_about_growth_without_end() -> None:
    retry = RetryPolicy("immediate", 0, 0, 0)
    region = Region("", 0.1, 0.1, 0.1)
    asked = Workload(parse_access("uniform", 2), (region,), retry, rate=20)
    assert not forecast(asked).settled
    assert forecast(replace(asked, rate=5)).settled
