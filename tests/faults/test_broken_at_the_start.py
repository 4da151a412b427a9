"""What goes wrong at the start of a test, or takes its workers or its disk away, ends it in a line."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.commands import Done, command, environment, occbench, one_line, results_in, wait_for
from tests.faults.conftest import Measured

_RUN = ("run", "--users", 4, "--accounts", 1000, "--keys", "int", "--warmup", "0s")

as_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="only root can make a small disk"
)


def on_a_disk(
    options: str, before: str, *words: object, cwd: Path, program: list[str] | None = None
) -> tuple[Done, list[str]]:
    """A command whose `--out`, `cwd`/disk, is a disk of its own; and the files that it leaves there."""
    disk = cwd / "disk"
    disk.mkdir()
    script = (
        f'mount -t tmpfs -o {options} none {disk} || exit 99; {before}; "$@"; status=$?; '
        f"cp -r {disk} {cwd}/left; exit $status"
    )
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", *(program or command(*words, "--out", disk))],
        cwd=cwd, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip
    if done.returncode == 99:
        pytest.skip("this root cannot make a small disk")
    return done, [str(path) for path in (cwd / "left").rglob("*") if path.is_file()]


@as_root
@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.long)])
@pytest.mark.parametrize(
    ("options", "before"),
    [
        pytest.param("size=4k,nr_inodes=20", "head -c 4096 /dev/zero > disk/x", id="no space"),
        pytest.param("size=1M,nr_inodes=2", ":", id="no inodes", marks=pytest.mark.long),
    ],
)
def test_a_disk_that_is_full_from_the_start(
    seeded: str, tmp_path: Path, processes: int, options: str, before: str
) -> None:
    """A disk that is full, of bytes or of files, ends a run in one line before any load."""
    words = (*_RUN, "--target", seeded, "--duration", "60s", "--processes", processes)
    done, left = on_a_disk(options, before, *words, cwd=tmp_path)
    assert "No space left on device" in one_line(done, 2)
    assert not [file for file in left if not file.endswith("/x")]


@as_root
def test_the_same_in_locusts_own_program(seeded: str, tmp_path: Path) -> None:
    """`locust -f locustfile.py --headless` on a full disk ends with a line, and makes no load."""
    program = [sys.executable, "-m", "locust", "-f", str(Path(__file__).parents[2] / "locustfile.py")]
    program += ["--headless", "--users", "2", f"--occ-target={seeded}", "--occ-out=disk"]
    done, _ = on_a_disk("size=4k", "head -c 4096 /dev/zero > disk/x", cwd=tmp_path, program=program)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("occbench: ")]
    assert len(lines) == 1
    assert "No space left on device" in lines[0]


@as_root
@pytest.mark.long
@pytest.mark.parametrize("processes", [1, 2])
def test_a_disk_that_fills_up(seeded: str, tmp_path: Path, measured: Measured, processes: int) -> None:
    """A disk that fills up in a run ends it in one line; what was recorded by then can be reported."""
    words = (*_RUN, "--target", seeded, "--duration", "100s", "--processes", processes)
    began = time.monotonic()
    done, _ = on_a_disk("size=120k", ":", *words, cwd=tmp_path)
    took = time.monotonic() - began
    lines = [line for line in done.stderr.splitlines() if line.startswith("occbench: ")]
    assert done.returncode == 1, done.stderr
    assert len(lines) == 1
    assert "attempts could not be written" in lines[0]
    assert "No space left on device" in lines[0]
    assert "Traceback" not in done.stderr
    assert took < 90, "it did not go on without a record"
    (result,) = results_in(tmp_path / "left")
    again = occbench("report", result.folder, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    measured(f"ended after {took:.0f} s of 100 s")


@as_root
def test_simulating_on_a_full_disk(tmp_path: Path) -> None:
    """A simulation on a disk that is full ends in one line."""
    done, _ = on_a_disk("size=64k", ":", "simulate", "--duration", "20s", cwd=tmp_path)
    assert "No space left on device" in one_line(done, 1)


@contextmanager
def workers_of(run: subprocess.Popen[str], cwd: Path) -> Iterator[list[psutil.Process]]:
    try:
        wait_for(lambda: [*cwd.rglob("run.json")], "the run")
        time.sleep(3)
        children = psutil.Process(run.pid).children(recursive=True)
        yield [one for one in children if "locust.program" in " ".join(one.cmdline())]
    finally:
        run.kill()
        run.communicate()


def test_both_workers_are_killed(seeded: str, tmp_path: Path, measured: Measured) -> None:
    """A run whose workers are all killed ends in one line, and what they had written is kept."""
    words = (*_RUN, "--target", seeded, "--duration", "100s", "--processes", 2)
    run = subprocess.Popen(
        command(*words), cwd=tmp_path, env=environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    with workers_of(run, tmp_path) as workers:
        assert len(workers) == 2
        wait_for(lambda: len([*tmp_path.rglob("attempts/*.parquet")]) == 2, "what both have written")
        for worker in workers:
            worker.send_signal(signal.SIGKILL)
        began = time.monotonic()
        _, said = run.communicate(timeout=60)
        measured(f"ended {time.monotonic() - began:.0f} s later")
    assert run.returncode == 1
    lines = [line for line in said.splitlines() if line.startswith("occbench: ")]
    assert len(lines) == 1
    assert "Traceback" not in said
    (folder,) = (tmp_path / "results").iterdir()
    assert f"occbench report {folder.relative_to(tmp_path)}" in lines[0]
    done = occbench("report", folder, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_listener_that_fails(seeded: str, tmp_path: Path) -> None:
    """Any error in a listener at the start of a test ends Locust's program with a line."""
    mine = tmp_path / "mine.py"
    mine.write_text(
        "from locustfile import *\n"
        "from loadtest.engine.run import Run\n"
        "def begin(*_): raise KeyError('nobody expected this')\n"
        "Run.begin = begin\n"
    )
    done = subprocess.run(
        [
            *(sys.executable, "-m", "locust", "-f", mine, "--headless", "--users", "2"),
            *("--run-time", "100s", f"--occ-target={seeded}"),
        ],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "occbench: KeyError: 'nobody expected this'" in done.stderr
    assert "Traceback" not in done.stderr
