"""How long is waited for what, and the waiting."""

import time
from collections.abc import Callable

START_SECONDS = 60.0
STOP_SECONDS = 60.0
LOCK_SECONDS = 2 * (START_SECONDS + STOP_SECONDS)
"""For another command, which may at most stop a server and start one, and be slow at it."""
KILL_SECONDS = 10.0
POLL_SECONDS = 0.02


def comes_true(condition: Callable[[], bool], seconds: float) -> bool:
    """Ask again and again; whether the answer was yes before the time was up."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True
