"""How far a command is: a line that moves on a terminal, a line now and then in a log.

Seeding, runs, sweeps and simulations all show it, so it stands below them and knows nothing of what
they count: they hand it lines that are ready to be shown.
"""

import os
import sys
from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

if TYPE_CHECKING:
    from rich.console import RenderableType

EVERY_S = 4.5
"""Seconds between two lines of a log, a little less than five: most callers look once a second."""
_BAR_WIDTH = 20


class Progress:
    """What is shown on stderr, or another stream, while a command works; a context manager."""

    def __init__(
        self,
        stream: TextIO | None = None,
        every_s: float = EVERY_S,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Show nothing yet; where the stream is no terminal a line is due every `every_s` seconds."""
        self._stream = stream or sys.stderr
        self._every_s = every_s
        self._clock = clock
        self._shown_at = clock()
        self._line: str | Callable[[], str] = ""
        self._share: float | None = None
        self.moves = self._stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
        """Whether there is a terminal on which a line can be written anew."""
        if self.moves:
            # Imported only here: it takes longer than the help of a command may.
            from rich.console import Console
            from rich.live import Live

            self._console = Console(file=self._stream, force_terminal=True)
            # Drawn seldom: a run measures on the same machine. What others write to stderr comes out
            # above the line; standard output may be a file, and is left alone.
            self._live = Live(
                console=self._console,
                refresh_per_second=1,
                transient=True,
                redirect_stdout=False,
                get_renderable=self._render,
            )

    def __enter__(self) -> Self:
        if self.moves:
            self._live.start()
            # A process that is ended at once would leave the terminal without one.
            self._console.show_cursor()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.moves:
            self._line, self._share = "", None
            self._live.stop()

    @property
    def is_due(self) -> bool:
        """Whether a line that is shown now would be seen."""
        return self.moves or self._clock() - self._shown_at >= self._every_s

    def show(self, line: str | Callable[[], str], share: float | None = None) -> None:
        """Put this line in place of the last one, or write it to the log if one is due.

        A function is asked whenever the line is drawn. `share`, from 0 to 1, is shown as a bar.
        """
        if self.moves:
            self._line, self._share = line, share
        elif self.is_due:
            self._shown_at = self._clock()
            self.note(line() if callable(line) else line)

    def note(self, text: str) -> None:
        """Write a line that stays."""
        if self.moves:
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)
        else:
            print(text, file=self._stream, flush=True)

    def _render(self) -> "RenderableType":
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        line = self._line() if callable(self._line) else self._line
        # What goes on in the next row of the screen could not be written over.
        text = Text(line, no_wrap=True, overflow="crop")
        if self._share is None:
            return text
        both = Table.grid(padding=(0, 1), expand=True)
        both.add_column(width=_BAR_WIDTH)
        both.add_column(ratio=1, no_wrap=True, overflow="crop")
        both.add_row(ProgressBar(1.0, self._share, width=_BAR_WIDTH), text)
        return both


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
