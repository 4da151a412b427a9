"""Sleeping until a moment, to a few microseconds.

The event loop waits in whole milliseconds, so a sleeping user wakes about half a millisecond late,
which in an open loop is part of every latency. Linux has timers that are files (timerfd): the loop
watches such a file as it watches a connection, and wakes when it is due.
"""

import ctypes
import os
import sys
from collections.abc import Callable
from time import monotonic_ns

import gevent
from gevent import get_hub
from greenlet import getcurrent

_NS = 1_000_000_000
_CLOCK_MONOTONIC = 1  # the clock of time.monotonic_ns()
_TFD_NONBLOCK, _TFD_CLOEXEC = 0o4000, 0o2000000
_READ = 1
_LONGEST_SLEEP_NS = 200_000_000


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class Timer:
    """A timer for one greenlet at a time; elsewhere than on Linux it is the loop's own sleep."""

    def __init__(self) -> None:
        self._fd = -1
        if sys.platform == "linux":
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._fd = self._libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_NONBLOCK | _TFD_CLOEXEC)
        if self._fd >= 0:
            self._due = get_hub().loop.io(self._fd, _READ)
            self._spec = _Itimerspec()
            self._address = ctypes.byref(self._spec)

    def sleep_until(self, moment_ns: int) -> None:
        """Let other greenlets run until this moment of `time.monotonic_ns()`, if it is not past."""
        left_ns = moment_ns - monotonic_ns()
        if left_ns <= 0:
            return
        if self._fd < 0:
            gevent.sleep(left_ns / _NS)
            return
        value = self._spec.value
        # Not the moment itself, which what moves the wall clock in tests (libfaketime) would move, too.
        value.seconds, value.nanoseconds = divmod(left_ns, _NS)
        self._libc.timerfd_settime(self._fd, 0, self._address, None)
        self._due.start(getcurrent().switch)
        try:
            get_hub().switch()
        finally:
            self._due.stop()
        # Setting it anew takes away that it was due, so it need not be read.

    def wait_until(self, moment_ns: int, is_running: Callable[[], bool]) -> bool:
        """Sleep until this moment, or until the run is stopped; return False when it was."""
        while (now := monotonic_ns()) < moment_ns:
            self.sleep_until(min(moment_ns, now + _LONGEST_SLEEP_NS))
            if not is_running():
                return False
        return True

    def close(self) -> None:
        """Release the timer's file."""
        if self._fd >= 0:
            self._due.close()
            os.close(self._fd)
            self._fd = -1
