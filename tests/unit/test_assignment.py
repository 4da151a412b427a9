from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.config.assignment import deal, hand_out, share_of

WEIGHTS = st.lists(st.floats(0.01, 100), min_size=1, max_size=6)


@given(st.integers(0, 400), WEIGHTS)
def test_users_are_in_proportion_to_the_weights(users: int, weights: list[float]) -> None:
    dealt = deal(users, weights)
    assert len(dealt) == users
    counts = Counter(dealt)
    for place, weight in enumerate(weights):
        assert abs(counts[place] - users * weight / sum(weights)) <= len(weights) - 1 + 1e-6


@given(st.integers(1, 100), st.integers(1, 5))
def test_equal_weights_are_dealt_in_turn(users: int, targets: int) -> None:
    assert deal(users, [1.0] * targets) == [n % targets for n in range(users)]


@given(st.integers(1, 200), WEIGHTS)
def test_fewer_users_are_the_first_of_more(users: int, weights: list[float]) -> None:
    assert deal(users, weights) == deal(users + 7, weights)[:users]


def test_three_to_one() -> None:
    assert deal(8, [3, 1]) == [0, 0, 1, 0, 0, 0, 1, 0]


@given(st.integers(1, 300), WEIGHTS, st.integers(1, 40))
def test_every_process_has_its_share_of_every_target(
    users: int, weights: list[float], workers: int
) -> None:
    dealt = deal(users, weights)
    counts = Counter(dealt)
    hands = [hand_out(dealt, worker, workers) for worker in range(workers)]
    numbers = [number for hand in hands for number in hand]
    assert len(set(numbers)) == len(numbers), "no number twice"
    assert set(range(users)) <= set(numbers), "none is left over"
    for hand in hands:
        assert hand, "none is empty-handed"
        assert hand == sorted(hand)
    if workers > users:
        # Whoever is started first: the first processes have the users that were asked for.
        assert [min(hand) < users for hand in hands] == [True] * users + [False] * (workers - users)
        return
    for hand in hands:
        own = Counter(dealt[number] for number in hand)
        assert abs(len(hand) - users / workers) < 1
        for place, count in counts.items():
            assert abs(own[place] - count / workers) < 1


def test_two_processes_of_two_targets() -> None:
    dealt = deal(8, [1, 1])
    assert hand_out(dealt, 0, 2) == [0, 1, 4, 5]
    assert hand_out(dealt, 1, 2) == [2, 3, 6, 7]
    assert hand_out(dealt, 0, 1) == list(range(8))


@given(
    st.lists(st.integers(0, 2), min_size=1, max_size=60),
    st.sets(st.integers(0, 2), min_size=1),
    st.integers(1, 9),
)
def test_the_shares_of_a_budget_add_up_to_one(dealt: list[int], places: set[int], workers: int) -> None:
    shares = [share_of(dealt, places, worker, workers) for worker in range(workers)]
    assert sum(shares) == pytest.approx(1)
    assert min(shares) > 0


def test_a_process_has_as_much_of_a_budget_as_it_has_users() -> None:
    assert [share_of(deal(8, [3, 1]), {0}, worker, 2) for worker in range(2)] == [0.5, 0.5]
    assert share_of([0] * 10, {0}, 0, 1) == 1
