"""Showing how far a sweep is: points done, what the run says, and the time that is left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from time import monotonic
from typing import TextIO

from loadtest.process.progress import Progress, how_long
from loadtest.record.sweep import Point
from loadtest.sweep.plan import Sweep

OVERHEAD_S = 5.0
"""What a run takes beyond warm-up and duration until one has been timed: to start, to look whether
everything is there, to clean up after the one before it, and to write its report."""
LONG_S = 3600.0
"""A sweep that takes longer says how to stop and go on."""

Describe = Callable[[Sweep, Point], str]
"""What a measured point found, in a few words."""


def planned_s(sweep: Sweep, point: Point) -> float:
    """How long a point's users run, in seconds: ramp-up, warm-up, measuring."""
    config = sweep.config_of(point)
    ramp_up = config.users / config.spawn_rate if config.spawn_rate else 0.0
    return ramp_up + config.warmup + (config.duration or 0.0)


def size_of(sweep: Sweep) -> str:
    """As in `4 × users, 2 × retry, 3 repeats`, for the line that says what is coming."""
    parts = [f"{len(axis.values)} × {axis.name.replace('_', ' ')}" for axis in sweep.file.axes]
    if sweep.file.repeats > 1:
        parts.append(f"{sweep.file.repeats} repeats")
    return ", ".join(parts)


class Clock:
    """How long what is left will take, learned from the points that are done."""

    def __init__(self, sweep: Sweep, now: Callable[[], float] = monotonic) -> None:
        self._planned = {point.number: planned_s(sweep, point) for point in sweep.pending}
        self._overheads: list[float] = []
        self._now = now
        self._current: int | None = None
        self._began = now()

    def begin(self, point: Point) -> None:
        """A point begins."""
        self._current, self._began = point.number, self._now()

    def end(self, point: Point) -> None:
        """It has ended; only what was measured tells how long the others take."""
        planned = self._planned.pop(point.number)
        self._current = None
        if point.state == "done":
            self._overheads.append(self._now() - self._began - planned)

    def left_s(self) -> float:
        """Seconds until all is measured."""
        known = self._overheads
        overhead = max(sum(known) / len(known) if known else OVERHEAD_S, 0.0)
        left = sum(self._planned.values()) + overhead * len(self._planned)
        if self._current is not None:
            # A point that takes longer than it should does not shorten the others.
            passed = self._now() - self._began
            left -= min(passed, self._planned[self._current] + overhead)
        return left


class SweepProgress:
    """The points done, the time left and what the run says; results stay above that line."""

    def __init__(self, sweep: Sweep, describe: Describe, stream: TextIO | None = None) -> None:
        # A log has a line for each point, and does not need what the runs say.
        self._progress = Progress(stream, every_s=inf)
        self._sweep = sweep
        self._describe = describe
        self._clock = Clock(sweep)
        self._point = self._said = ""
        self._until = 0.0

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Say what is coming, and show how far it is until the block is left."""
        with self._progress:
            for line in announcement(self._sweep, self._clock.left_s()):
                self.note(line)
            yield

    def point(self, point: Point) -> None:
        """This point's run begins."""
        self._clock.begin(point)
        self._point = self._sweep.describe(point)
        self.live("starting")

    def live(self, line: str) -> None:
        """What the run says while it goes on."""
        self._said = line.strip()
        # The line is drawn by another thread, which must not meet the clock while it changes.
        self._until = monotonic() + self._clock.left_s()
        total = len(self._sweep.file.points)
        self._progress.show(self._line, (total - len(self._sweep.pending)) / total)

    def ended(self, point: Point) -> None:
        """The point is done or has failed: say what came out, and how long the rest will take."""
        self._clock.end(point)
        what = (
            self._describe(self._sweep, point) if point.state == "done" else f"failed: {point.reason}"
        )
        total = len(self._sweep.file.points)
        left = f" (about {how_long(self._clock.left_s())} left)" if self._sweep.pending else ""
        self.note(f"{point.number}/{total}  {self._sweep.describe(point)}: {what}{left}")

    def note(self, text: str) -> None:
        """Something a person may want to know."""
        self._progress.note(text)

    def _line(self) -> str:
        total, left = len(self._sweep.file.points), len(self._sweep.pending)
        how_far = f"{total - left}/{total}  {how_long(max(self._until - monotonic(), 0.0))} left"
        return f"{how_far}  {self._point}: {self._said}"


def announcement(sweep: Sweep, seconds: float) -> list[str]:
    """What is said before the first point; with a way out where it will take hours."""
    total, left = len(sweep.file.points), len(sweep.pending)
    if not left:
        return [f"all {total:,} points are measured: {sweep.folder}"]
    count = f"{total:,} points" if left == total else f"{left:,} of {total:,} points are left"
    lines = [f"{count} ({size_of(sweep)}), about {how_long(seconds)}: {sweep.folder}"]
    if seconds > LONG_S:
        lines.append(
            f"That is long. Ctrl-C stops and keeps what is measured; {sweep.resume_command()} goes on."
        )
    return lines
