"""A run that measures nothing, because of its target (status 3) or of what was asked for (2)."""

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.commands import (
    REPOSITORY,
    RunResult,
    Watched,
    command,
    environment,
    occbench,
    one_line,
    results_in,
    wait_for,
)
from tests.conftest import sql_target
from tests.faults.conftest import Measured, updates, url
from tests.rigs.relay import Relay

SCHEMA = quote("-c search_path=public", safe="")
PROGRAMS = ["occbench run", "occbench run --processes 2", "locust --headless"]


def program(name: str, target: str, out: Path, *, measured_s: int, warmup_s: int) -> list[str]:
    """Four users of this target, by one of the PROGRAMS."""
    if name.startswith("occbench"):
        return command(
            *name.split()[1:], "--target", target, "--keys", "int", "--users", 4, "--out", out,
            "--duration", f"{measured_s}s", "--warmup", f"{warmup_s}s",
        )  # fmt: skip
    return [
        sys.executable, "-m", *name.split(), "-f", str(REPOSITORY / "locustfile.py"), "--users", "4",
        "--spawn-rate", "4", "--run-time", f"{measured_s + warmup_s}s", f"--occ-warmup={warmup_s}s",
        f"--occ-target={target}", "--occ-keys=int", f"--occ-out={out}", "--only-summary",
    ]  # fmt: skip


