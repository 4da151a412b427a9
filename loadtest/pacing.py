"""When the next transaction starts.

*Closed loop*: a user starts the next one when the last is done, after a pause if asked. The database
sets the pace, and slow answers hide: while a user waits it asks nothing.

*Open loop*: transactions start on a schedule that does not know the database. They are dealt out to
whichever user is free; when none is, they queue, and their latency counts from the moment they
should have started.
"""

import math
from time import monotonic_ns

_NS = 1_000_000_000


class ClosedLoop:
    """Each user waits for its answer, then for `think_s`."""

    rate: float | None = None

    def __init__(self, think_s: float = 0.0) -> None:
        self.think_ns = round(think_s * _NS)
        self.scheduled = 0

    def next_start_ns(self, now_ns: int) -> int:
        """When a user that is free now should start, on `time.monotonic_ns()`'s clock."""
        return now_ns + self.think_ns


class OpenLoop:
    """`rate` transactions a second, evenly spaced, dealt out to the users of this process."""

    think_ns = 0

    def __init__(self, rate: float, *, share: int = 0, of: int = 1) -> None:
        self.rate: float | None = rate
        self._interval_ns = _NS * of / rate
        self._offset_ns = _NS * share / rate
        self._origin_ns: int | None = None
        self.scheduled = 0

    def next_start_ns(self, now_ns: int) -> int:
        """The next place in the schedule, which may have passed already."""
        if self._origin_ns is None:
            self._origin_ns = now_ns
        start = self._origin_ns + round(self._offset_ns + self.scheduled * self._interval_ns)
        self.scheduled += 1
        return start

    def due(self) -> int:
        """How many transactions should have started by now."""
        if self._origin_ns is None:
            return 0
        elapsed = monotonic_ns() - self._origin_ns - self._offset_ns
        return max(0, math.floor(elapsed / self._interval_ns) + 1)


Pacing = ClosedLoop | OpenLoop
