"""When a target answered nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports import style, summarise, write_report
from reports.gaps import SHORTEST_NS, silent
from tests.run_folders import BEGIN_NS, FakeRun, hand_made, write_fake_run

MS = 1_000_000
S = 1000 * MS
moments = st.lists(st.integers(0, 100), max_size=40).map(
    lambda found: np.array(sorted(found), np.int64) * 100 * MS
)


@settings(max_examples=300, deadline=None)
@given(moments, moments)
def test_a_gap_holds_failures_and_no_commit(committed: Any, failed: Any) -> None:
    found = silent(committed, failed, 0, 10 * S)
    for since, until in found:
        assert 0 <= since < until <= 10 * S
        assert until - since >= SHORTEST_NS
        assert not ((committed > since) & (committed < until)).any()
        assert ((failed >= since) & (failed <= until)).any()
    assert found == sorted(found)


@settings(max_examples=100, deadline=None)
@given(moments)
def test_without_failures_there_is_no_gap(committed: Any) -> None:
    assert silent(committed, np.empty(0, np.int64), 0, 10 * S) == []


def test_usual_pauses_are_no_gaps() -> None:
    """A user whose transactions take 700 ms pauses as long between any two commits."""
    slow = np.arange(1, 10) * 700 * MS
    assert silent(slow, slow[4:5] + MS, 0, 7 * S) == []
    quick = np.concatenate((np.arange(1, 200) * 10 * MS, 2700 * MS + np.arange(200) * 10 * MS))
    assert silent(quick, np.array([2100 * MS]), 0, 5 * S) == [(1990 * MS, 2700 * MS)]


def commit_every(target: str, ms: int, until_ms: int, but: tuple[int, int] = (0, 0)) -> list[Any]:
    return [
        {"target": target, "start_ns": BEGIN_NS + at * MS, "intended_start_ns": BEGIN_NS + at * MS}
        for at in range(1, until_ms, ms)
        if not but[0] <= at < but[1]
    ]


def test_what_the_others_did_meanwhile(tmp_path: Path) -> None:
    """West is away from 300 to 900 ms; east does half its work in that time."""

    def lost(target: str, outcome: str, at_ms: int) -> dict[str, Any]:
        return {"target": target, "outcome": outcome, "start_ns": BEGIN_NS + at_ms * MS}

    rows = [
        *commit_every("west", 5, 990, (300, 900)),
        *commit_every("east", 5, 990, (300, 900)),
        *[row for row in commit_every("east", 10, 900) if row["start_ns"] >= BEGIN_NS + 300 * MS],
        lost("west", "connect_failed", 500),
        lost("west", "ambiguous", 303),
        lost("east", "connect_failed", 500),
    ]
    (gap,) = summarise(hand_made(tmp_path, rows))["gaps"]
    assert gap["target"] == "west"
    assert gap["from_s"] == pytest.approx(0.300)
    assert gap["until_s"] == pytest.approx(0.905)
    assert gap["failed"] == {"connect_failed": 1, "ambiguous": 1}
    assert gap["came_back"] is True
    assert gap["others"] == {"east": pytest.approx(0.5, abs=0.05)}


def test_a_target_that_never_came_back(tmp_path: Path) -> None:
    fake = FakeRun(
        keys=("int",), targets=("east", "west"), tps=400.0, duration_s=10.0, down={"west": (4.0, 10.0)}
    )
    write_fake_run(tmp_path, fake)
    summary = summarise(tmp_path)
    (gap,) = summary["gaps"]
    assert (gap["came_back"], gap["until_s"]) == (False, 10.0)
    (text,) = [v["text"] for v in summary["verdicts"] if v["about"] == "gap"]
    assert text.startswith("west answered nothing from 4.0\N{NO-BREAK SPACE}s to the end: ")
    assert "attempts failed to connect" in text
    assert "; east went on with 1" in text or "; east went on with 9" in text


def test_the_charts_show_it(tmp_path: Path) -> None:
    fake = FakeRun(
        keys=("int",), targets=("east", "west"), tps=400.0, duration_s=10.0, down={"west": (4.0, 7.0)}
    )
    page = write_report(write_fake_run(tmp_path, fake)).read_text()
    throughput = page.split('id="target-throughput"', 1)[1].split("</figure>", 1)[0]
    assert "nothing for 3" in throughput
    assert throughput.count(style.TARGET_2.light) > 3, "the line, its markers and the shade"


def test_a_single_target_has_gaps_too(tmp_path: Path) -> None:
    fake = FakeRun(keys=("int",), tps=400.0, duration_s=10.0, down={"embedded": (4.0, 5.0)})
    summary = summarise(write_fake_run(tmp_path, fake))
    (gap,) = summary["gaps"]
    assert gap["others"] == {}
    assert gap["from_s"] == pytest.approx(4.0, abs=0.05)


def test_a_whole_run_has_none(tmp_path: Path) -> None:
    fake = FakeRun(keys=("int",), tps=300.0, duration_s=5.0, targets=("east", "west"), errors=0.1)
    assert summarise(write_fake_run(tmp_path, fake))["gaps"] == []
