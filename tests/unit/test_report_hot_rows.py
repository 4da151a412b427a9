"""The hottest accounts have most conflicts, and then most accesses, whatever their numbers are."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.record.run import read_run
from reports.analysis.conflicts import hot_rows
from reports.analysis.over_time.blocks import find_blocks
from reports.analysis.reading.attempts import open_attempts
from reports.analysis.reading.systems import Databases
from tests.examples import at_most
from tests.run_folders import hand_made


@pytest.mark.parametrize("shift", [0, 10**12], ids=["small", "huge"])
@at_most(12)
@given(
    accesses=st.lists(
        st.tuples(st.lists(st.integers(0, 25), max_size=3), st.booleans()), min_size=1, max_size=60
    )
)
def test_accesses_are_counted_by_account(
    tmp_path_factory: pytest.TempPathFactory, accesses: list[tuple[list[int], bool]], shift: int
) -> None:
    rows = [
        {"rows": [n + shift for n in numbers], "outcome": "conflict_data" if lost else "committed"}
        for numbers, lost in accesses
    ]
    folder = hand_made(tmp_path_factory.mktemp("run"), rows)
    run = read_run(folder)
    with open_attempts(folder, run) as attempts:
        blocks = find_blocks(run, attempts)
        found = hot_rows.find_hot_rows(attempts, blocks, Databases((0,), (True,)), 100, even=True)
    times = Counter(n for numbers, _ in accesses for n in numbers)
    lost = Counter(n for numbers, conflicted in accesses for n in numbers if conflicted)
    wanted = sorted(times, key=lambda n: (-lost[n], -times[n], n))[: hot_rows.TOP]
    assert [account.number - shift for account in found.top] == wanted
    assert [(account.accesses, account.conflicts) for account in found.top] == [
        (times[n], lost[n]) for n in wanted
    ]
    assert found.conflicts == sum(lost.values())
