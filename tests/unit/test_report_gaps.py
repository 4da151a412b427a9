"""When a target answered nothing."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.workload.blocks import key_of_block
from reports import summarise, write_report
from reports.analysis.over_time.gaps import SHORTEST_NS, silent
from reports.charts import style
from tests.run_folders import (
    BEGIN_NS,
    FakeRun,
    hand_made,
    run_json,
    write_fake_run,
    write_run_json,
)

MS = 1_000_000
S = 1000 * MS
moments = st.lists(st.integers(0, 100), max_size=40).map(
    lambda found: np.array(sorted(found), np.int64) * 100 * MS
)


@given(moments)
def test_a_gap_is_long_and_holds_no_commit(committed: Any) -> None:
    found = silent(committed, 0, 10 * S, 0)
    for since, until in found:
        assert 0 <= since < until <= 10 * S
        assert until - since >= SHORTEST_NS
        assert not ((committed > since) & (committed < until)).any()
    assert found == sorted(found)
    inside = committed[(committed > 0) & (committed < 10 * S)]
    edges = [0, *inside.tolist(), 10 * S]
    assert len(found) == sum(b - a >= SHORTEST_NS for a, b in pairwise(edges))


def test_usual_pauses_are_no_gaps() -> None:
    """A user whose transactions take 700 ms pauses as long between any two commits."""
    slow = np.arange(1, 10) * 700 * MS
    assert silent(slow, 0, 7 * S, 700 * MS) == []
    quick = np.concatenate((np.arange(1, 200) * 10 * MS, 2700 * MS + np.arange(200) * 10 * MS))
    assert silent(quick, 0, 5 * S, 10 * MS) == [(1990 * MS, 2700 * MS)]


def test_the_begin_and_the_end_count() -> None:
    committed = np.arange(300, 700) * 10 * MS
    assert silent(committed, 0, 10 * S, 10 * MS) == [(0, 3 * S), (6990 * MS, 10 * S)]
    assert silent(committed[:0], 0, 10 * S, 0) == [(0, 10 * S)]


@pytest.mark.parametrize("round_ms", [600, 1500, 5000])
def test_users_that_commit_together_leave_no_gaps_between_their_rounds(round_ms: int) -> None:
    """Thirty-two users that started together and take equally long: most pauses are of microseconds."""
    rounds = np.arange(1, 60_000 // round_ms)[:, None] * round_ms * MS
    together = np.sort((rounds + np.arange(32)[None, :] * MS // 100).ravel())
    usual = float(np.median(np.diff(together)))
    assert silent(together, 0, 60 * S, usual, round_ms * MS) == []
    # A round that takes three times as long is one.
    late = np.where(together >= 30 * S, together + 2 * round_ms * MS, together)
    (gap,) = silent(late[late < 60 * S], 0, int(late[late < 60 * S][-1]), usual, round_ms * MS)
    assert gap[1] - gap[0] == pytest.approx(3 * round_ms * MS, rel=0.01)


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


@pytest.mark.parametrize("killed", [True, False])
def test_the_last_row_of_a_killed_run_is_no_return(tmp_path: Path, killed: bool) -> None:
    """The last that was written of it is a failed attempt: nobody knows that it committed again."""
    last = {"target": "west", "outcome": "connect_failed", "start_ns": BEGIN_NS + 3000 * MS}
    rows = [*commit_every("west", 5, 2000), last, *commit_every("east", 5, 3990)]
    changes = {"measured_until_ns": None, "ended_ns": None} if killed else {}
    fake = FakeRun(keys=("int",), targets=("east", "west"), duration_s=4.0, warmup_s=0.0, block_s=4.0)
    hand_made(tmp_path, rows)
    write_run_json(tmp_path, run_json(fake) | changes)
    (gap,) = summarise(tmp_path)["gaps"]
    assert gap["came_back"] is False


def gap_verdict(folder: Path) -> tuple[str, str]:
    (found,) = [v for v in summarise(folder)["verdicts"] if v["about"] == "gap"]
    return found["state"], found["text"]


@pytest.mark.parametrize(
    ("silence", "state"), [((4000, 4600), "note"), ((4000, 5500), "bad"), ((8500, 10_000), "bad")]
)
def test_a_stall_without_a_failed_attempt(tmp_path: Path, silence: tuple[int, int], state: str) -> None:
    """More than a tenth of the measured time is a bad verdict, less of it something to know."""
    rows = commit_every("embedded", 5, 9990, silence)
    fake = FakeRun(keys=("int",), duration_s=10.0, warmup_s=0.0, block_s=10.0)
    hand_made(tmp_path, rows)
    write_run_json(tmp_path, run_json(fake))
    found = gap_verdict(tmp_path)
    assert found[0] == state
    assert "answered nothing from" in found[1]
    assert "no attempt failed" in found[1]


def test_a_target_that_only_failed(tmp_path: Path) -> None:
    """All of its time is a gap: nothing committed from the begin to the end."""
    rows = commit_every("east", 5, 990)
    rows += [{**row, "target": "west", "outcome": "error"} for row in rows]
    state, text = gap_verdict(hand_made(tmp_path, rows))
    assert state == "bad"
    assert text.startswith(
        "west committed nothing from 0.0\N{NO-BREAK SPACE}s to the end: 198 attempts"
    )
    assert text.endswith("That is 100\N{NO-BREAK SPACE}% of the measured time.")


def test_a_target_without_any_attempt(tmp_path: Path) -> None:
    fake = FakeRun(keys=("int",), targets=("east", "west"), duration_s=1.0, warmup_s=0.0, block_s=1.0)
    hand_made(tmp_path, commit_every("east", 5, 990))
    write_run_json(tmp_path, run_json(fake))
    (gap,) = summarise(tmp_path)["gaps"]
    assert (gap["target"], gap["from_s"], gap["until_s"]) == ("west", 0.0, 1.0)


def test_a_key_type_that_is_slow_has_pauses_of_its_own(tmp_path: Path) -> None:
    """uuid commits once in 600 ms in its blocks, int every 5 ms: that is how they are."""
    fake = FakeRun(duration_s=40.0, warmup_s=0.0, block_s=2.0)
    rows = []
    for block in range(20):
        key = fake.keys[key_of_block(block, 2, fake.seed)]
        for at in range(0, 2000, 5 if key == "int" else 600):
            start = BEGIN_NS + (block * 2000 + at) * MS
            rows.append(
                {"block": block, "key_type": key, "start_ns": start, "intended_start_ns": start}
            )
    hand_made(tmp_path, rows)
    write_run_json(tmp_path, run_json(fake))
    assert summarise(tmp_path)["gaps"] == []


def test_users_that_think_in_step_have_no_gaps(tmp_path: Path) -> None:
    rows = [
        {"start_ns": BEGIN_NS + at * S + user * MS // 100, "user": user}
        for at in range(0, 60, 5)
        for user in range(8)
    ]
    fake = FakeRun(keys=("int",), duration_s=60.0, warmup_s=0.0, block_s=60.0)
    hand_made(tmp_path, [{**row, "intended_start_ns": row["start_ns"]} for row in rows])
    described = run_json(fake)
    described["config"]["think_time"] = 5.0
    write_run_json(tmp_path, described)
    assert summarise(tmp_path)["gaps"] == []


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
