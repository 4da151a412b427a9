"""Seeding on the embedded server: what ends up in the tables, and what is refused."""

import threading
import time
from pathlib import Path

import psycopg
import pytest

from loadtest.errors import InputError, OccbenchError, TargetError
from loadtest.targets.embedded.target import EmbeddedTarget
from loadtest.workload.keyspace import KeyType
from seed import SeedProgress, contents, export_keys, read_manifest, seed
from seed.sql import ledger
from seed.sql.statements import Connection
from tests.integration.seed_support import (
    NAME,
    SCENARIO,
    UUID,
    Events,
    connection,
    expected,
    ledger_rows,
    load,
    plan,
    rows,
    target,
)

__all__ = ["connection", "target"]


@pytest.mark.parametrize("workers", [1, 3, 8])
@pytest.mark.parametrize("balance", [0, 10_000, 123_456_789_012_345_678, 10**18])
def test_every_account_is_there_with_its_key_and_balance(
    target: EmbeddedTarget, connection: Connection, workers: int, balance: int
) -> None:
    result = seed(plan(3_001, workers=workers, balance=balance), target, SCENARIO)
    assert rows(connection) == expected(3_001, balance=balance)
    assert result.tables[0].loaded == 3_001
    assert ledger_rows(connection) == 0


def test_each_key_type_gets_a_table(target: EmbeddedTarget, connection: Connection) -> None:
    events = Events()
    seed(plan(700, key_types=tuple(KeyType), seed=9), target, SCENARIO, events)
    for key_type in KeyType:
        assert rows(connection, key_type) == expected(700, key_type, 9)
    assert events.advanced == 2_100
    found = {m.table: m for m in ledger.contents(connection)}
    assert set(found) == {SCENARIO.table(key_type).name for key_type in KeyType}
    uuid7 = found[SCENARIO.table(KeyType.UUID7).name]
    assert (uuid7.accounts, uuid7.key_seed, uuid7.balance) == (700, 9, 10_000)
    assert (uuid7.key_source, uuid7.complete, uuid7.total) == ("computed", True, 7_000_000)


def test_several_blocks_are_loaded_whole(
    target: EmbeddedTarget, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seed.batches.BLOCK_ACCOUNTS", 1_000)
    load(target, plan(7_777, batch=33))
    assert rows(connection) == expected(7_777)


def test_a_seeded_table_is_used_in_both_regimes(target: EmbeddedTarget) -> None:
    load(target, plan(100))
    with psycopg.connect(target.conninfo()) as session:
        row = session.execute(f"SELECT count(*) FROM optimistic.{NAME}".encode()).fetchone()
    assert row == (100,)


def test_a_complete_table_is_checked_and_left_alone(
    target: EmbeddedTarget, connection: Connection
) -> None:
    load(target, plan())
    move = (
        f"UPDATE {NAME} SET balance = balance + %s WHERE id = (SELECT id FROM {NAME} LIMIT 1 OFFSET %s)"
    )
    connection.execute(move.encode(), (5, 0))
    connection.execute(move.encode(), (-5, 1_000))
    before = rows(connection)
    result = seed(plan(), target, SCENARIO)
    assert result.tables[0].already_complete
    assert rows(connection) == before


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (f"UPDATE {NAME} SET balance = balance + 1", "total of"),
        (f"DELETE FROM {NAME} WHERE id = (SELECT id FROM {NAME} LIMIT 1)", "accounts 4,999"),
    ],
)
def test_a_complete_table_that_was_tampered_with_is_an_error(
    target: EmbeddedTarget, connection: Connection, damage: str, message: str
) -> None:
    load(target, plan())
    connection.execute(damage.encode())
    with pytest.raises(TargetError, match=message) as caught:
        load(target, plan())
    assert "--recreate" in str(caught.value)


def test_a_row_too_many_is_seen_at_the_end(target: EmbeddedTarget, connection: Connection) -> None:
    class Meddler(SeedProgress):
        done = False

        def advance(self, accounts: int) -> None:
            if not self.done:
                self.done = True
                connection.execute(f"INSERT INTO {NAME} VALUES (gen_random_uuid(), 10000)".encode())

    with pytest.raises(TargetError, match="accounts 5,001 where 5,000 is right"):
        seed(plan(), target, SCENARIO, Meddler())
    found = read_manifest(connection, NAME)
    assert found is not None
    assert not found.complete


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"accounts": 4_999}, "5,000 accounts, not 4,999"),
        ({"seed": 2}, "keys of seed 1, not 2"),
        ({"balance": 1}, "balance of 10,000, not 1"),
    ],
)
def test_other_contents_are_refused_and_recreate_replaces_them(
    target: EmbeddedTarget, connection: Connection, other: dict[str, int], message: str
) -> None:
    load(target, plan())
    wanted = plan(**{"accounts": 5_000, **other})
    with pytest.raises(InputError, match=message):
        load(target, wanted)
    assert rows(connection) == expected(5_000)
    again = plan(**{"accounts": 5_000, **other, "recreate": True})
    load(target, again)
    assert rows(connection) == expected(again.accounts or 0, UUID, again.seed, again.balance)
    assert load(target, wanted) == 0


