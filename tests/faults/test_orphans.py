"""Load ends with the process that was asked for it, however that ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest

from tests.commands import REPOSITORY, command, environment, occbench, wait_for
from tests.conftest import sql_target
from tests.faults.conftest import Measured

_RUN = ("--users", 8, "--accounts", 1000, "--keys", "int", "--warmup", "0s")
_PROMISED_S = 2.0
_SLACK_S = 3.0
"""What a machine that has other things to do may take longer."""


@contextmanager
def load(command_line: list[str], cwd: Path, processes: int) -> Iterator[list[psutil.Process]]:
    """The process and those that it has started, once that many of them make load."""
    parent = subprocess.Popen(
        command_line, cwd=cwd, env=environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    family: list[psutil.Process] = []

    def at_work() -> bool:
        assert parent.poll() is None, parent.communicate()
        family[:] = [psutil.Process(parent.pid), *psutil.Process(parent.pid).children(recursive=True)]
        return len(family) >= processes and bool([*cwd.rglob("run.json")])

    try:
        wait_for(at_work, "the run")
        time.sleep(2)
        yield family
    finally:
        for one in family:
            if one.is_running():
                one.kill()
        parent.communicate()


def commits(target: str) -> int:
    with closing(sql_target(target).connect()) as connection:
        row = connection.execute(
            "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    assert row is not None
    return int(row[0])


def check_ends(family: list[psutil.Process], number: int, target: str) -> float:
    """Send the signal to the first alone; how long the others were there after it."""
    first, *others = family
    assert others
    sent = time.monotonic()
    first.send_signal(number)
    _, alive = psutil.wait_procs(others, timeout=_PROMISED_S + _SLACK_S)
    took = time.monotonic() - sent
    assert not alive
    time.sleep(1)  # until the server has counted what they did
    before = commits(target)
    time.sleep(1)
    assert commits(target) - before < 20, "nobody makes load any more"
    return took


def locust_command(*words: object) -> list[str]:
    program = [sys.executable, "-m", "locust", "-f", str(REPOSITORY / "locustfile.py")]
    return [*program, *map(str, words)]


@pytest.mark.timed
def test_workers_end_with_a_master_that_is_killed(
    seeded: str, tmp_path: Path, measured: Measured
) -> None:
    """Workers end within 2 s of a master that is killed; what they had written can be reported."""
    words = ("run", "--target", seeded, *_RUN, "--duration", "60s", "--processes", 2)
    with load(command(*words), tmp_path, processes=3) as family:
        took = check_ends(family, signal.SIGKILL, seeded)
    measured(f"both workers ended after {took:.1f} s")
    (folder,) = (tmp_path / "results").iterdir()
    done = occbench("report", folder, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.long
@pytest.mark.parametrize("processes", [1, 2])
def test_a_run_ends_with_a_sweep_that_is_killed(
    seeded: str, tmp_path: Path, measured: Measured, processes: int
) -> None:
    """A sweep that is killed leaves no run that makes load, and its point can be measured again."""
    words = ("sweep", "--target", seeded, *_RUN, "--duration", "60s", "--processes", processes)
    line = command(*words, "--rate", "100,200")
    with load(line, tmp_path, processes=1 + processes + (processes > 1)) as family:
        check_ends_of_load(family, signal.SIGKILL, seeded)
    measured("no commit after 3 s")


def check_ends_of_load(family: list[psutil.Process], number: int, target: str) -> None:
    """End the first; those that it has started save what there is, and make no load meanwhile."""
    first, *others = family
    first.send_signal(number)
    time.sleep(_PROMISED_S + 1)
    before = commits(target)
    time.sleep(1)
    assert commits(target) - before < 50
    _, alive = psutil.wait_procs(others, timeout=60)
    assert not alive


@pytest.mark.long
@pytest.mark.parametrize("page", [False, True], ids=["headless", "with the page"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_workers_of_locusts_own_program_end_with_it(
    seeded: str, tmp_path: Path, measured: Measured, page: bool, number: signal.Signals
) -> None:
    """`locust --processes` takes its workers with it when it is killed or its terminal is closed."""
    port = free_port()
    how = (
        ("--autostart", "--web-host", "127.0.0.1", "--web-port", free_port())
        if page
        else ["--headless"]
    )
    line = locust_command(
        *how, "--users", 8, "--spawn-rate", 8, "--run-time", "60s", "--processes", 2,
        "--master-bind-port", port, "--master-port", port,
        f"--occ-target={seeded}", "--occ-warmup=0s", "--occ-accounts=1000", "--occ-keys=int",
    )  # fmt: skip
    with load(line, tmp_path, processes=3) as family:
        if number == signal.SIGKILL:
            measured(f"both workers ended after {check_ends(family, number, seeded):.1f} s")
            return
        check_ends_of_load(family, number, seeded)
    (folder,) = (tmp_path / "results").iterdir()
    assert (folder / "report.html").exists()
    measured("no commit after 3 s, and a report")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_worker_whose_master_is_gone_before_it_looks_ends(tmp_path: Path) -> None:
    """A process that has lost its parent before it came to look for it ends as well."""
    looks = (
        "import os, time; from loadtest.process.child import end_with; "
        f"end_with({os.getpid()}, 0.5); time.sleep(60)"
    )
    # Its parent is the shell, not the process that it is told of.
    began = time.monotonic()
    done = subprocess.run(
        ["/bin/sh", "-c", f'"{sys.executable}" -c "{looks}"; exit $?'],
        cwd=tmp_path, env=environment(), check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 128 + signal.SIGTERM
    assert time.monotonic() - began < 30
