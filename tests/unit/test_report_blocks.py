"""Blocks: the schedule's where the run says it, whatever happened in them."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from loadtest.workload.blocks import key_of_block
from reports import summarise, write_report
from reports.statistics.model import build_model
from tests.run_folders import (
    BEGIN_NS,
    FakeRun,
    run_json,
    table_of,
    write_attempts,
    write_run_json,
)

MS = 1_000_000
KEYS = ("int", "uuid")
FAKE = FakeRun(keys=KEYS, warmup_s=3.0, duration_s=24.0, block_s=2.0, seed=7)
FROM_NS = BEGIN_NS + 3_000 * MS


def key_at(block: int, fake: FakeRun = FAKE) -> str:
    return fake.keys[key_of_block(block, len(fake.keys), fake.seed)]


def start(at_ms: int, intended_ms: int | None = None, **more: Any) -> dict[str, Any]:
    """One committed transaction of FAKE's schedule, by its start since measuring began."""
    block = at_ms // 2000 if 0 <= at_ms < 24_000 else -1
    intended = at_ms if intended_ms is None else intended_ms
    return {
        "block": block,
        "key_type": key_at(max(block, 0)),
        "start_ns": FROM_NS + at_ms * MS,
        "intended_start_ns": FROM_NS + intended * MS,
        **more,
    }


def steady(stalls: Iterable[range] = (), step_ms: int = 20) -> list[dict[str, Any]]:
    """A start every `step_ms` from the warm-up to the end, but for the stalls (ms)."""
    moments = range(-3000, 24_000, step_ms)
    return [start(at) for at in moments if not any(at in stall for stall in stalls)]


def write(folder: Path, rows: list[dict[str, Any]], **changes: Any) -> Path:
    content = run_json(FAKE)
    content["config"].update(changes.pop("config", {}))
    write_run_json(folder, content | changes)
    write_attempts(folder, table_of([{"transaction": i, **row} for i, row in enumerate(rows)]))
    return folder


def committed_by_key(rows: list[dict[str, Any]]) -> dict[str, int]:
    return {k: sum(r["block"] >= 0 and r["key_type"] == k for r in rows) for k in KEYS}


