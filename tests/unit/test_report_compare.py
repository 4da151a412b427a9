"""Key types compared over pairs of blocks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtri

from reports import summarise
from reports.analysis.ranks import Ordered
from reports.statistics.paired import blocks
from reports.statistics.paired.sides import Side
from tests.run_folders import FakeRun, write_fake_run


def compared(folder: Path, **more: Any) -> dict[str, Any]:
    fake = FakeRun(**{"tps": 600.0, "duration_s": 40.0, "block_s": 1.0, "warmup_s": 0.0, **more})
    found: list[dict[str, Any]] = summarise(write_fake_run(folder, fake))["comparisons"]
    assert len(found) == 1
    return found[0]


def test_the_same_thing_twice_shows_no_difference(tmp_path: Path) -> None:
    comparison = compared(tmp_path, seed=5)
    assert (comparison["base"], comparison["other"]) == ("int", "uuid")
    assert comparison["pairs"] == 20
    for metric in blocks.METRICS:
        found = comparison[metric]
        assert found["low"] <= 1 <= found["high"], metric
        assert found["verdict"] == blocks.NO_DIFFERENCE


@pytest.mark.parametrize(
    ("changes", "ratios"),
    [
        # One at a time: more retries make latencies longer, too.
        ({"slower": {"uuid": 1.3}}, {"latency_p50_ms": 1.3, "throughput_tps": 1 / 1.3}),
        ({"more_conflicts": {"uuid": 2.0}, "conflict": 0.05}, {"conflict_rate": 2.0}),
    ],
    ids=["slower", "more conflicts"],
)
def test_a_real_difference_is_found(
    tmp_path: Path, changes: dict[str, Any], ratios: dict[str, float]
) -> None:
    comparison = compared(tmp_path, **changes)
    for metric, ratio in ratios.items():
        found = comparison[metric]
        assert found["low"] < ratio < found["high"], metric
        assert not found["low"] <= 1 <= found["high"], metric
        assert found["verdict"] == f"uuid is {'higher' if ratio > 1 else 'lower'}"


def test_the_ratio_is_that_of_the_two_figures(tmp_path: Path) -> None:
    summary = summarise(
        write_fake_run(tmp_path, FakeRun(tps=600, duration_s=20, block_s=1, slower={"uuid": 1.2}))
    )
    comparison = summary["comparisons"][0]
    both = summary["key_types"]
    figures: dict[str, Callable[[dict[str, Any]], float]] = {
        "throughput_tps": lambda f: f["throughput_tps"],
        "conflict_rate": lambda f: f["conflict_rate"],
        "latency_p50_ms": lambda f: f["latency_ms"]["p50"],
    }
    for metric, figure in figures.items():
        expected = figure(both["uuid"]) / figure(both["int"])
        assert comparison[metric]["ratio"] == pytest.approx(expected)


def test_drift_of_the_machine_falls_on_both(tmp_path: Path) -> None:
    """Blocks differ by 25 % among each other, the key types do not."""
    comparison = compared(tmp_path, noise=0.25, seed=11)
    assert comparison["throughput_tps"]["verdict"] == blocks.NO_DIFFERENCE
    width = comparison["throughput_tps"]["high"] - comparison["throughput_tps"]["low"]
    assert width > 0.1, "the interval must know of the blocks' scatter"


def test_few_pairs_give_no_interval(tmp_path: Path) -> None:
    comparison = compared(tmp_path, duration_s=8.0)
    assert comparison["pairs"] == 4
    found = comparison["throughput_tps"]
    assert found["ratio"] is not None
    assert found["low"] is None
    assert found["verdict"] == blocks.TOO_FEW_PAIRS


def test_no_conflicts_cannot_be_compared(tmp_path: Path) -> None:
    assert compared(tmp_path, conflict=0.0)["conflict_rate"]["verdict"] == blocks.NOT_COMPARABLE


def test_three_key_types_are_compared_with_the_first(tmp_path: Path) -> None:
    fake = FakeRun(keys=("uuid7", "int", "uuid"), tps=300, duration_s=18, block_s=1, warmup_s=0)
    found = summarise(write_fake_run(tmp_path, fake))["comparisons"]
    assert [(c["base"], c["other"], c["pairs"]) for c in found] == [
        ("int", "uuid", 6),
        ("int", "uuid7", 6),
    ]


def test_one_key_type_is_not_compared(tmp_path: Path) -> None:
    fake = FakeRun(keys=("uuid",), tps=300, duration_s=5, block_s=1)
    assert summarise(write_fake_run(tmp_path, fake))["comparisons"] == []


@pytest.mark.parametrize(("freedom", "t"), [(4, 2.776), (11, 2.201), (30, 2.042), (1000, 1.962)])
def test_the_interval_is_widened_as_student_would(freedom: int, t: float) -> None:
    tail = blocks._tail(freedom + 1)
    expected = t * np.sqrt((freedom + 1) / freedom)
    assert -ndtri(tail) == pytest.approx(expected, rel=0.001)


@pytest.mark.parametrize("number_of_pairs", [6, 20])
def test_intervals_hold_the_truth_about_as_often_as_they_say(number_of_pairs: int) -> None:
    """A hundred and twenty made-up comparisons of equal key types: nearly 95 in 100 must hold 1."""
    rng = np.random.default_rng(3)
    held = 0
    trials = 120
    edges = np.array([1.0, 2.0])
    for trial in range(trials):
        sides = []
        for _ in range(2):
            committed = rng.normal(1000, 80, number_of_pairs)
            ones = np.ones(number_of_pairs)
            counts = pd.DataFrame({"committed": committed, "conflicts": 0.05 * committed})
            counts = counts.assign(decided=committed, seconds=ones)
            sides.append(Side(counts, ones[:, None], Ordered(1, 1.0, {0: 1})))
        drawn = blocks._bootstrap(sides[0], sides[1], edges, trial)["throughput_tps"]
        tail = blocks._tail(number_of_pairs)
        low, high = np.quantile(drawn, [tail, 1 - tail])
        held += int(low <= 1 <= high)
    assert 0.92 <= held / trials <= 0.985
