"""The consistency probes of a run: one greenlet, one probe at a time.

It runs in one process of the run only, on sessions of its own, so that the load does not notice it.
"""

import math
import random
from collections.abc import Callable, Sequence
from itertools import count, cycle
from time import monotonic_ns
from typing import TypeVar, cast

import gevent
from gevent.event import Event

from loadtest.engine.probes.table import STATEMENTS, commit_value, endpoints_of, read_value
from loadtest.engine.users.pacing import ConnectionBudget
from loadtest.engine.users.session_source import SessionSource, Stopped
from loadtest.engine.users.timer import Timer
from loadtest.record.probes import PATIENCE_NS, Probe, is_stale, ordered_pairs
from loadtest.targets import SqlSession, StatementFailed, Target

_Answer = TypeVar("_Answer")
_READ_AGAIN_S = 0.005
"""Between two reads of a probe that is stale."""


class ProbeSession:
    """One target with a session for probes, opened when it is needed, and again."""

    def __init__(self, name: str, source: SessionSource) -> None:
        self.name = name
        self._source = source
        self._session: SqlSession | None = None

    def open(self) -> None:
        """Open a session, unless one is open; raises StatementFailed, and Stopped at the run's end."""
        if self._session is None:
            self._session = cast("SqlSession", self._source.open())
        elif monotonic_ns() >= self._source.until_ns:
            self._session = cast("SqlSession", self._source.renew(self._session))

    def ask(self, question: Callable[[SqlSession], _Answer]) -> _Answer:
        """Use the session; raises StatementFailed, after which the endpoint can be used again."""
        self.open()
        session = self._session
        assert session is not None  # noqa: S101 - it has just been opened
        try:
            return question(session)
        except StatementFailed as failure:
            if failure.connected:
                session.rollback()
            else:
                session.close()
            raise
        finally:
            if session.closed:
                self._session = None

    def close(self) -> None:
        """Close the session, if there is one."""
        if self._session is not None:
            self._session.close()
            self._session = None


def probe(
    writer: ProbeSession, reader: ProbeSession, row: int, value: int, is_running: Callable[[], bool]
) -> Probe:
    """Commit the value through the writer, read it through the reader, and again while it is stale.

    `value` must be greater than any that was written into the row before. Raises Stopped.
    """
    at_ns = monotonic_ns()
    commit_ns = read_ns = None

    def ended(stale_ns: int | None = None, *, seen: bool = False, failed: bool = False) -> Probe:
        return Probe(writer.name, reader.name, at_ns, commit_ns, read_ns, stale_ns, seen, failed)

    try:
        # Before the commit, so that nothing but the read lies between its answer and the read's.
        reader.open()
        committed_ns = writer.ask(lambda session: commit_value(session, row, value))
        commit_ns = committed_ns - at_ns
        read, answered_ns = reader.ask(lambda session: read_value(session, row))
    except StatementFailed:
        return ended(failed=True)
    read_ns = answered_ns - committed_ns
    if not is_stale(read, value):
        return ended(seen=True)
    try:
        while is_stale(read, value) and answered_ns < committed_ns + PATIENCE_NS and is_running():
            gevent.sleep(_READ_AGAIN_S)
            read, answered_ns = reader.ask(lambda session: read_value(session, row))
    except (StatementFailed, Stopped, gevent.GreenletExit):
        # It was stale; for how long is known up to the last read.
        pass
    return ended(answered_ns - committed_ns, seen=not is_stale(read, value))


class Prober:
    """The probes of a run, from the begin of the measured time to its end."""

    def __init__(
        self,
        targets: Sequence[Target],
        budgets: Sequence[ConnectionBudget | None],
        seed: int,
        interval_s: float,
        first_row: int,
    ) -> None:
        self.probes: list[Probe] = []
        """The probes that began within the measured time and have ended."""
        self._interval_ns = round(interval_s * 1e9)
        self._first_row = first_row
        self._running = True
        self._measuring = Event()
        self._from_ns = 0
        self._until_ns: float = math.inf
        self._timer = Timer()
        chance = random.Random(f"{seed}/probes").random  # noqa: S311 - jitter
        self._endpoints = [
            ProbeSession(
                target.name,
                SessionSource(
                    target, STATEMENTS, budgets[index], chance, self._timer, self._is_running
                ),
            )
            for index, target in endpoints_of(targets)
        ]

    def measure(self, from_ns: int, until_ns: int | None) -> None:
        """The measured time, on `monotonic_ns`'s clock; it may be open."""
        self._from_ns = from_ns
        self._until_ns = math.inf if until_ns is None else until_ns
        self._measuring.set()

    def stopping(self) -> None:
        """Make no further probe, and read a stale one no more."""
        self._running = False

    def run(self) -> None:
        """Probe each ordered pair in turn, at the interval, until the measured time is over."""
        try:
            for endpoint in self._endpoints:
                self._open(endpoint)
            self._measuring.wait()
            pairs = list(enumerate(ordered_pairs(len(self._endpoints)), self._first_row))
            turn = -1
            for value, (row, (writer, reader)) in zip(count(1), cycle(pairs), strict=False):
                turn = self._next_turn(turn)
                if not self._wait_until(self._from_ns + turn * self._interval_ns):
                    break
                ends = self._endpoints[writer], self._endpoints[reader]
                self.probes.append(probe(*ends, row, value, self._is_running))
        except Stopped:
            return
        finally:
            for endpoint in self._endpoints:
                endpoint.close()
            self._timer.close()

    def _open(self, endpoint: ProbeSession) -> None:
        try:
            endpoint.open()
        except StatementFailed:
            # The first probe that needs it tries again.
            return

    def _next_turn(self, turn: int) -> int:
        """The next turn; those that passed meanwhile are left out."""
        passed = math.ceil((monotonic_ns() - self._from_ns) / self._interval_ns)
        return max(turn + 1, passed)

    def _wait_until(self, moment_ns: int) -> bool:
        """Sleep until then; return False where the measured time is over before."""
        if not self._timer.wait_until(moment_ns, self._is_running):
            return False
        return self._is_running() and monotonic_ns() < self._until_ns

    def _is_running(self) -> bool:
        return self._running