def test_a_rate_that_is_not_kept_is_measured_by_the_schedule(tmp_path: Path) -> None:
    """An open loop falls behind by seconds: what starts in a block was due long before."""
    rows = [start(at, at * 3 // 4) for at in range(0, 24_000, 20)]
    summary = summarise(write(tmp_path, rows, config={"rate": 66.7}))
    assert summary["blocks"] == 12
    assert summary["measured_s"] == pytest.approx(24)
    for key, committed in committed_by_key(rows).items():
        figures = summary["key_types"][key]
        assert figures["duration_s"] == pytest.approx(12)
        assert figures["committed"] == committed
        assert figures["throughput_tps"] == pytest.approx(committed / 12)
    assert summary["comparisons"][0]["pairs"] == 6


@pytest.mark.parametrize(
    "stall",
    [range(4000, 7000), range(4000, 10_000), range(2_500, 9_900), range(19_000, 24_000)],
    ids=str,
)
def test_a_stall_of_several_blocks_keeps_every_pair(tmp_path: Path, stall: range) -> None:
    rows = steady([stall])
    summary = summarise(write(tmp_path, rows))
    assert summary["blocks"] == 12
    for key, committed in committed_by_key(rows).items():
        figures = summary["key_types"][key]
        assert figures["duration_s"] == pytest.approx(12)
        assert figures["throughput_tps"] == pytest.approx(committed / 12)
    comparison = summary["comparisons"][0]
    assert comparison["pairs"] == 6
    assert comparison["throughput_tps"]["base"] == pytest.approx(committed_by_key(rows)["int"] / 12)


def test_a_stall_at_the_start_is_measured_time_and_no_warm_up(tmp_path: Path) -> None:
    rows = steady([range(-200, 5000)])
    summary = summarise(write(tmp_path, rows))
    assert summary["measured_s"] == pytest.approx(24)
    assert summary["warmup_s"] == pytest.approx(3)
    assert summary["blocks"] == 12
    assert {f["duration_s"] for f in summary["key_types"].values()} == {12.0}


def test_one_key_type_stalls_in_measured_time_as_well(tmp_path: Path) -> None:
    fake = FakeRun(keys=("uuid",), warmup_s=0.0, duration_s=10.0, block_s=2.0)
    rows = [
        {"block": at // 2000, "key_type": "uuid", "start_ns": BEGIN_NS + at * MS,
         "intended_start_ns": BEGIN_NS + at * MS}
        for at in (*range(4500, 6000, 10), *range(8000, 8500, 10))
    ]  # fmt: skip
    write_run_json(tmp_path, run_json(fake))
    write_attempts(tmp_path, table_of(rows))
    summary = summarise(tmp_path)
    assert (summary["measured_s"], summary["blocks"]) == (10.0, 5)
    assert summary["overall"]["throughput_tps"] == pytest.approx(20)


def test_a_key_type_that_could_start_nothing_is_reported_with_nothing(tmp_path: Path) -> None:
    rows = [row for row in steady() if row["key_type"] == "int"]
    folder = write(tmp_path, rows)
    summary = summarise(folder)
    uuid = summary["key_types"]["uuid"]
    assert (uuid["attempts"], uuid["throughput_tps"], uuid["duration_s"]) == (0, 0.0, 12.0)
    assert summary["overall"]["duration_s"] == pytest.approx(24)
    assert summary["comparisons"][0]["pairs"] == 6
    assert write_report(folder).is_file()


@pytest.mark.parametrize(("until_ms", "pairs"), [(7_000, 2), (9_000, 2), (8_000, 2), (5_500, 1)])
def test_an_interrupted_run_ends_in_a_shorter_block(tmp_path: Path, until_ms: int, pairs: int) -> None:
    rows = [row for row in steady() if row["start_ns"] < FROM_NS + until_ms * MS]
    changes = {"measured_until_ns": FROM_NS + until_ms * MS, "interrupted": True}
    summary = summarise(write(tmp_path, rows, **changes))
    assert summary["measured_s"] == pytest.approx(until_ms / 1000)
    assert summary["blocks"] == -(-until_ms // 2000)
    assert summary["comparisons"][0]["pairs"] == pairs


def test_a_process_may_go_on_a_moment_after_an_interruption(tmp_path: Path) -> None:
    rows = [row for row in steady() if row["start_ns"] <= FROM_NS + 8_020 * MS]
    summary = summarise(write(tmp_path, rows, measured_until_ns=FROM_NS + 7_995 * MS))
    assert summary["blocks"] == 5
    assert summary["measured_s"] == pytest.approx(8.02)


def test_a_length_that_rounding_cut_makes_no_block_of_its_own(tmp_path: Path) -> None:
    length = 24 / 12 - 1e-9
    assert summarise(write(tmp_path, steady(), config={"block": length}))["blocks"] == 12


def other_keys(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"key_type": KEYS[row["key_type"] == "int"]}


@pytest.mark.parametrize(
    ("config", "change"),
    [
        ({"keys": []}, None),
        ({"block": None}, None),
        ({"keys": ["int", "serial"]}, None),
        ({"block": 3.0}, None),
        ({}, other_keys),
    ],
    ids=["no keys", "no block", "strange keys", "another length", "another order"],
)
def test_a_record_of_another_schedule_is_read_by_its_starts(
    tmp_path: Path, config: dict[str, Any], change: Callable[[Any], Any] | None
) -> None:
    """Its blocks begin with their first attempts' actual starts, not with when those were due."""
    rows = [start(at, at - 1500) for at in range(0, 24_000, 20)]
    # A retry, even one whose file came first, begins no block and ends none.
    rows.append(start(3_900, attempt=2, transaction=5) | {"start_ns": FROM_NS + 4_700 * MS})
    rows = [change(row) for row in rows] if change else rows
    summary = summarise(write(tmp_path, rows, config=config))
    assert summary["blocks"] == 12
    for figures in summary["key_types"].values():
        assert figures["duration_s"] == pytest.approx(12)
    assert summary["comparisons"][0]["pairs"] == 6


def test_what_began_after_the_end_is_neither_warm_up_nor_measured(tmp_path: Path) -> None:
    late = [start(at) for at in range(24_000, 24_900, 5)]
    assert {row["block"] for row in late} == {-1}
    without = build_model(write(tmp_path / "without", steady()))
    model = build_model(write(tmp_path / "with", [*steady(), *late]))
    assert model.overall == without.overall
    assert model.warmup is not None
    assert without.warmup is not None
    assert model.warmup.throughput_tps.tolist() == without.warmup.throughput_tps.tolist()
    rows = [row for row in steady() if row["block"] >= 0]
    model = build_model(write(tmp_path / "no warm-up", [*rows, *late], started_ns=FROM_NS - 5))
    assert model.warmup is None
    assert model.warmup_s == 0
