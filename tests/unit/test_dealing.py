from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from loadtest.dealing import deal

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
