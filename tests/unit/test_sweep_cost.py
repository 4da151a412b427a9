"""What contention costs, and where it begins to hurt."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.sweep.cost import HURTS, Onset, OnsetState, contention_cost, find_onset

USERS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


def at(rate: float, **times: float) -> float | None:
    parts = {"statements_ms": 6.0, "commit_ms": 4.0, "backoff_ms": 0.0, "other_ms": 0.0}
    return contention_cost(conflict_rate=rate, **(parts | times))


@given(
    attempt=st.floats(0.1, 1000),
    retries=st.floats(0, 50),
    backoff=st.floats(0, 1000),
    users=st.floats(1, 500),
)
def test_it_is_the_throughput_that_a_closed_loop_lost(
    attempt: float, retries: float, backoff: float, users: float
) -> None:
    # A transaction makes 1 + r attempts of the same length, and waits before each retry.
    spent = attempt * (1 + retries) + backoff * retries
    measured, without = users / spent, users / attempt
    cost = at(
        retries / (1 + retries),
        statements_ms=0.7 * attempt * (1 + retries),
        commit_ms=0.3 * attempt * (1 + retries),
        backoff_ms=backoff * retries,
    )
    assert cost == pytest.approx(1 - measured / without, abs=1e-9)


def test_without_retries_it_is_the_conflict_rate() -> None:
    assert at(0.3) == pytest.approx(0.3)


def test_a_clients_own_time_dilutes_it_and_nothing_spent_says_nothing() -> None:
    assert at(0.3, other_ms=10.0) == pytest.approx(0.15)
    assert at(0.0, statements_ms=0.0, commit_ms=0.0) is None


@given(st.floats(1.2, 60.0))
def test_the_crossing_of_a_curve_straight_in_the_logarithm_is_exact(where: float) -> None:
    costs = [[HURTS + 0.03 * math.log(n / where)] for n in USERS]
    onset = find_onset(USERS, costs)
    if any(cost == [HURTS] for cost in costs):
        return
    assert onset.state is OnsetState.FOUND
    assert onset.at == pytest.approx(where)
    assert onset.low is not None
    assert onset.high is not None
    assert onset.low < where < onset.high
    assert onset.high == 2 * onset.low


def test_fewer_accounts_are_more_contention() -> None:
    accounts = (100_000.0, 10_000.0, 1_000.0, 100.0)
    onset = find_onset(accounts, [[0.001], [0.02], [0.18], [0.7]])
    assert (onset.state, onset.low, onset.high) == (OnsetState.FOUND, 10_000, 1_000)
    assert onset.at == pytest.approx(math.sqrt(10_000 * 1_000))


def test_a_value_of_zero_is_on_a_plain_line() -> None:
    onset = find_onset((1.0, 0.0), [[0.05], [0.15]])
    assert onset.at == pytest.approx(0.5)


def test_repeats_that_disagree_widen_it() -> None:
    costs = [[0.01, 0.02], [0.03, 0.11], [0.12, 0.14], [0.08, 0.2], [0.3, 0.4]]
    onset = find_onset(USERS[:5], costs)
    assert (onset.state, onset.low, onset.high) == (OnsetState.FOUND, 1, 16)
    assert onset.at is not None
    assert 2 < onset.at < 4


@pytest.mark.parametrize(
    ("costs", "state"),
    [
        ([0.01, 0.02, 0.09], OnsetState.NOT_REACHED),
        ([0.11, 0.3, 0.5], OnsetState.BEFORE),
        ([0.01, 0.2, 0.05], OnsetState.UNCLEAR),
        ([0.2, 0.01, 0.3], OnsetState.UNCLEAR),
        ([0.2, 0.15, 0.01], OnsetState.UNCLEAR),
    ],
)
def test_where_there_is_no_one_place(costs: list[float], state: OnsetState) -> None:
    onset = find_onset(USERS[:3], [[cost] for cost in costs])
    assert (onset.state, onset.at) == (state, None)


def test_one_bad_repeat_at_the_end_leaves_it_open() -> None:
    assert find_onset(USERS[:3], [[0.01], [0.2], [0.05, 0.3, 0.3]]) == Onset(
        OnsetState.OPEN, low=1, high=None
    )
    # Where the medians stay on the calm side as well: nothing crosses more than once.
    assert find_onset(USERS[:3], [[0.01], [0.05], [0.09, 0.11, 0.095]]) == Onset(
        OnsetState.OPEN, low=2, high=None
    )
    assert find_onset(USERS[:3], [[0.08, 0.12], [0.3, 0.3], [0.5, 0.5]]) == Onset(
        OnsetState.OPEN, low=None, high=2
    )
