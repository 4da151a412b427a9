"""Figures over time and by account."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reports.statistics.model import Model, build_model
from tests.run_folders import BEGIN_NS, FakeRun, hand_made, write_fake_run

SMALL: dict[str, Any] = {"tps": 400.0, "warmup_s": 2.0}


def model_of(folder: Path, **more: Any) -> Model:
    return build_model(write_fake_run(folder, FakeRun(**{**SMALL, **more})))


@pytest.mark.parametrize(
    "shape",
    [
        {"keys": ("int",), "duration_s": 30.0},
        {"duration_s": 24.0, "block_s": 1.0},
        {"duration_s": 12.0, "block_s": 3.0},
        {"duration_s": 600.0, "block_s": 1.0, "tps": 60.0},
        {"keys": ("int", "uuid", "uuid7"), "duration_s": 18.0, "block_s": 2.0},
    ],
    ids=str,
)
def test_nothing_is_lost_in_the_bins(tmp_path: Path, shape: dict[str, Any]) -> None:
    model = model_of(tmp_path, **shape)
    for key_type, series in model.series.items():
        figures = model.key_types[key_type]
        assert np.sum(series.throughput_tps * series.seconds) == pytest.approx(figures.committed)
        assert np.sum(series.seconds) == pytest.approx(figures.duration_s)
        assert len(series.middle_s) <= 130
        assert (np.diff(series.middle_s) > 0).all()
        assert series.middle_s[0] > 0
        assert series.middle_s[-1] < model.measured_s


def test_one_key_type_is_one_line(tmp_path: Path) -> None:
    series = model_of(tmp_path, keys=("int",), duration_s=30.0).series["int"]
    assert not series.joined[0]
    assert series.joined[1:].all()


def test_lines_break_where_another_key_type_ran(tmp_path: Path) -> None:
    model = model_of(tmp_path, duration_s=24.0, block_s=1.0)
    own = [set(np.floor(s.middle_s)) for s in model.series.values()]
    assert not own[0] & own[1], "no point lies in a block of the other key type"
    for series in model.series.values():
        assert not series.joined.any()


def test_the_warm_up_lies_before_zero(tmp_path: Path) -> None:
    warmup = model_of(tmp_path, duration_s=4.0).warmup
    assert warmup is not None
    assert (warmup.middle_s < 0).all()
    assert warmup.throughput_tps.mean() == pytest.approx(400, rel=0.2)
    assert model_of(tmp_path / "none", warmup_s=0.0, duration_s=4.0).warmup is None


def test_accounts_are_counted_for_every_attempt_that_touched_them(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"rows": [5, 7]},
        {"rows": [5], "outcome": "conflict_data"},
        {"rows": [7, 5], "outcome": "conflict_data"},
        {"rows": [], "outcome": "refused"},
        {"rows": [9, 5, 7]},
        {"rows": [1, 2], "outcome": "conflict_data", "block": -1},
    ]
    hot_rows = build_model(hand_made(tmp_path, rows)).hot_rows
    assert [(a.number, a.accesses, a.conflicts) for a in hot_rows.top] == [
        (5, 4, 2),
        (7, 3, 1),
        (9, 1, 0),
    ]
    assert hot_rows.top[0].times_mean == pytest.approx(4 / (8 / 1000)), "of a thousand accounts"
    assert hot_rows.conflicts == 3


def test_huge_account_numbers_need_no_huge_memory(tmp_path: Path) -> None:
    far = 9_000_000_000_000
    rows: list[dict[str, Any]] = [{"rows": [far, 3]}, {"rows": [far, 4], "outcome": "deadlock"}]
    hot_rows = build_model(hand_made(tmp_path, rows)).hot_rows
    first = hot_rows.top[0]
    assert (first.number, first.accesses, first.conflicts) == (far, 2, 1)


def test_popular_accounts_conflict_more(tmp_path: Path) -> None:
    model = model_of(tmp_path, skew="zipf:0.9", tps=3000.0, duration_s=12.0, conflict=0.05)
    for curve in model.hot_rows.popularity.values():
        assert (np.diff(curve.transactions_per_s) > 0).all()
        assert curve.conflict_rate[-1] > 2 * curve.conflict_rate[0]


def test_a_conflict_alone_makes_no_account_popular(tmp_path: Path) -> None:
    """Where popularity does not matter, rarely wanted accounts conflict as often as others."""
    fake = FakeRun(skew="hotspot:0.5/0.5", tps=3000, duration_s=6, accounts=4000, conflict=0.05)
    for curve in build_model(write_fake_run(tmp_path, fake)).hot_rows.popularity.values():
        assert curve.conflict_rate[0] == pytest.approx(0.05, abs=0.03)


def test_an_open_loop_counts_its_wait(tmp_path: Path) -> None:
    wait = 25_000_000
    row = {"intended_start_ns": BEGIN_NS, "start_ns": BEGIN_NS + wait}
    model = build_model(hand_made(tmp_path, [row]))
    assert model.late_starts == 1
    assert model.overall.parts is not None
    assert model.overall.parts.waiting == pytest.approx(25)
    assert model.overall.latency.max == pytest.approx(25 + 4)


def test_steady_alternating_blocks_are_no_sawtooth(tmp_path: Path) -> None:
    """A latency of half a bin: counted by ends, each block began low and ended high."""
    from loadtest.prediction.simulation import SimulateConfig, simulate

    folder = simulate(
        SimulateConfig.read(
            users=200, accounts=1_000_000, duration="16s", block="4s", warmup="1s", seed=3,
            think_time="0s", statement_ms=100, commit_ms=50, out=str(tmp_path), label="slow",
        )
    )  # fmt: skip
    for series in build_model(folder).series.values():
        assert series.joined.any(), "blocks have parts"
        first = np.flatnonzero(~series.joined)
        last = np.append(first[1:], len(series.joined)) - 1
        middle = np.setdiff1d(np.arange(len(series.joined)), np.r_[first, last])
        level = series.throughput_tps[middle].mean()
        assert series.throughput_tps[last].mean() == pytest.approx(level, rel=0.15)
