"""The interval of a counted share."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.analysis.shares import share_interval

COUNTS = st.integers(1, 10**7).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))


@given(COUNTS)
def test_it_holds_what_was_measured_and_is_a_share(counted: tuple[int, int]) -> None:
    hits, of = counted
    low, high = share_interval(hits, of) or (1.0, 0.0)
    assert 0 <= low <= hits / of <= high <= 1
    assert low < high


@given(COUNTS)
def test_misses_are_hits_seen_from_the_other_end(counted: tuple[int, int]) -> None:
    hits, of = counted
    low, high = share_interval(hits, of) or (0.0, 0.0)
    other = share_interval(of - hits, of) or (0.0, 0.0)
    assert (1 - high, 1 - low) == pytest.approx(other, abs=1e-9)


@given(COUNTS)
def test_both_ends_solve_wilsons_equation(counted: tuple[int, int]) -> None:
    """Each end p lies z of its own standard errors, √(p(1 − p)/n), from what was measured."""
    hits, of = counted
    for end in share_interval(hits, of) or ():
        reach = 1.959964 * math.sqrt(end * (1 - end) / of)
        assert abs(end - hits / of) == pytest.approx(reach, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("share", [0.002, 0.01, 0.05, 0.3, 0.5])
def test_it_holds_the_true_share_nineteen_times_in_twenty(share: float) -> None:
    """Added up over every count of a binomial, not drawn."""
    of = 2000
    logs = [math.lgamma(of + 1) - math.lgamma(k + 1) - math.lgamma(of - k + 1) for k in range(of + 1)]
    held = 0.0
    for hits in range(of + 1):
        low, high = share_interval(hits, of) or (1.0, 0.0)
        if low <= share <= high:
            held += math.exp(logs[hits] + hits * math.log(share) + (of - hits) * math.log1p(-share))
    assert 0.93 < held < 0.985


def test_none_of_none_is_not_known() -> None:
    assert share_interval(0, 0) is None


def test_no_hit_is_not_never() -> None:
    low, high = share_interval(0, 1000) or (1.0, 0.0)
    assert low == 0
    assert 0.003 < high < 0.004
