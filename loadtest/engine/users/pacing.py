"""Pacing: the start of each transaction, and of each new connection.

*Closed loop*: a user starts the next transaction when the last is done, after a pause if asked. The
database sets the pace, and slow answers hide: while a user waits it asks nothing.

*Open loop*: transactions start on a schedule, whatever the database does. Any user that is free takes
the next; when none is, they queue, and their latency counts from the moment they should have started.
"""

import math

_NS = 1_000_000_000


class ClosedLoop:
    """Each user waits for its answer, then for `think_s`."""

    rate: float | None = None

    def __init__(self, think_s: float = 0.0) -> None:
        self._think_ns = round(think_s * _NS)

    def next_start_ns(self, now_ns: int) -> int:
        """Return when a user that is free now should start, on `time.monotonic_ns()`'s clock."""
        return now_ns + self._think_ns


class OpenLoop:
    """`rate` transactions a second, evenly spaced, taken by the users of this process."""

    def __init__(self, rate: float, *, share: int = 0, of: int = 1) -> None:
        self.rate: float | None = rate
        self._interval_ns = _NS * of / rate
        self._offset_ns = _NS * share / rate
        self._origin_ns: int | None = None
        self._next = 0
        self._first = 0

    def next_start_ns(self, now_ns: int) -> int:
        """Return the next moment of the schedule, which may have passed already."""
        if self._origin_ns is None:
            self._origin_ns = now_ns
        start = self._origin_ns + round(self._offset_ns + self._next * self._interval_ns)
        self._next += 1
        return start

    def measure_from(self, moment_ns: int) -> None:
        """Count from this moment on; starts of the warm-up that no user took by now are dropped."""
        if self._origin_ns is None:
            self._origin_ns = moment_ns
        self._first = self._due_until(moment_ns - 1)
        self._next = max(self._next, self._first)

    def scheduled(self, until_ns: int) -> int:
        """Return how many transactions should have started from the measured start to this moment."""
        return max(0, self._due_until(until_ns) - self._first)

    def started(self, until_ns: int) -> int:
        """Return how many of those did."""
        return min(self.scheduled(until_ns), self._next - self._first)

    def _due_until(self, moment_ns: int) -> int:
        if self._origin_ns is None:
            return 0
        elapsed = moment_ns - self._origin_ns - self._offset_ns
        return max(0, math.floor(elapsed / self._interval_ns) + 1)


Pacing = ClosedLoop | OpenLoop


class ConnectionBudget:
    """A process's share of the new connections that a target allows a second.

    A bucket of `burst` connections, filled up again at `per_s`; each process of a run has a share of
    both. A connection that finds it empty waits in a queue.
    """

    def __init__(self, per_s: float, burst: float) -> None:
        self._interval_ns = _NS / per_s
        # Below one, a process that has a thousandth of the users could never open any.
        self._burst_ns = (max(burst, 1.0) - 1.0) * self._interval_ns
        self._next_ns = -math.inf

    def goes_on_from(self, earlier: "ConnectionBudget") -> None:
        """Continue a budget that an earlier run of this process has used."""
        self._next_ns = earlier._next_ns

    def admit(self, now_ns: int) -> int:
        """Return the moment at which the connection may be opened."""
        start_ns = max(self._next_ns, now_ns - self._burst_ns)
        self._next_ns = start_ns + self._interval_ns
        return max(now_ns, math.ceil(start_ns))


def held_back_s(connections: int, per_s: float, burst: float) -> float:
    """Return how long a budget makes the last of so many connections wait, wanted at once."""
    return max(0.0, (connections - max(burst, 1.0)) / per_s)
