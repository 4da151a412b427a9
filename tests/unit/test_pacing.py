"""When the next transaction starts."""

from time import monotonic_ns

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.pacing import ClosedLoop, OpenLoop

SECOND = 1_000_000_000
NOW = st.integers(0, 10**15)


@given(NOW, st.floats(0, 3600))
def test_a_closed_loop_waits_for_its_think_time(now: int, think: float) -> None:
    assert ClosedLoop(think).next_start_ns(now) == now + round(think * SECOND)
    assert ClosedLoop().next_start_ns(now) == now
    assert ClosedLoop().rate is None


@given(st.floats(0.1, 1e6), NOW, st.lists(st.integers(0, 100 * SECOND), min_size=2, max_size=100))
def test_an_open_loop_does_not_know_who_asks_when(rate: float, origin: int, later: list[int]) -> None:
    pacing = OpenLoop(rate)
    first = pacing.next_start_ns(origin)
    starts = [first] + [pacing.next_start_ns(origin + moment) for moment in later]
    assert first == origin
    for place, start in enumerate(starts):
        assert abs(start - (origin + place * SECOND / rate)) <= 1
    assert pacing.scheduled == len(starts)


@given(st.floats(1, 1e5), st.integers(1, 8), st.integers(0, 10**12))
def test_processes_interleave_to_the_whole_rate(rate: float, of: int, origin: int) -> None:
    shares = [OpenLoop(rate, share=share, of=of) for share in range(of)]
    starts = sorted(pacing.next_start_ns(origin) for _ in range(20) for pacing in shares)
    for place, start in enumerate(starts):
        assert abs(start - (origin + place * SECOND / rate)) <= 1


def test_due_counts_what_should_have_started() -> None:
    pacing = OpenLoop(10.0)
    assert pacing.due() == 0
    pacing.next_start_ns(monotonic_ns() - 5 * SECOND)
    assert pacing.due() == pytest.approx(51, abs=3)
    assert pacing.scheduled == 1, "it is late, and says so"


def test_due_of_a_process_is_its_share() -> None:
    pacing = OpenLoop(100.0, share=1, of=4)
    pacing.next_start_ns(monotonic_ns() - 10 * SECOND)
    assert pacing.due() == pytest.approx(250, abs=5)
    future = OpenLoop(1.0, share=3, of=4)
    future.next_start_ns(monotonic_ns())
    assert future.due() == 0
