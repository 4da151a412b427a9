"""A program run to its end, with what it took."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

ROOT = Path(__file__).parents[2]
OCCBENCH = (sys.executable, "-m", "loadtest.cli")

_LEAVE_S = 5.0
_LAST_LINES = 6
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class BenchError(Exception):
    """A program that was to be measured failed."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a program took and what it said on its standard output."""

    seconds: float
    cpu_s: float
    peak_mb: float
    """Linux counts in what the process that started it took then: this package is kept small."""
    output: str


def run(command: Sequence[str | Path], cwd: Path = ROOT) -> Finished:
    """Run a program; raises BenchError with its last lines where it fails."""
    arguments = [str(part) for part in command]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    with TemporaryFile() as out, TemporaryFile() as err:
        began = time.perf_counter()
        # A session of its own: Ctrl-C is for this process, which ends the other one in order.
        child = subprocess.Popen(
            arguments, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
            env=environment, start_new_session=True,
        )  # fmt: skip
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            _end(child)
            raise
        seconds = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            last = "\n".join((_text(err) or _text(out)).splitlines()[-_LAST_LINES:])
            raise BenchError(f"{' '.join(arguments)}\nended with {child.returncode}:\n{last}")
        return Finished(
            seconds,
            usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss * _RSS_UNIT / 2**20,
            _text(out),
        )


def _end(child: "subprocess.Popen[bytes]") -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with suppress(subprocess.TimeoutExpired):
            child.wait(_LEAVE_S)
            return


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace").strip()
