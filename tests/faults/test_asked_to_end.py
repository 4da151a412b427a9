"""Ctrl-C, SIGTERM, SIGHUP, in any order and at any time: one meaning, no traceback, nothing lost."""

import os
import pty
import signal
import subprocess
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from seed import contents
from tests.commands import command, environment, occbench, results_in, wait_for
from tests.conftest import sql_target
from tests.faults.conftest import Measured
from tests.faults.test_orphans import free_port, locust_command

INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
_RUN = ("--users", 4, "--accounts", 1000, "--keys", "int", "--warmup", "0s", "--duration", "60s")
_WAITS_S = 60


def begin(*words: object, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(*words), cwd=cwd, env=environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def ends(process: subprocess.Popen[str], *script: tuple[float, signal.Signals]) -> str:
    """Send each signal after its pause, the first at once; what was said on stderr, with status 130."""
    for pause_s, number in script:
        time.sleep(pause_s)
        process.send_signal(number)
    said, complaints = process.communicate(timeout=_WAITS_S)
    assert "Traceback" not in complaints + said, complaints
    assert "Exception ignored" not in complaints, complaints
    assert process.returncode == 130, complaints
    return complaints


def catches(process: subprocess.Popen[str], number: signal.Signals) -> bool:
    """Whether the process has a handler for the signal; Python has none for SIGTERM by itself."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def check_reportable(out: Path) -> None:
    """There is one run, and it can be reported."""
    (result,) = results_in(out)
    done = occbench("report", result.folder, cwd=out.parent)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("script", "processes"),
    [
        pytest.param([(0, HUP)], 1, marks=pytest.mark.long),
        ([(0, INT), (0.1, INT), (0.1, INT), (0.1, INT), (0.1, INT)], 1),
        pytest.param([(0, INT), (0.3, TERM)], 2, marks=pytest.mark.long),
        pytest.param([(0, TERM), (0.01, HUP), (0.01, INT)], 2, marks=pytest.mark.long),
        pytest.param([(0, INT), (1.2, TERM)], 2, marks=pytest.mark.long),
        pytest.param([(0, INT), (1.2, INT), (1.2, INT)], 2, marks=pytest.mark.long),
        pytest.param([(0, INT)] + 12 * [(0.3, INT)], 2, marks=pytest.mark.long),
    ],
)
def test_what_was_measured_is_kept(
    seeded: str, tmp_path: Path, measured: Measured, script: list[tuple[float, signal.Signals]],
    processes: int,
) -> None:  # fmt: skip
    """A run that is asked to end, once or several times, by any signal, keeps what was measured."""
    out = tmp_path / "results"
    process = begin("run", "--target", seeded, *_RUN, "--processes", processes, cwd=tmp_path)
    wait_for(lambda: [*out.glob("*/run.json")] or process.poll() is not None, "the run")
    # Longer where workers have still to get their users.
    time.sleep(1.0 + processes)
    ends(process, *script)
    measured(f"{len(script)} signals, status 130")
    check_reportable(out)


def test_asked_within_imports(tmp_path: Path, measured: Measured) -> None:
    """Ctrl-C in the first moments of a command ends it with one line."""
    for tenths in range(0, 8, 2):
        process = begin("run", "--target", "postgresql://u@127.0.0.1:9/none", *_RUN, cwd=tmp_path)
        wait_for(partial(catches, process, TERM), "its handlers")
        time.sleep(tenths / 10)
        if process.poll() is None:
            said = ends(process, (0, INT), (0.02, INT), (0.02, TERM))
            assert said == "occbench: interrupted\n"
    measured("0 to 0.6 s after it began to listen")


@pytest.mark.long  # in its short form, with Ctrl-C, it is in tests/integration/test_simulate.py
@pytest.mark.parametrize("number", [TERM, HUP])
def test_simulating(tmp_path: Path, number: signal.Signals) -> None:
    """A simulation that is asked to end keeps what was simulated."""
    process = begin(
        "simulate", "--users", 100, "--duration", "160h", "--keys", "int", "--warmup", "0s",
        "--block", "1h",
        cwd=tmp_path,
    )  # fmt: skip
    wait_for(lambda: [*tmp_path.glob("results/*/attempts/*.parquet")], "the first attempts")
    ends(process, (0, number))
    check_reportable(tmp_path / "results")


def has_begun(target: str, accounts: int) -> bool:
    """Whether some of so many accounts are there."""
    opened = sql_target(target)
    if not any(one.accounts == accounts for one in contents(opened)):
        return False
    with closing(opened.connect()) as connection:
        return bool(connection.execute("SELECT FROM public.accounts_uuid7 LIMIT 1").fetchall())


@pytest.mark.parametrize("number", [TERM, pytest.param(HUP, marks=pytest.mark.long)])
def test_seeding(load_target: str, tmp_path: Path, number: signal.Signals) -> None:
    """Seeding that is asked to end says how to go on."""
    # Not as many as the seeding before left behind.
    accounts = 3_000_000 + number
    process = begin(
        "seed", "--target", load_target, "--keys", "uuid7", "--accounts", accounts, "--batch", 100,
        "--recreate",
        cwd=tmp_path,
    )  # fmt: skip
    wait_for(
        lambda: process.poll() is not None or has_begun(load_target, accounts), "the first accounts"
    )
    said = ends(process, (0, number))
    assert "the same command goes on from there" in said


@pytest.mark.long
def test_sweeping(seeded: str, tmp_path: Path) -> None:
    """A sweep that is asked to end says how to go on, and its run has ended in order."""
    process = begin("sweep", "--target", seeded, *_RUN, "--rate", "50,100", cwd=tmp_path)
    wait_for(lambda: [*tmp_path.glob("results/*/points/*/run.json")], "the first point")
    time.sleep(2)
    said = ends(process, (0, HUP))
    assert "--resume" in said
    (point,) = tmp_path.glob("results/*/points/*")
    assert (point / "report.html").exists()


def test_nohup(seeded: str, tmp_path: Path) -> None:
    """A hangup that is ignored from the start, as by `nohup`, ends nothing."""
    words = command("run", "--target", seeded, *_RUN[:-1], "2s")
    process = subprocess.Popen(
        ["/bin/sh", "-c", 'trap "" HUP; exec "$@"', "sh", *words], cwd=tmp_path, env=environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_for(lambda: [*tmp_path.glob("results/*/run.json")], "the run")
    process.send_signal(HUP)
    _, said = process.communicate(timeout=_WAITS_S)
    assert process.returncode == 0, said


def test_a_terminal_that_is_closed(seeded: str, tmp_path: Path) -> None:
    """A terminal that is closed in the middle of a run leaves it its record and its report."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *command("run", "--target", seeded, *_RUN)],
        cwd=tmp_path, env=environment(), stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    wait_for(lambda: [*tmp_path.glob("results/*/run.json")], "the run")
    time.sleep(2)
    os.close(ours)
    assert process.wait(_WAITS_S) == 130
    assert [*tmp_path.glob("results/*/report.html")]


@pytest.mark.long
@pytest.mark.parametrize(
    "script",
    [[(0, INT)] + 4 * [(0.15, INT)], [(0, INT), (0.5, TERM)], [(0, HUP)], [(0, TERM), (0.1, INT)]],
)
def test_locusts_own_program(
    seeded: str, tmp_path: Path, script: list[tuple[float, signal.Signals]]
) -> None:
    """`locust --processes` gives its report whatever its terminal sends to all of its processes."""
    port = free_port()
    process = subprocess.Popen(
        locust_command(
            "--headless", "--processes", 2, "--users", 4, "--spawn-rate", 4, "--occ-keys=int",
            "--master-bind-port", port, "--master-port", port, f"--occ-target={seeded}",
            "--occ-accounts=1000", "--occ-warmup=0s",
        ),
        cwd=tmp_path, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    wait_for(lambda: [*tmp_path.glob("results/*/run.json")], "the run")
    time.sleep(4)
    for pause_s, number in script:
        time.sleep(pause_s)
        os.killpg(process.pid, number)
    _, said = process.communicate(timeout=_WAITS_S)
    assert "Traceback" not in said
    assert "Fatal" not in said
    (result,) = results_in(tmp_path / "results")
    assert len(result.run["generators"]) == 2, "both have given their account"
    assert (result.folder / "report.html").exists()
