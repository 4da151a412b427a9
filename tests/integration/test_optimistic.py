"""The optimistic regime, on the real server: it behaves as Aurora DSQL does."""

import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from loadtest.targets.embedded import optimistic
from loadtest.targets.embedded.server.binaries import binary
from loadtest.targets.embedded.server.lifecycle import EmbeddedServer, Regime, libpq_options

Connection = psycopg.Connection[tuple[Any, ...]]
Open = Callable[..., Connection]

COMMIT_MS = 150


@pytest.fixture(scope="module")
def admin(load_server: EmbeddedServer) -> Iterator[Connection]:
    """A connection that works on the tables themselves."""
    options = "-c search_path=public"
    with closing(psycopg.connect(load_server.conninfo(options=options), autocommit=True)) as made:
        optimistic.install(made)
        yield made


@pytest.fixture
def connect(load_server: EmbeddedServer) -> Iterator[Open]:
    """Opens connections in a regime, and closes them; none waits for a lock longer than 100 ms."""
    with ExitStack() as stack:

        def new(regime: Regime = "optimistic", **settings: object) -> Connection:
            given = {name.replace("__", "."): str(value) for name, value in settings.items()}
            options = libpq_options(regime, {"lock_timeout": "100", **given})
            made = psycopg.connect(load_server.conninfo(options=options))
            return stack.enter_context(closing(made))

        yield new


@pytest.fixture
def table(admin: Connection) -> Iterator[str]:
    """`acc`: accounts 1 to 5,000 with a balance of 100, in the regime."""
    admin.execute("CREATE TABLE acc (id bigint PRIMARY KEY, balance numeric NOT NULL)")
    admin.execute("INSERT INTO acc SELECT k, 100 FROM generate_series(1, 5000) k")
    optimistic.cover(admin, "acc")
    yield "acc"
    optimistic.uncover(admin, "acc")
    admin.execute("DROP TABLE acc")


def balance(connection: Connection, account: int) -> int | None:
    row = connection.execute("SELECT balance FROM acc WHERE id = %s", (account,)).fetchone()
    return None if row is None else int(row[0])


def add(connection: Connection, account: int, amount: int = 1) -> int:
    changed = connection.execute(
        "UPDATE acc SET balance = balance + %s WHERE id = %s", (amount, account)
    )
    return changed.rowcount


def in_table(admin: Connection, account: int) -> int | None:
    return balance(admin, account)


def fails(connection: Connection, code: str = "OC000") -> None:
    """COMMIT fails with 40001 and this code, and with nothing else."""
    with pytest.raises(psycopg.errors.SerializationFailure) as caught:
        connection.commit()
    assert caught.value.sqlstate == "40001"
    assert f"({code})" in str(caught.value.diag.message_primary)
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


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


# What a transaction sees


def test_own_writes_are_seen_and_those_of_others_only_later(
    table: str, connect: Open, admin: Connection
) -> None:
    one, other = connect(), connect()
    assert (balance(one, 1), balance(other, 1)) == (100, 100)
    add(one, 1, 11)
    assert balance(one, 1) == 111
    assert one.execute("SELECT count(*), sum(balance) FROM acc").fetchone() == (5000, 500_011)
    assert one.execute("SELECT id FROM acc WHERE balance = 111").fetchall() == [(1,)]
    assert balance(other, 1) == 100
    one.commit()
    assert balance(other, 1) == 100, "its snapshot is older"
    other.commit()
    assert balance(other, 1) == 111


def test_a_reader_s_snapshot_does_not_move_and_it_never_fails(table: str, connect: Open) -> None:
    reader, writer = connect(), connect()
    before = reader.execute("SELECT sum(balance), count(*) FROM acc").fetchone()
    for account in range(1, 6):
        add(writer, account)
        writer.execute("DELETE FROM acc WHERE id = %s", (account + 10,))
        writer.execute("INSERT INTO acc VALUES (%s, 5)", (account + 10_000,))
        writer.commit()
        assert reader.execute("SELECT sum(balance), count(*) FROM acc").fetchone() == before
    reader.commit()
    assert reader.execute("SELECT sum(balance), count(*) FROM acc").fetchone() != before


