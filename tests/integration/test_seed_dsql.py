"""The proof that Aurora DSQL is never sent what it refuses: all that a server was told, as it noted.

How it is spoken to, and how its notes are read, is in `seed_dsql_support.py`.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import numpy as np
import psycopg
import pytest

from loadtest.config.run import RunConfig
from loadtest.engine.preflight import make_plan
from loadtest.engine.probes import table as probe_table
from loadtest.errors import InputError
from loadtest.targets import open_target, parse_target
from loadtest.targets.base.target import Limits
from loadtest.targets.dsql.target import DsqlTarget
from loadtest.targets.embedded.server import EmbeddedServer
from loadtest.workload.access import parse_access
from loadtest.workload.builtin.transfer import Transfer
from loadtest.workload.keyspace import ComputedKeys, KeyType
from seed import SeedInterrupted, contents, key_source, seed
from seed.sql.statements import Connection
from seed.sql.wire import Wire
from tests.integration.seed_dsql_support import (
    BOTH,
    NAME,
    SCENARIO,
    TRANSFER,
    Breaking,
    DsqlLike,
    Log,
    balances,
    indexes,
    load,
    log,
    plan,
    server,
    target,
    unseen,
)
from tests.rigs.dsql import Database, DsqlRig, dsql_database, dsql_gate
from tests.rigs.dsql_rules import forbidden

__all__ = ["log", "server", "target", "unseen"]


def test_seeding_in_all_its_ways_says_nothing_that_is_refused(
    target: DsqlLike, log: Log, unseen: Connection
) -> None:
    """Fresh, interrupted, resumed, checked, extended, replaced, and read back."""
    with pytest.raises(SeedInterrupted):
        load(target, plan(), Breaking(4))
    there = len(balances(unseen))
    assert 600 <= there < 2_000
    assert load(target, plan()) == 2_000 - there
    assert load(target, plan()) == 0
    assert load(target, plan(3_000, batch=2_900)) == 1_000
    with pytest.raises(InputError):
        load(target, plan(3_000, seed=2))
    assert load(target, plan(500, recreate=True, workers=3, balance=10**18)) == 500
    result = seed(plan(400, key_types=(KeyType.INT, KeyType.UUID7)), target, SCENARIO)
    assert [table.loaded for table in result.tables] == [400, 400]
    assert [found.table for found in contents(target)] == [
        SCENARIO.table(key_type).name for key_type in KeyType
    ]
    assert set(balances(unseen).values()) == {10**18}
    assert indexes(unseen) == BOTH

    assert log.refused() == []
    kinds = Counter(sql.split()[0] for sql in log.statements())
    assert set(kinds) == {
        "BEGIN", "COMMIT", "COPY", "CREATE", "DELETE", "DROP", "INSERT", "SELECT", "UPDATE",
    }  # fmt: skip
    # 4,300 rows and what the interruption cost, 150 a batch, some of them in a single larger one.
    assert kinds["COPY"] > 20
    said = log.statements()
    assert f"CREATE INDEX ASYNC IF NOT EXISTS {NAME}_balance ON {NAME} (balance)" in said
    assert f"COPY {NAME} (id, balance) FROM STDIN" in said
    assert any(sql.startswith("SELECT status, details FROM sys.jobs") for sql in said)


def test_a_run_from_preflight_to_invariant_says_nothing_that_is_refused(
    target: DsqlLike, log: Log, server: EmbeddedServer
) -> None:
    keys = (KeyType.INT, KeyType.UUID)
    seed(plan(200, key_types=keys), target, SCENARIO)
    url = f"dsql-like://?data={server.data_folder}"
    config = RunConfig.read(target=(f"a={url}", f"b={url}"), keys=keys, users=2, duration="2s")
    made = make_plan(config, contents, key_source)
    assert made.accounts == 200
    endpoints = made.open_targets()
    first_row = probe_table.prepare(endpoints)
    statements = [*Transfer().statements(target.dialect, keys), *probe_table.STATEMENTS]
    for key_type in keys:
        with closing(target.open_session(statements)) as session:
            rng, law = np.random.default_rng(1), parse_access("uniform", 200)
            for work in Transfer().draw(rng, law, ComputedKeys(key_type, 1), 5):
                assert Transfer().run(session, key_type, work)
            amount = work._replace(parameters=(b"1000000", *work.parameters[1:]))
            assert not Transfer().run(session, key_type, amount)
            probe_table.commit_value(session, first_row, 1)
            assert probe_table.read_value(session, first_row)[0] == 1
        standing = target.check(SCENARIO.invariant(key_type))
        assert (standing.total, standing.violations) == (2_000_000, 0)
    probe_table.remove_rows(endpoints, first_row)

    assert log.refused() == []
    said = log.statements()
    assert sum(sql.startswith("UPDATE accounts_uuid") for sql in said) >= 11
    assert "SELECT count(*) FROM accounts_int WHERE balance < 0" in said
    assert "BEGIN ISOLATION LEVEL REPEATABLE READ" in said


@pytest.mark.parametrize(
    ("scenario", "name", "value", "reason"),
    [
        (TRANSFER, "loading_settings", ("SET LOCAL synchronous_commit = off",), "synchronous_commit"),
        (TRANSFER, "advisory_locks", True, "pg_try_advisory_xact_lock"),
        (TRANSFER, "statements_together", True, "several statements"),
        (TRANSFER, "copy_format", "binary", "binary"),
        (TRANSFER, "drop_table", lambda name: [f"TRUNCATE {name}", f"DROP TABLE {name}"], "TRUNCATE"),
        (SCENARIO, "create_index", lambda t, c: f"CREATE INDEX ON {t.name} ({c[0]})", "without ASYNC"),
    ],
)
def test_it_would_be_noticed(
    target: DsqlLike, log: Log, scenario: Transfer, name: str, value: object, reason: str
) -> None:
    setattr(target.dialect, name, value)
    seed(plan(300), target, scenario)
    seed(plan(300, recreate=True), target, scenario)
    refused = "\n".join(log.refused())
    assert reason in refused


def test_a_savepoint_would_be_noticed(target: DsqlLike, log: Log) -> None:
    with closing(target.connect()) as connection, connection.transaction(), connection.transaction():
        connection.execute("SELECT 1")
    assert [sql.partition(":")[2] for sql in log.refused()] == [
        " SAVEPOINT is not supported",
        " RELEASE SAVEPOINT is not supported",
    ]


def test_a_batch_must_leave_room_for_its_row_in_the_ledger(
    target: DsqlLike, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DsqlLike, "limits", Limits(batch_rows=500))
    with pytest.raises(InputError, match=r"--batch 500 is too large.*give --batch 499 or less"):
        load(target, plan(batch=500))
    assert load(target, plan(batch=499)) == 2_000


@pytest.mark.parametrize("error", ["TooManyConnections", "ConfigurationLimitExceeded"])
def test_a_session_that_is_asked_to_wait_waits(
    target: DsqlLike, unseen: Connection, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    run = Wire.run
    refusals = iter([getattr(psycopg.errors, error)("not so fast")] * 3)

    def sometimes(self: Wire, query: bytes, data: Sequence[bytes] = ()) -> int:
        if query.startswith(b"COPY") and (refusal := next(refusals, None)) is not None:
            raise refusal
        return run(self, query, data)

    monkeypatch.setattr(Wire, "run", sometimes)
    assert load(target, plan()) == 2_000
    assert len(balances(unseen)) == 2_000


# Through the front door


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with dsql_database() as database:
        yield database


@contextmanager
def opened(database: Database, **settings: Any) -> Iterator[tuple[DsqlTarget, DsqlRig]]:
    """The target behind a door with these settings, and credentials for it."""
    with dsql_gate(database, **settings) as rig, pytest.MonkeyPatch.context() as patched:
        for name, value in rig.environment.items():
            patched.setenv(name, value)
        target = open_target(parse_target(rig.target))
        assert isinstance(target, DsqlTarget)
        yield target, rig


def test_the_real_target_says_nothing_that_is_refused(database: Database) -> None:
    """The same with everything that belongs to it, and the rules asked while it speaks."""
    with opened(database, record_statements=True) as (target, rig):
        target.start()
        with pytest.raises(SeedInterrupted):
            seed(plan(900), target, SCENARIO, Breaking(2))
        for wanted in (plan(900), plan(900), plan(1_200), plan(300, recreate=True)):
            seed(wanted, target, SCENARIO)
        config = RunConfig.read(target=(rig.target,), keys=(KeyType.UUID,), users=2, duration="2s")
        made = make_plan(config, contents, key_source)
        assert made.targets[0]["regime"] == "optimistic"
        statements = TRANSFER.statements(target.dialect, config.keys)
        with closing(target.open_session(statements)) as session:
            rng = np.random.default_rng(1)
            for work in TRANSFER.draw(rng, made.law(), made.keys()[0], 5):
                assert TRANSFER.run(session, KeyType.UUID, work)
        standing = target.check(SCENARIO.invariant(KeyType.UUID))
        assert standing.total == made.totals[target.name][KeyType.UUID]
        with closing(database.connect()) as connection:
            assert len(balances(connection)) == 300
            assert indexes(connection) == BOTH
        said = rig.gate.statements()
    assert [f"{sql}: {refusal}" for sql in said if (refusal := forbidden(sql))] == []
    kinds = {sql.split()[0] for sql in said}
    assert kinds >= {
        "BEGIN",
        "COMMIT",
        "COPY",
        "CREATE",
        "DELETE",
        "DROP",
        "INSERT",
        "SELECT",
        "UPDATE",
    }


def test_workers_wait_for_connections_that_come_too_fast(database: Database) -> None:
    with opened(database, connections_per_s=2.0, connection_burst=4) as (target, rig):
        wanted = plan(800, key_types=(KeyType.INT,), batch=100, workers=8)
        assert seed(wanted, target, TRANSFER).tables[0].loaded == 800
        assert "53400" in [connection["answer"] for connection in rig.gate.connections()]
    with closing(database.connect()) as connection:
        assert len(balances(connection, KeyType.INT)) == 800
