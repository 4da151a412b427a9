"""The embedded database spoken to as Aurora DSQL is: by its dialect, with its limits, and noting all.

The server itself logs every statement of every connection, and each session of that log must pass
DSQL's rules.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any, ClassVar

import psycopg
import pytest

from loadtest.targets import open_target, parse_target
from loadtest.targets.base.dialect import DSQL
from loadtest.targets.base.table import Table
from loadtest.targets.base.target import Limits, TargetSpec
from loadtest.targets.embedded.address import libpq_options
from loadtest.targets.embedded.server import EmbeddedServer
from loadtest.targets.embedded.target import EmbeddedTarget
from loadtest.targets.registry import FAMILIES
from loadtest.workload.builtin.transfer import Transfer
from loadtest.workload.keyspace import KeyType
from seed import SeedPlan, SeedProgress, seed
from seed.sql.statements import Connection
from tests.conftest import running_server
from tests.rigs import dsql_catalogue
from tests.rigs.dsql_rules import DsqlRules

LOGGED = {"log_statement": "all"}
JOB_S = 0.15
_SAID = re.compile(
    r"^\d{4}-\S+ \S+ \S+ \[(\d+)\] LOG:  (?:statement|execute [^:]*): (.*(?:\n\t.*)*)", re.MULTILINE
)


class Indexed(Transfer):
    """The transfer on tables with two more indexes."""

    def table(self, key_type: KeyType) -> Table:
        return replace(super().table(key_type), indexes=(("balance",), ("balance", "id")))


SCENARIO, TRANSFER = Indexed(), Transfer()
NAME = SCENARIO.table(KeyType.UUID).name


class Translating(psycopg.Connection[tuple[Any, ...]]):
    """Lets the server build an asynchronous index; the log says what was asked for."""

    def execute(self, query: Any, *rest: Any, **more: Any) -> psycopg.Cursor[tuple[Any, ...]]:
        said = query.decode() if isinstance(query, bytes) else str(query)
        done = dsql_catalogue.translate(said)
        return super().execute(query if done == said else f"{done} -- {said}".encode(), *rest, **more)


class DsqlLike(EmbeddedTarget):
    """The embedded database as far as it is not told what it really is."""

    family: ClassVar[str] = "dsql-like"

    def __init__(self, spec: TargetSpec) -> None:
        super().__init__(spec)
        self.dialect = replace(DSQL)
        self.plain = EmbeddedTarget(spec)

    @property
    def limits(self) -> Limits:
        return Limits(batch_rows=3_000)

    def start(self) -> None:
        self.connect().close()

    def connect(self) -> Connection:
        options = libpq_options("locking", LOGGED)
        conninfo = self.server.conninfo(options=options)
        # As DsqlTarget has it: what psycopg prepares by itself it clears away with DEALLOCATE.
        return Translating.connect(conninfo, autocommit=True, prepare_threshold=None)

    def conninfo(self) -> str:
        return self.server.conninfo(options=libpq_options("optimistic", LOGGED))

    def after_create(self, connection: Connection, table: Table) -> None:
        with closing(self.plain.connect()) as unseen:
            self.plain.after_create(unseen, table)

    def before_drop(self, connection: Connection, name: str) -> None:
        with closing(self.plain.connect()) as unseen:
            self.plain.before_drop(unseen, name)

    def settle(self, table: str) -> None:
        return

    def describe(self) -> dict[str, Any]:
        return {"name": self.name}

    def connection_limit(self) -> int | None:
        return None


class Log:
    """What the server was told since this was made."""

    def __init__(self, server: EmbeddedServer) -> None:
        self._file = server.data_folder / "server.log"
        self._from = self._file.stat().st_size

    def sessions(self) -> dict[str, list[str]]:
        """The statements of each session, in order."""
        found = defaultdict(list)
        with self._file.open() as file:
            file.seek(self._from)
            for match in _SAID.finditer(file.read()):
                asked = match[2].partition(" -- CREATE INDEX ")
                found[match[1]].append(f"CREATE INDEX {asked[2]}" if asked[2] else match[2])
        return found

    def statements(self) -> list[str]:
        return [sql for session in self.sessions().values() for sql in session]

    def refused(self) -> list[str]:
        """What DSQL would have refused of it, and why."""
        found = []
        for session in self.sessions().values():
            rules = DsqlRules()
            refusals = ((sql, rules.refuse(sql)) for sql in session)
            found += [f"{sql}: {refusal}" for sql, refusal in refusals if refusal is not None]
        return found


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with running_server() as server:
        yield server


@pytest.fixture
def target(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[DsqlLike]:
    monkeypatch.setitem(FAMILIES, "dsql-like", (f"{__name__}:DsqlLike", ""))
    target = open_target(parse_target(f"dsql-like://?data={server.data_folder}"))
    assert isinstance(target, DsqlLike)
    target.plain.start()
    with closing(target.plain.connect()) as connection:
        dsql_catalogue.install(connection, JOB_S)
        yield target
        for table in connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall():
            target.plain.before_drop(connection, table[0])
            connection.execute(f"DROP TABLE {table[0]}".encode())


@pytest.fixture
def log(target: DsqlLike) -> Log:
    return Log(target.server)


@pytest.fixture
def unseen(target: DsqlLike) -> Iterator[Connection]:
    """A connection that is not noted."""
    with closing(target.plain.connect()) as connection:
        yield connection


def plan(accounts: int = 2_000, **more: Any) -> SeedPlan:
    return SeedPlan(**{"key_types": (KeyType.UUID,), "accounts": accounts, "batch": 150, **more})


def load(target: DsqlLike, wanted: SeedPlan, progress: SeedProgress | None = None) -> int:
    return seed(wanted, target, SCENARIO, progress).tables[0].loaded


def balances(connection: Connection, key_type: KeyType = KeyType.UUID) -> dict[str, int]:
    table = SCENARIO.table(key_type).name
    found = connection.execute(f"SELECT id::text, balance FROM {table}".encode()).fetchall()
    return {key: int(balance) for key, balance in found}


def indexes(connection: Connection) -> dict[str, bool]:
    """The further indexes of the table, and whether they can be used."""
    found = connection.execute(
        "SELECT indexrelid::regclass::text, indisvalid FROM pg_index "
        "WHERE indrelid = to_regclass(%s) AND NOT indisprimary",
        (NAME,),
    )
    return dict(found.fetchall())


BOTH = {f"{NAME}_balance": True, f"{NAME}_balance_id": True}


class Breaking(SeedProgress):
    """Ctrl-C after so many batches."""

    def __init__(self, batches: int) -> None:
        self._left = batches

    def advance(self, accounts: int) -> None:
        self._left -= 1
        if self._left == 0:
            raise KeyboardInterrupt
