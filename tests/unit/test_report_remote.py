"""What the other side said of attempts, and what a target cannot show: absent, never zero."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from reports import summarise, write_report
from reports.analysis.reading.attempts import open_attempts
from reports.text.rounding import number
from tests.run_folders import (
    FakeRun,
    hand_made,
    run_json,
    table_of,
    write_attempts,
    write_fake_run,
    write_run_json,
)

MS = 1_000_000
SMALL: dict[str, Any] = {"keys": ("int",), "tps": 400.0, "duration_s": 6.0, "block_s": 1.0}
NO_COMMIT: dict[str, Any] = {"commit_ns": 0, "window_low_ns": 0, "window_high_ns": 0}


def one_second(folder: Path, *tables: pa.Table) -> Path:
    write_run_json(folder, run_json(FakeRun(keys=("int",), duration_s=1.0, warmup_s=0.0, block_s=1.0)))
    write_attempts(folder, *tables)
    return folder


def test_nothing_is_read_of_what_was_not_answered(tmp_path: Path) -> None:
    with open_attempts(one_second(tmp_path, table_of([{}, {}]))) as attempts:
        assert attempts.remote == ()


def test_files_in_which_it_is_said_and_not_go_together(tmp_path: Path) -> None:
    """In any order, and with attempts in the warm-up before those that count."""
    said = table_of(
        [{"block": -1, "remote_ns": 9 * MS}, {"remote_ns": 5 * MS, "remote_retries": 2}, {}]
    )
    for name, tables in (
        ("a", [table_of([{}]), said]),
        ("b", [said, table_of([{}])]),
    ):
        folder = one_second(tmp_path / name, *tables)
        with open_attempts(folder) as attempts:
            assert attempts.remote == ("remote_ns", "remote_retries")
            told = attempts.frame("SELECT remote_ns FROM whole")["remote_ns"]
            assert (len(told), told.dropna().tolist()) == (3, [5 * MS])
        remote = summarise(folder)["overall"]["remote"]
        assert remote["duration_ms"]["samples"] == 1
        assert remote["duration_ms"]["mean"] == pytest.approx(5)
        assert remote["retries_mean"] == 2


def test_a_column_of_another_type_is_said(tmp_path: Path) -> None:
    table = table_of([{}])
    broken = table.set_column(
        table.column_names.index("read_units"), "read_units", pa.array(["many"], pa.string())
    )
    with pytest.raises(Exception, match="column 'read_units' is string, not float"):
        summarise(one_second(tmp_path, broken))


def test_a_functions_time_and_retries(tmp_path: Path) -> None:
    rows = [
        {**NO_COMMIT, "remote_ns": n * MS, "remote_retries": retries}
        for n, retries in ((1, 0), (2, 0), (3, 1), (6, 3))
    ]
    overall = summarise(hand_made(tmp_path, rows))["overall"]
    assert overall["remote"] == {
        "duration_ms": {
            "samples": 4, "mean": 3.0, "p50": None, "p90": None, "p95": None, "p99": None,
            "p999": None, "max": 6.0,
        },
        "retries_mean": 1.0, "retry_rate": 0.5, "retries_max": 3,
    }  # fmt: skip
    assert "capacity" not in overall


def test_a_functions_time_alone(tmp_path: Path) -> None:
    remote = summarise(hand_made(tmp_path, [{"remote_ns": MS}]))["overall"]["remote"]
    assert set(remote) == {"duration_ms"}


def test_capacity_and_its_cost(tmp_path: Path) -> None:
    """Failed attempts are charged for; what a million committed cost holds them."""
    units = {"read_units": 1.5, "write_units": 4.0}
    rows = [
        {**NO_COMMIT, **units},
        {**NO_COMMIT, **units},
        {**NO_COMMIT, **units, "outcome": "conflict_data", "sqlstate": "40001"},
    ]
    capacity = summarise(hand_made(tmp_path, rows))["overall"]["capacity"]
    assert capacity["read_units"] == 4.5
    assert capacity["write_units"] == 12.0
    assert capacity["write_units_per_committed"] == 6.0
    # 0.125 USD a million read units, 0.625 a million write units.
    assert capacity["cost_usd"] == pytest.approx((4.5 * 0.125 + 12 * 0.625) / 1e6)
    assert capacity["cost_usd_per_million"] == pytest.approx((4.5 * 0.125 + 12 * 0.625) / 2)


def test_failed_attempts_whose_capacity_nobody_said(tmp_path: Path) -> None:
    """They cost something all the same, and the report must not hide it."""
    failed = {"outcome": "conflict_data", "sqlstate": "40001"}
    rows = [
        {**NO_COMMIT, "write_units": 4.0},
        {**NO_COMMIT, **failed, "read_units": 1.0},
        {**NO_COMMIT, **failed, "read_units": 1.0},
    ]
    summary = summarise(hand_made(tmp_path, rows))
    assert summary["overall"]["capacity"]["unsaid"] == 2
    (line,) = [v["text"] for v in summary["verdicts"] if v["about"] == "capacity"]
    assert "2 failed attempts" in line
    complete = summarise(hand_made(tmp_path / "other", [{**NO_COMMIT, "write_units": 4.0}]))
    assert complete["overall"]["capacity"]["unsaid"] == 0
    assert not [v for v in complete["verdicts"] if v["about"] == "capacity"]


def test_a_function_that_tries_again_is_no_run_without_conflicts(tmp_path: Path) -> None:
    rows = [{**NO_COMMIT, "remote_ns": MS, "remote_retries": int(n == 0)} for n in range(4)]
    said = summarise(hand_made(tmp_path, rows))["answer"]["headline"]
    assert "The function tried again in 25.0\N{NO-BREAK SPACE}% of calls at " in said
    quiet = [{**NO_COMMIT, "remote_ns": MS, "remote_retries": 0}]
    said = summarise(hand_made(tmp_path / "quiet", quiet))["answer"]["headline"]
    assert "0\N{NO-BREAK SPACE}% of attempts conflicted at " in said


def test_a_total_that_nobody_knows_is_no_broken_promise(tmp_path: Path) -> None:
    check = {"target": "f", "key_type": "int", "what": "money conserved", "holds": None, "why": "x"}
    for expected, state in ((None, "note"), ("100", "bad")):
        folder = tmp_path / state
        run = hand_made(folder, [NO_COMMIT], invariant=[{**check, "expected": expected}])
        verdicts = {v["about"]: v["state"] for v in summarise(run)["verdicts"]}
        assert verdicts["invariant"] == state


def test_capacity_is_of_the_targets_that_have_it(tmp_path: Path) -> None:
    """The embedded database's commits do not make the other's cheaper."""
    rows = [
        {"target": "items", "write_units": 4.0, **NO_COMMIT},
        {"target": "embedded"},
        {"target": "embedded"},
    ]
    summary = summarise(hand_made(tmp_path, rows))
    assert "capacity" not in summary["targets"]["embedded"]
    for one in (summary["overall"], summary["targets"]["items"]):
        assert one["capacity"]["write_units_per_committed"] == 4.0
        assert "read_units" not in one["capacity"], "not said is not zero"


def test_what_cannot_be_measured_is_absent(tmp_path: Path) -> None:
    """No COMMIT time: no COMMIT figures and no window to predict from, for the whole run either."""
    rows = [{"target": "function", **NO_COMMIT}, {"target": "embedded"}]
    summary = summarise(hand_made(tmp_path, rows))
    function, embedded = (summary["targets"][name] for name in ("function", "embedded"))
    assert not {"commit_ms", "predicted_conflict_rate"} & set(function)
    assert {"commit_ms", "predicted_conflict_rate"} <= set(embedded)
    assert "commit" not in function["time_ms"]
    assert embedded["time_ms"]["commit"] == 1.0
    assert "predicted_conflict_rate" not in summary["overall"], "a part of it has no prediction"
    assert summary["overall"]["commit_ms"]["samples"] == 1


@pytest.mark.usefixtures("undrawn")
def test_the_page_of_a_target_that_shows_little(tmp_path: Path) -> None:
    fake = FakeRun(**SMALL, targets=("fn",), functions=("fn",))
    page = write_report(write_fake_run(tmp_path, fake)).read_text()
    table = page.split('id="result"', 1)[1].split("</table>", 1)[0]
    assert "Function&#39;s own time p50" in table
    assert "Calls that the function retried" in table
    assert "Conflicts the caller saw" in table
    assert "Conflict rate" not in table, "nobody may take them for all"
    retries = summarise(tmp_path)["overall"]["remote"]
    for what in ("mean", "most"):
        row = table.split(f"retries a call, {what}", 1)[1].split("</tr>", 1)[0]
        value = retries["retries_mean" if what == "mean" else "retries_max"]
        assert f">{number(value) if what == 'mean' else value}</td>" in row
    assert "COMMIT" not in table
    assert "predicted" not in table
    assert "COMMIT" not in page.split('<figure id="parts"', 1)[1].split("</figure>", 1)[0]


@pytest.mark.usefixtures("undrawn")
def test_different_systems_side_by_side(tmp_path: Path) -> None:
    fake = FakeRun(
        **SMALL,
        targets=("embedded", "items", "fn"),
        charged=("items",),
        functions=("fn",),
        systems={
            "items": {"family": "dynamodb", "data": "i"},
            "fn": {"family": "lambda", "data": "f"},
        },
    )
    page = write_report(write_fake_run(tmp_path, fake)).read_text()
    section = page.split('id="targets"', 1)[1].split("<section", 1)[0]
    assert "are different databases on different systems" in section
    table = page.split('id="result"', 1)[1].split("</table>", 1)[0]
    for head in ("COMMIT p50", "Write units a committed transaction", "Cost of a million committed"):
        assert head in table
    assert "conflict-matrix" not in section
