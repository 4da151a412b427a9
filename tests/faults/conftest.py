"""What a test of a fault says beside its outcome: the promise, and what was measured."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import sql_target
from tests.rigs.relay import Relay, relay

Measured = Callable[[str], None]


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Measured:
    """Call it with what was measured, in a few words: `measured("both workers ended after 0.4 s")`."""

    def note(text: str) -> None:
        request.node.user_properties.append(("measured", text))

    return note


@pytest.fixture
def proxy(load_target: str) -> Iterator[Relay]:
    """Something between the tool and the server."""
    target = sql_target(load_target)
    target.start()
    with relay(Path(target.server.socket_folder) / ".s.PGSQL.5432") as made:  # type: ignore[attr-defined]
        yield made


def url(proxy: Relay, **options: object) -> str:
    """The server behind the proxy, as a target."""
    more = "".join(f"&{name}={value}" for name, value in options.items())
    return f"postgresql://occbench@127.0.0.1:{proxy.port}/occbench?sslmode=disable&gssencmode=disable{more}"


def updates(connection: psycopg.Connection[Any]) -> int:
    """How many rows were ever changed in the table of integer keys."""
    found = connection.execute(
        "SELECT n_tup_upd FROM pg_stat_user_tables WHERE schemaname = 'public' "
        "AND relname = 'accounts_int'"
    ).fetchone()
    return int(found[0]) if found else 0


def pytest_itemcollected(item: pytest.Item) -> None:
    """Keep the promise of a test of this folder: the first paragraph of its docstring."""
    function = getattr(item, "function", None)
    promise = (getattr(function, "__doc__", None) or item.name).strip().split("\n\n")[0]
    item.user_properties.append(("promise", " ".join(promise.split())))
