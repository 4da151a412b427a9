"""The optimistic regime: changes of the schema, of the regime's version, and its end."""

import threading
import time
from typing import Any

import psycopg
import pytest

from loadtest.targets.embedded import optimistic
from loadtest.targets.embedded.address import Regime, libpq_options
from loadtest.targets.embedded.server import EmbeddedServer
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