def test_returning_gives_the_new_row(table: str, connect: Open) -> None:
    session = connect()

    def one(statement: str) -> tuple[Any, ...] | None:
        return session.execute(statement.encode()).fetchone()

    assert one("UPDATE acc SET balance = balance - 30 WHERE id = 1 RETURNING balance, id") == (70, 1)
    assert one("UPDATE acc SET balance = balance - 30 WHERE id = 1 RETURNING balance") == (40,)
    assert one("UPDATE acc SET balance = 0 WHERE id = -1 RETURNING balance") is None
    assert one("INSERT INTO acc VALUES (9000, 5) RETURNING *") == (9000, 5)
    assert one("DELETE FROM acc WHERE id = 9000 RETURNING balance") == (5,)
    session.commit()
    assert (balance(session, 1), balance(session, 9000)) == (40, None)


def test_insert_update_delete_and_insert_again(table: str, connect: Open, admin: Connection) -> None:
    session = connect()
    session.execute("INSERT INTO acc VALUES (9001, 1)")
    assert balance(session, 9001) == 1
    assert add(session, 9001, 1) == 1
    assert balance(session, 9001) == 2
    session.execute("DELETE FROM acc WHERE id = 9001")
    assert balance(session, 9001) is None
    assert add(session, 9001) == 0
    session.execute("INSERT INTO acc VALUES (9001, 3)")
    session.execute("DELETE FROM acc WHERE id = 1")  # the same with a row that was there
    session.execute("INSERT INTO acc VALUES (1, 7)")
    add(session, 1, 1)
    session.execute("INSERT INTO acc VALUES (9002, 1)")
    session.execute("DELETE FROM acc WHERE id = 9002")
    assert session.execute("SELECT count(*) FROM acc").fetchone() == (5001,)
    session.commit()
    assert [in_table(admin, account) for account in (9001, 1, 9002)] == [3, 8, None]
    assert admin.execute("SELECT count(*) FROM acc").fetchone() == (5001,)


