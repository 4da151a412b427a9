"""Which account comes next."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from loadtest.access import AccessLaw, parse_access
from loadtest.errors import InputError
from loadtest.skew import parse_skew
from tests.examples import at_most

SKEWS = [
    "uniform", "zipf:0.3", "zipf:0.8", "zipf:1.0", "zipf:1.1", "zipf:2.5", "zipf:5",
    "hotspot:0.9/0.1", "hotspot:0.5/0.01",
]  # fmt: skip
LAWS = st.builds(
    parse_access,
    st.one_of(
        st.just("uniform"),
        st.floats(0.01, 5).map(lambda theta: f"zipf:{theta}"),
        st.tuples(st.floats(0.01, 0.99), st.floats(0.01, 0.99)).map(
            lambda shares: f"hotspot:{shares[0]}/{shares[1]}"
        ),
    ),
    st.integers(2, 3000),
)


def probabilities(law: AccessLaw) -> NDArray[np.float64]:
    return np.concatenate(list(law.probabilities()))


def pair_probabilities(law: AccessLaw) -> dict[tuple[int, int], float]:
    """Every (payer, payee) by rank: the payee is drawn again until it differs."""
    p = probabilities(law)
    return {
        (a, b): float(p[a] * p[b] / (1 - p[a]))
        for a, b in itertools.permutations(range(law.accounts), 2)
    }


# Drawing


@pytest.mark.parametrize("accounts", [2, 7, 1000, 100_000])
@pytest.mark.parametrize("skew", SKEWS)
def test_draws_follow_the_probabilities(skew: str, accounts: int) -> None:
    """A chi-square test over cells of at least 50 expected draws each."""
    law = parse_access(skew, accounts)
    size = 200_000
    ranks = law.draw_ranks(np.random.default_rng(7), size)
    assert ranks.min() >= 0
    assert ranks.max() < accounts
    expected = probabilities(law) * size
    # Neighbouring ranks are put together until a cell is large enough.
    cell = np.minimum(np.cumsum(expected) // 50, size // 50).astype(np.int64)
    wanted = np.bincount(cell, expected)
    found = np.bincount(cell, np.bincount(ranks, minlength=accounts), minlength=len(wanted))
    keep = wanted >= 10
    assert wanted[keep].sum() > 0.99 * size
    chi_square = float(np.sum((found[keep] - wanted[keep]) ** 2 / wanted[keep]))
    freedom = max(1, int(keep.sum()) - 1)
    assert chi_square < freedom + 6 * math.sqrt(2 * freedom) + 10


@pytest.mark.parametrize("skew", SKEWS)
def test_pairs_follow_the_probabilities_too(skew: str) -> None:
    law = parse_access(skew, 5)
    payers, payees = law.draw_pairs(np.random.default_rng(3), 100_000)
    number = law.spread(np.arange(5, dtype=np.int64)).tolist()
    counts: dict[tuple[int, int], int] = {}
    for pair in zip(payers.tolist(), payees.tolist(), strict=True):
        counts[pair] = counts.get(pair, 0) + 1
    for (a, b), p in pair_probabilities(law).items():
        found = counts.get((number[a], number[b]), 0)
        assert abs(found - 100_000 * p) < 6 * math.sqrt(100_000 * p) + 3


@given(LAWS, st.integers(0, 2**32))
def test_pairs_are_two_different_accounts(law: AccessLaw, seed: int) -> None:
    payers, payees = law.draw_pairs(np.random.default_rng(seed), 300)
    assert len(payers) == len(payees) == 300
    assert np.all(payers != payees)
    for side in (payers, payees):
        assert side.min() >= 0
        assert side.max() < law.accounts


@given(LAWS, st.integers(0, 2**32))
def test_the_same_generator_gives_the_same_pairs(law: AccessLaw, seed: int) -> None:
    once, again = (law.draw_pairs(np.random.default_rng(seed), 100) for _ in range(2))
    assert np.array_equal(once, again)


@given(st.integers(2, 20_000))
def test_spread_is_one_to_one(accounts: int) -> None:
    numbers = parse_access("uniform", accounts).spread(np.arange(accounts, dtype=np.int64))
    assert np.array_equal(np.sort(numbers), np.arange(accounts))


@pytest.mark.parametrize("accounts", [3, 10, 100, 1597, 10_000, 1_000_000])
def test_popular_accounts_are_not_neighbours(accounts: int) -> None:
    law = parse_access("zipf:1", accounts)
    numbers = law.spread(np.arange(accounts, dtype=np.int64))
    assert len(np.unique(numbers)) == accounts
    hottest = np.sort(numbers[: max(2, min(20, accounts // 10))])
    if accounts >= 100:
        assert np.diff(hottest).min() > accounts / 100


@pytest.mark.parametrize("accounts", [10**9, 3_037_000_499, 3_037_000_501, 10_000_000_000])
def test_spread_of_many_accounts_does_not_overflow(accounts: int) -> None:
    """Ranks up to the largest number of accounts that can be asked for, 10¹⁰."""
    law = parse_access("uniform", accounts)
    ranks = np.concatenate((np.arange(1000), accounts - 1 - np.arange(1000))).astype(np.int64)
    numbers = law.spread(ranks)
    unit = int(law.spread(np.array([1], np.int64))[0])
    assert numbers.tolist() == [int(rank) * unit % accounts for rank in ranks]
    assert math.gcd(unit, accounts) == 1
    assert np.diff(np.sort(numbers[:15])).min() > accounts / 100


# Sums


@pytest.mark.parametrize("accounts", [2, 3, 65_535, 65_536, 65_537, 1_048_577, 3_000_000])
@pytest.mark.parametrize(
    "skew", ["uniform", "zipf:0.8", "zipf:1.0", "zipf:1.1", "zipf:2.5", "hotspot:0.9/0.1"]
)
def test_probabilities_sum_to_one(skew: str, accounts: int) -> None:
    law = parse_access(skew, accounts)
    chunks = list(law.probabilities())
    assert sum(len(chunk) for chunk in chunks) == accounts
    assert math.fsum(float(np.sum(chunk)) for chunk in chunks) == pytest.approx(1, abs=1e-9)


@given(LAWS)
def test_popularity_falls_with_the_rank_unless_it_was_asked_otherwise(law: AccessLaw) -> None:
    p = probabilities(law)
    assert math.fsum(p) == pytest.approx(1)
    assert p.min() > 0
    if type(law).__name__ == "Zipf":
        assert np.all(np.diff(p) <= 0)


def test_zipf_is_a_power_of_the_rank() -> None:
    p = probabilities(parse_access("zipf:1.1", 1000))
    assert p[0] / p[9] == pytest.approx(10**1.1)
    assert p[99] / p[999] == pytest.approx(10**1.1)


def test_hotspot_is_two_flat_parts() -> None:
    p = probabilities(parse_access("hotspot:0.9/0.1", 1000))
    assert p[:100] == pytest.approx(0.9 / 100)
    assert p[100:] == pytest.approx(0.1 / 900)


@given(LAWS)
def test_a_transfer_writes_two_accounts(law: AccessLaw) -> None:
    assert sum(float(q.sum()) for q in law.writes_per_transfer()) == pytest.approx(2)


@pytest.mark.parametrize("accounts", [2, 3, 4, 9, 30])
@pytest.mark.parametrize("skew", SKEWS)
def test_sums_equal_brute_force_over_all_pairs(skew: str, accounts: int) -> None:
    law = parse_access(skew, accounts)
    pairs = pair_probabilities(law)
    writes = [0.0] * accounts
    for (a, b), p in pairs.items():
        writes[a] += p
        writes[b] += p
    assert np.concatenate(list(law.writes_per_transfer())) == pytest.approx(writes)
    assert law.sum_q_squared() == pytest.approx(math.fsum(q * q for q in writes))
    if accounts <= 9:
        two_pairs = itertools.product(pairs.items(), repeat=2)
        meeting = math.fsum(p * q for (one, p), (other, q) in two_pairs if set(one) & set(other))
    else:
        meeting = _meeting(pairs, accounts)
    assert law.meeting_probability() == pytest.approx(meeting)


def _meeting(pairs: dict[tuple[int, int], float], accounts: int) -> float:
    """The same from the other side: the mass of all pairs that touch neither account."""
    p = np.zeros((accounts, accounts))
    for pair, probability in pairs.items():
        p[pair] = probability
    apart = 0.0
    for (a, b), probability in pairs.items():
        rest = np.delete(np.delete(p, [a, b], 0), [a, b], 1)
        apart += probability * float(rest.sum())
    return 1 - apart


@given(st.integers(2, 10**9))
def test_uniform_is_four_over_n(accounts: int) -> None:
    assert parse_access("uniform", accounts).sum_q_squared() == pytest.approx(4 / accounts)


@at_most(30)
@given(st.integers(3, 2000))
def test_a_zipf_of_nearly_nothing_is_uniform(accounts: int) -> None:
    law, flat = parse_access("zipf:1e-9", accounts), parse_access("uniform", accounts)
    assert law.sum_q_squared() == pytest.approx(flat.sum_q_squared(), rel=1e-6)
    assert law.meeting_probability() == pytest.approx(flat.meeting_probability(), rel=1e-6)


# What is typed


@pytest.mark.parametrize(
    "text",
    [
        "", "zipf", "zipf:", "zipf:x", "zipf:0", "zipf:-1", "zipf:5.1", "zipf:nan", "zipf:inf",
        "zipf:1:2", "uniform:1", "Uniform", "hotspot", "hotspot:", "hotspot:0.9", "hotspot:0.9/",
        "hotspot:0/0.1", "hotspot:1/0.1", "hotspot:0.9/0", "hotspot:0.9/1", "hotspot:0.9/0.1/0.2",
        "hotspot:nan/0.1", "hotspot:0.9/nan", "hotspot:a/b", "pareto:1", "zipf 1",
    ],
)  # fmt: skip
def test_a_bad_skew_is_one_line(text: str) -> None:
    with pytest.raises(InputError, match="is not one of uniform, zipf:THETA") as caught:
        parse_skew(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("skew", SKEWS)
@pytest.mark.parametrize("accounts", [1, 0, -5])
def test_a_transfer_needs_two_accounts(skew: str, accounts: int) -> None:
    with pytest.raises(InputError, match="at least 2 accounts"):
        parse_access(skew, accounts)


@pytest.mark.parametrize("skew", SKEWS)
def test_two_accounts_are_enough(skew: str) -> None:
    law = parse_access(skew, 2)
    payers, payees = law.draw_pairs(np.random.default_rng(1), 1000)
    assert set(zip(payers.tolist(), payees.tolist(), strict=True)) <= {(0, 1), (1, 0)}
    assert law.meeting_probability() == pytest.approx(1)
