"""The optimistic regime, on the real server: who wins, who is told, and when."""

import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.integration.optimistic_support import (
    Connection,
    Open,
    add,
    admin,
    balance,
    connect,
    fails,
    in_table,
    table,
)

__all__ = ["admin", "connect", "table"]


COMMIT_MS = 150


# Who wins


@pytest.mark.parametrize("first_writer_commits_first", [True, False])
def test_the_first_to_commit_wins_whoever_wrote_first(
    table: str, connect: Open, admin: Connection, first_writer_commits_first: bool
) -> None:
    first, second = connect(), connect()
    assert add(first, 1, 10) == 1
    assert add(second, 1, 20) == 1
    winner, loser = (first, second) if first_writer_commits_first else (second, first)
    assert (balance(first, 1), balance(second, 1)) == (110, 120)
    winner.commit()
    # No statement of the loser fails, before or after.
    assert balance(loser, 1) == (120 if first_writer_commits_first else 110)
    assert add(loser, 2, 5) == 1
    fails(loser)
    expected = 110 if first_writer_commits_first else 120
    assert in_table(admin, 1) == balance(loser, 1) == expected
    assert in_table(admin, 2) == 100, "nothing of the loser is left"


def test_no_write_waits_for_another(table: str, connect: Open) -> None:
    """lock_timeout is 100 ms: whoever waited would fail with 55P03."""
    writers = [connect() for _ in range(4)]
    for writer in writers:
        assert add(writer, 1) == 1
        assert add(writer, 1) == 1
    writers[3].commit()
    for writer in writers[:3]:
        fails(writer)


def test_the_locking_regime_does_wait(table: str, connect: Open) -> None:
    """What the test above would see if the regime locked."""
    first, second = connect("locking"), connect("locking")
    add(first, 1)
    with pytest.raises(psycopg.errors.LockNotAvailable):
        add(second, 1)


def test_opposite_directions_do_not_deadlock(table: str, connect: Open) -> None:
    first, second = connect(), connect()
    add(first, 1)
    add(second, 2)
    add(first, 2)
    add(second, 1)
    first.commit()
    fails(second)


def test_the_loser_can_try_again_on_the_same_session(
    table: str, connect: Open, admin: Connection
) -> None:
    first, second = connect(), connect()
    add(first, 1)
    add(second, 1)
    first.commit()
    fails(second)
    add(second, 1)
    second.commit()
    assert in_table(admin, 1) == 102


def test_a_conflict_on_one_row_undoes_the_others(table: str, connect: Open, admin: Connection) -> None:
    first, second = connect(), connect()
    for account in range(10, 20):
        add(second, account)
    add(first, 15)
    first.commit()
    fails(second)
    assert [in_table(admin, account) for account in range(10, 20)] == [100] * 5 + [101] + [100] * 4


def test_disjoint_writes_never_conflict(table: str, connect: Open, admin: Connection) -> None:
    sessions = [connect() for _ in range(8)]
    for step in range(20):
        for place, session in enumerate(sessions):
            add(session, 100 * (place + 1) + step)
    for session in reversed(sessions):
        session.commit()
    total = admin.execute("SELECT sum(balance) FROM acc").fetchone()
    assert total == (500_000 + 8 * 20,)


def test_a_delete_and_an_update_conflict(table: str, connect: Open, admin: Connection) -> None:
    for deleter_first in (True, False):
        deleter, updater = connect(), connect()
        deleter.execute("DELETE FROM acc WHERE id = 7")
        add(updater, 7)
        first, second = (deleter, updater) if deleter_first else (updater, deleter)
        first.commit()
        fails(second)
        if deleter_first:
            assert in_table(admin, 7) is None
            admin.execute("INSERT INTO acc VALUES (7, 100)")
    assert in_table(admin, 7) == 101


# Reading for update


def for_update(connection: Connection, account: int) -> tuple[Any, ...] | None:
    return connection.execute("SELECT * FROM acc_for_update(%s)", (account,)).fetchone()


def withdraw_if_the_other_has_enough(
    connection: Connection, mine: int, other: int, *, locked: bool
) -> None:
    if locked:
        for_update(connection, mine)
        seen = for_update(connection, other)
        assert seen is not None
        rest = seen[1]
    else:
        rest = balance(connection, other)
    assert rest >= 100
    add(connection, mine, -100)


