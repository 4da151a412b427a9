"""How a sweep ends: its status, its files and what is said, whatever happens to its report."""

from datetime import datetime
from pathlib import Path
from unittest.mock import Mock
from xml.etree import ElementTree as Xml

import pytest

from loadtest.cli.commands.sweep import _measure_and_conclude
from loadtest.cli.conclusion import conclude_sweep
from loadtest.cli.gating import Gating
from loadtest.errors import INTERRUPTED, OccbenchError
from loadtest.sweep.plan import Sweep, begin, resume
from tests.sweep_folders import FakeSweep, write_fake_sweep


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    target = "mine=postgresql://me:hunter2@db.example/test"
    given = {"users": "1,2,3", "out": str(tmp_path), "target": [target]}
    return begin(given, 1, datetime(2026, 1, 1), lambda configs: None)


def test_if_every_point_fails_files_say_so(sweep: Sweep, tmp_path: Path) -> None:
    for point in sweep.file.points:
        point.state, point.reason, point.exit_status = "failed", "target mine: gone", 3
    sweep.save()
    junit, markdown = tmp_path / "gates.xml", tmp_path / "summary.md"
    for path in (junit, markdown):
        path.write_text("of the run before")
    gating = Gating.read(fail_on=["p99 > 50ms"], junit=junit, markdown=markdown)
    assert conclude_sweep(sweep, gating) == 3
    root = Xml.fromstring(junit.read_text())  # noqa: S314 - our own
    assert [suite.get("name") for suite in root] == ["users 1", "users 2", "users 3"]
    assert root.get("errors") == "3"
    assert markdown.read_text().startswith(
        "## ❌ No point was measured.\n\n**3 runs failed**\n\n- ❌ users 1: "
    )


@pytest.mark.parametrize("outcome", [0, 1, INTERRUPTED, OccbenchError("broken")])
def test_how_to_go_on_is_said_though_the_report_fails(
    sweep: Sweep,
    outcome: int | OccbenchError,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    reporter = Mock()
    reporter.conclude.side_effect = [outcome]
    sweep.file.points[0].state, sweep.file.points[0].folder = "done", "points/x"
    monkeypatch.setattr("loadtest.sweep.measure.measure", lambda *more: False)
    assert _measure_and_conclude(sweep, 0, reporter, ["--fail-on", "p99 > 50ms"]) == 130
    said = capsys.readouterr().err
    assert said.startswith(
        "2 of 3 points are left; go on with:\n"
        f"occbench sweep --resume {sweep.folder} --fail-on 'p99 > 50ms'\n"
        "and --target, with its secret, for mine=postgresql://me"
    )
    assert "hunter2" not in said


@pytest.mark.parametrize(("strict", "exit_status", "status"), [(0, 0, 0), (1, 0, 1), (0, 1, 1)])
def test_a_sweep_has_the_worst_status_of_what_it_says(
    tmp_path: Path, strict: int, exit_status: int, status: int
) -> None:
    """With --strict its own bad verdicts count, as for `report`; a doubtful point does without it."""
    folder = write_fake_sweep(tmp_path / "sweep", FakeSweep(keys=("int",), limited=(1,)))
    sweep = resume(folder, [], lambda configs: None)
    sweep.file.points[0].exit_status = exit_status
    assert conclude_sweep(sweep, Gating.read(strict=bool(strict))) == status