def test_a_strangers_table_is_refused_and_recreate_replaces_it(
    target: EmbeddedTarget, connection: Connection
) -> None:
    connection.execute(f"CREATE TABLE {NAME} (id uuid PRIMARY KEY, balance numeric)".encode())
    with pytest.raises(InputError, match="--recreate"):
        load(target, plan(50))
    load(target, plan(50, recreate=True))
    assert rows(connection) == expected(50)


@pytest.mark.parametrize("change", ["ADD COLUMN more text", "ALTER COLUMN balance TYPE bigint"])
def test_a_table_whose_columns_changed_is_refused(
    target: EmbeddedTarget, connection: Connection, change: str
) -> None:
    load(target, plan(50))
    target.before_drop(connection, NAME)  # or a view would be in the way
    connection.execute(f"ALTER TABLE {NAME} {change}".encode())
    with pytest.raises(InputError, match="other columns"):
        load(target, plan(50))


def test_refusals_come_before_anything_is_loaded(
    target: EmbeddedTarget, connection: Connection
) -> None:
    load(target, plan(50))
    with pytest.raises(InputError, match="not 2"):
        load(target, plan(50, key_types=(KeyType.INT, UUID), seed=2))
    assert read_manifest(connection, SCENARIO.table(KeyType.INT).name) is None


def test_a_table_that_was_dropped_by_hand_is_made_again(
    target: EmbeddedTarget, connection: Connection
) -> None:
    load(target, plan(50))
    target.before_drop(connection, NAME)
    connection.execute(f"DROP TABLE {NAME}".encode())
    assert read_manifest(connection, NAME) is None
    assert list(contents(target)) == []
    assert load(target, plan(60, seed=3)) == 60
    assert rows(connection) == expected(60, seed_=3)


def test_an_unseeded_database_holds_nothing(target: EmbeddedTarget, connection: Connection) -> None:
    assert list(contents(target)) == []
    assert read_manifest(connection, NAME) is None


def test_more_accounts_extend_the_table(target: EmbeddedTarget, connection: Connection) -> None:
    load(target, plan(1_000, batch=300))
    assert load(target, plan(2_500, batch=77)) == 1_500
    assert rows(connection) == expected(2_500)
    assert load(target, plan(2_501)) == 1
    assert rows(connection) == expected(2_501)
    found = read_manifest(connection, NAME)
    assert found is not None
    assert (found.accounts, found.total, found.complete) == (2_501, 25_010_000, True)


def test_money_that_appears_while_a_table_is_extended_is_seen(
    target: EmbeddedTarget, connection: Connection
) -> None:
    load(target, plan(1_000))

    class Meddler(SeedProgress):
        def begin(self, table: str, accounts: int, loaded: int) -> None:
            connection.execute(
                f"UPDATE {NAME} SET balance = balance + 1 "
                f"WHERE id = (SELECT id FROM {NAME} LIMIT 1)".encode()
            )

    with pytest.raises(TargetError, match="total of 20,000,001 where 20,000,000 is right"):
        seed(plan(2_000), target, SCENARIO, Meddler())


def test_keys_come_from_a_file(target: EmbeddedTarget, connection: Connection, tmp_path: Path) -> None:
    keys = tmp_path / "uuids.txt"
    export_keys(keys, UUID, 42, 2_000)
    assert load(target, plan(500, keys_from=keys)) == 500
    assert rows(connection) == expected(500, seed_=42)
    assert load(target, plan(None, keys_from=keys)) == 1_500
    assert rows(connection) == expected(2_000, seed_=42)
    found = read_manifest(connection, NAME)
    assert found is not None
    assert found.key_source.startswith("file:")
    with pytest.raises(InputError, match="keys of another file, not computed ones"):
        load(target, plan(2_000))
    export_keys(keys, UUID, 43, 2_000)
    with pytest.raises(InputError, match="another file"):
        load(target, plan(None, keys_from=keys))


def test_a_second_command_is_refused_while_the_first_runs(target: EmbeddedTarget) -> None:
    class Second(SeedProgress):
        refused = ""

        def begin(self, table: str, accounts: int, loaded: int) -> None:
            with pytest.raises(InputError) as caught:
                load(target, plan(recreate=True))
            self.refused = str(caught.value)

    second = Second()
    seed(plan(), target, SCENARIO, second)
    assert second.refused == f"another command is seeding table {NAME}; wait until it has ended"


@pytest.mark.parametrize("locks", [True, False])
def test_two_at_once_never_load_a_row_twice(
    target: EmbeddedTarget, connection: Connection, monkeypatch: pytest.MonkeyPatch, *, locks: bool
) -> None:
    """With advisory locks the second is refused; without, each loads what the other has not."""
    if not locks:
        monkeypatch.setattr(target.dialect, "advisory_locks", False)
    both = threading.Barrier(2)
    loaded: list[int] = []
    failures: list[OccbenchError] = []

    def one() -> None:
        both.wait()
        for _ in range(200):
            try:
                loaded.append(load(target, plan(20_000, batch=20, workers=2)))
            except InputError as error:
                failures.append(error)
                time.sleep(0.1)
            else:
                return

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rows(connection) == expected(20_000)
    assert sum(loaded) == 20_000
    assert len(loaded) == 2
    for error in failures:
        assert NAME in str(error)
        assert "\n" not in str(error)