def test_a_key_that_is_visible_cannot_be_inserted(table: str, connect: Open) -> None:
    session = connect()
    with pytest.raises(psycopg.errors.UniqueViolation) as caught:
        session.execute("INSERT INTO acc VALUES (1, 5)")
    assert caught.value.sqlstate == "23505"
    session.rollback()
    session.execute("INSERT INTO acc VALUES (9001, 5)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        session.execute("INSERT INTO acc VALUES (9001, 6)")


def test_a_key_that_somebody_else_inserts_is_a_conflict(
    table: str, connect: Open, admin: Connection
) -> None:
    first, second = connect(), connect()
    first.execute("INSERT INTO acc VALUES (9001, 1)")
    second.execute("INSERT INTO acc VALUES (9001, 2)")
    second.commit()
    fails(first)
    assert in_table(admin, 9001) == 2


def test_a_savepoint_rolled_back_takes_its_writes_along(
    table: str, connect: Open, admin: Connection
) -> None:
    session = connect()
    add(session, 1, 1)
    with session.transaction():
        add(session, 1, 10)
        add(session, 2, 10)
        session.execute("DELETE FROM acc WHERE id = 3")
        session.execute("INSERT INTO acc VALUES (9001, 1)")
        assert (balance(session, 1), balance(session, 2)) == (111, 110)
        raise psycopg.Rollback
    seen = [balance(session, account) for account in (1, 2, 3, 9001)]
    assert seen == [101, 100, 100, None]
    add(session, 4, 4)
    with session.transaction():
        add(session, 5, 5)
    session.commit()
    assert [in_table(admin, account) for account in (1, 2, 3, 4, 5, 9001)] == [
        101, 100, 100, 104, 105, None,
    ]  # fmt: skip


def test_rolled_back_is_as_if_it_never_was(table: str, connect: Open, admin: Connection) -> None:
    session = connect()
    add(session, 1, 50)
    session.execute("DELETE FROM acc WHERE id = 2")
    session.rollback()
    assert (balance(session, 1), balance(session, 2)) == (100, 100)
    add(session, 3)
    session.commit()
    assert admin.execute("SELECT sum(balance) FROM acc").fetchone() == (500_001,)


def test_the_same_key_in_transaction_after_transaction(
    table: str, connect: Open, admin: Connection
) -> None:
    """What an earlier transaction left in the write set must be neither seen nor written again."""
    session = connect()
    for round_ in range(60):
        assert add(session, 1) == 1, f"round {round_}"
        if round_ % 3:
            assert add(session, 2) == 1
        if round_ % 7 == 0:
            assert add(session, 1) == 1
        assert session.execute("SELECT count(*) FROM acc WHERE id = 1").fetchone() == (1,)
        row = session.execute("UPDATE acc SET balance = balance WHERE id = 1 RETURNING balance")
        assert len(row.fetchall()) == 1
        if round_ % 5 == 4:
            session.rollback()
        else:
            session.commit()
    kept = [r for r in range(60) if r % 5 != 4]
    assert in_table(admin, 1) == 100 + len(kept) + sum(r % 7 == 0 for r in kept)
    assert in_table(admin, 2) == 100 + sum(r % 3 != 0 for r in kept)


def test_an_update_of_many_rows_changes_each_once(table: str, connect: Open, admin: Connection) -> None:
    session = connect()
    for round_ in range(1, 4):
        done = session.execute("UPDATE acc SET balance = balance + 1 WHERE id <= 500")
        assert done.rowcount == 500
        done = session.execute("UPDATE acc SET balance = balance + 1 WHERE id BETWEEN 400 AND 600")
        assert done.rowcount == 201
        session.commit()
        sums = admin.execute(
            "SELECT sum(balance - 100) FILTER (WHERE id < 400), "
            "sum(balance - 100) FILTER (WHERE id BETWEEN 400 AND 500), "
            "sum(balance - 100) FILTER (WHERE id > 500) FROM acc"
        ).fetchone()
        assert sums == (399 * round_, 101 * 2 * round_, 100 * round_)


# Limits and refusals


def test_three_thousand_rows_and_not_one_more(table: str, connect: Open, admin: Connection) -> None:
    session = connect()
    session.execute("UPDATE acc SET balance = balance + 1 WHERE id <= 3000")
    session.execute("UPDATE acc SET balance = balance + 1 WHERE id <= 200")  # rows it has already
    session.commit()
    assert admin.execute("SELECT sum(balance) FROM acc").fetchone() == (503_200,)
    with pytest.raises(psycopg.Error) as caught:
        session.execute("UPDATE acc SET balance = balance + 1 WHERE id <= 3001")
    assert caught.value.sqlstate == "54000"
    session.rollback()
    session.execute("UPDATE acc SET balance = balance + 1 WHERE id <= 3000")
    with pytest.raises(psycopg.Error) as caught:
        session.execute("INSERT INTO acc VALUES (9001, 1)")
    assert caught.value.sqlstate == "54000"
    session.rollback()
    add(session, 1)
    session.commit()


@pytest.mark.parametrize("level", ["READ COMMITTED", "SERIALIZABLE"])
def test_other_levels_may_read_and_not_write(table: str, connect: Open, level: str) -> None:
    session = connect()
    session.execute(f"SET TRANSACTION ISOLATION LEVEL {level}".encode())
    assert balance(session, 1) == 100
    with pytest.raises(psycopg.errors.FeatureNotSupported) as caught:
        add(session, 1)
    assert caught.value.sqlstate == "0A000"


def test_a_key_cannot_be_changed(table: str, connect: Open) -> None:
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        connect().execute("UPDATE acc SET id = id + 100000 WHERE id = 1")


@pytest.mark.parametrize("reset", ["RESET ALL", "RESET occ.rows", "RESET occ.n_acc"])
@pytest.mark.parametrize("goes_on", [False, True])
def test_a_reset_of_the_settings_loses_no_write_silently(
    table: str, connect: Open, admin: Connection, reset: str, goes_on: bool
) -> None:
    session = connect()
    add(session, 1)
    add(session, 2)
    session.execute(reset.encode())
    try:
        if goes_on:
            add(session, 3)
        session.commit()
    except psycopg.errors.ObjectNotInPrerequisiteState:
        session.rollback()
    else:
        assert (in_table(admin, 1), in_table(admin, 2)) == (101, 101)
    add(session, 4)
    session.commit()
    assert in_table(admin, 4) == 101


def test_a_reset_before_the_first_write_does_no_harm(
    table: str, connect: Open, admin: Connection
) -> None:
    session = connect()
    add(session, 1)
    session.commit()
    session.execute("RESET ALL")
    add(session, 1)
    session.commit()
    assert in_table(admin, 1) == 102


# Changes of the schema


def test_a_new_table_fails_who_began_before(table: str, connect: Open, admin: Connection) -> None:
    writer, reader = connect(), connect()
    assert balance(reader, 1) == 100
    add(writer, 1)
    admin.execute("CREATE TABLE another (k int)")
    try:
        assert add(writer, 2) == 1, "no statement fails"
        fails(writer, "OC001")
        reader.commit()
        add(writer, 1)
        writer.commit()
    finally:
        admin.execute("DROP TABLE another")
    assert in_table(admin, 1) == 101


def test_an_alter_table_that_waits_fails_who_it_waits_for(
    table: str, connect: Open, admin: Connection, load_server: EmbeddedServer
) -> None:
    session = connect()
    add(session, 1)
    balance(session, 2)
    failures: list[Exception] = []

    def alter() -> None:
        try:
            with psycopg.connect(load_server.conninfo(), autocommit=True) as changer:
                changer.execute("ALTER TABLE public.acc ADD COLUMN note text")
        except psycopg.Error as error:
            failures.append(error)

    changer = threading.Thread(target=alter)
    changer.start()
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'ALTER%'"
    )
    deadline = time.monotonic() + 20
    while admin.execute(waiting.encode()).fetchone() == (0,) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert admin.execute(waiting.encode()).fetchone() == (1,)
    fails(session, "OC001")
    changer.join(20)
    assert not failures
    assert not changer.is_alive()
    add(session, 1)
    session.commit()
    assert in_table(admin, 1) == 101


