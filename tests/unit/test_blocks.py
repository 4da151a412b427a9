"""Paired blocks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.workload.blocks import UNMEASURED, Schedule, blocks_for, key_of_block

SEEDS = st.integers(0, 2**63 - 1)
KEYS = st.integers(1, 3)
SECOND = 1_000_000_000


@given(SEEDS, KEYS, st.integers(0, 10_000))
def test_each_group_has_every_key_type_once(seed: int, keys: int, group: int) -> None:
    blocks = range(group * keys, (group + 1) * keys)
    assert sorted(key_of_block(block, keys, seed) for block in blocks) == list(range(keys))


@pytest.mark.parametrize("keys", [2, 3])
def test_the_order_in_a_group_is_a_fair_draw(keys: int) -> None:
    first = [key_of_block(group * keys, keys, 1) for group in range(3000)]
    for key in range(keys):
        assert abs(first.count(key) - 3000 / keys) < 150


def test_another_seed_gives_another_order() -> None:
    plans = {tuple(key_of_block(block, 2, seed) for block in range(200)) for seed in range(20)}
    assert len(plans) == 20


@given(
    SEEDS,
    KEYS,
    st.floats(0.05, 10),
    st.integers(0, 10**15),
    st.lists(st.integers(0, 100 * SECOND), min_size=1, max_size=50),
)
def test_blocks_partition_time(
    seed: int, keys: int, block_s: float, origin: int, later: list[int]
) -> None:
    schedule = Schedule(keys, block_s, seed)
    schedule.measure(origin)
    block_ns = max(1, round(block_s * 1e9))
    for now in sorted(origin + moment for moment in later):
        if now >= schedule.until_ns:
            schedule.advance(now)
        assert schedule.block == (now - origin) // block_ns
        assert schedule.key == key_of_block(schedule.block, keys, seed)
        assert schedule.until_ns == origin + (schedule.block + 1) * block_ns


@given(SEEDS, KEYS, st.lists(st.integers(0, 60 * SECOND), min_size=1, max_size=50))
def test_two_processes_have_one_plan(seed: int, keys: int, moments: list[int]) -> None:
    """Their users ask at moments of their own."""
    one, other = Schedule(keys, 2.0, seed), Schedule(keys, 2.0, seed)
    for schedule in (one, other):
        schedule.measure(SECOND)
    for moment in range(SECOND, 60 * SECOND, SECOND // 2):
        one.advance(moment)  # one is asked all the time, the other now and then
    for moment in sorted(moments):
        one.advance(moment)
        if moment >= other.until_ns:
            other.advance(moment)
        assert (one.block, one.key, one.until_ns) == (other.block, other.key, other.until_ns)


@given(KEYS, st.floats(0.05, 5), st.lists(st.integers(0, 10**12), min_size=1, max_size=30))
def test_before_measuring_everything_is_warm_up(keys: int, block_s: float, moments: list[int]) -> None:
    schedule = Schedule(keys, block_s, 1)
    for now in sorted(moments):
        if now >= schedule.until_ns:
            schedule.advance(now)
        assert schedule.block == UNMEASURED == -1
        assert 0 <= schedule.key < keys
        assert now < schedule.until_ns <= now + round(block_s * 1e9)


def test_warm_up_visits_every_key_type() -> None:
    schedule = Schedule(3, 1.0, 1)
    seen = set()
    for now in range(0, 6 * SECOND, SECOND // 4):
        schedule.advance(now)
        seen.add(schedule.key)
    assert seen == {0, 1, 2}


def test_warm_up_ends_when_measuring_begins() -> None:
    schedule = Schedule(2, 2.0, 1)
    schedule.advance(10 * SECOND)
    schedule.measure(11 * SECOND + 5)
    assert schedule.until_ns == 0, "a user that asks now is told of the new end"
    schedule.advance(10 * SECOND + 1)
    assert schedule.block == UNMEASURED
    assert schedule.until_ns == 11 * SECOND + 5
    schedule.advance(11 * SECOND + 4)
    assert schedule.block == UNMEASURED
    schedule.advance(11 * SECOND + 5)
    assert schedule.block == 0


@given(st.floats(0.1, 100_000), st.floats(0.05, 3600), KEYS)
def test_whole_groups_fill_the_duration(duration: float, wanted: float, keys: int) -> None:
    block = blocks_for(duration, wanted, keys)
    groups = duration / (block * keys)
    assert groups == pytest.approx(round(groups))
    assert round(groups) >= 1
    # No other number of whole groups would come nearer to as many as were asked for.
    assert abs(round(groups) - duration / (wanted * keys)) <= 0.5 + 1e-9 or round(groups) == 1


def test_without_an_end_the_block_is_as_asked() -> None:
    assert blocks_for(None, 2.5, 2) == 2.5
