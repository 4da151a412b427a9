"""What failed for another reason than a conflict is beside the figures, and in none of them."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from loadtest.workload.blocks import key_of_block
from reports import answer_of, summarise, write_report
from reports.documents.comparison import words
from reports.documents.overview.document import overview_document
from reports.documents.overview.read import read_runs
from reports.gates.job_summary import to_markdown
from reports.gates.judge import Subject, judge
from reports.gates.junit import to_junit
from reports.statistics.comparison.comparison import compare_runs
from reports.statistics.comparison.effect import Verdict
from reports.statistics.sweep.study import read_study
from reports.write import nothing_bad
from tests import in_process
from tests.commands import command, environment
from tests.run_folders import BEGIN_NS, FakeRun, hand_made, write_fake_run
from tests.sweep_folders import FakeSweep, write_fake_sweep

GAP = "\N{NO-BREAK SPACE}"
_MS = 1_000_000


def rows_of(
    spans: list[tuple[int, str, float]], *, key_types: tuple[str, ...] = ("int",), block_ms: int = 100
) -> list[dict[str, Any]]:
    """A second: each millisecond of a span has so many transactions with this outcome and latency."""
    found = []
    at = 0
    for length_ms, outcome, latency_ms in spans:
        for _ in range(length_ms):
            block = at // block_ms if len(key_types) > 1 else 0
            key = key_types[key_of_block(block, len(key_types), 1) if len(key_types) > 1 else 0]
            found.append({
                "block": block, "key_type": key, "outcome": outcome,
                "start_ns": BEGIN_NS + at * _MS, "intended_start_ns": BEGIN_NS + at * _MS,
                "statements_ns": round(latency_ms * 0.75 * _MS),
                "commit_ns": round(latency_ms * 0.25 * _MS),
                "sqlstate": None if outcome == "committed" else "25006",
            })  # fmt: skip
            at += 1
    return found


def busy(rows: list[dict[str, Any]], outcome: str, times: int) -> list[dict[str, Any]]:
    """Each transaction with this outcome as many times: whoever fails at once comes again at once."""
    return [row for row in rows for _ in range(times if row["outcome"] == outcome else 1)]


def test_a_database_that_turned_read_only_makes_nothing_faster(tmp_path: Path) -> None:
    healthy = [*rows_of([(1000, "committed", 6.0)])]
    broken = busy(rows_of([(500, "committed", 6.0), (500, "error", 0.1)]), "error", 18)
    base, new = (hand_made(tmp_path / name, rows) for name, rows in (("a", healthy), ("b", broken)))
    summary = summarise(new)
    overall = summary["overall"]
    assert overall["latency_ms"]["samples"] == overall["counted"] == 500
    assert overall["latency_ms"]["p50"] == pytest.approx(6.0)
    assert overall["commit_ms"]["samples"] == 500
    assert overall["time_ms"]["statements"] == pytest.approx(4.5)
    assert (overall["failed"], overall["transactions"], overall["decided"]) == (9000, 9500, 500)
    headline = summary["answer"]["headline"].replace(GAP, " ")
    assert re.search(r"9(4\.7|5) % of transactions failed", headline)
    assert "9,000 failed" in summary["answer"]["lede"]
    (verdict,) = [v for v in summary["verdicts"] if v["about"] == "failures"]
    assert verdict["state"] == "bad"
    assert verdict["text"].startswith("Most transactions failed")

    found = compare_runs([base], [new])
    assert not found.of(Verdict.BETTER)
    assert words.headline(found).startswith("Not the same share of transactions failed")
    failures = next(e for e in found.effects if e.metric.key == "failures")
    assert failures.verdict is Verdict.WORSE
    back = compare_runs([new], [base])
    assert not back.of(Verdict.BETTER)
    assert words.headline(back).startswith("Not the same share of transactions failed")


def test_a_burst_of_failures_is_said_though_its_interval_is_wide(tmp_path: Path) -> None:
    """All of it within a tenth of the time: batches that are drawn anew often have none of it."""
    steady = rows_of([(1000, "committed", 6.0)])
    burst = busy(rows_of([(950, "committed", 5.0), (50, "error", 0.1)]), "error", 20)
    sides = [hand_made(tmp_path / name, rows) for name, rows in (("a", steady), ("b", burst))]
    found = compare_runs(sides[:1], sides[1:])
    assert not found.of(Verdict.BETTER)
    assert "failures" in {e.metric.key for e in found.of(Verdict.WORSE)}


def test_a_key_type_whose_table_is_gone_makes_the_other_no_faster(tmp_path: Path) -> None:
    rows = rows_of([(2000, "committed", 6.0)], key_types=("int", "uuid"))
    for row in rows:
        if row["key_type"] == "uuid" and row["block"] >= 4:
            row.update(outcome="error", statements_ns=_MS // 10, commit_ns=0, window_high_ns=0)
    config = {"keys": ["int", "uuid"], "duration": 2.0, "block": 0.1, "users": 1, "seed": 1}
    summary = summarise(hand_made(tmp_path, rows, config=config))
    (found,) = summary["comparisons"]
    for metric in ("throughput_tps", "conflict_rate", "latency_p50_ms", "latency_p99_ms"):
        assert found[metric]["ratio"] is None
        assert found[metric]["verdict"].startswith("not comparable")
    headline = summary["answer"]["headline"].replace(GAP, " ")
    assert headline.startswith("0 % and ")
    assert "of transactions failed (int and uuid)" in headline
    assert "times" not in headline


def test_a_give_up_counts_with_the_time_that_it_took(tmp_path: Path) -> None:
    rows = rows_of([(500, "committed", 6.0), (500, "conflict_data", 30.0)])
    overall = summarise(hand_made(tmp_path, rows))["overall"]
    assert overall["latency_ms"]["samples"] == 1000
    assert overall["latency_ms"]["mean"] == pytest.approx(18.0)
    assert (overall["give_ups"], overall["failed"]) == (500, 0)


@pytest.mark.parametrize(
    "outcome", ["rejected", "connect_failed", "connection_lost", "ambiguous", "error", "refused"]
)
def test_nothing_else_counts(tmp_path: Path, outcome: str) -> None:
    """Not even what would have been tried again, had there been attempts left."""
    rows = rows_of([(900, "committed", 6.0), (100, outcome, 60.0)])
    overall = summarise(hand_made(tmp_path, rows))["overall"]
    assert (overall["counted"], overall["give_ups"]) == (900, 0)
    assert overall["latency_ms"]["max"] == pytest.approx(6.0)
    assert overall["failed" if outcome != "refused" else "refused"] == 100
    assert overall["decided"] == 900
    headline = summarise(tmp_path)["answer"]["headline"].replace(GAP, " ")
    lost = "were refused" if outcome == "refused" else "failed"
    assert f"10 % of transactions {lost}" in headline


def test_retries_of_what_failed_in_the_end_are_in_no_figure(tmp_path: Path) -> None:
    rows = [
        {"transaction": 1, "outcome": "committed"},
        {"transaction": 2, "attempt": 1, "final": False, "outcome": "conflict_data"},
        {"transaction": 2, "attempt": 2, "outcome": "error", "statements_ns": 500 * _MS},
    ]
    overall = summarise(hand_made(tmp_path, rows))["overall"]
    assert (overall["retried"], overall["retries_mean"], overall["unfinished"]) == (0, 0.0, 0)
    assert overall["time_ms"]["statements"] == pytest.approx(3.0)
    assert overall["conflict_rate"] == 0.5


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run most of whose transactions failed, with its report."""
    folder = tmp_path_factory.mktemp("failing") / "run"
    write_fake_run(folder, FakeRun(keys=("int",), duration_s=4.0, errors=0.7))
    write_report(folder)
    return folder


