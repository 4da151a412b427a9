"""The hottest accounts are the same whether they are counted in a table or by sorting."""

from collections import Counter
from itertools import compress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import hot

HUGE = 10**12


@pytest.mark.parametrize("shift", [0, hot._DENSE, HUGE, -5], ids=["small", "large", "huge", "minus"])
@given(accesses=st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=60))
def test_accesses_are_counted_whatever_the_numbers(
    accesses: list[tuple[int, bool]], shift: int
) -> None:
    numbers = [account + shift for account, _ in accesses]
    chosen = [flag for _, flag in accesses]
    accounts = hot._Accounts(np.array(numbers, np.int64))
    for flags, counted in ((None, numbers), (np.array(chosen, bool), compress(numbers, chosen))):
        counts = accounts.count(flags)
        found = {accounts.name(place): n for place, n in enumerate(counts.tolist()) if n}
        assert found == Counter(counted)


@given(counts=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=40))
def test_the_hottest_have_most_conflicts_and_then_most_accesses(counts: list[tuple[int, int]]) -> None:
    more, conflicts = (np.array([c[i] for c in counts], np.int64) for i in (0, 1))
    accesses = conflicts + more
    found = [(int(conflicts[i]), int(accesses[i])) for i in hot._hottest(accesses, conflicts)]
    every = sorted(((c, c + m) for m, c in counts if c + m), reverse=True)
    assert found == every[: hot.TOP]
