from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.config.assignment import assign, budget_share, users_of_process

WEIGHTS = st.lists(st.floats(0.01, 100), min_size=1, max_size=6)


@given(st.integers(0, 400), WEIGHTS)
def test_users_are_in_proportion_to_the_weights(users: int, weights: list[float]) -> None:
    assignment = assign(users, weights)
    assert len(assignment) == users
    counts = Counter(assignment)
    for place, weight in enumerate(weights):
        assert abs(counts[place] - users * weight / sum(weights)) <= len(weights) - 1 + 1e-6


@given(st.integers(1, 100), st.integers(1, 5))
def test_equal_weights_are_assigned_in_turn(users: int, targets: int) -> None:
    assert assign(users, [1.0] * targets) == [n % targets for n in range(users)]


@given(st.integers(1, 200), WEIGHTS)
def test_fewer_users_are_the_first_of_more(users: int, weights: list[float]) -> None:
    assert assign(users, weights) == assign(users + 7, weights)[:users]


def test_three_to_one() -> None:
    assert assign(8, [3, 1]) == [0, 0, 1, 0, 0, 0, 1, 0]


@given(st.integers(1, 300), WEIGHTS, st.integers(1, 40))
def test_every_process_has_its_share_of_every_target(
    users: int, weights: list[float], workers: int
) -> None:
    assignment = assign(users, weights)
    counts = Counter(assignment)
    processes = [users_of_process(assignment, worker, workers) for worker in range(workers)]
    numbers = [number for own_users in processes for number in own_users]
    assert len(set(numbers)) == len(numbers), "no number twice"
    assert set(range(users)) <= set(numbers), "none is left over"
    for own_users in processes:
        assert own_users, "none is empty-handed"
        assert own_users == sorted(own_users)
    if workers > users:
        # Whoever is started first: the first processes have the users that were asked for.
        assert [min(own_users) < users for own_users in processes] == [True] * users + [False] * (
            workers - users
        )
        return
    for own_users in processes:
        own = Counter(assignment[number] for number in own_users)
        assert abs(len(own_users) - users / workers) < 1
        for place, count in counts.items():
            assert abs(own[place] - count / workers) < 1


def test_two_processes_of_two_targets() -> None:
    assignment = assign(8, [1, 1])
    assert users_of_process(assignment, 0, 2) == [0, 1, 4, 5]
    assert users_of_process(assignment, 1, 2) == [2, 3, 6, 7]
    assert users_of_process(assignment, 0, 1) == list(range(8))


@given(
    st.lists(st.integers(0, 2), min_size=1, max_size=60),
    st.sets(st.integers(0, 2), min_size=1),
    st.integers(1, 9),
)
def test_the_shares_of_a_budget_add_up_to_one(
    assignment: list[int], places: set[int], workers: int
) -> None:
    shares = [budget_share(assignment, places, worker, workers) for worker in range(workers)]
    assert sum(shares) == pytest.approx(1)
    assert min(shares) > 0


def test_a_process_has_as_much_of_a_budget_as_it_has_users() -> None:
    assert [budget_share(assign(8, [3, 1]), {0}, worker, 2) for worker in range(2)] == [0.5, 0.5]
    assert budget_share([0] * 10, {0}, 0, 1) == 1
