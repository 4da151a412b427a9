"""A pooler between the tool and the server, whose sessions are other people's, too."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest

from loadtest.errors import InputError
from loadtest.targets import SqlTarget, Statement
from loadtest.workload.builtin import find_scenario
from loadtest.workload.keyspace import KeyType
from seed import SeedPlan, seed
from seed.sql.store import locked
from tests import in_process
from tests.commands import one_line, run
from tests.conftest import sql_target
from tests.faults.conftest import Measured
from tests.rigs.pgbouncer import PGBOUNCER, pgbouncer
from tests.rigs.postgresql import DATABASE, TELLER, Server, plain_server

pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed")
POOL = 8


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with plain_server() as made:
        yield made


@pytest.fixture(scope="module")
def pooled(server: Server) -> Iterator[str]:
    """The server's URL through a pooler in transaction mode."""
    with pgbouncer(server, "transaction", POOL) as port:
        yield f"postgresql://{TELLER}@127.0.0.1:{port}/{DATABASE}"


def load(url: str, accounts: int = 20_000) -> None:
    plan = SeedPlan((KeyType.UUID,), accounts, workers=6, recreate=True)
    seed(plan, sql_target(url), find_scenario("transfer"))


def in_every_session(url: str, query: str) -> list[object]:
    """What each session of the pool answers."""
    found: list[object] = []
    with ExitStack() as stack:
        for _ in range(POOL):
            one = stack.enter_context(
                closing(psycopg.connect(url, autocommit=True, prepare_threshold=None))
            )
            one.execute("BEGIN")
            found += [row[0] for row in one.execute(query.encode())]
    return found


def locks(server: Server) -> list[tuple[object, ...]]:
    with closing(server.as_owner()) as connection:
        return connection.execute("SELECT * FROM pg_locks WHERE locktype = 'advisory'").fetchall()


def test_seeding_leaves_nothing_in_pooled_sessions(
    server: Server, pooled: str, measured: Measured
) -> None:
    """Seeding through a pooler, twice, leaves no setting, lock or statement in anybody's session."""
    for _ in range(2):
        load(pooled)
        assert in_every_session(pooled, "SHOW synchronous_commit") == ["on"] * POOL
        assert in_every_session(pooled, "SELECT name FROM pg_prepared_statements") == []
        assert locks(server) == []
    measured(f"{POOL} sessions clean after two seedings of 6 workers")


def test_one_seeding_at_a_time_behind_a_pooler(server: Server, pooled: str) -> None:
    """Two seedings of one table cannot meet behind a pooler, and the lock goes with the first."""
    target = sql_target(pooled)
    with locked(target, "accounts_uuid"):
        assert len(locks(server)) == 1
        with pytest.raises(InputError, match="another command is seeding"):
            load(pooled)
    assert locks(server) == []
    load(pooled, 100)


def test_a_seeding_lock_outlasts_the_servers_patience(server: Server) -> None:
    """The lock of a long seeding is not lost to idle_in_transaction_session_timeout."""
    target = sql_target(f"{server.target}?options=-c%20idle_in_transaction_session_timeout%3D50ms")
    with locked(target, "accounts_uuid"), closing(server.as_owner()) as connection:
        connection.execute("SELECT pg_sleep(0.5)")
        assert len(locks(server)) == 1


def rehearse(target: SqlTarget) -> None:
    target.rehearse([Statement("one", "SELECT 1")], lambda session: session.begin())


def test_a_pooler_that_holds_no_names_is_found(
    server: Server, pooled: str, tmp_path: Path, measured: Measured
) -> None:
    """A pooler that cannot hold named statements is said in one line before any load."""
    load(pooled, 100)
    words = ("--keys", "uuid", "--users", 2, "--duration", "1s", "--warmup", "0s")
    line = one_line(in_process.occbench("run", "--target", pooled, *words, cwd=tmp_path), 2)
    assert "pooler" in line
    assert "pooler=transaction" in line
    assert not (tmp_path / "results").exists()
    assert in_every_session(pooled, "SELECT name FROM pg_prepared_statements") == []
    rehearse(sql_target(server.target))
    with pgbouncer(server, "session", 1) as port:
        # With one session, the look for another waits in vain.
        rehearse(sql_target(f"postgresql://{TELLER}@127.0.0.1:{port}/{DATABASE}"))
    measured("said in one line; a pooler in session mode is not taken for one")


def test_a_run_through_a_pooler_without_names(pooled: str, tmp_path: Path, measured: Measured) -> None:
    """With pooler=transaction a run goes through the pooler and leaves nothing in its sessions."""
    load(pooled, 1000)
    result = run(
        *("--target", f"{pooled}?pooler=transaction", "--keys", "uuid", "--users", 16),
        *("--duration", "1s", "--warmup", "0s", "--think-time", "5ms"),
        out=tmp_path / "results",
    )
    assert {row["outcome"] for row in result.rows} <= {
        "committed",
        "conflict_serialization",
        "deadlock",
    }
    assert result.run["targets"][0]["pooler"] == "transaction"
    assert in_every_session(pooled, "SELECT name FROM pg_prepared_statements") == []
    assert in_every_session(pooled, "SHOW default_transaction_isolation") == ["read committed"] * POOL
    measured(f"{len(result.of_outcome('committed'))} transfers of 16 users over {POOL} sessions")


def test_another_kind_of_pooler_is_not_known(pooled: str) -> None:
    """Of poolers there is one kind to be named."""
    with pytest.raises(InputError, match="pooler=transaction"):
        sql_target(f"{pooled}?pooler=statement")