def test_own_changes_of_the_schema_do_not_fail_oneself(
    table: str, connect: Open, admin: Connection
) -> None:
    session = connect()
    add(session, 1)
    session.execute("CREATE TABLE public.mine (k int)")
    add(session, 2)
    session.execute("DROP TABLE public.mine")
    session.commit()
    assert (in_table(admin, 1), in_table(admin, 2)) == (101, 101)


def test_a_change_that_was_rolled_back_fails_nobody(
    table: str, connect: Open, admin: Connection
) -> None:
    session, changer = connect(), connect("locking")
    add(session, 1)
    changer.execute("CREATE TABLE never (k int)")
    changer.rollback()
    session.commit()
    assert in_table(admin, 1) == 101


def test_a_change_before_the_snapshot_fails_nobody(
    table: str, connect: Open, admin: Connection
) -> None:
    admin.execute("CREATE TABLE earlier (k int)")
    session = connect()
    add(session, 1)
    session.commit()
    admin.execute("DROP TABLE earlier")


def test_a_change_is_not_hidden_by_one_that_was_rolled_back(
    table: str, connect: Open, admin: Connection
) -> None:
    session, changer = connect(), connect("locking")
    add(session, 1)
    admin.execute("CREATE TABLE another (k int)")
    try:
        changer.execute("CREATE TABLE never (k int)")
        changer.rollback()
        fails(session, "OC001")
    finally:
        admin.execute("DROP TABLE another")


def test_a_change_is_not_hidden_by_a_later_one_that_committed_first(
    table: str, connect: Open, admin: Connection
) -> None:
    session, changer = connect(), connect("locking")
    changer.execute("CREATE TABLE slow (k int)")
    admin.execute("CREATE TABLE quick (k int)")
    try:
        add(session, 1)
        changer.commit()
        fails(session, "OC001")
        add(session, 1)
        session.commit()
    finally:
        admin.execute("DROP TABLE quick")
        admin.execute("DROP TABLE IF EXISTS slow")


@pytest.mark.parametrize("changes", [3, 40])
def test_however_many_changes_there_are(
    table: str, connect: Open, admin: Connection, changes: int
) -> None:
    old, slow, session, late = connect(), connect("locking"), connect(), connect()
    add(old, 1)
    slow.execute("CREATE TABLE slow (k int)")
    balance(session, 2)
    for _ in range(changes):
        admin.execute("CREATE TABLE quick (k int)")
        admin.execute("DROP TABLE quick")
    slow.rollback()
    # `old` still runs: its id keeps the xmin of every new snapshot low.
    add(late, 3)
    late.commit()
    add(session, 2)
    fails(session, "OC001")
    fails(old, "OC001")
    assert [in_table(admin, account) for account in (1, 2, 3)] == [100, 100, 101]