def test_most_failed_is_no_success(failing: Path) -> None:
    subject = Subject("a run", json.loads((failing / "summary.json").read_text()))
    judged = judge([], subject)
    assert judged.mostly_failed
    assert not judged.passed
    assert 'name="failures"' in to_junit([judged])
    assert to_markdown([judged]).startswith("## ❌ ")
    assert "- ❌ " in to_markdown([judged])
    assert " give-ups | failed |" in to_markdown([judged])
    assert "Most transactions failed" in answer_of(failing)


@pytest.mark.usefixtures("undrawn")
def test_strict_makes_bad_verdicts_the_status(tmp_path: Path) -> None:
    folder = write_fake_run(tmp_path / "run", FakeRun(keys=("int",), duration_s=4.0))
    content = json.loads((folder / "run.json").read_text())
    content["config"]["processes"] = 2
    (folder / "run.json").write_text(json.dumps(content))
    plain = in_process.occbench("report", folder, cwd=tmp_path)
    assert plain.returncode == 0
    assert "1 of 2 load processes did not report" in plain.stdout
    assert in_process.occbench("report", "--strict", folder, cwd=tmp_path).returncode == 1
    subject = Subject("a run", json.loads((folder / "summary.json").read_text()))
    assert judge([], subject).passed
    strict = judge([], subject, strict=True)
    assert not strict.passed
    assert 'name="processes"' in to_junit([strict])
    assert "- ❌ " in to_markdown([strict])


