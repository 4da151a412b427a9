"""What a sweep says of how far it is."""

from collections.abc import Sequence
from datetime import datetime
from io import StringIO
from pathlib import Path

import pytest

from loadtest.config.run import RunConfig
from loadtest.record.sweep import Point
from loadtest.sweep.plan import Sweep, begin
from loadtest.sweep.progress import (
    OVERHEAD_S,
    Clock,
    SweepProgress,
    announcement,
    planned_s,
)


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def unchecked(configs: Sequence[RunConfig]) -> None:
    """No database is there."""


def plan(out: Path, **options: str) -> Sweep:
    given = {"out": str(out), "duration": "50s", "warmup": "10s", **options}
    return begin(given, 1, datetime(2026, 1, 1), unchecked)


def found(sweep: Sweep, point: Point) -> str:
    return f"{point.values['users']} found"


def test_the_time_left_is_learned_from_the_points_that_are_done(tmp_path: Path) -> None:
    sweep = plan(tmp_path, users="1,2,4")
    now = 0.0
    clock = Clock(sweep, lambda: now)
    first, second, third = sweep.file.points
    assert clock.left_s() == 3 * (60 + OVERHEAD_S)
    clock.begin(first)
    now = 30.0
    assert clock.left_s() == 3 * (60 + OVERHEAD_S) - 30
    now = 62.0
    first.state = "done"
    clock.end(first)
    assert clock.left_s() == pytest.approx(2 * 62)
    clock.begin(second)
    now = 63.0
    second.state = "failed"
    clock.end(second)
    assert clock.left_s() == pytest.approx(62), "a failure tells nothing of what measuring takes"
    clock.begin(third)
    now = 1000.0
    assert clock.left_s() == 0


def test_a_slow_ramp_up_counts(tmp_path: Path) -> None:
    sweep = plan(tmp_path, users="10,20", spawn_rate="2")
    assert sorted(planned_s(sweep, point) for point in sweep.file.points) == [65.0, 70.0]


def test_hours_are_said_before_they_begin(tmp_path: Path) -> None:
    sweep = plan(tmp_path, users="1,2", retry="none,immediate")
    (line,) = announcement(sweep, 260)
    assert line == f"4 points (2 × users, 2 × retry), about 4 min: {sweep.folder}"
    line, warning = announcement(sweep, 20_000)
    assert "about 5 h 33 min" in line
    assert f"occbench sweep --resume {sweep.folder}" in warning


def test_what_is_left_of_a_sweep_is_said(tmp_path: Path) -> None:
    sweep = plan(tmp_path, users="1,2,3")
    sweep.file.points[0].state = "done"
    assert announcement(sweep, 130)[0].startswith("2 of 3 points are left (3 × users), about 2 min: ")
    for point in sweep.pending:
        point.state = "done"
    assert announcement(sweep, 0) == [f"all 3 points are measured: {sweep.folder}"]


def test_the_line_of_the_run_follows_the_time_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    sweep = plan(tmp_path, users="1,2")
    stream = Terminal()
    progress = SweepProgress(sweep, found, stream)
    with progress.shown():
        point = sweep.pending[0]
        progress.point(point)
        progress.live("  12 s measuring  8 users\n")
        progress._progress._live.refresh()
        last = stream.getvalue().rpartition("\r")[2]
    assert f"0/2  2 min left  {sweep.describe(point)}: 12 s measuring  8 users" in last


@pytest.mark.parametrize("terminal", [False, True])
def test_every_point_is_a_line(tmp_path: Path, terminal: bool) -> None:
    sweep = plan(tmp_path, users="1,2")
    stream = Terminal() if terminal else StringIO()
    progress = SweepProgress(sweep, found, stream)
    with progress.shown():
        done, failed = sweep.file.points
        progress.point(done)
        progress.live("   3 s measuring  [8 users]")
        done.state = "done"
        progress.ended(done)
        progress.point(failed)
        failed.state, failed.reason = "failed", "no [luck]"
        progress.ended(failed)
        progress.note("[bold]stopping")
    text = stream.getvalue()
    users = [point.values["users"] for point in sweep.file.points]
    assert f"1/2  users {users[0]}: {users[0]} found" in text
    assert f"2/2  users {users[1]}: failed: no [luck]" in text
    assert "[bold]stopping" in text
    assert "left" in text
    assert ("\x1b[" in text) == terminal
