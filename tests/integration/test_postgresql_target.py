"""PostgreSQL servers over TCP: isolation levels, what a server lacks, a restart."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path
from time import monotonic_ns

import pytest

from loadtest.errors import InputError, TargetError
from loadtest.record.outcome import Outcome, outcome_of
from loadtest.targets import SqlTarget, Statement, StatementFailed
from loadtest.workload.access import parse_access
from loadtest.workload.builtin import Work, find_scenario
from loadtest.workload.keyspace import ComputedKeys, KeyType
from tests import in_process
from tests.commands import (
    RunResult,
    check_conserved,
    one_line,
    results_in,
    run,
    start,
    wait_for,
)
from tests.conftest import sql_target
from tests.integration.postgresql_support import ACCOUNTS, plain, seed_some, started
from tests.rigs.postgresql import CLERK, Server, plain_server

__all__ = ["plain"]


# Isolation


LEVELS = ("read-committed", "repeatable-read", "serializable")


def test_the_isolation_that_was_asked_for(plain: Server, tmp_path: Path) -> None:
    assert plain.embedded is not None
    log = plain.embedded.data_folder / "server.log"
    words = {level: level.replace("-", " ") for level in LEVELS}
    begins = {level: f"execute begin: BEGIN ISOLATION LEVEL {words[level].upper()}" for level in LEVELS}
    before = log.read_text()
    targets = [("--target", f"{level}={plain.target}?isolation={level}") for level in LEVELS]
    result = run(
        *(word for target in targets for word in target), "--users", 12, "--accounts", 20,
        "--keys", "int", "--duration", "1s", "--warmup", "100ms", "--retry", "immediate",
        out=tmp_path / "results",
    )  # fmt: skip
    assert {told["name"]: told["isolation"] for told in result.run["targets"]} == words
    log_of_run = log.read_text()
    for level in LEVELS:
        rows = [row for row in result.rows if row["target"] == level]
        begun = log_of_run.count(begins[level]) - before.count(begins[level])
        assert begun >= len(rows) > 10, "every attempt, by the server's own notes"
        session = sql_target(f"{plain.target}?isolation={level}").open_session(
            [Statement("level", "SHOW transaction_isolation")]
        )
        session.begin()
        assert session.fetch("level", ()) == words[level].encode()
        session.close()
        conflicts = {row["outcome"] for row in rows} - {"committed"}
        if level == "read-committed":
            assert conflicts <= {"deadlock"}
        else:
            assert "conflict_serialization" in conflicts


def test_the_embedded_database_takes_it_with_row_locks(server_folder: Path) -> None:
    target = sql_target(f"embedded://locking?isolation=read-committed&data={server_folder}")
    target.start()
    assert target.describe()["isolation"] == "read committed"
    session = target.open_session([Statement("level", "SHOW transaction_isolation")])
    session.begin()
    assert session.fetch("level", ()) == b"read committed"
    session.close()


def test_a_commit_that_fails_is_a_conflict_with_its_times(plain: Server) -> None:
    """Write skew: two transactions read both rows, and each writes the other one."""
    with closing(sql_target(plain.target).connect()) as connection:
        connection.execute("CREATE TABLE doctors (id bigint PRIMARY KEY, on_call bigint)")
        connection.execute("INSERT INTO doctors VALUES (1, 1), (2, 1)")
    target = sql_target(f"{plain.target}?isolation=serializable")
    statements = [
        Statement("read", "SELECT sum(on_call) FROM doctors"),
        Statement("write", "UPDATE doctors SET on_call = 0 WHERE id = $1", ("bigint",)),
    ]
    one, other = target.open_session(statements), target.open_session(statements)
    for session in (one, other):
        session.begin()
        assert session.fetch("read", ()) == b"2"
    for session, number in ((one, 1), (other, 2)):
        assert session.execute("write", (number.to_bytes(8),)) == 1
    one.commit()
    began = monotonic_ns()
    with pytest.raises(StatementFailed) as caught:
        other.commit()
    failure = caught.value
    assert (failure.sqlstate, failure.commit_sent, failure.connected) == ("40001", True, True)
    outcome = outcome_of("40001", failure.message, commit_sent=True, connected=True)
    assert outcome is Outcome.CONFLICT_SERIALIZATION
    assert began <= other.commit_sent_ns < other.ended_ns
    assert other.begin_answered_ns < other.first_answered_ns < other.commit_sent_ns
    # The session can be used again, and the transaction left nothing.
    other.begin()
    assert other.fetch("read", ()) == b"1"
    other.commit()
    one.close()
    other.close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("isolation=snapshot", "repeatable-read, serializable, read-committed"),
        ("isolation=", "repeatable-read, serializable, read-committed"),
        ("iam=azure", "iam=rds"),
        ("region=us-east-1", "region= belongs to iam=rds"),
        ("no_such_option=1", "no_such_option"),
    ],
)
def test_options_that_are_none(options: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        started(f"postgresql://me@127.0.0.1:1/db?{options}")


def test_what_its_user_may_not_do_shows_before_the_load(plain: Server, tmp_path: Path) -> None:
    url = plain.url(CLERK, host="127.0.0.1")
    out = tmp_path / "results"
    words = ("--duration", "1s", "--users", 2, "--out", out)
    line = one_line(in_process.occbench("run", "--target", url, *words, cwd=tmp_path), 3)
    assert "permission denied for table occbench_tables; grant its user what is missing" in line
    with closing(plain.as_owner()) as owner:
        owner.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {CLERK}")
    line = one_line(in_process.occbench("run", "--target", url, *words, cwd=tmp_path), 3)
    assert f"target 127.0.0.1 ({url}) refuses: permission denied for table accounts_int; grant" in line
    read_only = f"{plain.target}?options=-c%20default_transaction_read_only%3Don"
    line = one_line(in_process.occbench("run", "--target", read_only, *words, cwd=tmp_path), 3)
    assert "cannot execute UPDATE in a read-only transaction; give the primary's address" in line
    line = one_line(in_process.occbench("seed", "--target", url, "--keys", "uuid7", cwd=tmp_path), 3)
    assert "permission denied" in line
    assert "CREATE on the schema" in line
    assert not out.exists()


def test_what_a_server_lacks_is_absent(plain: Server) -> None:
    """Poolers and relatives do not have all that PostgreSQL has; here it is taken away."""
    with closing(sql_target(plain.target).connect()) as connection:
        connection.execute("CREATE SCHEMA lacking")
        connection.execute("CREATE FUNCTION lacking.pg_backend_pid() RETURNS int RETURN -1")
        less = f"{plain.target}?options=-c%20search_path%3Dlacking,public,pg_catalog"
        target = sql_target(less)
        assert target.connection_limit() is None, "another process answers: a pooler"
        connection.execute("CREATE VIEW lacking.pg_stat_activity AS SELECT 1 AS nothing")
        assert target.connection_limit() is None
        for signature in (
            "pg_postmaster_start_time() RETURNS timestamptz",
            "current_setting(text, boolean) RETURNS text",
        ):
            connection.execute(
                f"CREATE FUNCTION lacking.{signature} LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'no such function' USING ERRCODE = '42883'; END $$"
            )
        assert target.server_id() == f"127.0.0.1:{plain.port}"
        told = target.describe()
        assert told["isolation"] == "repeatable read"
        assert str(told["version"]).startswith("18")
        assert "durable" not in told
        connection.execute("DROP SCHEMA lacking CASCADE")


def test_a_table_that_is_not_there(plain: Server) -> None:
    target = sql_target(plain.target)
    statements = [Statement("gone", "SELECT balance FROM accounts_gone")]
    with pytest.raises(TargetError, match='relation "accounts_gone" does not exist; seed it first'):
        target.rehearse(statements, lambda session: session.fetch("gone", ()))


# A restart in the middle


def transfers(target: SqlTarget) -> Counter[tuple[int, int]]:
    """(account's key, change) of every change that the server has committed."""
    with closing(target.connect()) as connection:
        return Counter(connection.execute("SELECT id, change::bigint FROM changes").fetchall())


def test_a_restart_costs_what_was_in_flight_and_nothing_twice(tmp_path: Path) -> None:
    with plain_server() as server:
        seed_some(server.target, KeyType.INT)
        target = sql_target(server.target)
        with closing(target.connect()) as connection:
            # The server's own account, written by the transactions themselves.
            connection.execute("CREATE TABLE changes (id bigint, change numeric)")
            connection.execute(
                "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "INSERT INTO changes VALUES (new.id, new.balance - old.balance); RETURN NULL; END $$"
            )
            connection.execute(
                "CREATE TRIGGER note AFTER UPDATE ON accounts_int FOR EACH ROW EXECUTE FUNCTION note()"
            )
        users = 8
        out = tmp_path / "results"
        running = start(
            "run", "--target", server.target, "--users", users, "--keys", "int",
            "--duration", "5s", "--warmup", "100ms", "--out", out,
            cwd=tmp_path,
        )  # fmt: skip
        wait_for(lambda: sum(transfers(target).values()) > 200, "the load")
        server.stop()
        time.sleep(0.2)
        server.start()
        _, said = running.communicate(timeout=60)
        assert running.returncode == 0, said
        (result,) = results_in(out)
        check_conserved(result)
        there = transfers(target)
    lost = result.of_outcome("connection_lost", "ambiguous")
    assert 0 < len(lost) <= users, "the attempts in flight, and no more"
    interrupted = max(row["start_ns"] for row in lost)
    assert any(row["start_ns"] > interrupted for row in result.of_outcome("committed")), "it went on"
    committed, unknown = changes(result, "committed"), changes(result, "ambiguous")
    assert not committed - there, "what was answered is there"
    assert not (there - committed) - unknown, "and nothing else, unless nobody knows"
    assert sum(committed.values()) > 150


def changes(result: RunResult, outcome: str) -> Counter[tuple[int, int]]:
    """What the attempts with this outcome were to change, from nothing but the run's options."""
    law, keys = parse_access("uniform", ACCOUNTS), ComputedKeys(KeyType.INT, 1)
    scenario = find_scenario("transfer")
    streams: dict[int, Iterator[Work]] = {}
    found: Counter[tuple[int, int]] = Counter()
    for _, attempts in groupby(result.rows, key=lambda row: row["transaction"]):
        rows = list(attempts)
        user = rows[0]["user"]
        work = next(streams.setdefault(user, scenario.stream(law, keys, 1, user)))
        assert rows[0]["numbers"] == work.rows
        amount, payer, payee = work.parameters
        for row in rows:
            if row["outcome"] == outcome:
                found[int.from_bytes(payer), -int(amount)] += 1
                found[int.from_bytes(payee), int(amount)] += 1
    return found