def test_write_skew_happens_without_it(table: str, connect: Open, admin: Connection) -> None:
    first, second = connect(), connect()
    withdraw_if_the_other_has_enough(first, 1, 2, locked=False)
    withdraw_if_the_other_has_enough(second, 2, 1, locked=False)
    first.commit()
    second.commit()
    assert (in_table(admin, 1), in_table(admin, 2)) == (0, 0)


def test_write_skew_does_not_happen_with_it(table: str, connect: Open, admin: Connection) -> None:
    first, second = connect(), connect()
    withdraw_if_the_other_has_enough(first, 1, 2, locked=True)
    withdraw_if_the_other_has_enough(second, 2, 1, locked=True)
    first.commit()
    fails(second)
    assert (in_table(admin, 1), in_table(admin, 2)) == (0, 100)


def test_reading_for_update_locks_nothing(table: str, connect: Open, admin: Connection) -> None:
    first, second = connect(), connect()
    assert for_update(first, 1) == (1, 100)
    assert for_update(second, 1) == (1, 100)
    add(second, 1)
    second.commit()
    assert for_update(first, 1) == (1, 100)
    fails(first)
    assert in_table(admin, 1) == 101


def test_two_that_only_read_for_update_both_commit(table: str, connect: Open) -> None:
    first, second = connect(), connect()
    for session in (first, second):
        for account in (1, 2, 3):
            assert for_update(session, account) == (account, 100)
        assert for_update(session, -1) is None
    first.commit()
    second.commit()


def test_a_row_read_for_update_and_then_written(table: str, connect: Open, admin: Connection) -> None:
    session = connect()
    for_update(session, 1)
    add(session, 1, 5)
    assert for_update(session, 1) == (1, 105)
    session.execute("INSERT INTO acc VALUES (9001, 3)")
    assert for_update(session, 9001) == (9001, 3)
    for_update(session, 2)
    session.execute("DELETE FROM acc WHERE id = 2")
    assert for_update(session, 2) is None
    session.commit()
    assert [in_table(admin, account) for account in (1, 2, 9001)] == [105, None, 3]


def elapsed_ms(action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    return (time.monotonic() - began) * 1000


@pytest.mark.timed
def test_a_commit_delay_delays_commit_and_nothing_else(table: str, connect: Open) -> None:
    session = connect(occ__commit_delay_ms=COMMIT_MS)
    reading, first_write, second_write = [], [], []
    for _ in range(3):
        reading.append(elapsed_ms(lambda: balance(session, 1)))
        first_write.append(elapsed_ms(lambda: add(session, 1)))
        second_write.append(elapsed_ms(lambda: add(session, 2)))
        assert elapsed_ms(session.commit) >= COMMIT_MS
    for statements in (reading, first_write, second_write):
        # The quickest of a few: another process may have had the core.
        assert min(statements) < COMMIT_MS
    balance(session, 1)
    reads = [elapsed_ms(session.commit)]
    for _ in range(3):
        balance(session, 1)
        reads.append(elapsed_ms(session.commit))
    assert min(reads) < COMMIT_MS, "reading waits for nobody"
    rollbacks = []
    for _ in range(3):
        add(session, 1)
        rollbacks.append(elapsed_ms(session.rollback))
    assert min(rollbacks) < COMMIT_MS


def test_a_commit_that_is_on_its_way_has_not_won_yet(
    table: str, connect: Open, admin: Connection
) -> None:
    """The delay stands before the decision: the quicker Region wins."""
    slow, quick = connect(occ__commit_delay_ms=500), connect()
    add(slow, 1, 5)
    outcome: list[Exception | None] = []

    def commit() -> None:
        try:
            slow.commit()
            outcome.append(None)
        except psycopg.Error as error:
            outcome.append(error)

    committing = threading.Thread(target=commit)
    committing.start()
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    deadline = time.monotonic() + 20
    while admin.execute(sleeping.encode()).fetchone() == (0,) and time.monotonic() < deadline:
        time.sleep(0.005)
    add(quick, 1, 7)
    quick.commit()
    committing.join(20)
    assert isinstance(outcome[0], psycopg.errors.SerializationFailure)
    assert in_table(admin, 1) == 107
