"""What a database says when it ends a statement or a session reaches whoever reads the line."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import sleep

import psycopg
import pytest

from loadtest.errors import TargetError
from loadtest.record.outcome import Outcome, outcome_of
from loadtest.targets import SqlSession, Statement, StatementFailed
from loadtest.targets.postgresql.errors import cause_of
from loadtest.workload.builtin import find_scenario
from loadtest.workload.keyspace import KeyType
from seed import SeedPlan, seed
from tests.commands import command, environment, occbench
from tests.conftest import sql_target
from tests.faults.conftest import Measured
from tests.rigs.postgresql import TELLER, Server, plain_server


@pytest.fixture(scope="module")
def plain() -> Iterator[Server]:
    with plain_server() as made:
        yield made


@pytest.fixture
def server(plain: Server) -> Iterator[Server]:
    yield plain
    settings(plain, "RESET ALL")


def settings(server: Server, change: str) -> None:
    with closing(server.as_owner()) as connection:
        connection.execute(f"ALTER ROLE {TELLER} {change}".encode())


def load(server: Server) -> None:
    plan = SeedPlan((KeyType.UUID,), 60_000, workers=4, batch=2_000, recreate=True)
    seed(plan, sql_target(server.target), find_scenario("transfer"))


def test_a_statement_timeout_is_called_one(server: Server, measured: Measured) -> None:
    """Seeding that meets the server's statement timeout says "statement timeout"."""
    said = set()
    # Where it strikes is chance: between two statements of a message PostgreSQL calls it a request.
    for limit in ("1ms", "2ms", "4ms", "8ms", "12ms"):
        settings(server, f"SET statement_timeout = '{limit}'")
        try:
            load(server)
        except TargetError as error:
            said.add(str(error))
    assert said
    for line in said:
        assert "statement timeout" in line
        assert "user request" not in line
    measured(f"{len(said)} seedings ended by it")


def opened(server: Server) -> SqlSession:
    session = sql_target(server.target).open_session([Statement("one", "SELECT 1")])
    session.begin()
    session.fetch("one", [])
    return session


@pytest.mark.parametrize(
    ("change", "sqlstate", "words"),
    [
        ("SET idle_in_transaction_session_timeout = '50ms'", "25P03", "idle-in-transaction timeout"),
        ("SET transaction_timeout = '50ms'", "25P04", "transaction timeout"),
    ],
)
@pytest.mark.parametrize("committing", [False, True])
def test_a_session_that_was_ended_knows_why(
    server: Server, change: str, sqlstate: str, words: str, committing: bool, measured: Measured
) -> None:
    """A connection that the database ends is lost for the reason that it gave."""
    settings(server, change)
    session = opened(server)
    sleep(0.5)
    with pytest.raises(StatementFailed, match=words) as caught:
        session.commit() if committing else session.fetch("one", [])
    failure = caught.value
    assert (failure.sqlstate, failure.connected) == (sqlstate, False)
    wanted = Outcome.AMBIGUOUS if committing else Outcome.CONNECTION_LOST
    found = outcome_of(
        failure.sqlstate, failure.message, commit_sent=failure.commit_sent, connected=False
    )
    assert found is wanted
    session.close()
    measured(failure.message)


def test_an_administrator_is_quoted(server: Server) -> None:
    """A session that an administrator ends says so, to a load session and to a plain connection."""
    target = sql_target(server.target)
    session = opened(server)
    with closing(target.connect()) as connection, closing(server.as_owner()) as owner:
        owner.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s", (TELLER,)
        )
        with pytest.raises(StatementFailed, match="administrator command") as caught:
            session.commit()
        assert caught.value.commit_sent
        assert not caught.value.connected
        with pytest.raises(psycopg.Error) as lost:
            connection.execute("SELECT 1")
    assert "administrator command" in str(target.explain(lost.value))
    session.close()


def test_of_several_hosts_the_telling_one_is_told(server: Server, closed_port: int) -> None:
    """Of several hosts the line has what one of them refused, not that another is silent."""
    hosts = f"127.0.0.1:{server.port},127.0.0.1:{closed_port}"
    url = f"postgresql://nobody-known@{hosts}/bank"
    with pytest.raises(TargetError) as caught:
        sql_target(url).start()
    assert 'role "nobody-known" does not exist' in str(caught.value)
    assert "refuses" in str(caught.value)


EACH = "connection failed: {2}\nMultiple connection attempts failed. All failures were:\n" + "".join(
    f"- host: '{host}', port: '5432', hostaddr: '{address}': connection failed: {{{place}}}\n"
    for place, (host, address) in enumerate([("a", "10.0.0.1"), ("b", "::1"), ("c", "10.0.0.3")])
)
REFUSED = 'connection to server at "10.0.0.9", port 5432 failed: Connection refused'
STANDBY = 'connection to server at "10.0.0.9", port 5432 failed: session is read-only'
PASSWORD = (
    'connection to server at "10.0.0.9", port 5432 failed: FATAL:  password authentication failed for '
    'user "me"'
)
GERMAN = 'connection to server at "10.0.0.9", port 5432 failed: FATAL:  Rolle »me« existiert nicht'


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ((PASSWORD, REFUSED, REFUSED), "password authentication"),
        ((REFUSED, STANDBY, PASSWORD), "password authentication"),
        ((REFUSED, STANDBY, REFUSED), "read-only"),
        ((REFUSED, GERMAN, REFUSED), "Rolle"),
    ],
)
def test_which_of_several_failures_is_told(said: tuple[str, ...], words: str) -> None:
    """A refusal says more than a standby where a primary is wanted, and that more than silence."""
    assert words in cause_of(EACH.format(*said))


SMALL = "mount -t tmpfs -o size={size} tmpfs /dev/shm && exec {command}"


@pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode != 0,
    reason="only root can make /dev/shm small",
)
@pytest.mark.parametrize("size", ["4k", "64k"])
def test_a_small_dev_shm_is_named(folder: Path, size: str, measured: Measured) -> None:
    """Where /dev/shm is too small for the embedded database, one line says so."""
    data = folder / "data"
    script = SMALL.format(size=size, command=" ".join(command("db", "start", "--data", data)))
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 3, done.stderr
    [line] = done.stderr.splitlines()
    assert "/dev/shm" in line  # noqa: S108
    assert "64 MB" in line
    occbench("db", "stop", "--data", data, cwd=folder)
    measured(f"{size}: {line.rpartition(': ')[2]}")
