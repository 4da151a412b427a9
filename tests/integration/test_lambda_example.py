"""The example's handler of a Lambda function by itself: its connection, and every kind of answer."""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import closing
from types import ModuleType
from typing import Any

import pytest

from loadtest.targets.embedded.server import EmbeddedServer
from tests.conftest import sql_target
from tests.rigs.lambda_endpoint import EXAMPLE


@pytest.fixture
def example(
    load_server: EmbeddedServer, seeded: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModuleType]:
    """A cold start."""
    del seeded
    spec = importlib.util.spec_from_file_location("example_cold_start", EXAMPLE / "handler.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "example_cold_start", module)
    spec.loader.exec_module(module)
    url = f"{load_server.url('optimistic')}&application_name=example"
    monkeypatch.setenv("OCC_DATABASE", url)
    yield module
    module._database.close()


ONE = {"payer_id": 3, "payee_id": 4, "amount": 1}


def backends(database: str, action: str = "pid") -> list[Any]:
    with closing(sql_target(database).connect()) as connection:
        query = f"SELECT {action} FROM pg_stat_activity WHERE application_name = 'example'"
        return [value for (value,) in connection.execute(query.encode())]


def test_the_example_keeps_its_connection(example: ModuleType, seeded: str) -> None:
    first = example.handler(ONE)
    assert set(first) == {"balance", "duration", "retries"}
    (connection,) = backends(seeded)
    second = example.handler(ONE)
    assert second["balance"] == first["balance"] - 1
    assert backends(seeded) == [connection]


def test_the_example_replaces_a_connection_that_is_old_or_lost(
    example: ModuleType, seeded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = example.handler(ONE)["balance"]
    assert backends(seeded, "pg_terminate_backend(pid, 5000)") == [True]
    answer = example.handler(ONE)
    assert (answer["balance"], answer["retries"]) == (before - 1, 1)
    assert backends(seeded, "pg_terminate_backend(pid, 5000)") == [True]
    lost = example.handler({**ONE, "max_attempts": 1})
    assert (lost["errorCode"], lost["retries"]) == ("08003", 0), "nothing happened"
    monkeypatch.setenv("OCC_CONNECTION_AGE_S", "0.000001")
    example.handler(ONE)
    (old,) = backends(seeded)
    assert example.handler(ONE)["retries"] == 0
    assert old not in backends(seeded)


def test_the_example_goes_on_after_every_kind_of_answer(example: ModuleType) -> None:
    assert example.handler({**ONE, "amount": 10**9})["errorCode"] == "INSUFFICIENT_FUNDS"
    assert example.handler({**ONE, "payee_id": 10**9})["errorCode"] == "P0002"
    assert example.handler({**ONE, "payer_id": 10**9})["errorCode"] == "P0002"
    assert "balance" in example.handler(ONE)
