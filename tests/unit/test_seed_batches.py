"""Batches: every account once, in key order, always the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.keyspace import ComputedKeys, KeyType
from seed.batches import BLOCK_ACCOUNTS, Block, Layout, block_size, runs

layouts = st.builds(
    lambda start, more, batch, times: Layout(start, start + more, batch, batch * times),
    st.integers(0, 5_000),
    st.integers(1, 3_000),
    st.integers(1, 400),
    st.integers(1, 9),
)


@given(layouts, st.sampled_from(KeyType), st.integers(0, 2**63 - 1))
def test_batches_hold_every_account_once(layout: Layout, key_type: KeyType, seed: int) -> None:
    keys = ComputedKeys(key_type, seed)
    batches = [batch for block in layout.blocks() for batch in block.batches(keys)]
    accounts = np.concatenate([batch.accounts for batch in batches])
    assert sorted(accounts.tolist()) == list(range(layout.start, layout.stop))
    for batch in batches:
        assert 1 <= len(batch.accounts) <= layout.batch
        assert len(batch.accounts) == layout.accounts_in(batch.number)
        assert batch.keys.tobytes() == keys.binary(batch.accounts).tobytes()
    numbers = [batch.number for batch in batches]
    assert len(set(numbers)) == len(numbers) == layout.batch_count
    assert all(layout.start <= number < layout.stop for number in numbers)


@given(layouts, st.integers(0, 1_000), st.integers(1, 1_000))
def test_an_extension_numbers_no_batch_twice(layout: Layout, more: int, batch: int) -> None:
    extension = Layout(layout.stop, layout.stop + more + 1, batch, batch)
    before = {number for block in layout.blocks() for number in block.batch_numbers}
    after = {number for block in extension.blocks() for number in block.batch_numbers}
    assert not before & after


@pytest.mark.parametrize("key_type", list(KeyType))
def test_a_block_is_in_the_databases_key_order(key_type: KeyType) -> None:
    batches = Block(100, 1_100, 70).batches(ComputedKeys(key_type, 3))
    keys = [key.tobytes() for batch in batches for key in batch.keys]
    assert keys == sorted(keys)


@given(st.integers(0, 50), st.integers(1, 12))
def test_runs_are_neighbours_and_even(count: int, parts: int) -> None:
    batches = Block(0, count, 1).batches(ComputedKeys(KeyType.INT, 1)) if count else []
    cut = runs(batches, parts)
    assert [batch.number for run in cut for batch in run] == list(range(count))
    assert len(cut) == min(count, parts)
    if cut:
        sizes = [len(run) for run in cut]
        assert max(sizes) - min(sizes) <= 1


@given(st.integers(1, 2_900))
def test_a_block_is_whole_batches(batch: int) -> None:
    size = block_size(batch)
    assert size % batch == 0
    assert BLOCK_ACCOUNTS - batch < size <= BLOCK_ACCOUNTS
