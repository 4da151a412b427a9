"""Sessions that wait for an answer for too long are broken, although the peer's kernel answers.

The kernel ends a connection whose other end is gone; it cannot know of a server that stands still or of
a proxy that keeps what it is sent. One timer for each process looks at the sessions that wait, and
finds by the callback of their watcher whether one still waits as it did: sessions do nothing for it.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic_ns
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import psycopg
from gevent import get_hub

if TYPE_CHECKING:
    from loadtest.targets.postgresql.session import PostgresSession

LOOK_S = 1.0
"""Time between two looks; a session is given so much more at most."""

Resume = Callable[[], object]


class _Watcher:
    """The sessions of a hub."""

    def __init__(self) -> None:
        self.since: dict[PostgresSession, tuple[Resume | None, int]] = {}
        """The wait in which each session was last seen, and since when."""
        self._timer: Any = get_hub().loop.timer(LOOK_S, repeat=LOOK_S, ref=False)
        self._timer.start(self._look)

    def _look(self) -> None:
        now = monotonic_ns()
        overdue = []
        for session, (before, since) in self.since.items():
            waiting = session.waiting()
            if waiting is not before:
                self.since[session] = waiting, now
            elif waiting is not None and now - since >= session.patience_s * 1e9:
                overdue.append((session, waiting))
        for session, waiting in overdue:
            # It runs at once, in this turn of the loop: what it waits for cannot come in between. One
            # that an earlier one of them has closed waits no more.
            if session.waiting() is waiting:
                session.give_up()
                error = psycopg.OperationalError(f"no answer for {session.patience_s:g} s")
                waiting.__self__.throw(error)  # type: ignore[attr-defined]


_watchers: WeakKeyDictionary[Any, _Watcher] = WeakKeyDictionary()


def watch(session: PostgresSession) -> None:
    """Break the session's wait with psycopg.OperationalError once it is longer than its patience."""
    hub = get_hub()
    if hub not in _watchers:
        _watchers[hub] = _Watcher()
    _watchers[hub].since[session] = None, 0


def unwatch(session: PostgresSession) -> None:
    """Stop watching the session."""
    if watcher := _watchers.get(get_hub()):
        watcher.since.pop(session, None)
