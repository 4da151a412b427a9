"""What tests of the optimistic regime share: sessions in it, and a table of accounts."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import psycopg
import pytest
from psycopg import sql

from loadtest.targets.embedded import optimistic
from loadtest.targets.embedded.address import Regime, libpq_options
from loadtest.targets.embedded.server import EmbeddedServer

Connection = psycopg.Connection[tuple[Any, ...]]
Open = Callable[..., Connection]


@pytest.fixture(scope="module")
def admin(load_server: EmbeddedServer) -> Iterator[Connection]:
    """A connection that works on the tables themselves."""
    options = "-c search_path=public"
    with closing(psycopg.connect(load_server.conninfo(options=options), autocommit=True)) as made:
        optimistic.install(made)
        yield made


@pytest.fixture
def connect(load_server: EmbeddedServer) -> Iterator[Open]:
    """Opens connections in a regime, and closes them; none waits for a lock longer than 100 ms."""
    with ExitStack() as stack:

        def new(regime: Regime = "optimistic", **settings: object) -> Connection:
            given = {name.replace("__", "."): str(value) for name, value in settings.items()}
            options = libpq_options(regime, {"lock_timeout": "100", **given})
            made = psycopg.connect(load_server.conninfo(options=options))
            return stack.enter_context(closing(made))

        yield new


@pytest.fixture
def table(admin: Connection) -> Iterator[str]:
    """`acc`: accounts 1 to 5,000 with a balance of 100, in the regime."""
    admin.execute("CREATE TABLE acc (id bigint PRIMARY KEY, balance numeric NOT NULL)")
    admin.execute("INSERT INTO acc SELECT k, 100 FROM generate_series(1, 5000) k")
    optimistic.cover(admin, "acc")
    yield "acc"
    optimistic.uncover(admin, "acc")
    admin.execute("DROP TABLE acc")


def balance(connection: Connection, account: int) -> int | None:
    row = connection.execute("SELECT balance FROM acc WHERE id = %s", (account,)).fetchone()
    return None if row is None else int(row[0])


def add(connection: Connection, account: int, amount: int = 1) -> int:
    changed = connection.execute(
        "UPDATE acc SET balance = balance + %s WHERE id = %s", (amount, account)
    )
    return changed.rowcount


def in_table(admin: Connection, account: int) -> int | None:
    return balance(admin, account)


def fails(connection: Connection, code: str = "OC000") -> None:
    """COMMIT fails with 40001 and this code, and with nothing else."""
    with pytest.raises(psycopg.errors.SerializationFailure) as caught:
        connection.commit()
    assert caught.value.sqlstate == "40001"
    assert f"({code})" in str(caught.value.diag.message_primary)
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


@pytest.fixture
def shapes(admin: Connection) -> Iterator[Callable[[str, str], None]]:
    """Makes tables, in the regime, and drops them."""
    made: list[str] = []

    def make(name: str, columns: str) -> None:
        quoted = sql.Identifier("public", name).as_string(admin)
        admin.execute(f"CREATE TABLE {quoted} ({columns})".encode())
        made.append(name)
        optimistic.cover(admin, name)

    yield make
    for name in made:
        optimistic.uncover(admin, name)
        admin.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier("public", name)))