def test_an_index_is_made_and_dropped_concurrently(
    table: str, connect: Open, admin: Connection, load_server: EmbeddedServer
) -> None:
    session = connect()
    regimes: list[Regime] = ["locking", "optimistic"]
    for regime in regimes:
        options = libpq_options(regime, {"statement_timeout": "10000"})
        with psycopg.connect(load_server.conninfo(options=options), autocommit=True) as changer:
            changer.execute("CREATE TABLE public.indexed (k int)")
            changer.execute("CREATE INDEX CONCURRENTLY indexed_k ON public.indexed (k)")
            balance(session, 1)
            changer.execute("DROP INDEX CONCURRENTLY public.indexed_k")
            add(session, 1)
            fails(session, "OC001")
            changer.execute("DROP TABLE public.indexed")
    add(session, 1)
    session.commit()


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


# Tables of other shapes


@pytest.fixture
def shapes(admin: Connection) -> Iterator[Callable[[str, str], None]]:
    """Makes tables, in the regime, and drops them."""
    made: list[str] = []

    def make(name: str, columns: str) -> None:
        quoted = sql.Identifier("public", name).as_string(admin)
        admin.execute(f"CREATE TABLE {quoted} ({columns})".encode())
        made.append(name)
        optimistic.cover(admin, name)

    yield make
    for name in made:
        optimistic.uncover(admin, name)
        admin.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier("public", name)))


def test_a_key_of_several_columns(
    shapes: Callable[[str, str], None], connect: Open, admin: Connection
) -> None:
    shapes("stock", "shop text, quantity int NOT NULL, item int, PRIMARY KEY (item, shop)")
    one, other = connect(), connect()
    one.execute("INSERT INTO stock VALUES ('a', 5, 1), ('a', 6, 2), ('b', 7, 1)")
    one.commit()
    one.execute("UPDATE stock SET quantity = quantity - 1 WHERE shop = 'a' AND item = 1")
    other.execute("UPDATE stock SET quantity = quantity - 1 WHERE shop = 'b'")
    other.execute("UPDATE stock SET quantity = quantity - 1 WHERE shop = 'a' AND item = 2")
    one.commit()
    other.commit()
    one.execute("UPDATE stock SET quantity = 0 WHERE item = 1")
    other.execute("DELETE FROM stock WHERE item = 1 AND shop = 'b'")
    other.commit()
    fails(one)
    read = one.execute("SELECT * FROM stock_for_update('a', 1)").fetchone()
    assert read == ("a", 4, 1)
    one.commit()
    rows = admin.execute("SELECT shop, item, quantity FROM stock ORDER BY 1, 2").fetchall()
    assert rows == [("a", 1, 4), ("a", 2, 5)]


def test_defaults(shapes: Callable[[str, str], None], connect: Open, admin: Connection) -> None:
    shapes(
        "notes",
        "id bigint PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), "
        "key_1 int, words text DEFAULT 'it''s', n numeric(10, 2) NOT NULL DEFAULT 1.5, "
        "done text, w int, found_row int",
    )
    session = connect()
    made = session.execute(
        "INSERT INTO notes (id) VALUES (1) RETURNING words, n, at = now()"
    ).fetchone()
    assert made is not None
    assert (made[0], float(made[1]), made[2]) == ("it's", 1.5, True)
    session.execute("INSERT INTO notes (id, words) VALUES (2, NULL)")
    session.execute("UPDATE notes SET words = NULL WHERE id = 1")
    session.commit()
    rows = admin.execute("SELECT id, words, n::text FROM notes ORDER BY id").fetchall()
    assert rows == [(1, None, "1.50"), (2, None, "1.50")]


