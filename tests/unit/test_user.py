"""One user's loop where something goes wrong that no server takes part in."""

from collections.abc import Callable, Sequence
from itertools import count, repeat
from time import monotonic
from types import SimpleNamespace
from typing import Any, cast

import gevent
import pytest

from loadtest.engine.generator import Engine
from loadtest.engine.users.pacing import ClosedLoop
from loadtest.engine.users.user import run_user
from loadtest.record.outcome import OUTCOMES, Outcome
from loadtest.targets import Limits, Statement, StatementFailed
from loadtest.targets.base.target import ABSENT
from loadtest.workload.blocks import Schedule
from loadtest.workload.builtin import Work
from loadtest.workload.keyspace import KeyType
from loadtest.workload.retry import RetryPolicy

FINAL, OUTCOME = 15, 14
"""Where they stand among the arguments of `Recorder.record`."""


class Session:
    """A session that nothing is behind."""

    def __init__(self, stalls: bool = False) -> None:
        self.begin_answered_ns = self.first_answered_ns = self.commit_sent_ns = self.ended_ns = 0
        self.closed = False
        self.opened = monotonic()
        self.remote = ABSENT
        self._stalls = stalls

    def rollback(self) -> None:
        if self._stalls:
            gevent.sleep(60)

    def close(self) -> None:
        self.closed = True


def engine(
    operation: Callable[..., bool], session: Callable[[], Session], age_s: float | None = None
) -> tuple[Engine, list[tuple[Any, ...]], list[Session]]:
    """What a user needs of an engine, what is recorded, and the sessions that were opened."""
    rows: list[tuple[Any, ...]] = []
    opened: list[Session] = []

    def open_session(statements: Sequence[Statement]) -> Session:
        opened.append(session())
        return opened[-1]

    work = Work((1, 2), (b"1", bytes(8), bytes(8)))
    made = SimpleNamespace(
        target_of=lambda number: 0,
        operations=[operation],
        targets=[SimpleNamespace(open_session=open_session, limits=Limits(session_age_s=age_s))],
        statements=[[]],
        budgets=[None],
        config=SimpleNamespace(keys=(KeyType.INT,), seed=1),
        stream=lambda key, number: repeat(work),
        schedule=Schedule(1, 1.0, 1),
        pacing=ClosedLoop(),
        retry=RetryPolicy("immediate", 0, 0, 3),
        record=lambda *columns: rows.append(columns),
        request=lambda *facts: None,
        next_transaction=count().__next__,
        asked=set(),
        served=set(),
    )
    return cast("Engine", made), rows, opened


def outcomes(rows: list[tuple[Any, ...]]) -> list[Outcome]:
    return [OUTCOMES[row[OUTCOME]] for row in rows]


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [
        (
            StatementFailed("28000", "expired", commit_sent=False, connected=False),
            Outcome.CONNECT_FAILED,
        ),
        (StatementFailed("XX000", "broken", commit_sent=False, connected=True), Outcome.ERROR),
    ],
)
def test_a_failure_that_asks_nobody_does_not_keep_the_others_waiting(
    failure: StatementFailed, outcome: Outcome
) -> None:
    def fails(*_: object) -> bool:
        raise failure

    made, rows, _ = engine(fails, Session)
    ticks = 0
    with gevent.Timeout(10):
        user = gevent.spawn(run_user, made, 0, lambda: True)
        for _ in range(5):
            gevent.sleep(0.01)
            ticks += 1
        user.kill()
    assert ticks == 5
    assert set(outcomes(rows)) <= {outcome}
    assert rows


def test_credentials_that_ran_out_are_not_asked_for_in_a_storm() -> None:
    def fails(*_: object) -> bool:
        raise StatementFailed("28000", "expired", commit_sent=False, connected=False)

    made, rows, opened = engine(fails, Session)
    user = gevent.spawn(run_user, made, 0, lambda: True)
    gevent.sleep(0.6)
    user.kill()
    assert 1 <= len(rows) <= 6
    assert all(session.closed for session in opened[:-1])


def test_why_there_is_no_session_is_kept_without_secrets() -> None:
    def refuses() -> Session:
        raise StatementFailed("", "password: hunter2 is wrong", commit_sent=False, connected=False)

    made, _, _ = engine(lambda *_: True, refuses)
    user = gevent.spawn(run_user, made, 0, lambda: True)
    gevent.sleep(0.2)
    user.kill()
    assert made.turned_away == "password: *** is wrong"


def test_a_user_that_is_stopped_in_its_rollback_leaves_the_attempt_behind() -> None:
    def conflicts(*_: object) -> bool:
        raise StatementFailed("40001", "(OC000)", commit_sent=False, connected=True)

    made, rows, opened = engine(conflicts, lambda: Session(stalls=True))
    user = gevent.spawn(run_user, made, 0, lambda: True)
    gevent.sleep(0.05)
    assert not rows, "it is being taken back"
    user.kill()
    assert outcomes(rows) == [Outcome.CONFLICT_DATA]
    assert rows[0][FINAL] is False
    assert opened[0].closed


@pytest.mark.timed
def test_no_session_is_used_beyond_its_age() -> None:
    """Neither after a long pause: by then the target would have closed it."""
    ages: list[float] = []

    def transfer(session: Session, *_: object) -> bool:
        ages.append(monotonic() - session.opened)
        return True

    made, rows, opened = engine(transfer, Session, 0.5)
    made.pacing = ClosedLoop(think_s=0.5)
    user = gevent.spawn(run_user, made, 0, lambda: True)
    gevent.sleep(2.3)
    user.kill()
    assert len(rows) >= 3
    assert max(ages) < 0.5
    assert all(session.closed for session in opened)
