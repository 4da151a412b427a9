"""How a user comes by its session: within the budget, with patience, and again before it is too old."""

import math
from collections.abc import Callable, Sequence
from time import monotonic_ns

from loadtest.engine.users.pacing import ConnectionBudget
from loadtest.engine.users.timer import Alarm
from loadtest.targets import Session, Statement, StatementFailed, Target

_LONGEST_SLEEP_NS = 200_000_000
_SHORTEST_WAIT_S, _LONGEST_WAIT_S = 0.25, 2.0
# Of the age that the target allows: all of a run's sessions were opened at about the same time, and
# must not be replaced at the same time.
_EARLIEST, _LATEST = 0.75, 0.92
_AGAIN_NS = 10_000_000_000


class Stopped(Exception):  # noqa: N818 - not an error
    """The run was stopped while a user waited for its connection."""


class Door:
    """One user's way to sessions of its target."""

    def __init__(
        self,
        target: Target,
        statements: Sequence[Statement],
        budget: ConnectionBudget | None,
        chance: Callable[[], float],
        alarm: Alarm,
        is_running: Callable[[], bool],
    ) -> None:
        """Sessions prepare the statements and are opened within the budget, where there is one.

        `chance` gives random numbers from 0 to 1, `is_running` says whether the run goes on.
        """
        self._target, self._statements, self._budget = target, statements, budget
        self._age_s = target.limits.session_age_s
        self._chance, self._alarm, self._is_running = chance, alarm, is_running
        self._failures = 0
        self.until_ns: float = math.inf
        """When the session that is open should be replaced."""

    def open(self) -> Session:
        """A new session, in its turn; raises StatementFailed, and Stopped at the end of the run."""
        if self._budget is not None:
            moment = self._budget.admit(monotonic_ns())
            if not sleep_until(self._alarm, moment, self._is_running):
                raise Stopped
        self._failures += 1
        session = self._target.open_session(self._statements)
        self._failures = 0
        if self._age_s is not None:
            share = _EARLIEST + (_LATEST - _EARLIEST) * self._chance()
            self.until_ns = monotonic_ns() + self._age_s * share * 1e9
        return session

    def renew(self, old: Session) -> Session:
        """Another session in place of one that grows old; the old one where there is none to be had.

        This happens between two transactions: it is no attempt, and a failure is none either.
        """
        try:
            new = self.open()
        except StatementFailed:
            self._failures = 0
            self.until_ns = monotonic_ns() + _AGAIN_NS
            return old
        except Stopped:
            return old
        old.close()
        return new

    def wait_s(self) -> float:
        """How long to wait before the next try: longer after each that failed, and never the same."""
        longest = min(_LONGEST_WAIT_S, _SHORTEST_WAIT_S * 2.0 ** min(max(self._failures - 1, 0), 16))
        return longest * (0.5 + self._chance())


def sleep_until(alarm: Alarm, moment_ns: int, is_running: Callable[[], bool]) -> bool:
    """Sleep, in short pieces so that a stop is noticed; False when there was one."""
    while (now := monotonic_ns()) < moment_ns:
        alarm.sleep_until(min(moment_ns, now + _LONGEST_SLEEP_NS))
        if not is_running():
            return False
    return True
