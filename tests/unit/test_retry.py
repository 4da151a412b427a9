"""Backoff policies."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.errors import InputError
from loadtest.workload.retry import POLICIES, RetryPolicy

TIMES = st.floats(0, 600, allow_nan=False)
ATTEMPTS = st.one_of(st.integers(1, 100), st.integers(1, 10**12))
CHANCE = st.floats(0, 1, exclude_max=True, allow_nan=False)
WAITING = [name for name in POLICIES if name != "none"]


@given(st.sampled_from(WAITING), TIMES, TIMES, ATTEMPTS, TIMES, CHANCE)
def test_no_wait_is_negative_or_over_the_cap(
    name: str, base: float, more: float, attempt: int, previous: float, u: float
) -> None:
    cap = base + more
    wait = RetryPolicy(name, base, cap, 0).wait_after(attempt, previous, u)
    assert wait is not None
    assert math.isfinite(wait)
    assert 0 <= wait <= cap


@given(TIMES, TIMES, ATTEMPTS, TIMES, CHANCE)
def test_each_policy_keeps_its_bounds(
    base: float, more: float, attempt: int, previous: float, u: float
) -> None:
    cap = base + more

    def wait(name: str) -> float:
        found = RetryPolicy(name, base, cap, 0).wait_after(attempt, previous, u)
        assert found is not None
        return found

    exponential = min(cap, base * 2.0 ** min(attempt - 1, 1000))
    assert wait("immediate") == 0
    assert wait("fixed") == base
    assert wait("exponential") == exponential or attempt > 60
    assert 0 <= wait("full-jitter") <= exponential
    assert wait("full-jitter") == pytest.approx(u * wait("exponential"))
    low, high = base, min(cap, 3 * max(previous, base))
    assert low - 1e-9 <= wait("decorrelated-jitter") <= high + 1e-9


def test_exponential_doubles_up_to_the_cap() -> None:
    policy = RetryPolicy("exponential", 0.005, 0.1, 0)
    waits = [policy.wait_after(attempt, 0, 0.5) for attempt in range(1, 8)]
    assert waits == pytest.approx([0.005, 0.01, 0.02, 0.04, 0.08, 0.1, 0.1])


@pytest.mark.parametrize("name", ["full-jitter", "decorrelated-jitter"])
def test_jitter_fills_its_range(name: str) -> None:
    policy = RetryPolicy(name, 0.01, 1.0, 0)
    waits = [policy.wait_after(3, 0.02, k / 1000) or 0 for k in range(1000)]
    low, high = {"full-jitter": (0, 0.04), "decorrelated-jitter": (0.01, 0.06)}[name]
    assert min(waits) == pytest.approx(low)
    assert max(waits) == pytest.approx(high, rel=0.01)
    assert sum(waits) / 1000 == pytest.approx((low + high) / 2, rel=0.01)


@given(st.sampled_from(WAITING), st.integers(1, 50), CHANCE)
def test_attempts_end_where_they_should(name: str, most: int, u: float) -> None:
    policy = RetryPolicy(name, 0.005, 1.0, most)
    waits = [policy.wait_after(attempt, 0.01, u) for attempt in range(1, most + 1)]
    assert None not in waits[:-1]
    assert waits[-1] is None


@given(st.sampled_from(WAITING), ATTEMPTS)
def test_zero_attempts_means_without_end(name: str, attempt: int) -> None:
    assert RetryPolicy(name, 0.005, 1.0, 0).wait_after(attempt, 0.01, 0.5) is not None


@given(st.integers(0, 10), ATTEMPTS)
def test_none_gives_up_at_once(most: int, attempt: int) -> None:
    assert RetryPolicy("none", 0.005, 1.0, most).wait_after(attempt, 0.0, 0.5) is None


def test_decorrelated_stays_below_its_cap_for_ever() -> None:
    policy = RetryPolicy("decorrelated-jitter", 0.005, 1.0, 0)
    wait = 0.0
    for attempt in range(1, 10_000):
        wait = policy.wait_after(attempt, wait, 0.999) or 0
        assert wait <= 1.0
    assert wait == 1.0


def test_an_unknown_policy_is_named_with_those_there_are() -> None:
    with pytest.raises(InputError, match=r"'hope'; there is none, immediate") as caught:
        RetryPolicy("hope", 0, 0, 1)
    assert "\n" not in str(caught.value)
