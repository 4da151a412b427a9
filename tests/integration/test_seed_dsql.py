"""The proof that Aurora DSQL is never sent what it refuses: all that a server was told, as it noted it.

The embedded database is spoken to as DSQL is: by its dialect, with its limits. The server itself logs
every statement of every connection, and each session of that log must pass DSQL's rules.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loadtest.config.run import RunConfig
from loadtest.engine.preflight import make_plan
from loadtest.engine.probes import table as probe_table
from loadtest.errors import InputError, TargetError
from loadtest.targets import open_target, parse_target
from loadtest.targets.base import index_jobs
from loadtest.targets.base.table import Column, Table
from loadtest.targets.base.target import Limits, TargetSpec
from loadtest.targets.dsql.dialect import DsqlDialect
from loadtest.targets.dsql.target import DsqlTarget
from loadtest.targets.embedded.server.lifecycle import EmbeddedServer, libpq_options
from loadtest.targets.embedded.target import EmbeddedTarget
from loadtest.targets.registry import FAMILIES
from loadtest.workload.access import parse_access
from loadtest.workload.builtin.transfer import Transfer
from loadtest.workload.keyspace import ComputedKeys, KeyType
from seed import SeedInterrupted, SeedPlan, SilentProgress, contents, key_source, seed
from seed.sql.encode import Values
from seed.sql.encode_text import TextRowEncoder
from seed.sql.statements import Connection
from seed.sql.wire import Wire
from tests.conftest import running_server
from tests.rigs import dsql_catalogue
from tests.rigs.dsql import Database, DsqlRig, dsql_database, dsql_gate
from tests.rigs.dsql_rules import DsqlRules, forbidden

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
        self.dialect = DsqlDialect()
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


def load(target: DsqlLike, wanted: SeedPlan, progress: SilentProgress | None = None) -> int:
    return seed(wanted, target, SCENARIO, progress or SilentProgress()).tables[0].loaded


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


class Breaking(SilentProgress):
    """Ctrl-C after so many batches."""

    def __init__(self, batches: int) -> None:
        self._left = batches

    def advance(self, accounts: int) -> None:
        self._left -= 1
        if self._left == 0:
            raise KeyboardInterrupt


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
    result = seed(plan(400, key_types=(KeyType.INT, KeyType.UUID7)), target, SCENARIO, SilentProgress())
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
    seed(plan(200, key_types=keys), target, SCENARIO, SilentProgress())
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
    seed(plan(300), target, scenario, SilentProgress())
    seed(plan(300, recreate=True), target, scenario, SilentProgress())
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
            seed(wanted, target, SCENARIO, SilentProgress())
        config = RunConfig.read(target=(rig.target,), keys=(KeyType.UUID,), users=2, duration="2s")
        made = make_plan(config, contents, key_source)
        assert made.targets[0]["regime"] == "optimistic"
        statements = TRANSFER.statements(target.dialect, config.keys)
        with closing(target.open_session(statements)) as session:
            rng = np.random.default_rng(1)
            for work in TRANSFER.draw(rng, made.law(), made.keys()[0], 5):
                assert TRANSFER.run(session, KeyType.UUID, work)
        standing = target.check(SCENARIO.invariant(KeyType.UUID))
        assert standing.total == made.totals[target.name, KeyType.UUID]
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
        assert seed(wanted, target, TRANSFER, SilentProgress()).tables[0].loaded == 800
        assert "53400" in [connection["answer"] for connection in rig.gate.connections()]
    with closing(database.connect()) as connection:
        assert len(balances(connection, KeyType.INT)) == 800


# Indexes


def test_an_index_that_an_interrupted_command_began_is_waited_for(
    target: DsqlLike, log: Log, unseen: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(index_jobs, "wait_for_job", interrupt)
        with pytest.raises(SeedInterrupted):
            load(target, plan(300))
    assert indexes(unseen) == {f"{NAME}_balance": True}
    found = [one for one in contents(target) if one.table == NAME]
    assert not found[0].complete
    waited: list[str] = []
    wait_for_job = index_jobs.wait_for_job

    def note(connection: Connection, job: str) -> None:
        waited.append(job)
        wait_for_job(connection, job)

    monkeypatch.setattr(index_jobs, "wait_for_job", note)
    # It is there, and valid as far as PostgreSQL knows, but its job is not done.
    assert load(target, plan(300)) == 0
    assert indexes(unseen) == BOTH
    jobs = unseen.execute("SELECT job_id FROM sys.jobs ORDER BY start_time").fetchall()
    assert [job for (job,) in jobs][-2:] == waited
    assert log.refused() == []


WIDE = Table("wide", (Column("id", "bigint"), Column("words", "text")), ("id",), (("words",),))


def make_wide(connection: Connection, target: DsqlLike) -> None:
    """A table whose text is too long for an index."""
    connection.execute(target.dialect.create_table(WIDE)[0].encode())
    connection.execute(
        "INSERT INTO wide SELECT 1, string_agg(md5(n::text), '') FROM generate_series(1, 300) n"
    )


def test_a_build_that_fails_is_said_in_the_jobs_words_and_made_anew(
    target: DsqlLike, log: Log, unseen: Connection
) -> None:
    make_wide(unseen, target)
    with closing(target.connect()) as connection:
        with pytest.raises(index_jobs.JobFailed) as caught:
            target.build_index(connection, WIDE, ("words",))
        said = str(caught.value)
        assert said.startswith(f"{target.called}: index wide_words: job ")
        assert "failed: index row" in said
        assert said.endswith("the same command builds the index anew")
        assert "\n" not in said
        # What it left is not valid, and stays so as long as nothing changes.
        with pytest.raises(index_jobs.JobFailed):
            target.build_index(connection, WIDE, ("words",))
        unseen.execute("UPDATE wide SET words = 'few'")
        target.build_index(connection, WIDE, ("words",))
        target.build_index(connection, WIDE, ("words",))
    row = unseen.execute(
        "SELECT count(*), bool_and(indisvalid) FROM pg_index WHERE indexrelid = "
        "to_regclass('wide_words')"
    ).fetchone()
    assert row == (1, True)
    assert log.refused() == []
    drops = [sql for sql in log.statements() if sql.startswith("DROP INDEX")]
    assert drops == ["DROP INDEX IF EXISTS wide_words"] * 2


def test_a_job_is_not_waited_for_without_end(target: DsqlLike, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(target.connect()) as connection:
        connection.execute("SELECT 1")
        with pytest.raises(TargetError, match=r"job nobodys is not in sys\.jobs"):
            index_jobs.wait_for_job(connection, "nobodys", 0.2)
        make_wide(connection, target)
        connection.execute("UPDATE wide SET words = 'few'")
        answer = connection.execute(target.dialect.create_index(WIDE, ("words",)))
        (job,) = answer.fetchone() or ("",)
        with pytest.raises(TargetError, match=f"job {job} is still processing after .* goes on"):
            index_jobs.wait_for_job(connection, job, 0.05)
        connection.execute("CALL sys.wait_for_job(%s)", (job,))
        index_jobs.wait_for_job(connection, job, 0)


def test_an_index_of_plain_postgresql_is_made_once(target: DsqlLike, unseen: Connection) -> None:
    assert seed(plan(300), target.plain, SCENARIO, SilentProgress()).tables[0].loaded == 300
    assert indexes(unseen) == BOTH
    assert seed(plan(400), target.plain, SCENARIO, SilentProgress()).tables[0].loaded == 100
    assert indexes(unseen) == BOTH


# The text that COPY is sent

EVERY_TYPE = Table(
    "every_type",
    (Column("n", "bigint"), Column("k", "uuid"), Column("label", "text"), Column("b", "numeric")),
    ("n",),
)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.integers(-(2**63), 2**63 - 1),
        st.tuples(
            st.uuids(),
            st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=4, max_size=4),
        ),
        min_size=1,
        max_size=20,
    ),
    st.integers(-(10**37), 10**37),
)
def test_what_is_sent_as_text_is_what_is_there(
    target: DsqlLike, rows: dict[int, tuple[Any, str]], balance: int
) -> None:
    with closing(target.connect()) as connection:
        for statement in target.dialect.drop_table("every_type") + target.dialect.create_table(
            EVERY_TYPE
        ):
            connection.execute(statement.encode())
        values: Values = {
            "n": np.array(list(rows), ">i8").view("V8"),
            "k": np.array([k.bytes for k, _ in rows.values()], "V16"),
            "label": np.array([label.encode() for _, label in rows.values()], "V4"),
            "b": balance,
        }
        Wire(connection).run(
            b"COPY every_type FROM STDIN", TextRowEncoder(EVERY_TYPE).encode(values, 99)
        )
        found = connection.execute("SELECT n, k, label, b FROM every_type").fetchall()
    assert {n: (k, label) for n, k, label, _ in found} == rows
    assert {int(b) for *_, b in found} == {balance}
