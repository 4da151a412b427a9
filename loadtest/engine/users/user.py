"""One user: asks when, asks which rows, runs the operation, tries again, keeps a record.

This is the hot path. It is one function on purpose: at thousands of transactions a second in one
process a call more or an object more in each is what the measured latency is made of.
"""

import random
from collections.abc import Callable
from time import monotonic_ns
from typing import TYPE_CHECKING

import gevent

from loadtest.engine.users.session_source import SessionSource, Stopped
from loadtest.engine.users.timer import Timer
from loadtest.errors.messages import one_line
from loadtest.record.outcome import CONFLICTS, OUTCOME_CODE, RETRYABLE, Outcome, outcome_of
from loadtest.targets import Session, StatementFailed
from loadtest.targets.base.target import ABSENT

if TYPE_CHECKING:
    from loadtest.engine.generator import Engine

_COMMITTED = OUTCOME_CODE[Outcome.COMMITTED]
_REFUSED = OUTCOME_CODE[Outcome.REFUSED]
_AMBIGUOUS = OUTCOME_CODE[Outcome.AMBIGUOUS]
_CONNECTION_LOST = OUTCOME_CODE[Outcome.CONNECTION_LOST]
_CONNECT_FAILED = OUTCOME_CODE[Outcome.CONNECT_FAILED]


class TransactionFailed(Exception):  # noqa: N818 - what Locust's page lists, not a program error
    """A transaction that did not commit, as Locust's failure table names it."""


def run_user(  # noqa: C901 - see the head of the file
    engine: "Engine", number: int, is_running: Callable[[], bool]
) -> None:
    """Run transactions until `is_running` is false; the attempt in flight is finished first."""
    target = engine.target_of(number)
    operation = engine.operations[target]
    key_types = engine.config.keys
    streams = [engine.stream(key, number) for key in range(len(key_types))]
    schedule, pacing, policy = engine.schedule, engine.pacing, engine.retry
    record, request = engine.record, engine.request
    chance = random.Random(f"{engine.config.seed}/{number}").random  # noqa: S311 - jitter
    timer = Timer()
    source = SessionSource(
        engine.targets[target], engine.statements[target], engine.budgets[target],
        chance, timer, is_running,
    )  # fmt: skip
    session: Session | None = None
    intended = monotonic_ns()
    try:
        while is_running():
            now = monotonic_ns()
            intended = pacing.next_start_ns(now)
            if session is not None and intended >= source.until_ns:
                # In the pause before it rather than when it is due.
                session = source.renew(session)
                now = monotonic_ns()
            if intended > now and not timer.wait_until(intended, is_running):
                break
            now = monotonic_ns()
            if session is not None and now >= source.until_ns:
                session = source.renew(session)
                now = monotonic_ns()
            if pacing.rate is None:
                intended = now
            if now >= schedule.until_ns:
                schedule.advance(now)
            block, key = schedule.block, schedule.key
            key_type = key_types[key]
            work = next(streams[key])
            transaction = engine.next_transaction()
            attempt, backoff_s, backoff_ns = 1, 0.0, 0
            while True:
                sqlstate, remote = b"", ABSENT
                failure: StatementFailed | None = None
                started = monotonic_ns()
                try:
                    if session is None:
                        engine.asked.add(number)
                        session = source.open()
                        if not is_running():
                            return  # it came when the run was over
                        engine.served.add(number)
                    started = monotonic_ns()
                    committed = operation(session, key_type, work)
                    code = _COMMITTED if committed else _REFUSED
                    wait_s = None
                    begun, first_answered = session.begin_answered_ns, session.first_answered_ns
                    commit_sent, ended = session.commit_sent_ns, session.ended_ns
                    remote = session.remote
                    if session.closed:
                        session = None
                except Stopped:
                    return
                except gevent.GreenletExit:
                    # Stopped for good within an attempt: its outcome stays unknown.
                    ended = monotonic_ns()
                    code = _CONNECT_FAILED
                    if session is not None:
                        code = _AMBIGUOUS if session.commit_sent_ns else _CONNECTION_LOST
                    record(
                        work.rows, transaction, intended, started, 0, 0, 0, ended, backoff_ns,
                        attempt, number, block, target, key, code, False, b"",
                    )  # fmt: skip
                    raise
                except StatementFailed as error:
                    failure = error
                    ended = monotonic_ns()
                    if session is None:
                        engine.turned_away = one_line(error.message)
                        outcome = _without_session(error)
                        begun = first_answered = commit_sent = 0
                    else:
                        outcome = outcome_of(
                            error.sqlstate,
                            error.message,
                            commit_sent=error.commit_sent,
                            connected=error.connected,
                        )
                        begun = session.begin_answered_ns
                        first_answered = session.first_answered_ns
                        commit_sent = session.commit_sent_ns
                        remote = session.remote
                        if error.connected and not commit_sent:
                            try:
                                session.rollback()
                            except gevent.GreenletExit:
                                # Stopped for good while it was taken back; how it ended is known.
                                record(
                                    work.rows, transaction, intended, started, begun,
                                    first_answered, 0, ended, backoff_ns, attempt, number, block,
                                    target, key, OUTCOME_CODE[outcome], False,
                                    error.sqlstate.encode(), remote,
                                )  # fmt: skip
                                raise
                            ended = session.ended_ns
                        if not error.connected:
                            session.close()
                        if session.closed:
                            session = None
                    code = OUTCOME_CODE[outcome]
                    sqlstate = error.sqlstate.encode()
                    wait_s = None
                    if outcome in RETRYABLE and not error.final:
                        wait_s = policy.wait_after(attempt, backoff_s, chance())
                record(
                    work.rows, transaction, intended, started, begun, first_answered, commit_sent,
                    ended, backoff_ns, attempt, number, block, target, key, code, wait_s is None,
                    sqlstate, remote,
                )  # fmt: skip
                if wait_s is None:
                    request(key, (ended - intended) * 1e-6, failure, attempt)
                    if failure is not None:
                        # What fails without asking the target would keep all other users waiting.
                        gevent.sleep(source.wait_s() if session is None else 0)
                    break
                if not is_running():
                    break
                if session is None:
                    # Whatever the policy says: a storm of connections helps no user.
                    wait_s = max(wait_s, source.wait_s())
                backoff_s, backoff_ns = wait_s, 0
                if wait_s > 0:
                    before = monotonic_ns()
                    if not timer.wait_until(before + round(wait_s * 1e9), is_running):
                        break
                    backoff_ns = monotonic_ns() - before
                attempt += 1
    finally:
        timer.close()
        if session is not None:
            session.close()


def describe_failure(failure: StatementFailed, attempts: int) -> TransactionFailed:
    """Return the error under which Locust's page counts a failed transaction."""
    outcome = outcome_of(
        failure.sqlstate,
        failure.message,
        commit_sent=failure.commit_sent,
        connected=failure.connected,
    )
    if outcome in CONFLICTS:
        return TransactionFailed(f"gave up after {attempts} attempts: {outcome}")
    return TransactionFailed(f"{outcome} {failure.sqlstate}: {failure.message}".strip())


def _without_session(failure: StatementFailed) -> Outcome:
    """Return the outcome where no session was opened: rejected for now, or no connection."""
    # 08 connection, 28 authorization, 3D no such database, 57 the server stops or starts. Anything
    # else is an answer to what the session prepares, and means there what it means elsewhere.
    if not failure.sqlstate or failure.sqlstate[:2] in ("08", "28", "3D", "57"):
        return Outcome.CONNECT_FAILED
    return outcome_of(failure.sqlstate, failure.message, commit_sent=False, connected=True)
