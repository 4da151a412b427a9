"""Waking a user at a moment, and not up to a millisecond later.

The event loop waits in whole milliseconds, so a sleeping user wakes about half a millisecond late.
In an open loop that lateness is part of every latency, and beside a transaction that takes one
millisecond it is no detail. Linux has timers that are files: the loop watches such a file as it
watches a connection, and wakes when it is due.
"""

import ctypes
import os
import sys
from time import monotonic_ns

import gevent
from gevent import get_hub
from greenlet import getcurrent

_NS = 1_000_000_000
_CLOCK_MONOTONIC = 1  # the clock of time.monotonic_ns()
_TFD_NONBLOCK, _TFD_CLOEXEC = 0o4000, 0o2000000
_READ = 1


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class Alarm:
    """Sleeping for one greenlet at a time; elsewhere than on Linux it is the loop's own sleep."""

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
        """Let others run until this moment of `time.monotonic_ns()`; returns at once if it is past."""
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

    def close(self) -> None:
        """Give the timer back; the alarm is of no use afterwards."""
        if self._fd >= 0:
            self._due.close()
            os.close(self._fd)
            self._fd = -1
