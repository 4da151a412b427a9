"""Seeding that is interrupted, or fails, and goes on."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from loadtest.errors import InputError, TargetError
from loadtest.targets.embedded.target import EmbeddedTarget
from seed import SeedInterrupted, SeedPlan, read_manifest, seed
from seed.batches import Batch
from seed.sql.statements import Connection
from seed.sql.wire import Wire
from seed.sql.writer import BatchWriter
from tests.integration.seed_support import (
    NAME,
    SCENARIO,
    Events,
    connection,
    embedded,
    expected,
    ledger_rows,
    load,
    plan,
    rows,
    target,
)

__all__ = ["connection", "target"]


class After(Events):
    """Does something once so many batches are loaded."""

    def __init__(self, batches: int, deed: Callable[[], None]) -> None:
        super().__init__()
        self._left = batches
        self._deed = deed

    def advance(self, accounts: int) -> None:
        super().advance(accounts)
        self._left -= 1
        if self._left == 0:
            self._deed()


def interrupt() -> None:
    raise KeyboardInterrupt


def break_off(target: EmbeddedTarget, plan_: SeedPlan, batches: int = 5) -> SeedInterrupted:
    with pytest.raises(SeedInterrupted) as caught:
        seed(plan_, target, SCENARIO, After(batches, interrupt))
    return caught.value


SLOW = plan(30_000, batch=20, workers=3)


def test_an_interrupted_seeding_goes_on_with_what_is_missing(
    target: EmbeddedTarget, connection: Connection
) -> None:
    error = break_off(target, SLOW)
    assert error.exit_code == 130
    there = rows(connection)
    batches = ledger_rows(connection)
    assert f"{batches:,} of 1,500 batches are loaded" in str(error)
    assert len(there) == batches * 20
    assert 100 <= len(there) < 30_000
    found = read_manifest(connection, NAME)
    assert found is not None
    assert not found.complete

    events = Events()
    result = seed(SLOW, target, SCENARIO, events)
    assert events.begun == [(NAME, 30_000, len(there))]
    assert result.tables[0].loaded == 30_000 - len(there) == events.advanced
    assert rows(connection) == expected(30_000)
    found = read_manifest(connection, NAME)
    assert found is not None
    assert found.complete


def test_a_workers_number_may_change_on_the_way_but_not_what_a_batch_is(
    target: EmbeddedTarget, connection: Connection
) -> None:
    break_off(target, SLOW)
    for other in ({"batch": 21}, {"accounts": 30_001}, {"seed": 2}, {"balance": 1}):
        with pytest.raises(InputError, match="half loaded"):
            load(target, plan(**{"accounts": 30_000, "batch": 20, **other}))
    load(target, plan(30_000, batch=20, workers=7))
    assert rows(connection) == expected(30_000)


def test_recreate_forgets_what_was_begun(target: EmbeddedTarget, connection: Connection) -> None:
    break_off(target, SLOW)
    assert load(target, plan(500, recreate=True)) == 500
    assert rows(connection) == expected(500)
    assert ledger_rows(connection) == 0


def test_an_extension_is_resumed(target: EmbeddedTarget, connection: Connection) -> None:
    load(target, plan(1_000))
    break_off(target, SLOW)
    there = len(rows(connection))
    assert load(target, SLOW) == 30_000 - there
    assert rows(connection) == expected(30_000)


def test_a_table_that_was_not_finished_being_made_is_made_again(
    target: EmbeddedTarget, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise psycopg.OperationalError("gone")

    with monkeypatch.context() as patched:
        patched.setattr(target, "after_create", fail)
        with pytest.raises(TargetError, match="gone"):
            load(target, plan(50))
    assert load(target, plan(60)) == 60
    assert rows(connection) == expected(60)


def test_sigint_ends_a_command_with_130_and_the_next_goes_on(
    target: EmbeddedTarget, connection: Connection, server_folder: Path
) -> None:
    script = """
import sys
from pathlib import Path
from seed import SeedInterrupted, seed
from tests.integration.test_seed_resume import SCENARIO, SLOW, After, embedded
target = embedded(Path(sys.argv[1]))
try:
    seed(SLOW, target, SCENARIO, After(10, lambda: print("ten", flush=True)))
except SeedInterrupted as error:
    print(error)
    sys.exit(error.exit_code)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(server_folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ten\n"
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    batches = ledger_rows(connection)
    assert f"{batches:,} of 1,500 batches are loaded; the same command goes on" in said
    assert load(target, SLOW) == 30_000 - 20 * batches
    assert rows(connection) == expected(30_000)


def test_a_connection_that_breaks_is_opened_again(
    target: EmbeddedTarget, connection: Connection
) -> None:
    """Every other connection is ended by the server, twice, in the middle of loading."""

    def cut() -> None:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() "
            "AND query LIKE '%COPY seedtest%'"
        )

    class Twice(After):
        def advance(self, accounts: int) -> None:
            super().advance(accounts)
            if self.advanced == 600:
                cut()

    assert seed(SLOW, target, SCENARIO, Twice(5, cut)).tables[0].accounts == 30_000
    assert rows(connection) == expected(30_000)


