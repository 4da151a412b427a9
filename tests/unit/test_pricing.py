"""What things cost: the formulas, whatever the figures."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from loadtest.pricing import DPU_PRICE, a_million, dsql_cost, dynamodb_cost

amounts = st.floats(0, 1e12)
prices = st.floats(0, 1e4)


def close(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)


def test_a_million_dpu_cost_the_price() -> None:
    assert dsql_cost(1_000_000, DPU_PRICE) == 8.0
    assert dsql_cost(250_000, 10.0) == 2.5


@given(amounts, amounts, prices)
def test_the_parts_cost_what_the_whole_costs(one: float, other: float, price: float) -> None:
    assert close(dsql_cost(one, price) + dsql_cost(other, price), dsql_cost(one + other, price))


@given(amounts, prices, st.floats(0, 1e3))
def test_the_cost_follows_the_price(dpu: float, price: float, factor: float) -> None:
    assert close(dsql_cost(dpu, price * factor), dsql_cost(dpu, price) * factor)


@given(st.floats(0, 1e6), st.integers(1, 10**12))
def test_a_million_of_a_million_cost_what_they_cost(cost: float, committed: int) -> None:
    each = a_million(cost, committed)
    assert each is not None
    assert close(each * committed / 1_000_000, cost)


@given(st.floats(1e-9, 1e6), st.integers(1, 10**9), st.integers(1, 10**9))
def test_more_committed_for_the_same_money_is_cheaper(cost: float, some: int, more: int) -> None:
    assume(some < more)
    cheap, dear = a_million(cost, more), a_million(cost, some)
    assert cheap is not None
    assert dear is not None
    assert cheap < dear


def test_nothing_committed_has_no_price() -> None:
    assert a_million(1.0, 0) is None


def test_dynamodb_on_demand() -> None:
    # A transfer as a transaction: two writes of a small item, twice the units each.
    assert close(dynamodb_cost(0, 4), 4 * 0.625 / 1_000_000)
    # Optimistic: two consistent reads before.
    assert close(dynamodb_cost(2, 4), (2 * 0.125 + 4 * 0.625) / 1_000_000)


@given(amounts, amounts, prices, prices)
def test_reading_and_writing_are_charged_apart(
    reads: float, writes: float, read_price: float, write_price: float
) -> None:
    together = dynamodb_cost(reads, writes, read_price, write_price)
    apart = dynamodb_cost(reads, 0, read_price, write_price) + dynamodb_cost(
        0, writes, read_price, write_price
    )
    assert close(together, apart)
    assert dynamodb_cost(reads, writes, 0, 0) == 0


@pytest.mark.parametrize(("read_price", "write_price", "cost"), [(1.0, 0.0, 3.0), (0.0, 1.0, 5.0)])
def test_each_price_is_of_its_own_units(read_price: float, write_price: float, cost: float) -> None:
    assert dynamodb_cost(3e6, 5e6, read_price, write_price) == cost
