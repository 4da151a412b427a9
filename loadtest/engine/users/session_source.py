"""One user's sessions: opened within the connection budget, and replaced before they are too old."""

import math
from collections.abc import Callable, Sequence
from time import monotonic_ns

from loadtest.engine.users.pacing import ConnectionBudget
from loadtest.engine.users.timer import Timer
from loadtest.targets import Session, Statement, StatementFailed, Target

_SHORTEST_WAIT_S, _LONGEST_WAIT_S = 0.25, 2.0
# Shares of the age that the target allows: all of a run's sessions were opened at about the same time,
# and must not be replaced at the same time.
_EARLIEST, _LATEST = 0.75, 0.92
_RETRY_RENEWAL_NS = 10_000_000_000


class Stopped(Exception):  # noqa: N818 - not an error
    """The run was stopped while a user waited for its connection."""


class SessionSource:
    """Opens one user's sessions, each of which prepares `statements`."""

    def __init__(
        self,
        target: Target,
        statements: Sequence[Statement],
        budget: ConnectionBudget | None,
        chance: Callable[[], float],
        timer: Timer,
        is_running: Callable[[], bool],
    ) -> None:
        """`chance` gives random numbers from 0 to 1, `is_running` says whether the run goes on."""
        self._target, self._statements, self._budget = target, statements, budget
        self._age_s = target.limits.session_age_s
        self._chance, self._timer, self._is_running = chance, timer, is_running
        self._failures = 0
        self.until_ns: float = math.inf
        """When the session that is open should be replaced."""

    def open(self) -> Session:
        """Open a session within the budget; raises StatementFailed, and Stopped at the run's end."""
        if self._budget is not None:
            moment = self._budget.admit(monotonic_ns())
            if not self._timer.wait_until(moment, self._is_running):
                raise Stopped
        self._failures += 1
        session = self._target.open_session(self._statements)
        self._failures = 0
        if self._age_s is not None:
            share = _EARLIEST + (_LATEST - _EARLIEST) * self._chance()
            self.until_ns = monotonic_ns() + self._age_s * share * 1e9
        return session

    def renew(self, old: Session) -> Session:
        """Return a new session in place of an old one, or the old one where none can be opened.

        This happens between two transactions: it is no attempt, and a failure is none either.
        """
        try:
            new = self.open()
        except StatementFailed:
            self._failures = 0
            self.until_ns = monotonic_ns() + _RETRY_RENEWAL_NS
            return old
        except Stopped:
            return old
        old.close()
        return new

    def wait_s(self) -> float:
        """Return the wait before the next try: longer after each failure, with jitter."""
        longest = min(_LONGEST_WAIT_S, _SHORTEST_WAIT_S * 2.0 ** min(max(self._failures - 1, 0), 16))
        return longest * (0.5 + self._chance())
