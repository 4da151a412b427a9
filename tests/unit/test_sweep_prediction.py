"""The predicted curve of a sweep: made from one run, it meets the others."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from loadtest.simulation import SimulateConfig, simulate
from reports import summarise
from reports.summary import write_summary
from reports.sweep import write_sweep_report
from reports.sweep.predicted import Predicted, predict_curves
from reports.sweep.study import Study, read_study
from tests.sweep_folders import FakeSweep, write_fake_sweep

USERS = (2, 8, 32, 128)
ACCOUNTS = (500, 20_000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep whose points were simulated: nothing but conflicts slows anything down."""
    where = tmp_path_factory.mktemp("sweep")
    points: list[dict[str, Any]] = []
    for accounts in ACCOUNTS:
        for users in USERS:
            config = SimulateConfig.read(
                users=users, accounts=accounts, keys="int", duration="8s", warmup="1s",
                out=where / "points", seed=len(points) + 1,
            )  # fmt: skip
            run = simulate(config)
            write_summary(run, summarise(run))
            points.append(
                {
                    "number": len(points) + 1, "values": {"users": users, "accounts": accounts},
                    "repeat": 1, "label": run.name, "state": "done", "folder": f"points/{run.name}",
                    "exit_status": 0,
                }
            )  # fmt: skip
    sweep = {
        "format": 1, "label": "simulated", "config": {"scenario": "transfer", "seed": 1}, "repeats": 1,
        "axes": [
            {"name": "users", "values": USERS, "labels": [str(n) for n in USERS]},
            {"name": "accounts", "values": ACCOUNTS, "labels": [str(n) for n in ACCOUNTS]},
        ],
        "points": points,
    }  # fmt: skip
    (where / "sweep.json").write_text(json.dumps(sweep))
    return where


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


def test_the_basis_is_the_lowest_load_with_conflicts_enough(
    found: tuple[Study, dict[int, Predicted]],
) -> None:
    study, predicted = found
    for number, line in predicted.items():
        curve = study.curves[number]
        enough = [p.value for p in curve.places if p.runs[0].conflicts >= 30]
        assert line.basis == f"{enough[0]} users"


@pytest.mark.parametrize(
    ("axis", "values", "calmest"),
    [
        ("think_time", (0.0, 0.1, 1.0), "think time 1.0"),
        ("accounts", (500, 20_000), "20,000 accounts"),
        ("users", (2, 128), "2 users"),
    ],
)
def test_the_basis_is_where_contention_is_least(
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
    assert predict_curves(read_study(made))[0].basis == calmest


def test_the_page_says_what_the_line_is_made_from(folder: Path) -> None:
    page = write_sweep_report(folder).read_text(encoding="utf-8")
    assert "Dotted: predicted from" in page


def test_without_a_record_there_is_no_line_and_all_else(folder: Path, tmp_path: Path) -> None:
    copied = tmp_path / "sweep"
    shutil.copytree(folder, copied, ignore=shutil.ignore_patterns("attempts"))
    assert predict_curves(read_study(copied)) == {}
    page = write_sweep_report(copied).read_text(encoding="utf-8")
    assert "Dotted" not in page
    assert "scalability" in page
