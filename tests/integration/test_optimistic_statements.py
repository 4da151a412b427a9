"""The optimistic regime: what a transaction sees of its own and of others, and what it may not do."""

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
