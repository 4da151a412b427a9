"""What the tests of seeding share; holds no test itself."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from loadtest.targets import open_target, parse_target
from loadtest.targets.base.table import Table
from loadtest.targets.embedded.target import EmbeddedTarget
from loadtest.workload.builtin.transfer import Transfer
from loadtest.workload.keyspace import ComputedKeys, KeyType
from seed import SeedPlan, SeedProgress, seed
from seed.sql.statements import Connection
from tests.keys import key_text

UUID = KeyType.UUID


class Own(Transfer):
    """The transfer on tables of these tests' own."""

    prefix: ClassVar[str] = "seedtest"

    def table(self, key_type: KeyType) -> Table:
        found = super().table(key_type)
        return Table(f"{self.prefix}_{key_type}", found.columns, found.primary_key)


SCENARIO = Own()
NAME = SCENARIO.table(UUID).name


def embedded(folder: Path) -> EmbeddedTarget:
    """The embedded server whose data is in this folder."""
    found = open_target(parse_target(f"embedded?data={folder}"))
    assert isinstance(found, EmbeddedTarget)
    return found


@pytest.fixture
def target(server_folder: Path) -> Iterator[EmbeddedTarget]:
    target = embedded(server_folder)
    target.start()
    yield target
    with closing(target.connect()) as connection:
        for key_type in KeyType:
            target.before_drop(connection, SCENARIO.table(key_type).name)
            connection.execute(f"DROP TABLE IF EXISTS {SCENARIO.table(key_type).name}".encode())
        for table in ("occbench_tables", "occbench_batches"):
            connection.execute(f"DROP TABLE IF EXISTS {table}".encode())


@pytest.fixture
def connection(target: EmbeddedTarget) -> Iterator[Connection]:
    with closing(target.connect()) as connection:
        yield connection


class Events(SeedProgress):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, int, int]] = []
        self.advanced = 0

    def begin(self, table: str, accounts: int, loaded: int) -> None:
        self.begun.append((table, accounts, loaded))

    def advance(self, accounts: int) -> None:
        self.advanced += accounts


def rows(connection: Connection, key_type: KeyType = UUID) -> dict[str, int]:
    table = SCENARIO.table(key_type).name
    found = connection.execute(f"SELECT id::text, balance FROM {table}".encode()).fetchall()
    assert len({key for key, _ in found}) == len(found)
    return {key: int(balance) for key, balance in found}


def expected(
    accounts: int, key_type: KeyType = UUID, seed_: int = 1, balance: int = 10_000
) -> dict[str, int]:
    keys = ComputedKeys(key_type, seed_).binary(np.arange(accounts, dtype=np.int64))
    return {key_text(key_type, key.tobytes()): balance for key in keys}


def plan(accounts: int | None = 5_000, **more: object) -> SeedPlan:
    return SeedPlan(**{"key_types": (UUID,), "accounts": accounts, "batch": 300, **more})  # type: ignore[arg-type]


def load(target: EmbeddedTarget, plan_: SeedPlan) -> int:
    return seed(plan_, target, SCENARIO).tables[0].loaded


def ledger_rows(connection: Connection) -> int:
    row = connection.execute("SELECT count(*) FROM occbench_batches").fetchone()
    assert row is not None
    return int(row[0])
