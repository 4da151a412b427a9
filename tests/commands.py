"""Runs `occbench` as a user does, in a process of its own, and reads what a run left."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests import known_secrets

REPOSITORY = Path(__file__).parents[1]
TIMEOUT = 120
BYTECODE = {
    "PYTHONDONTWRITEBYTECODE": "",
    "PYTHONPYCACHEPREFIX": str(REPOSITORY / "tests" / ".cache" / "bytecode"),
}
"""Hundreds of commands do not compile the same again, and write nothing beside the sources."""

Done = subprocess.CompletedProcess[str]


def environment(**more: str) -> dict[str, str]:
    """What a command is started with: none of the settings that this machine may have for it."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OCC", "LOCUST_", "PG", "AWS_", "COLUMNS"))
    }
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    return {**clean, "PYTHONPATH": path, **BYTECODE, **more}


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "loadtest.cli", *map(str, words)]


def _run(words: list[str], cwd: Path, timeout: float, **more: str) -> Done:
    """Run it to its end; what it prints is searched for every secret that the tests know."""
    done = subprocess.run(
        words,
        cwd=cwd,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    known_secrets.check(done.stdout + done.stderr, "what the command printed")
    return done


def occbench(*words: object, cwd: Path, **more: str) -> Done:
    return _run(command(*words), cwd, TIMEOUT, **more)


def locust(*words: object, cwd: Path, **more: str) -> Done:
    """`locust -f locustfile.py`, Locust's own program."""
    program = [sys.executable, "-m", "locust", "-f", str(REPOSITORY / "locustfile.py")]
    return _run([*program, *map(str, words)], cwd, 90, **more)


class Watched(subprocess.Popen[str]):
    """A command whose output is searched for secrets when it is read."""

    def communicate(self, *args: Any, **more: Any) -> tuple[str, str]:
        said = super().communicate(*args, **more)
        known_secrets.check("".join(filter(None, said)), "what the command printed")
        return said


def start(*words: object, cwd: Path) -> subprocess.Popen[str]:
    """The same, to be waited for; the caller ends it."""
    return Watched(
        command(*words),
        cwd=cwd,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come in {seconds:g} s")
        time.sleep(0.02)


@dataclass(frozen=True)
class RunResult:
    """A run's folder, read."""

    folder: Path

    @cached_property
    def run(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "run.json").read_text()))

    @cached_property
    def summary(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "summary.json").read_text()))

    @cached_property
    def files(self) -> list[Path]:
        return sorted((self.folder / "attempts").iterdir())

    @cached_property
    def table(self) -> pa.Table:
        return pa.concat_tables([pq.read_table(path) for path in self.files])

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """Every attempt, in the order of transactions and attempts, with how long its parts took."""
        order = [("transaction", "ascending"), ("attempt", "ascending")]
        return [_with_parts(row) for row in self.table.sort_by(order).to_pylist()]

    def of_outcome(self, *outcomes: str) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["outcome"] in outcomes]


def _with_parts(row: dict[str, Any]) -> dict[str, Any]:
    begin, end, sent = row["begin_sent_ns"], row["ended_ns"], row["commit_sent_ns"]
    first, begun = row["first_answered_ns"], row["begin_answered_ns"]
    return row | {
        "numbers": tuple(one["row"] for one in row["rows"]),
        "start_ns": begin,
        "statements_ns": (sent or end) - begin,
        "commit_ns": end - sent if sent else 0,
        "window_low_ns": sent - first if sent and first else 0,
        "window_high_ns": end - begun if sent and begun else 0,
    }


def results_in(out: Path) -> list[RunResult]:
    return [RunResult(folder) for folder in sorted(out.iterdir())] if out.is_dir() else []


def run(*words: object, out: Path, **more: str) -> RunResult:
    """A run that must end well."""
    before = {result.folder for result in results_in(out)}
    done = occbench("run", *words, "--out", out, cwd=out.parent, **more)
    assert done.returncode == 0, done.stderr
    made = [result for result in results_in(out) if result.folder not in before]
    assert len(made) == 1
    assert str(made[0].folder / "report.html") in done.stdout
    check_conserved(made[0])
    return made[0]


def check_conserved(result: RunResult) -> None:
    """The database kept its promise, on every target and table."""
    invariants = result.run["invariant"]
    config = result.run["config"]
    assert len(invariants) == len(config["target"]) * len(config["keys"])
    for invariant in invariants:
        assert invariant["holds"] is True, invariant
        assert invariant["found"] == invariant["expected"]


def one_line(done: Done, status: int) -> str:
    """What a command says that could not do what it was asked: one line, and nothing else."""
    assert done.returncode == status, (done.returncode, done.stderr)
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("occbench: ")
    return lines[0]