def test_compare_writes_its_files_though_nobody_reads_what_it_prints(
    failing: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    write_fake_run(other, FakeRun(keys=("int",), duration_s=4.0, seed=2))
    names = {"--json": "c.json", "--html": "c.html", "--markdown": "c.md", "--junit": "c.xml"}
    words_of_files = [word for flag, name in names.items() for word in (flag, str(tmp_path / name))]
    process = subprocess.Popen(
        command("compare", failing, other, *words_of_files),
        cwd=tmp_path, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.close()
    process.wait(120)
    assert {name for name in names.values() if (tmp_path / name).is_file()} == set(names.values())
    shutil.rmtree(other)


@pytest.mark.usefixtures("undrawn")
def test_a_sweep_names_the_points_at_which_transactions_failed(tmp_path: Path) -> None:
    folder = write_fake_sweep(tmp_path / "sweep", FakeSweep(keys=("int",)))
    point = max(read_study(folder).reported, key=lambda one: one[0].values["users"])[0]
    file = folder / str(point.folder) / "summary.json"
    summary = json.loads(file.read_text())
    one = summary["key_types"]["int"]
    one["counted"], one["transactions"] = one["transactions"], 4 * one["transactions"]
    file.write_text(json.dumps(summary))
    write_report(folder)
    said = answer_of(folder).replace(GAP, " ")
    assert said.startswith("At 1 point up to 75 % of transactions failed. ")
    assert "no law is fitted to it" in said
    (curve,) = read_study(folder).curves
    failed = [place.value for place in curve.places if max(r.failed_share for r in place.runs) > 0]
    assert failed == [256]


@pytest.mark.usefixtures("undrawn")
def test_runs_together_say_first_what_failed(tmp_path: Path) -> None:
    runs = [
        write_fake_run(
            tmp_path / str(seed), FakeRun(keys=("int",), duration_s=4.0, errors=e, seed=seed)
        )
        for seed, e in ((1, 0.0), (2, 0.4))
    ]
    headline = overview_document(read_runs(runs)).headline.replace(GAP, " ")
    assert headline.startswith("0 % to 4")
    assert "% of transactions failed. " in headline


@pytest.mark.usefixtures("undrawn")
def test_refused_transactions_of_a_sweep_are_a_note(tmp_path: Path) -> None:
    """As in a run's own report: its law is of all points, and `--strict` does not ask for it."""
    folder = write_fake_sweep(tmp_path / "sweep", FakeSweep(keys=("int",)))
    before = read_study(folder)
    for point, _ in before.reported:
        file = folder / str(point.folder) / "summary.json"
        summary = json.loads(file.read_text())
        one = summary["key_types"]["int"]
        one["counted"], one["refused"] = one["transactions"], one["transactions"]
        one["transactions"] *= 2
        file.write_text(json.dumps(summary))
    write_report(folder)
    found = json.loads((folder / "sweep-summary.json").read_text())
    (said,) = [one for one in found["verdicts"] if one["about"] == "refused"]
    assert said["state"] == "note"
    assert not [one for one in found["verdicts"] if one["about"] == "failures"]
    assert [curve.law for curve in read_study(folder).curves] == [curve.law for curve in before.curves]
    assert nothing_bad(folder)


@pytest.mark.parametrize("fake", [FakeSweep(limited=(1,)), FakeSweep(failed={1: "gone"})])
def test_what_only_the_sweep_says_is_bad_too(tmp_path: Path, fake: FakeSweep) -> None:
    assert not nothing_bad(write_fake_sweep(tmp_path / "sweep", fake))


def test_two_targets_of_which_no_transaction_ended(tmp_path: Path) -> None:
    """There is no latency to compare, and a report all the same."""
    rows = [{"target": name, "final": False} for name in ("east", "west")]
    (comparison,) = summarise(hand_made(tmp_path, rows))["target_comparisons"]
    assert comparison["latency_p50_ms"]["ratio"] is None
