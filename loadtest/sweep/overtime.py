"""A run that does not end, because its database hangs say, must not hold up a night's sweep."""

import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

LIMIT_S = 3600.0
"""So long after it should have stopped making load a run may still be going on, for to begin, to check
the invariant of large tables and to report take their time; then it is taken to hang."""
_GRACE_S = 60.0
"""So long it may then take to save what it has."""


@contextmanager
def ended_after(
    seconds: float, child: subprocess.Popen[str], grace_s: float = _GRACE_S
) -> Iterator[threading.Event]:
    """Interrupt the child once it has run so long, and kill what is left of it after `grace_s` more.

    Gives an event, set if that came to pass. What the child has started is killed with it: workers have
    sessions of their own, and the reader of what they write would wait for them.
    """
    expired = threading.Event()

    def end() -> None:
        expired.set()
        with suppress(psutil.NoSuchProcess):
            whole = psutil.Process(child.pid)
            family = [whole, *whole.children(recursive=True)]
            child.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                child.wait(grace_s)
            for one in family:
                # Told apart from a later process of the same number by when it began.
                with suppress(psutil.NoSuchProcess):
                    one.kill()

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield expired
    finally:
        timer.cancel()
        timer.join()