def test_a_commit_without_an_answer_is_looked_up_not_repeated(
    target: EmbeddedTarget, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = BatchWriter._write_once
    lost: list[int] = []

    def lose_the_answer(self: BatchWriter, wire: Any, batch: Batch, values: Any) -> bool:
        done = once(self, wire, batch, values)
        if batch.number not in lost and len(lost) < 4:
            lost.append(batch.number)
            self.close()
            raise psycopg.OperationalError("the connection was lost")
        return done

    monkeypatch.setattr(BatchWriter, "_write_once", lose_the_answer)
    load(target, plan(3_000))
    assert len(lost) == 4
    assert rows(connection) == expected(3_000)


def test_conflicts_are_tried_again(
    target: EmbeddedTarget, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = BatchWriter._write_once
    failed: set[int] = set()

    def conflict(self: BatchWriter, wire: Any, batch: Batch, values: Any) -> bool:
        if batch.number not in failed:
            failed.add(batch.number)
            raise psycopg.errors.SerializationFailure("try again (OC000)")
        return once(self, wire, batch, values)

    monkeypatch.setattr(BatchWriter, "_write_once", conflict)
    assert load(target, plan(3_000)) == 3_000
    assert rows(connection) == expected(3_000)


def test_a_target_that_takes_one_statement_at_a_time(
    target: EmbeddedTarget, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Wire.run

    def refuse(self: Wire, query: bytes, data: Any = ()) -> int:
        if b"; " in query:
            raise psycopg.errors.FeatureNotSupported("one statement at a time")
        return run(self, query, data)

    monkeypatch.setattr(Wire, "run", refuse)
    monkeypatch.setattr(target.dialect, "statements_together", False)
    load(target, plan(3_000))
    assert rows(connection) == expected(3_000)


def test_a_failure_names_its_cause_on_one_line_and_can_be_resumed(
    target: EmbeddedTarget, connection: Connection
) -> None:
    """The server refuses a row in the middle: the other workers stop, what is loaded stays."""

    def forbid() -> None:
        connection.execute(
            f"ALTER TABLE {NAME} ADD CONSTRAINT no CHECK (id::text < '8') NOT VALID".encode()
        )

    with pytest.raises(TargetError, match="check constraint") as caught:
        seed(SLOW, target, SCENARIO, After(5, forbid))
    batches = ledger_rows(connection)
    assert "\n" not in str(caught.value)
    assert "23514" in str(caught.value)
    assert f"{batches:,} of 1,500 batches are loaded; the same command goes on" in str(caught.value)
    connection.execute(f"ALTER TABLE {NAME} DROP CONSTRAINT no".encode())
    assert load(target, SLOW) == 30_000 - 20 * batches
    assert rows(connection) == expected(30_000)


def test_a_table_that_another_command_replaced_takes_no_batch(
    target: EmbeddedTarget, connection: Connection
) -> None:
    def replace() -> None:
        connection.execute("UPDATE occbench_tables SET load_id = gen_random_uuid()")

    with pytest.raises(TargetError, match="replaced by another command"):
        seed(SLOW, target, SCENARIO, After(5, replace))


def test_a_strangers_row_with_a_key_of_ours_is_an_error(
    target: EmbeddedTarget, connection: Connection
) -> None:
    break_off(target, SLOW)
    there = rows(connection)
    missing = next(key for key in expected(30_000) if key not in there)
    connection.execute(f"INSERT INTO {NAME} VALUES (%s, 1)".encode(), (missing,))
    with pytest.raises(TargetError, match="no seeding wrote; --recreate"):
        load(target, SLOW)


def test_a_crash_of_the_server_loses_no_batch_for_good(folder: Path) -> None:
    """Batches are committed without waiting for the disk: a crash takes some, the ledger tells."""
    target = embedded(folder / "data")
    target.start()
    try:

        def crash() -> None:
            with closing(target.connect()) as other:
                # The server ends all its other processes after that, and recovers.
                os.kill(other.info.backend_pid, signal.SIGKILL)

        done = seed(SLOW, target, SCENARIO, After(300, crash))
        assert done.tables[0].accounts == 30_000
        with target.connect() as fresh:
            assert rows(fresh) == expected(30_000)
            assert ledger_rows(fresh) == 0
    finally:
        target.server.stop()


def test_memory_does_not_grow_with_the_accounts(target: EmbeddedTarget, server_folder: Path) -> None:
    """The most that a process of its own ever takes, for few blocks and for many."""
    script = """
import resource, sys
import seed.batches
seed.batches.BLOCK_ACCOUNTS = 20_000
from loadtest.workload.keyspace import KeyType
from pathlib import Path
from seed import SeedPlan, seed
from tests.integration.seed_support import SCENARIO, embedded
target = embedded(Path(sys.argv[1]))
seed(SeedPlan((KeyType.UUID,), int(sys.argv[2]), recreate=True), target, SCENARIO)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""

    def peak_kib(accounts: int) -> int:
        said = subprocess.run(
            [sys.executable, "-c", script, str(server_folder), str(accounts)],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        ).stdout
        return int(said)

    few, many = peak_kib(100_000), peak_kib(1_000_000)
    # A key alone is 16 bytes: 900,000 more of them, kept, would be 14 MB and more.
    assert many - few < 6_000
