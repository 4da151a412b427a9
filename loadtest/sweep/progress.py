"""Showing how far a sweep is: points done, what the run says, and the time that is left."""

import sys
from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TaskID, TextColumn
from rich.progress import Progress as RichBar
from rich.table import Column
from rich.text import Text

from loadtest.record.sweep import Point
from loadtest.sweep.plan import Sweep

OVERHEAD_S = 5.0
"""What a run takes beyond warm-up and duration until one has been timed: to start, to look whether
everything is there, to clean up after the one before it, and to write its report."""
LONG_S = 3600.0
"""A sweep that takes longer says how to stop and go on."""

Describe = Callable[[Sweep, Point], str]
"""What a measured point found, in a few words."""


class Progress(Protocol):
    """What measuring tells whoever watches; used as a context manager."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Show no more."""

    def begin(self, sweep: Sweep) -> None:
        """Measuring begins; some points may be done from before."""

    def point(self, point: Point) -> None:
        """This point's run begins."""

    def live(self, line: str) -> None:
        """What the run says while it goes on."""

    def ended(self, point: Point) -> None:
        """The point is done or has failed."""

    def note(self, text: str) -> None:
        """Something a person may want to know."""


def planned_s(sweep: Sweep, point: Point) -> float:
    """How long a point's users run, in seconds: ramp-up, warm-up, measuring."""
    config = sweep.config_of(point)
    ramp_up = config.users / config.spawn_rate if config.spawn_rate else 0.0
    return ramp_up + config.warmup + (config.duration or 0.0)


def how_long(seconds: float) -> str:
    """A time to wait as a person says it: `40 s`, `12 min`, `3 h 20 min`, `2 days 4 h`."""
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h" + (f" {minutes} min" if minutes else "")
    days, hours = divmod(round(seconds / 3600), 24)
    return f"{days} day{'s' if days > 1 else ''}" + (f" {hours} h" if hours else "")


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


class LineProgress:
    """A line when measuring begins and one for each point, for logs."""

    def __init__(self, stream: TextIO, describe: Describe) -> None:
        self._stream = stream
        self._describe = describe
        self._sweep: Sweep | None = None
        self._clock: Clock | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return

    def begin(self, sweep: Sweep) -> None:
        """Say how many points there are, where they go, and how long it will take."""
        self._sweep, self._clock = sweep, Clock(sweep)
        for line in announcement(sweep, self._clock.left_s()):
            self.note(line)

    def point(self, point: Point) -> None:
        """Start the clock."""
        if self._clock is not None:
            self._clock.begin(point)

    def live(self, line: str) -> None:
        """A log does not need it."""

    def ended(self, point: Point) -> None:
        """Say what came out, and how long the rest will take."""
        assert self._sweep is not None and self._clock is not None  # noqa: S101, PT018 - begun
        self._clock.end(point)
        result = _result(self._sweep, point, self._describe)
        left = f" (about {how_long(self._clock.left_s())} left)" if self._sweep.pending else ""
        self.note(result + left)

    def note(self, text: str) -> None:
        """Print it."""
        print(text, file=self._stream, flush=True)


class _LeftColumn(ProgressColumn):
    """The time that is left, counting down between points too."""

    def __init__(self, left_s: Callable[[], float | None]) -> None:
        super().__init__()
        self._left_s = left_s

    def render(self, task: Task) -> Text:
        """As in `12 min left`; nothing when all is done."""
        left = None if task.finished else self._left_s()
        return Text("" if left is None else f"{how_long(left)} left")


class BarProgress:
    """A bar with the points, the time left, and what the run says; results scroll above it."""

    def __init__(self, stream: TextIO, describe: Describe) -> None:
        self._describe = describe
        # Drawn seldom: it shares the machine with what is measured.
        self._bar = RichBar(
            BarColumn(20),
            MofNCompleteColumn(),
            _LeftColumn(lambda: None if self._clock is None else self._clock.left_s()),
            TextColumn(
                "{task.description}",
                # It takes what the others leave, and never their room.
                table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
            ),
            console=Console(file=stream),
            refresh_per_second=1,
            expand=True,
        )
        self._task: TaskID | None = None
        self._sweep: Sweep | None = None
        self._clock: Clock | None = None
        self._now = ""

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._bar.update(self._task, description="")
        self._bar.stop()

    def begin(self, sweep: Sweep) -> None:
        """Say what is coming and add the bar."""
        self._sweep, self._clock = sweep, Clock(sweep)
        for line in announcement(sweep, self._clock.left_s()):
            self.note(line)
        total = len(sweep.file.points)
        done = total - len(sweep.pending)
        self._task = self._bar.add_task("", total=total, completed=done)

    def point(self, point: Point) -> None:
        """Show which one."""
        assert self._sweep is not None and self._clock is not None  # noqa: S101, PT018 - begun
        self._clock.begin(point)
        self._now = self._sweep.describe(point)
        self.live("starting")

    def live(self, line: str) -> None:
        """Show the run's own line behind the point's values."""
        if self._task is not None:
            self._bar.update(self._task, description=escape(f"{self._now}: {line.strip()}"))

    def ended(self, point: Point) -> None:
        """Print the result above the bar and move it."""
        assert self._sweep is not None and self._clock is not None  # noqa: S101, PT018 - begun
        self._clock.end(point)
        self.note(_result(self._sweep, point, self._describe))
        if self._task is not None:
            self._bar.update(self._task, advance=1)

    def note(self, text: str) -> None:
        """Print it above the bar."""
        self._bar.console.print(text, highlight=False, markup=False)


def progress_for(describe: Describe, stream: TextIO | None = None) -> Progress:
    """A bar where the stream (stderr) is a terminal, lines elsewhere."""
    stream = stream or sys.stderr
    return (BarProgress if stream.isatty() else LineProgress)(stream, describe)


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


def _result(sweep: Sweep, point: Point, describe: Describe) -> str:
    what = describe(sweep, point) if point.state == "done" else f"failed: {point.reason}"
    return f"{point.number}/{len(sweep.file.points)}  {sweep.describe(point)}: {what}"
