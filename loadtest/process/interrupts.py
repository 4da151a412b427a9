"""Ctrl-C, SIGTERM and SIGHUP: three ways to ask a command to end, with one meaning.

Only the standard library is imported here: this is at work before anything else is imported.
"""

import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from types import FrameType

from loadtest.errors import INTERRUPTED

_ONCE_S = 1.0
"""Signals within so many seconds count as one: fingers press several times, and a terminal tells every
process of its group, of which the first passes it on to the others."""
_last = -_ONCE_S
"""The moment of the last signal that counted."""


def signals() -> list[signal.Signals]:
    """The signals that ask for the end; not a hangup that was ignored at the start, as by `nohup`."""
    asked = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        asked.append(signal.SIGHUP)
    return asked


@contextmanager
def asked_to_end(act: Callable[[], None]) -> Iterator[None]:
    """Call `act`, in the main thread, each time that a signal asks for the end."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        del number, frame
        act_once(act)

    before = {number: signal.signal(number, on_signal) for number in signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def act_once(act: Callable[[], None]) -> None:
    """Call `act` because a signal came, unless one has counted just now."""
    global _last
    replace_closed_outputs()
    now = monotonic()
    if now - _last >= _ONCE_S:
        _last = now
        act()


def replace_closed_outputs() -> None:
    """Send what is still to be printed nowhere if its reader, or the terminal, is gone.

    It must not keep the rest from being saved.
    """
    # gevent's own does not report an end that is closed.
    monkey = sys.modules.get("gevent.monkey")
    outputs = (monkey.get_original("select", "poll") if monkey else select.poll)()
    for stream in (1, 2):
        outputs.register(stream, 0)
    for stream, _ in outputs.poll(0):
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, stream)
        os.close(nowhere)


def leave(status: int = INTERRUPTED, message: str = "") -> None:
    """End the process at once, with a line on stderr; nothing of Python's has to come to an end."""
    for stream in (sys.stdout, sys.stderr):
        # A signal may have met it in the middle of a write.
        with suppress(OSError, ValueError, RuntimeError):
            stream.flush()
    with suppress(OSError):
        os.write(2, message.encode())
    os._exit(status)


class Interrupted:
    """False until a signal asks for the end, which is then raised as KeyboardInterrupt."""

    def __init__(self) -> None:
        self._is = False

    def __bool__(self) -> bool:
        return self._is

    @contextmanager
    def raised(self) -> Iterator[None]:
        """Raise it wherever the process is, and keep Python from printing where it cannot be caught.

        That is in a callback, in a destructor, in an import that makes another error of it.
        """

        def act() -> None:
            self._is = True
            raise KeyboardInterrupt

        uncaught, unraisable = sys.excepthook, sys.unraisablehook
        sys.excepthook = lambda *error: None if self else uncaught(*error)
        sys.unraisablehook = lambda error: None if self else unraisable(error)
        with asked_to_end(act):
            yield
