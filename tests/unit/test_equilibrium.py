"""The fixed point: where it is known in closed form, and what must hold everywhere."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loadtest.prediction.equilibrium import Endpoint, Equilibrium, Load, settle
from loadtest.prediction.popularity import popularity_of
from loadtest.workload.access import parse_access
from tests.examples import at_most

NO_WAIT = np.zeros(1)
SKEWS = st.sampled_from(["uniform", "zipf:0.8", "zipf:1.1", "hotspot:0.9/0.1"])


def solve(
    skew: str,
    accounts: int,
    *endpoints: Endpoint,
    users: int | None = None,
    rate: float | None = None,
    evenly: bool = False,
    most: int = 1,
    waits: tuple[float, ...] = (0.0,),
    contention: float = 1.0,
) -> Equilibrium:
    return settle(
        popularity_of(parse_access(skew, accounts)),
        endpoints,
        Load(users, 0.0, rate, evenly),
        np.array(waits),
        max_attempts=most,
        contention=contention,
    )


def rate_of(found: Equilibrium) -> float:
    attempts = found.pairs[:, :, None] * found.attempts() * found.started
    return float((attempts * (1 - found.spared)).sum() / attempts.sum())


def endpoint(window_s: float, spread: float = 0.0, share: float = 1.0) -> Endpoint:
    return Endpoint(share, window_s, spread, window_s)


@pytest.mark.parametrize("pressure", [0.01, 1.0, 20.0])
def test_one_pair_of_accounts_with_windows_alike(pressure: float) -> None:
    """Two accounts, always both: commits are W and 1/α apart, so αW / (1 + αW) are hit."""
    rate, window_s = 100.0, pressure / 100.0
    found = solve("uniform", 2, endpoint(window_s), rate=rate)
    assert rate_of(found) == pytest.approx(pressure / (1 + pressure), rel=1e-3)
    committed = float((found.pairs * found.committing()[:, :, 0]).sum()) * rate
    assert committed == pytest.approx(1 / (window_s + 1 / rate), rel=1e-3)


def test_one_pair_of_accounts_with_exponential_windows() -> None:
    """Spread 1 is an exponential window: m = ∫ exp(−α (t − W (1 − exp(−t/W)))) by itself."""
    rate, window_s = 100.0, 0.05
    t = np.linspace(0, 2, 2_000_001)
    apart = np.trapezoid(np.exp(-rate * (t - window_s * -np.expm1(-t / window_s))), t)
    found = solve("uniform", 2, endpoint(window_s, 1.0), rate=rate)
    assert rate_of(found) == pytest.approx(1 - 1 / (rate * apart), rel=0.01)


@at_most(40)
@given(
    SKEWS, st.integers(2, 100_000), st.floats(1e-4, 0.1), st.floats(0, 1), st.integers(2, 500),
    st.sampled_from([1, 2, 10, 0]),
)  # fmt: skip
@example("uniform", 2, 0.0625, 0.0, 6, 2)
@example("uniform", 2, 0.001953125, 0.0, 9, 2)
def test_shares_are_shares_and_time_adds_up(
    skew: str, accounts: int, window_s: float, spread: float, users: int, most: int
) -> None:
    found = solve(
        skew, accounts, endpoint(window_s, spread), users=users, most=most, waits=(0.002, 0.01)
    )
    assert found.settled
    assert ((found.spared > 0) & (found.spared <= 1)).all()
    assert (found.attempts() >= 1 - 1e-9).all()
    # Everybody is always doing something: users = rate × time of a transaction (Little).
    busy = float((found.pairs[:, :, None] * found.attempts()).sum()) * found.started[0] * window_s
    assert busy <= users * (1 + 1e-4)
    if most == 1:
        assert busy == pytest.approx(users, rel=1e-4)


@at_most(25)
@given(SKEWS, st.integers(200, 100_000), st.floats(1e-4, 0.02), st.integers(2, 200))
def test_more_pressure_means_more_conflicts(
    skew: str, accounts: int, window_s: float, users: int
) -> None:
    def at(**changed: float) -> float:
        return rate_of(
            solve(
                skew,
                accounts,
                endpoint(changed.get("window_s", window_s), 0.25),
                users=int(changed.get("users", users)),
                most=10,
                waits=(0.0025, 0.005),
                contention=changed.get("contention", 1.0),
            )
        )

    here = at()
    assert at(contention=1.2) >= here
    assert at(users=2 * users) >= here


def test_rare_conflicts_are_the_closed_formula() -> None:
    law = parse_access("zipf:0.5", 1_000_000)
    found = solve("zipf:0.5", 1_000_000, endpoint(0.01, 0.3), rate=1000)
    assert rate_of(found) == pytest.approx(1000 * 0.01 * law.sum_q_squared(), rel=0.01)


def test_nobody_fails_themselves() -> None:
    assert rate_of(solve("uniform", 2, endpoint(0.01), users=1)) == 0


def test_regions_with_alike_windows_are_one() -> None:
    one = solve("zipf:1.1", 1000, endpoint(0.02, 0.2), users=40, most=5)
    three = solve("zipf:1.1", 1000, *(endpoint(0.02, 0.2, 1 / 4),) * 4, users=40, most=5)
    assert rate_of(three) == pytest.approx(rate_of(one), rel=1e-4)
    assert three.started.sum() == pytest.approx(one.started.sum(), rel=1e-4)


def test_the_longer_way_loses_more_often() -> None:
    found = solve("uniform", 500, endpoint(0.01, 0.1, 0.5), endpoint(0.05, 0.1, 0.5), rate=500, most=3)
    near, far = found.spared[0, 0]
    assert far < near


@pytest.mark.parametrize(
    ("per_window", "others"), [(0.5, 0), (1.5, 1), (2.5, 2), (20.5, 20), (60.5, 60)]
)
def test_an_even_schedule_meets_whole_numbers_of_others(per_window: float, others: int) -> None:
    """Windows alike and starts 1/λ apart: exactly ⌈λW⌉ − 1 others decide within each window."""
    accounts, rate = 10**7, 1000.0
    found = solve("uniform", accounts, endpoint(per_window / rate), rate=rate, evenly=True)
    assert rate_of(found) == pytest.approx(others * 4 / accounts, rel=0.01, abs=1e-12)


def test_starts_that_vary_let_an_even_schedule_meet() -> None:
    """W = 0.75/λ and O varies: P(W + O' − O > 1/λ) others decide within the window."""
    accounts, rate = 10**7, 1000.0
    varied = replace(endpoint(0.75 / rate, 0.2), start_spread_s=0.2 / rate)
    rng = np.random.default_rng(1)
    shape = 0.2**-2
    windows = rng.gamma(shape, 0.75 / shape, 1_000_000) + 0.2 * (
        rng.standard_normal(1_000_000) - rng.standard_normal(1_000_000)
    )
    others = sum(float((windows > k).mean()) for k in (1, 2, 3))
    found = rate_of(solve("uniform", accounts, varied, rate=rate, evenly=True))
    assert found == pytest.approx(others * 4 / accounts, rel=0.1)
    steady = rate_of(solve("uniform", accounts, endpoint(0.75 / rate, 0.2), rate=rate, evenly=True))
    assert steady < 0.6 * found


def test_even_schedules_of_endpoints_meet_each_by_itself() -> None:
    """A window of 0.4 starts of its own and 0.4 of the other endpoint's; one of 40 and 40."""
    accounts, rate = 10**7, 1000.0
    endpoints = (endpoint(0.8 / rate, 0.0, 0.5), endpoint(80.4 / rate, 0.0, 0.5))
    found = solve("uniform", accounts, *endpoints, rate=rate, evenly=True)
    near, far = (float(1 - found.spared[0, 0, n]) * accounts / 4 for n in (0, 1))
    assert near == pytest.approx(0.4, rel=0.01), "none of its own, the other's at random"
    assert far == pytest.approx(80, rel=0.02)


def test_more_than_an_account_can_commit_is_no_steady_state() -> None:
    assert not solve("uniform", 2, endpoint(0.1), rate=20, most=0).settled
    assert solve("uniform", 2, endpoint(0.1), rate=5, most=0).settled
    # With an end to the attempts there is one: most of them are given up.
    found = solve("uniform", 2, endpoint(0.1), rate=200, most=3)
    assert found.settled
    committed = float((found.pairs * found.committing()[:, :, 0]).sum()) * 200
    assert committed < 1 / 0.1


@pytest.mark.parametrize(
    ("skew", "accounts", "window_s", "spread", "users", "most"),
    [
        ("uniform", 2, 0.0567, 0.1, 653, 10),
        ("uniform", 2, 0.00262, 0.1, 19, 0),
        ("hotspot:0.9/0.1", 96, 0.00106, 0.1, 129, 10),
        ("hotspot:0.99/0.01", 1153, 0.0013, 0.0, 74, 0),
    ],
)
def test_hard_cases_settle(
    skew: str, accounts: int, window_s: float, spread: float, users: int, most: int
) -> None:
    """Accounts that are nearly always taken, through three Regions: steps of half the way swing."""
    endpoints = tuple(Endpoint(1 / 3, window_s * w, spread, 1.2 * window_s * w) for w in (1, 4, 7))
    waits = (0.0025, 0.005, 0.01, 0.02, 0.5)
    found = solve(skew, accounts, *endpoints, users=users, most=most, waits=waits)
    assert found.settled
    assert rate_of(found) > 0.3


def test_waiting_lowers_the_pace_of_a_closed_loop() -> None:
    hasty = solve("zipf:1.1", 500, endpoint(0.01), users=50, most=10)
    patient = solve("zipf:1.1", 500, endpoint(0.01), users=50, most=10, waits=(0.1, 0.2))
    assert rate_of(patient) < rate_of(hasty)
    assert patient.started.sum() < hasty.started.sum()
    assert math.isfinite(rate_of(patient))
