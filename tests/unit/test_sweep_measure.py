"""What a run that has ended tells of its point, and who may measure."""

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from loadtest.errors import InputError
from loadtest.sweep.measure import alone, is_measured, reason_of
from loadtest.sweep.overtime import ended_after


@pytest.mark.parametrize(
    ("transactions", "holds", "figures"),
    [(9, True, True), (9, None, True), (9, False, True), (0, False, True), (0, None, False)],
)
@pytest.mark.parametrize("status", [0, 1, 2, 3, 130, -9])
def test_a_point_is_measured_if_its_run_came_to_its_end(
    tmp_path: Path, status: int, transactions: int, holds: bool | None, figures: bool
) -> None:
    """What makes figures doubtful ends a run with status 1, and so does what kept it from reporting."""
    assert is_measured(tmp_path, status) == (status == 0)
    summary = {"invariant": {"holds": holds}, "overall": {"transactions": transactions}}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    assert is_measured(tmp_path, status) == (status == 0 or (status == 1 and figures))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"overall": null}'])
def test_a_summary_without_figures_makes_no_measured_point(tmp_path: Path, text: str) -> None:
    (tmp_path / "summary.json").write_text(text)
    assert not is_measured(tmp_path, 1)


@pytest.mark.parametrize(
    ("status", "said", "reason"),
    [
        (3, ["  5 s measuring", "occbench: first", "occbench: target x: gone"], "target x: gone"),
        (3, ["occbench: target x: gone", "something after"], "target x: gone"),
        (-9, [], "the run was killed by signal 9"),
        (1, ["Traceback", "ValueError: x", " "], "the run ended with status 1: ValueError: x"),
        (1, ["ValueError: password=x\x1b[2J"], "the run ended with status 1: ValueError: password=***"),
        (1, ["\x1b[31mred"], r"the run ended with status 1: \x1b[31mred"),
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


SLEEPING = "import signal, time; signal.signal(2, signal.{}); print(flush=True); time.sleep(60)"
OBEDIENT, STUBBORN = SLEEPING.format("SIG_DFL"), SLEEPING.format("SIG_IGN")
PARENT = f"""
import subprocess, sys
worker = subprocess.Popen([sys.executable, "-c", {STUBBORN!r}], start_new_session=True)
worker.wait()
"""


@pytest.mark.parametrize(
    ("code", "grace_s", "status"),
    [(OBEDIENT, 25, -signal.SIGINT), (STUBBORN, 0.3, -signal.SIGKILL)],
    ids=["obedient", "stubborn"],
)
def test_a_run_that_does_not_end_is_ended(code: str, grace_s: float, status: int) -> None:
    words = [sys.executable, "-c", code]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with ended_after(0.1, child, grace_s=grace_s) as hung:
            assert child.wait(30) == status
    assert hung.is_set()


@pytest.mark.parametrize("grace_s", [0.3, 5])
def test_with_a_run_its_workers_are_ended(grace_s: float) -> None:
    """Or whoever reads what they write would wait for them."""
    words = [sys.executable, "-c", PARENT]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with ended_after(0.1, child, grace_s=grace_s):
            assert child.stdout.read() == ""


def test_a_run_that_ends_in_time_is_left_alone() -> None:
    with (
        subprocess.Popen([sys.executable, "-c", ""], text=True, start_new_session=True) as child,
        ended_after(30, child) as hung,
    ):
        assert child.wait(20) == 0
    assert not hung.is_set()
    assert not any(isinstance(thread, threading.Timer) for thread in threading.enumerate())
