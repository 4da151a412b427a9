"""Showing how far loading is: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichBar
from rich.text import Text

_LINE_EVERY_S = 5.0


class Progress(Protocol):
    """What seeding tells whoever watches; every call comes from the thread that called `seed`."""

    def begin(self, table: str, accounts: int, loaded: int) -> None:
        """Loading of a table begins; `loaded` accounts of it are there from before."""

    def advance(self, accounts: int) -> None:
        """This many more accounts are committed."""

    def note(self, text: str) -> None:
        """Something a person may want to know."""

    def end(self) -> None:
        """Loading of the table has ended, one way or another."""


class SilentProgress:
    """Shows nothing."""

    def begin(self, table: str, accounts: int, loaded: int) -> None:
        """Show nothing."""

    def advance(self, accounts: int) -> None:
        """Show nothing."""

    def note(self, text: str) -> None:
        """Show nothing."""

    def end(self) -> None:
        """Show nothing."""


class LineProgress:
    """A line every few seconds, for logs; a context manager only because the bar is one."""

    def __init__(self, stream: TextIO, every_s: float = _LINE_EVERY_S) -> None:
        self._stream = stream
        self._every_s = every_s
        self._table = ""
        self._accounts = self._before = self._loaded = 0
        self._began = self._next_line = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return

    def begin(self, table: str, accounts: int, loaded: int) -> None:
        """Start counting; silent, for most tables are loaded before a line is due."""
        self._table, self._accounts = table, accounts
        self._before = self._loaded = loaded
        self._began = time.monotonic()
        self._next_line = self._began + self._every_s

    def advance(self, accounts: int) -> None:
        """Count, and print a line when one is due."""
        self._loaded += accounts
        now = time.monotonic()
        if now < self._next_line:
            return
        self._next_line = now + self._every_s
        rate = (self._loaded - self._before) / (now - self._began)
        left = (self._accounts - self._loaded) / rate
        self.note(
            f"{self._table}: {self._loaded:,} of {self._accounts:,} accounts, "
            f"{rate:,.0f} rows/s, {left:,.0f} s left"
        )

    def note(self, text: str) -> None:
        """Print it."""
        print(text, file=self._stream, flush=True)

    def end(self) -> None:
        """Nothing is left open."""


class _RateColumn(ProgressColumn):
    """Rows a second, over the last half minute."""

    def render(self, task: Task) -> Text:
        """The rate, or a dash before there is one."""
        rate = task.finished_speed or task.speed
        return Text(f"{rate:,.0f} rows/s" if rate else "- rows/s", style="progress.data.speed")


class RichProgress:
    """A bar with the rate and the time left; use it as a context manager."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._bar = RichBar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _RateColumn(),
            TimeRemainingColumn(),
            console=Console(file=stream) if stream else Console(stderr=True),
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def begin(self, table: str, accounts: int, loaded: int) -> None:
        """Add a bar for the table."""
        self._task = self._bar.add_task(table, total=accounts, completed=loaded)

    def advance(self, accounts: int) -> None:
        """Move the bar."""
        if self._task is not None:
            self._bar.advance(self._task, accounts)

    def note(self, text: str) -> None:
        """Print it above the bars."""
        self._bar.console.print(text, highlight=False, markup=False)

    def end(self) -> None:
        """Leave the bar as it stands."""
        if self._task is not None:
            self._bar.stop_task(self._task)
            self._task = None


def progress_for(stream: TextIO | None = None) -> RichProgress | LineProgress:
    """A bar where the stream (stderr) is a terminal, lines elsewhere; a context manager."""
    stream = stream or sys.stderr
    return RichProgress(stream) if stream.isatty() else LineProgress(stream)