@pytest.mark.parametrize(
    "name", ["Order Lines", 'the "best"', "user", "kontoübersicht", "it's", "x-1", "100 %", "a$$b"]
)
def test_names_that_need_quotes(
    shapes: Callable[[str, str], None], connect: Open, admin: Connection, name: str
) -> None:
    shapes(name, '"select" int PRIMARY KEY, "Total \'$\' ""x""" int NOT NULL')
    quoted = sql.Identifier(name)
    one, other = connect(), connect()
    one.execute(sql.SQL("INSERT INTO {} VALUES (1, 1), (2, 1)").format(quoted))
    one.commit()
    for session in (one, other):
        update = sql.SQL("UPDATE {} SET {total} = {total} + 1 WHERE {key} = 1").format(
            quoted, total=sql.Identifier("Total '$' \"x\""), key=sql.Identifier("select")
        )
        assert session.execute(update).rowcount == 1
    one.commit()
    fails(other)
    other.execute(sql.SQL("DELETE FROM {} WHERE {} = 2").format(quoted, sql.Identifier("select")))
    other.commit()
    left = admin.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier("public", name)))
    assert left.fetchall() == [(1, 2)]


def test_a_table_that_is_all_key(shapes: Callable[[str, str], None], connect: Open) -> None:
    shapes("pairs", "a int, b int, PRIMARY KEY (a, b)")
    one, other = connect(), connect()
    one.execute("INSERT INTO pairs VALUES (1, 1), (1, 2)")
    other.execute("INSERT INTO pairs VALUES (1, 3)")
    one.commit()
    other.commit()
    one.execute("UPDATE pairs SET a = a WHERE b = 1")
    other.execute("DELETE FROM pairs WHERE b = 1")
    other.commit()
    fails(one)


USERS = "id int PRIMARY KEY, email text UNIQUE, shop int, UNIQUE (shop)"


def users(session: Connection, *rows: tuple[int, str]) -> None:
    for row in rows:
        session.execute("INSERT INTO users (id, email) VALUES (%s, %s)", row)


def all_users(admin: Connection) -> list[tuple[Any, ...]]:
    return admin.execute("SELECT id, email FROM users ORDER BY id").fetchall()


def is_a_duplicate(session: Connection) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation) as caught:
        session.commit()
    assert caught.value.diag.constraint_name == "users_email_key"


def test_a_duplicate_that_is_visible_is_no_conflict(
    shapes: Callable[[str, str], None], connect: Open, admin: Connection
) -> None:
    """Trying again would fail without end."""
    shapes("users", USERS)
    session = connect()
    users(session, (1, "a"), (2, "b"))
    session.commit()
    users(session, (3, "a"))
    is_a_duplicate(session)
    session.execute("UPDATE users SET email = 'a' WHERE id = 2")
    is_a_duplicate(session)
    users(session, (4, "c"), (5, "c"))
    is_a_duplicate(session)
    assert all_users(admin) == [(1, "a"), (2, "b")]


def test_a_unique_value_that_somebody_else_takes_is_a_conflict(
    shapes: Callable[[str, str], None], connect: Open, admin: Connection
) -> None:
    shapes("users", USERS)
    first, second = connect(), connect()
    users(first, (1, "a"))
    first.commit()
    users(first, (2, "x"))
    second.execute("UPDATE users SET email = 'x' WHERE id = 1")
    second.commit()
    fails(first)
    users(first, (2, "x"))
    is_a_duplicate(first)
    assert all_users(admin) == [(1, "x")]


def test_duplicates_in_an_index_of_an_expression(
    shapes: Callable[[str, str], None], connect: Open, admin: Connection
) -> None:
    shapes("users", "id int PRIMARY KEY, email text, gone bool NOT NULL DEFAULT false")
    admin.execute(
        "CREATE UNIQUE INDEX users_email_key ON users (lower(email), (id % 1)) WHERE NOT gone"
    )
    first, second = connect(), connect()
    users(first, (1, "A"))
    first.commit()
    users(first, (2, "a"))
    is_a_duplicate(first)
    users(first, (2, "b"))
    users(second, (3, "B"))
    second.commit()
    fails(first)
    first.execute("UPDATE users SET gone = true WHERE id = 1")
    users(first, (4, "a"))
    first.commit()
    assert all_users(admin) == [(1, "A"), (3, "B"), (4, "a")]