def status_and_line(words: list[str], cwd: Path, meanwhile: Callable[[], object]) -> tuple[int, str]:
    """How the command ended while that was done to it, and the one line that it said of it."""
    process = Watched(
        words, cwd=cwd, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        meanwhile()
        _, heard = process.communicate(timeout=120)
    finally:
        process.kill()
    assert "Traceback" not in heard
    assert "interrupted" not in heard
    lines = [line for line in heard.splitlines() if line.startswith("occbench: ")]
    assert len(lines) == 1, heard
    return process.returncode, lines[0]


def begun(out: Path) -> None:
    """Wait until a run has its folder, which is before its users connect."""
    wait_for(lambda: list(out.glob("*/run.json")), "the run's folder")


def said(line: str, unmeasured: str, measured: str) -> bool:
    """Whether it names the cause, of attempts that all began in the warm-up or of measured ones.

    Which of them it is decides how fast the machine is.
    """
    if ": every attempt failed: " in line:
        return measured in line
    return " holds no measured attempts: " in line and unmeasured in line


def kept(out: Path) -> RunResult:
    """The run's record, which came to its end."""
    (result,) = results_in(out)
    assert result.run["ended_ns"]
    assert result.run["interrupted"] is False
    assert sum(result.run["files"].values()) == len(result.rows)
    return result


@pytest.mark.long
@pytest.mark.parametrize("name", PROGRAMS)
def test_every_connection_hangs(
    seeded: str, proxy: Relay, tmp_path: Path, measured: Measured, name: str
) -> None:
    """A run whose connections are taken and not answered ends with status 3 and a line that says so.

    They are answered until the load begins, and never again.
    """
    del seeded
    out = tmp_path / "results"

    def silence() -> None:
        begun(out)
        proxy.silence()

    # Longer than the run, and the check after it waits as long.
    target = url(proxy, options=SCHEMA, connect_timeout=12)
    words = program(name, target, out, measured_s=2, warmup_s=1)
    status, line = status_and_line(words, tmp_path, silence)
    measured(line.partition("results/")[2])
    assert status == 3, line
    assert said(
        line, "4 of 4 users never had a session, for the target did not answer", "4 connect_failed"
    )
    assert {row["outcome"] for row in kept(out).rows} == {"connect_failed"}


@pytest.mark.long
@pytest.mark.parametrize("name", PROGRAMS)
def test_every_connection_is_let_in_and_hears_nothing(
    seeded: str, proxy: Relay, tmp_path: Path, measured: Measured, name: str
) -> None:
    """A run whose connections come about and are never answered ends with status 3, and ends.

    So they do behind a pooler whose server stands still. The check after the run meets the same.
    """
    del seeded
    out = tmp_path / "results"

    def silence() -> None:
        begun(out)
        proxy.silence(greets=True)

    target = url(proxy, options=SCHEMA, tcp_user_timeout=1000)
    words = program(name, target, out, measured_s=8, warmup_s=1)
    status, line = status_and_line(words, tmp_path, silence)
    measured(line.partition("results/")[2])
    assert status == 3, line
    assert said(line, "the target said: no answer for 1 s", "connect_failed (no answer for 1 s)")
    assert {row["outcome"] for row in kept(out).rows} == {"connect_failed"}


@pytest.mark.long
@pytest.mark.parametrize("name", PROGRAMS)
def test_answers_end_within_the_warm_up(
    seeded: str, proxy: Relay, tmp_path: Path, measured: Measured, name: str
) -> None:
    """A target that answers nothing from the warm-up on is status 3; what it had committed is kept."""
    out = tmp_path / "results"

    def silence() -> None:
        with closing(sql_target(seeded).connect()) as connection:
            before = updates(connection)
            begun(out)
            wait_for(lambda: updates(connection) > before + 10, "transfers")
        proxy.silence()

    words = program(name, url(proxy, options=SCHEMA), out, measured_s=8, warmup_s=6)
    status, line = status_and_line(words, tmp_path, silence)
    measured(line.partition("results/")[2])
    assert status == 3, line
    assert "no measured attempts: the target answered nothing in the " in line
    assert len(kept(out).of_outcome("committed")) > 10


@pytest.mark.parametrize("name", [PROGRAMS[0], pytest.param(PROGRAMS[2], marks=pytest.mark.long)])
def test_every_connection_is_refused(
    seeded: str, proxy: Relay, tmp_path: Path, measured: Measured, name: str
) -> None:
    """A server that is gone once the load begins is status 3, with a report and what it says."""
    del seeded
    out = tmp_path / "results"

    def down() -> None:
        begun(out)
        proxy.down()

    target = url(proxy, options=SCHEMA)
    status, line = status_and_line(program(name, target, out, measured_s=2, warmup_s=0), tmp_path, down)
    measured(line.rpartition(": every")[2])
    assert status == 3, line
    assert "every attempt failed: " in line
    assert (kept(out).folder / "report.html").is_file()


@pytest.mark.parametrize("words", [("run", "--users", 2), ("seed", "--accounts", 100)])
def test_a_silent_target_is_found_before_the_load(
    proxy: Relay, tmp_path: Path, measured: Measured, words: tuple[object, ...]
) -> None:
    """A target that lets a connection in and answers nothing ends a command before it does anything."""
    proxy.silence(greets=True)
    began = time.monotonic()
    done = occbench(
        *words, "--keys", "int", "--target", url(proxy, tcp_user_timeout=1000), cwd=tmp_path
    )
    measured(f"after {time.monotonic() - began:.0f} s")
    assert "cannot be reached: no answer for 1 s; check the host" in one_line(done, 3)
    assert not list(tmp_path.iterdir())


@pytest.mark.long
def test_a_run_time_that_ends_before_the_target_answers(proxy: Relay, tmp_path: Path) -> None:
    """Locust's own timer may end a test that waits for its target: status 3 and a line."""
    proxy.silence()
    words = program(
        "locust --headless --processes 2", url(proxy, connect_timeout=60), tmp_path / "results",
        measured_s=2, warmup_s=1,
    )  # fmt: skip
    status, line = status_and_line(words, tmp_path, lambda: None)
    assert status == 3, line
    assert "the run time of 3 s was over before every target had answered" in line


@pytest.mark.parametrize("never", [("--think-time", "60s"), ("--rate", 0.01)])
def test_a_run_in_which_nothing_is_due(seeded: str, tmp_path: Path, never: tuple[object, ...]) -> None:
    """A run that asks its target nothing in the measured time was asked for wrongly: status 2."""
    done = occbench(
        "run", "--target", seeded, "--keys", "int", "--users", 2, "--duration", "1s", "--warmup", "1s",
        "--out", tmp_path, *never, cwd=tmp_path,
    )  # fmt: skip
    assert "no transaction was due in the 1 s after the warm-up" in one_line(done, 2)
