"""The predicted curve of a sweep: made from one run, it meets the others."""

import json
import math
import shutil
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from loadtest.prediction.simulation import SimulateConfig, simulate
from loadtest.record.sweep import SWEEP_FILE, SweepFile
from reports import summarise
from reports.statistics.sweep.predicted import Predicted, _calibration, predict_curves
from reports.statistics.sweep.study import Study, read_study
from reports.write import write_report
from tests.sweep_folders import FakeSweep, write_fake_sweep

USERS = (2, 8, 32, 128)
ACCOUNTS = (500, 20_000)


def simulated_sweep(
    where: Path, accounts: Iterable[int], slower_from: float = math.inf, **more: Any
) -> Path:
    """A sweep whose points were simulated; from so many users on, statements take ten times as long."""
    points: list[dict[str, Any]] = []
    sizes = tuple(accounts)
    for size, users in product(sizes, USERS):
        slow = {"statement_ms": 10.0} if users >= slower_from else {}
        config = SimulateConfig.read(
            users=users, accounts=size, keys="int", duration="8s", warmup="1s",
            out=where / "points", seed=len(points) + 1, **slow, **more,
        )  # fmt: skip
        run = simulate(config)
        (run / "summary.json").write_text(json.dumps(summarise(run)), encoding="utf-8")
        points.append(
            {
                "number": len(points) + 1, "values": {"users": users, "accounts": size},
                "repeat": 1, "label": run.name, "state": "done", "folder": f"points/{run.name}",
                "exit_status": 0,
            }
        )  # fmt: skip
    axes = {"users": USERS, **({"accounts": sizes} if len(sizes) > 1 else {})}
    for point in points:
        point["values"] = {name: point["values"][name] for name in axes}
    sweep = {
        "label": "simulated", "config": {"scenario": "transfer", "seed": 1}, "repeats": 1,
        "axes": [
            {"name": name, "values": list(values), "labels": list(map(str, values))}
            for name, values in axes.items()
        ],
        "points": points, "started_ns": 1,
    }  # fmt: skip
    SweepFile.model_validate(sweep).write(where / SWEEP_FILE)
    return where


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nothing but conflicts slows anything down."""
    return simulated_sweep(tmp_path_factory.mktemp("sweep"), ACCOUNTS)


@pytest.fixture(scope="module")
def found(folder: Path) -> tuple[Study, dict[int, Predicted]]:
    study = read_study(folder)
    return study, predict_curves(study)


def test_every_other_load_is_met(found: tuple[Study, dict[int, Predicted]]) -> None:
    study, predicted = found
    assert sorted(predicted) == [0, 1]
    for number, line in predicted.items():
        curve = study.curves[number]
        assert [place.value for place in line.places] == list(USERS)
        for place in line.places:
            run = curve.at(place.value)
            assert run is not None
            tps, rate = run.runs[0].throughput_tps, run.runs[0].conflict_rate
            assert rate is not None
            attempts = run.runs[0].attempts
            # The model's own interval; and of chance four standard errors, and one conflict.
            throughput, conflicts = place.figures["throughput_tps"], place.figures["conflict_rate"]
            low, high = (
                end + sign * (4 * (end * (1 - end) * attempts) ** 0.5 + 1) / attempts
                for end, sign in ((conflicts.low, -1), (conflicts.high, 1))
            )
            assert low <= rate <= high, place
            assert throughput.low * 0.95 <= tps <= throughput.high * 1.05, place


def test_the_calibration_is_the_lowest_load_and_the_first_with_conflicts_enough_places_its_windows(
    found: tuple[Study, dict[int, Predicted]],
) -> None:
    study, predicted = found
    placed_by = []
    for number, line in predicted.items():
        curve = study.curves[number]
        enough = [p.value for p in curve.places if p.runs[0].conflicts >= 30]
        assert line.calibrated_at == "2 users"
        assert line.placed_by == (None if enough[0] == 2 else f"{enough[0]} users")
        placed_by.append(line.placed_by)
    assert any(placed_by)


def test_a_load_that_fills_the_system_does_not_slow_the_line_down(tmp_path: Path) -> None:
    """Only where it is full are there conflicts, and they still say when attempts are decided."""
    commit = {"commit_ms": 20.0, "decided_at": 1.0}
    study = read_study(simulated_sweep(tmp_path, [5_000], slower_from=32, **commit))
    (line,) = predict_curves(study).values()
    assert (line.calibrated_at, line.placed_by) == ("2 users", "32 users")
    (curve,) = study.curves
    for place in line.places:
        run = curve.at(place.value)
        assert run is not None
        ratio = place.figures["throughput_tps"].best / run.runs[0].throughput_tps
        assert ratio == pytest.approx(1, rel=0.05) if place.value < 32 else ratio > 1.5
    # There a window is 10 ms at least (a statement) and 40 ms at most, and truly half of the first
    # statement, the second and COMMIT: 35 ms. A run without conflicts cannot know that.
    calibration = _calibration(study, curve.places[0], {"int": curve.places[-1]})
    assert calibration.key_types["int"].conflicts < 30
    assert calibration.key_types["int"].placement.best == pytest.approx(25 / 30, abs=0.1)


@pytest.mark.parametrize(
    ("axis", "values", "calmest"),
    [
        ("think_time", (0.0, 0.1, 1.0), "think time 1.0"),
        ("accounts", (500, 20_000), "20,000 accounts"),
        ("users", (2, 128), "2 users"),
    ],
)
def test_the_calibration_is_where_contention_is_least(
    tmp_path: Path, axis: str, values: tuple[float, ...], calmest: str, folder: Path
) -> None:
    made = write_fake_sweep(tmp_path / "sweep", FakeSweep(axes={axis: values}, keys=("int",)))
    run = next((folder / "points").iterdir())
    for point in (made / "points").iterdir():
        shutil.copytree(run / "attempts", point / "attempts")
        shutil.copy(run / "run.json", point)
        summary = json.loads((point / "summary.json").read_text())
        summary["key_types"]["int"]["conflicts"] = 30
        (point / "summary.json").write_text(json.dumps(summary))
    assert predict_curves(read_study(made))[0].calibrated_at == calmest


def test_the_page_says_what_the_line_is_made_from(folder: Path) -> None:
    page = write_report(folder).read_text(encoding="utf-8")
    assert "Dotted: predicted from" in page


def test_without_a_record_there_is_no_line_and_all_else(folder: Path, tmp_path: Path) -> None:
    copied = tmp_path / "sweep"
    shutil.copytree(folder, copied, ignore=shutil.ignore_patterns("attempts"))
    assert predict_curves(read_study(copied)) == {}
    page = write_report(copied).read_text(encoding="utf-8")
    assert "Dotted" not in page
    assert "scalability" in page


def test_a_record_without_the_key_type_places_nothing(folder: Path) -> None:
    study = read_study(folder)
    first, *_, last = study.curves[0].places
    calibration = _calibration(study, first, {"uuid": last})
    assert calibration.key_types.keys() == {"int"}