def test_the_unique_value_of_a_row_that_is_deleted_is_free(
    shapes: Callable[[str, str], None], connect: Open, admin: Connection
) -> None:
    shapes("users", USERS)
    session, other = connect(), connect()
    users(session, (1, "a"), (5, "e"))
    session.commit()
    session.execute("DELETE FROM users WHERE id = 5")
    session.execute("UPDATE users SET email = 'e' WHERE id = 1")
    session.commit()
    assert all_users(admin) == [(1, "e")]
    session.execute("DELETE FROM users WHERE id = 1")
    users(session, (2, "e"))
    other.execute("UPDATE users SET email = 'f' WHERE id = 1")
    other.commit()
    fails(session)
    assert all_users(admin) == [(1, "f")]


def test_two_tables_in_one_transaction(
    table: str, shapes: Callable[[str, str], None], connect: Open, admin: Connection
) -> None:
    shapes("ledger", "id int PRIMARY KEY, amount int NOT NULL")
    one, other = connect(), connect()
    for session, key in ((one, 1), (other, 2)):
        session.execute("INSERT INTO ledger VALUES (%s, 5)", (key,))
        add(session, 1)
    one.commit()
    fails(other)
    assert admin.execute("SELECT id FROM ledger").fetchall() == [(1,)]


def test_what_cannot_be_covered_is_said(admin: Connection) -> None:
    admin.execute("CREATE TABLE keyless (k int)")
    try:
        for name in ("keyless", "not_there"):
            with pytest.raises(ValueError, match="is not there or has no primary key"):
                optimistic.cover(admin, name)
        assert not {"keyless", "not_there"} & set(optimistic.covered(admin))
    finally:
        admin.execute("DROP TABLE keyless")


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("twice int GENERATED ALWAYS AS (k * 2) STORED", "column 'twice' .* is generated"),
        ("twice int GENERATED ALWAYS AS (k * 2) VIRTUAL", "column 'twice' .* is generated"),
        ("n int GENERATED ALWAYS AS IDENTITY", "column 'n' .* is an identity column"),
        ("n int GENERATED BY DEFAULT AS IDENTITY", "column 'n' .* is an identity column"),
    ],
)
def test_a_column_that_computes_itself_is_refused(admin: Connection, column: str, said: str) -> None:
    admin.execute(f"CREATE TABLE computed (k int PRIMARY KEY, {column})".encode())
    try:
        with pytest.raises(ValueError, match=said):
            optimistic.cover(admin, "computed")
        assert "computed" not in optimistic.covered(admin)
    finally:
        admin.execute("DROP TABLE computed")


# Life of the regime


def test_another_version_is_installed_anew(table: str, connect: Open, admin: Connection) -> None:
    def made() -> list[tuple[Any, ...]]:
        oids = "SELECT 'optimistic.acc'::regclass::oid, 'occ.set_acc'::regclass::oid"
        return admin.execute(oids.encode()).fetchall()

    before = made()
    optimistic.install(admin)
    assert made() == before, "the same version does nothing"
    admin.execute("COMMENT ON SCHEMA occ IS 'of another version'")
    admin.execute("DROP FUNCTION occ.write_acc CASCADE")  # as if it had been otherwise
    optimistic.install(admin)
    assert made() != before
    comment = admin.execute("SELECT obj_description(to_regnamespace('occ'), 'pg_namespace')").fetchone()
    assert comment not in (None, ("of another version",))
    one, other = connect(), connect()
    add(one, 1)
    add(other, 1)
    one.commit()
    fails(other)
    assert in_table(admin, 1) == 101


def test_uncovered_the_table_is_as_before(table: str, admin: Connection) -> None:
    optimistic.uncover(admin, "acc")
    assert "acc" not in optimistic.covered(admin)
    assert admin.execute("SELECT to_regclass('optimistic.acc')").fetchone() == (None,)
    assert admin.execute("SELECT count(*) FROM acc").fetchone() == (5000,)
    optimistic.cover(admin, "acc")


def elapsed_ms(action: Callable[[], object]) -> float:
    began = time.monotonic()
    action()
    return (time.monotonic() - began) * 1000


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


# Many at once


