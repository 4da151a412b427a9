"""What a run that has ended tells of its point, and who may measure."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from loadtest.errors import InputError
from loadtest.sweep.measure import alone, is_measured, reason_of


@pytest.mark.parametrize("holds", [True, None, False])
@pytest.mark.parametrize("status", [0, 1, 2, 3, 130, -9])
def test_a_point_is_measured_if_its_run_came_to_its_end(
    tmp_path: Path, status: int, holds: bool | None
) -> None:
    """A broken invariant ends a run with status 1, and so does what kept it from reporting."""
    assert is_measured(tmp_path, status) == (status == 0)
    (tmp_path / "summary.json").write_text(json.dumps({"invariant": {"holds": holds}}))
    assert is_measured(tmp_path, status) == (status == 0 or (status == 1 and holds is False))


@pytest.mark.parametrize(
    ("status", "said", "reason"),
    [
        (3, ["  5 s measuring", "occbench: first", "occbench: target x: gone"], "target x: gone"),
        (3, ["occbench: target x: gone", "something after"], "target x: gone"),
        (-9, [], "the run was killed by signal 9"),
        (1, ["Traceback", "ValueError: x", " "], "the run ended with status 1: ValueError: x"),
    ],
)
def test_a_failure_has_a_reason_of_one_line(status: int, said: list[str], reason: str) -> None:
    assert reason_of(status, said) == reason


def test_a_sweep_is_measured_by_one_at_a_time(tmp_path: Path) -> None:
    words = [sys.executable, "-c", "input()"]
    with alone(tmp_path) as lock:
        with pytest.raises(InputError, match="being measured by another"), alone(tmp_path):
            pass
        heir = subprocess.Popen(words, stdin=subprocess.PIPE, pass_fds=(lock,))
    try:
        with pytest.raises(InputError, match="being measured by another"), alone(tmp_path):
            pass
    finally:
        heir.communicate(b"\n", timeout=30)
    with alone(tmp_path):
        pass


def test_what_is_no_folder_cannot_be_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "nothing", tmp_path / "file"):
        with pytest.raises(InputError, match="not a sweep's folder"), alone(path):
            pass
