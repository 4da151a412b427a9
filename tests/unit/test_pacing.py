"""When the next transaction starts."""

from hypothesis import given
from hypothesis import strategies as st

from loadtest.engine.users.pacing import ClosedLoop, ConnectionBudget, OpenLoop, held_back_s

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
    for index, start in enumerate(starts):
        assert abs(start - (origin + index * SECOND / rate)) <= 1


@given(st.floats(1, 1e5), st.integers(1, 8), st.integers(0, 10**12))
def test_processes_interleave_to_the_whole_rate(rate: float, of: int, origin: int) -> None:
    shares = [OpenLoop(rate, share=share, of=of) for share in range(of)]
    starts = sorted(pacing.next_start_ns(origin) for _ in range(20) for pacing in shares)
    for index, start in enumerate(starts):
        assert abs(start - (origin + index * SECOND / rate)) <= 1


def test_only_the_measured_time_is_counted() -> None:
    pacing = OpenLoop(10.0)
    assert pacing.scheduled(5 * SECOND) == pacing.started(5 * SECOND) == 0
    for _ in range(30):
        pacing.next_start_ns(0)
    pacing.measure_from(3 * SECOND)
    assert pacing.next_start_ns(3 * SECOND) == 3 * SECOND, "the 31st start is the first that counts"
    assert pacing.scheduled(4 * SECOND) == 11, "at 3.0, 3.1 … 4.0"
    assert pacing.started(4 * SECOND) == 1
    for _ in range(50):
        pacing.next_start_ns(3 * SECOND)
    assert pacing.started(4 * SECOND) == 11, "places taken ahead have not started yet"


def test_a_backlog_of_the_warm_up_is_let_go() -> None:
    pacing = OpenLoop(10.0)
    pacing.next_start_ns(0)
    pacing.measure_from(60 * SECOND)
    assert pacing.next_start_ns(60 * SECOND) == 60 * SECOND
    assert pacing.scheduled(61 * SECOND) == 11


def test_a_process_schedules_its_share() -> None:
    shares = [OpenLoop(100.0, share=share, of=4) for share in range(4)]
    for pacing in shares:
        pacing.measure_from(5 * SECOND)
    assert sum(pacing.scheduled(15 * SECOND - 1) for pacing in shares) == 1000


@given(
    st.floats(1, 500),
    st.floats(1, 1000),
    st.lists(st.integers(0, 2_000_000_000), min_size=2, max_size=300),
)
def test_a_connection_budget_never_lets_in_more_than_burst_and_rate(
    per_s: float, burst: float, gaps: list[int]
) -> None:
    budget, now, admitted = ConnectionBudget(per_s, burst), 0, []
    for gap in gaps:
        now += gap
        admitted.append(budget.admit(now))
        assert admitted[-1] >= now
    assert admitted == sorted(admitted)
    for first in range(0, len(admitted), 17):
        for last in range(first, len(admitted), 13):
            seconds = (admitted[last] - admitted[first]) / 1e9
            assert last - first + 1 <= burst + per_s * seconds + 1


def test_a_budget_lets_a_burst_in_at_once_and_then_one_after_another() -> None:
    budget = ConnectionBudget(10, 3)
    assert [budget.admit(0) for _ in range(6)] == [0, 0, 0, 100_000_000, 200_000_000, 300_000_000]
    assert budget.admit(10_000_000_000) == 10_000_000_000, "full again after a while"


def test_how_long_the_last_one_waits() -> None:
    assert held_back_s(1000, 100, 1000) == 0
    assert held_back_s(1500, 100, 1000) == 5
    budget = ConnectionBudget(100, 1000)
    last = [budget.admit(0) for _ in range(1500)][-1]
    assert last / 1e9 == held_back_s(1500, 100, 1000)


def test_a_budget_goes_on_where_the_last_run_left_it() -> None:
    earlier = ConnectionBudget(10, 3)
    for _ in range(5):
        earlier.admit(0)
    budget = ConnectionBudget(10, 3)
    budget.goes_on_from(earlier)
    assert budget.admit(0) == 300_000_000