def transfers(session: Connection, seed: int, until: float, accounts: int, failures: list[str]) -> int:
    rng = random.Random(seed)  # noqa: S311 - which accounts
    done = 0
    while time.monotonic() < until:
        payer, payee = rng.sample(range(1, accounts + 1), 2)
        try:
            session.execute("UPDATE acc SET balance = balance - 1 WHERE id = %s", (payer,))
            session.execute("UPDATE acc SET balance = balance + 1 WHERE id = %s", (payee,))
            session.commit()
            done += 1
        except psycopg.Error as error:
            failures.append(f"{error.sqlstate} {str(error).splitlines()[0]}")
            session.rollback()
    return done


@pytest.mark.slow
def test_thirty_two_at_once_conserve_money_and_only_ever_conflict(
    table: str, connect: Open, admin: Connection
) -> None:
    # Commits to one row follow one another, each as long as the disk takes: on a machine that stands
    # still for a tenth of a second that is no wait of a statement.
    sessions = [connect(lock_timeout=5000) for _ in range(32)]
    failures: list[list[str]] = [[] for _ in sessions]
    done = [0] * len(sessions)
    until = time.monotonic() + 3

    def work(place: int) -> None:
        done[place] = transfers(sessions[place], place, until, 100, failures[place])

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(sessions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    everything = [text for some in failures for text in some]
    assert sum(done) > 200
    assert everything, "with 100 accounts somebody must have lost"
    assert {text[:5] for text in everything} == {"40001"}
    assert all("(OC000)" in text for text in everything)
    assert admin.execute("SELECT sum(balance) FROM acc").fetchone() == (500_000,)


def test_both_regimes_at_once_conserve_money(table: str, connect: Open, admin: Connection) -> None:
    regimes: list[Regime] = ["optimistic", "locking"]
    sessions = [connect(regime, lock_timeout=5000) for regime in regimes for _ in range(6)]
    failures: list[list[str]] = [[] for _ in sessions]
    done = [0] * len(sessions)
    until = time.monotonic() + 2

    def work(place: int) -> None:
        done[place] = transfers(sessions[place], place, until, 50, failures[place])

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(sessions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(done[:6]) > 10
    assert sum(done[6:]) > 10
    assert {text[:5] for some in failures for text in some} <= {"40001", "40P01"}
    assert {text[:5] for some in failures[:6] for text in some} <= {"40001"}
    assert admin.execute("SELECT sum(balance) FROM acc").fetchone() == (500_000,)


TRANSFER = r"""
\set payer random(1, 5000)
\set payee 1 + mod(:payer, 5000)
BEGIN;
UPDATE acc SET balance = balance - 1 WHERE id = :payer RETURNING balance;
UPDATE acc SET balance = balance + 1 WHERE id = :payee;
COMMIT;
"""


def pgbench(server: EmbeddedServer, script: Path, clients: int, each: int) -> None:
    done = subprocess.run(
        [
            binary("pgbench"), "-n", "-c", str(clients), "-j", "2", "-t", str(each), "-M", "prepared",
            "--max-tries", "100", "-f", script, server.url("optimistic"),
        ],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"{clients * each}/{clients * each}" in done.stdout, done.stdout


@pytest.mark.slow
def test_the_write_set_does_not_grow_with_time(
    table: str, connect: Open, admin: Connection, load_server: EmbeddedServer, tmp_path: Path
) -> None:
    script = tmp_path / "transfer.sql"
    script.write_text(TRANSFER)

    def size() -> int:
        row = admin.execute("SELECT pg_relation_size('occ.set_acc')").fetchone()
        assert row is not None
        return int(row[0])

    pgbench(load_server, script, 8, 400)
    early = size()
    pgbench(load_server, script, 8, 2200)
    # A few pages for each session, more where one is held up and its snapshot keeps old rows from
    # being overwritten; 20,000 transactions whose rows were all kept would take two megabytes.
    assert early < 800_000
    assert size() < 800_000
    admin.execute("ANALYZE occ.set_acc")
    session = connect()
    plan = "\n".join(
        row[0] for row in session.execute("EXPLAIN SELECT balance FROM acc WHERE id = 5").fetchall()
    )
    assert "set_acc_pkey" in plan
    assert "Seq Scan on set_acc" not in plan
    assert admin.execute("SELECT sum(balance) FROM acc").fetchone() == (500_000,)
