"""The knee: where it is by theory, it is found; where there is none, none is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.sweep.knee import LEAST_LOADS, TOLERANCES, KneeState, find_knee

LOADS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)


def closed_loop(loads: tuple[float, ...], most: float) -> list[list[float]]:
    """Power where throughput grows with the users up to `most`, and stays there."""
    return [[min(n, most) ** 2 / n] for n in loads]


@given(most=st.floats(2.5, 60))
def test_of_a_closed_loop_that_saturates_it_is_where_it_does(most: float) -> None:
    knee = find_knee(LOADS, closed_loop(LOADS, most))
    assert knee.state is KneeState.FOUND
    assert knee.low is not None
    assert knee.high is not None
    assert knee.low < most < knee.high


@given(mu=st.floats(6, 220))
def test_of_a_queue_it_is_at_half_its_capacity(mu: float) -> None:
    # M/M/1: the mean time is 1/(μ − λ), so power is λ (μ − λ), greatest at μ/2.
    loads = tuple(load for load in LOADS if load < mu)
    knee = find_knee(loads, [[load * (mu - load)] for load in loads])
    if knee.state is KneeState.FOUND:
        assert knee.low is not None
        assert knee.high is not None
        assert knee.low <= mu / 2 <= knee.high
    elif knee.state is KneeState.ABOVE:
        assert knee.low is not None
        assert knee.low <= mu / 2
    elif knee.state is KneeState.BELOW:
        assert knee.high is not None
        assert knee.high >= mu / 2


def test_what_never_saturates_has_none() -> None:
    knee = find_knee(LOADS, closed_loop(LOADS, 1e9))
    assert (knee.state, knee.at, knee.high) == (KneeState.ABOVE, None, None)
    assert knee.low == 64


def test_what_is_saturated_from_the_start_has_it_below() -> None:
    knee = find_knee(LOADS, closed_loop(LOADS, 1.0))
    assert (knee.state, knee.at, knee.low, knee.high) == (KneeState.BELOW, None, None, 2)


@given(st.lists(st.floats(0.96, 1.04), min_size=len(LOADS), max_size=len(LOADS)))
def test_noise_on_a_level_power_is_no_knee(luck: list[float]) -> None:
    assert find_knee(LOADS, [[one] for one in luck]).state is KneeState.FLAT


def test_noise_hardly_moves_it() -> None:
    missed = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        # Three per cent of throughput are six of power.
        powers = [
            [p * float(np.exp(rng.normal(0, 0.06))) for _ in range(3)] for [p] in closed_loop(LOADS, 20)
        ]
        knee = find_knee(LOADS, powers)
        missed += not (knee.low and knee.high and knee.low < 20 < knee.high)
    assert missed <= 2


def test_a_load_whose_repeats_scatter_hides_only_itself() -> None:
    powers = closed_loop(LOADS, 16)
    wild = [*powers[:-1], [powers[-1][0] * 0.2, powers[-1][0]]]
    assert find_knee(LOADS, wild) == find_knee(LOADS, powers)
    # At the knee itself, repeats that scatter widen it: a neighbour cannot be told from it.
    torn = [*powers[:4], [powers[4][0] * 0.3, powers[4][0]], *powers[5:]]
    knee, sure = find_knee(LOADS, torn), find_knee(LOADS, powers)
    assert knee.low is not None
    assert sure.low is not None
    assert knee.low < sure.low


@pytest.mark.parametrize(("repeats", "tolerance"), [*enumerate(TOLERANCES, 1), (9, TOLERANCES[-1])])
def test_the_tolerance_is_what_decides(repeats: int, tolerance: float) -> None:
    def state(last: float) -> KneeState:
        powers = (1.0, 2.0, 2.0 * (1 - tolerance) * last)
        return find_knee((1.0, 2.0, 3.0), [[power] * repeats for power in powers]).state

    assert state(0.999) is KneeState.FOUND
    assert state(1.001) is KneeState.ABOVE


@pytest.mark.parametrize("repeats", [1, 2, 3])
@pytest.mark.parametrize("loads", [3, 5, 8, 12])
def test_a_level_power_has_no_knee_however_few_the_repeats(repeats: int, loads: int) -> None:
    rng = np.random.default_rng(loads)
    # Five per cent of throughput are ten of power.
    luck = np.exp(rng.normal(0, 0.1, (400, loads, repeats)))
    shown = (KneeState.FOUND, KneeState.BELOW)
    found = [find_knee(range(1, loads + 1), powers).state in shown for powers in luck.tolist()]
    assert sum(found) <= 0.05 * len(found)


def test_where_nothing_is_committed_any_more_the_knee_is_behind() -> None:
    knee = find_knee((1, 8, 64), [[1.0], [5.0], [0.0]])
    assert (knee.state, knee.low, knee.high) == (KneeState.FOUND, 1, 64)


@pytest.mark.parametrize("count", range(LEAST_LOADS))
def test_too_few_loads_show_none(count: int) -> None:
    assert find_knee(LOADS[:count], closed_loop(LOADS[:count], 2)).state is KneeState.TOO_FEW
