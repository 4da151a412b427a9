"""Measuring what is pending: one point after another, each by `occbench run` in a process of its own.

A process for each point makes every point alike: none inherits the memory, the connections or the
compiled statements of the one before it.
"""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import time_ns
from typing import Any

from loadtest.config.options import command_words
from loadtest.config.run import RunConfig
from loadtest.errors import InputError, OccbenchError
from loadtest.errors.messages import one_line
from loadtest.process.child import occbench_with_hidden_words
from loadtest.process.file_lock import try_lock
from loadtest.process.in_use import Noted
from loadtest.process.interrupts import asked_to_end
from loadtest.process.progress import how_long
from loadtest.record.sweep import POINTS_FOLDER, Point
from loadtest.sweep.overtime import LIMIT_S, ended_after
from loadtest.sweep.plan import Sweep
from loadtest.sweep.progress import SweepProgress, planned_s
from loadtest.targets import open_target

_STOPPING = "stopping; the points that are measured are kept (Ctrl-C again to leave at once)"


def measure(sweep: Sweep, lock: int, progress: SweepProgress) -> bool:
    """Measure every pending point; returns whether all were tried before the sweep was asked to end.

    sweep.json is written after every point. A point that fails is noted with its reason and the next
    one is tried; the point that Ctrl-C meets stays pending. `lock` is what `alone` gave for the sweep's
    folder. Raises OccbenchError if sweep.json cannot be written.
    """
    measuring = _Measuring(sweep, lock, progress)
    pending = sweep.pending
    specs = {spec.url: spec for point in pending for spec in sweep.config_of(point).specs()}
    # Between two points, too, others are to see that its targets are in use.
    noted = Noted([open_target(spec) for spec in specs.values()], sweep.folder)
    with ExitStack() as stack:
        stack.callback(noted.end)
        stack.enter_context(asked_to_end(measuring.stop))
        stack.enter_context(progress.shown())
        if pending:
            sweep.file.ended_ns, sweep.file.interrupted = None, False
            sweep.save()
        for point in pending:
            progress.point(point)
            measuring.measure(point)
            if point.state != "pending":
                sweep.save()
                progress.ended(point)
            if measuring.interrupted:
                break
        sweep.file.interrupted = bool(sweep.pending)
        if pending and not sweep.pending:
            sweep.file.ended_ns = time_ns()
        sweep.save()
    return not sweep.file.interrupted


@dataclass(slots=True)
class _Measuring:
    """The run of a point that is going on, and whether the sweep was asked to end."""

    sweep: Sweep
    lock: int
    progress: SweepProgress
    child: subprocess.Popen[str] | None = None
    interrupted: bool = False
    told: bool = False

    def stop(self) -> None:
        """Ask the run to save what it has, or, asked a second time, to leave."""
        self.interrupted = True
        if self.child is not None and self.child.poll() is None:
            self.child.send_signal(signal.SIGINT)

    def measure(self, point: Point) -> None:
        """Do the point's run; the point then is done or failed, or still pending where interrupted."""
        points = self.sweep.folder / POINTS_FOLDER
        before = set(points.iterdir())
        started_ns = time_ns()
        limit_s = planned_s(self.sweep, point) + LIMIT_S
        status, lines, hung = self._run(self.sweep.config_of(point), limit_s)
        folder = max(set(points.iterdir()) - before, key=lambda one: one.name, default=None)
        if folder is not None and is_measured(folder, status):
            point.state, point.folder = "done", f"{POINTS_FOLDER}/{folder.name}"
        elif self.interrupted:
            return
        else:
            late = f"it had not ended {how_long(limit_s)} after it began and was stopped; "
            point.state, point.reason = "failed", (late if hung else "") + reason_of(status, lines)
        point.started_ns, point.ended_ns, point.exit_status = started_ns, time_ns(), status

    def _run(self, config: RunConfig, limit_s: float) -> tuple[int, list[str], bool]:
        """Do one run; returns its exit status, the last lines that it wrote to stderr, and whether it
        had to be ended after `limit_s` seconds.
        """
        # A target's password is nothing for a list of processes.
        command, words = occbench_with_hidden_words("run", *command_words(config))
        lines: list[str] = []
        # A session of its own: Ctrl-C in the terminal is for us, and reaches the run once. It inherits
        # the lock, so that the sweep is not gone on with beside a run that has lost its parent.
        with (
            subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=True,
                pass_fds=(self.lock,),
            ) as child,
            ended_after(limit_s, child) as hung,
        ):
            self.child = child
            assert child.stdin is not None  # noqa: S101 - it is a pipe
            with suppress(BrokenPipeError), child.stdin:
                child.stdin.write(words)
            if self.interrupted:  # between the last look and here
                self.stop()
            assert child.stderr is not None  # noqa: S101 - it is a pipe
            for line in child.stderr:
                lines = [*lines[-20:], line.rstrip()]
                if self.interrupted and not self.told:
                    # Told here and not by the signal's handler, which may have broken into another
                    # message.
                    self.progress.note(_STOPPING)
                    self.told = True
                self.progress.live("stopping" if self.interrupted else lines[-1])
            child.wait()
        self.child = None
        return child.returncode, lines, hung.is_set()


def is_measured(folder: Path, status: int) -> bool:
    """Whether the run has come to its end and has figures.

    Status 1 then means that they are doubtful, as its report says: the invariant is broken, most
    transactions failed, or attempts are missing in the record.
    """
    if status == 0:
        return True
    if status != OccbenchError.exit_code:
        return False
    try:
        summary: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        return bool(summary["overall"]["transactions"]) or summary["invariant"]["holds"] is False
    except (OSError, ValueError, KeyError, TypeError):
        return False


def reason_of(status: int, lines: list[str]) -> str:
    """Why a run failed, in one line: its own words where it had some."""
    own = [line.removeprefix("occbench: ") for line in lines if line.startswith("occbench: ")]
    if own:
        return own[-1]
    ended = f"ended with status {status}" if status >= 0 else f"was killed by signal {-status}"
    last = next((line for line in reversed(lines) if line.strip()), "")
    return f"the run {ended}" + (f": {one_line(last)}" if last else "")


@contextmanager
def alone(folder: Path) -> Iterator[int]:
    """Lock the sweep of this folder against other processes; gives the lock, an open file.

    Take it before sweep.json is read, or that may be older than what someone else has just measured.
    Raises InputError if someone else has it, or there is no such folder.
    """
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise InputError(f"{folder} is not a sweep's folder: {error.strerror}") from None
    try:
        if not try_lock(lock):
            raise InputError(f"{folder} is being measured by another process; wait until it has ended")
        yield lock
    finally:
        os.close(lock)
