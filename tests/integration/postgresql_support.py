"""What tests of PostgreSQL servers over TCP share: the servers, and what a target tells of itself."""

from collections.abc import Iterator

import pytest

from loadtest.errors import OccbenchError
from loadtest.targets import open_target, parse_target
from loadtest.workload.builtin import find_scenario
from loadtest.workload.keyspace import KeyType
from seed import SeedPlan, seed
from tests.conftest import sql_target
from tests.rigs.postgresql import PASSWORD, Server, plain_server, tls_server

ACCOUNTS = 1000
# A deadlock is to be found within a short run.
DEADLOCKS = {"deadlock_timeout": "50ms"}


def seed_some(target: str, *key_types: KeyType) -> None:
    made = sql_target(target)
    plan = SeedPlan(key_types or (KeyType.INT, KeyType.UUID), ACCOUNTS, workers=2)
    seed(plan, made, find_scenario("transfer"))


@pytest.fixture(scope="module")
def tls() -> Iterator[Server]:
    """A server with TLS and passwords, and nothing in it."""
    with tls_server(DEADLOCKS) as server:
        yield server


@pytest.fixture(scope="module")
def plain() -> Iterator[Server]:
    """A server without either, with accounts; it notes every statement."""
    with plain_server({**DEADLOCKS, "log_statement": "all"}) as server:
        seed_some(server.target)
        yield server


def started(url: str, sslrootcert: str | None = None) -> dict[str, object]:
    """What the target tells of itself, once it could be reached."""
    target = open_target(parse_target(url, sslrootcert))
    target.start()
    return target.describe()


def refusal(url: str) -> str:
    with pytest.raises(OccbenchError) as caught:
        started(url)
    line = str(caught.value)
    assert caught.value.exit_code == 3
    assert len(line.splitlines()) == 1
    assert PASSWORD not in line
    return line
