"""PostgreSQL's relatives, each with its own dialect, on a PostgreSQL server.

What is shown here is that each dialect's statements are whole: a table is seeded, run on and checked
with them. That the products take them is not: docs/targets.md names what was not run there.
"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from loadtest.targets import Statement
from loadtest.targets.postgresql.target import PostgresTarget
from tests import in_process
from tests.commands import one_line, run
from tests.conftest import sql_target
from tests.rigs.postgresql import DATABASE, TELLER, Server, plain_server

DEFAULTS = {"cockroachdb": "serializable", "yugabytedb": "repeatable read", "spanner": "serializable"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A PostgreSQL server that notes every statement."""
    with plain_server({"log_statement": "all", "deadlock_timeout": "50ms"}) as server:
        yield server


def at(server: Server, family: str, options: str = "") -> str:
    return f"{family}://{TELLER}@127.0.0.1:{server.port}/{DATABASE}{options}"


def log(server: Server) -> str:
    assert server.embedded is not None
    return (server.embedded.data_folder / "server.log").read_text()


def test_seed_and_run(server: Server, tmp_path: Path) -> None:
    for family in DEFAULTS:
        before = len(log(server))
        words = ("--target", at(server, family), "--keys", "int,uuid", "--accounts", 1000)
        done = in_process.occbench("seed", *words, "--recreate", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        check_said(log(server)[before:], family)
    before = len(log(server))
    targets = [("--target", f"{family}={at(server, family)}") for family in DEFAULTS]
    result = run(
        *(word for target in targets for word in target), "--users", 12, "--accounts", 20,
        "--duration", "1s", "--warmup", "100ms", "--block", "200ms", "--retry", "immediate",
        out=tmp_path / "results",
    )  # fmt: skip
    for told in result.run["targets"]:
        assert told["family"] == told["name"]
        assert told["isolation"] == DEFAULTS[told["family"]]
        assert told["durable"] is True
        outcomes = {row["outcome"] for row in result.rows if row["target"] == told["name"]}
        assert {"committed", "conflict_serialization"} <= outcomes
        assert outcomes <= {"committed", "conflict_serialization", "deadlock"}
    said = log(server)[before:]
    assert "advisory" not in said
    assert "synchronous_commit = off" not in said


def check_said(said: str, family: str) -> None:
    """What the server noted of a seeding is in the family's dialect."""
    assert "advisory" not in said
    assert "synchronous_commit = off" not in said
    if family != "yugabytedb":
        assert "FORMAT BINARY" not in said
        assert "COPY accounts_uuid (id, balance) FROM STDIN" in said
        assert "; COPY" not in said, "COPY is alone in its message"


def test_spanners_option_reaches_the_server(server: Server) -> None:
    target = sql_target(at(server, "spanner"))
    asked = Statement("asked", "SELECT current_setting('spanner.retry_aborts_internally')")
    session = target.open_session([asked])
    session.begin()
    assert session.fetch("asked", ()) == b"false"
    session.close()


def test_what_a_server_does_not_tell_is_absent(server: Server) -> None:
    for family in ("cockroachdb", "spanner"):
        assert sql_target(at(server, family)).connection_limit() is None
    assert sql_target(at(server, "yugabytedb")).connection_limit() is not None
    target = sql_target(at(server, "cockroachdb"))
    assert isinstance(target, PostgresTarget)
    with closing(target.connect()) as connection:
        assert target.version(connection).startswith("18"), "PostgreSQL's, where it says nothing else"
        connection.execute("CREATE SCHEMA other")
        connection.execute(
            "CREATE FUNCTION other.version() RETURNS text "
            "RETURN 'CockroachDB CCL v25.2.1 (x86_64-pc-linux-gnu, built 2026/01/02)'"
        )
        connection.execute("SET search_path = other, pg_catalog")
        assert target.version(connection) == "25.2.1"
        connection.execute("DROP SCHEMA other CASCADE")


def test_a_relative_that_is_not_there(tmp_path: Path, closed_port: int) -> None:
    url = f"spanner://me:hunter2@127.0.0.1:{closed_port}/db"
    line = one_line(in_process.occbench("seed", "--target", url, cwd=tmp_path), 3)
    assert "cannot be reached" in line
    assert "start PGAdapter" in line
    assert "hunter2" not in line
    url = f"cockroachdb://127.0.0.1:{closed_port}/db?no_such_option=1"
    assert "no_such_option" in one_line(in_process.occbench("seed", "--target", url, cwd=tmp_path), 2)
