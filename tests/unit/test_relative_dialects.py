"""PostgreSQL's relatives: what each is told that PostgreSQL is not, and what it is not told."""

import pytest
from psycopg.conninfo import conninfo_to_dict

from loadtest.errors import InputError
from loadtest.targets import open_target, parse_target
from loadtest.targets.base.table import Table
from loadtest.targets.postgresql.target import PostgresTarget
from loadtest.workload.builtin import find_scenario
from loadtest.workload.keyspace import KeyType
from seed.manifest import TABLES
from seed.sql.ledger import BATCHES
from tests.conftest import sql_target

FAMILIES = ("cockroachdb", "yugabytedb", "spanner")


def opened(url: str) -> PostgresTarget:
    target = open_target(parse_target(url))
    assert isinstance(target, PostgresTarget)
    return target


def conninfo(url: str) -> dict[str, object]:
    return dict(conninfo_to_dict(opened(url).conninfo()))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("cockroachdb://me@h/db", {"host": "h", "port": "26257", "user": "me", "dbname": "db"}),
        ("cockroachdb://me:pw@h:1/db?sslmode=require", {"port": "1", "password": "pw"}),
        ("cockroachdb://h/db?options=--cluster%3Dred-fox-1", {"options": "--cluster=red-fox-1"}),
        ("yugabytedb://h/db?isolation=serializable", {"port": "5433", "dbname": "db"}),
        ("yugabytedb://h/db?sharding=range&connect_timeout=3", {"connect_timeout": "3"}),
        ("spanner://h:9432/db", {"port": "9432", "dbname": "db"}),
    ],
)
def test_a_relative_is_postgresql_to_libpq(url: str, expected: dict[str, str]) -> None:
    found = conninfo(url)
    assert expected.items() <= found.items()
    assert not {"isolation", "sharding"} & set(found)


def test_spanner_is_told_not_to_hide_conflicts() -> None:
    """PGAdapter would repeat an aborted transaction by itself."""
    alone = conninfo("spanner://h/db")["options"]
    assert alone == "-c spanner.retry_aborts_internally=false"
    given = conninfo("spanner://h/db?options=-c%20spanner.readonly%3Dfalse")["options"]
    assert given == f"-c spanner.readonly=false {alone}"


@pytest.mark.parametrize(
    ("url", "isolation", "waits"),
    [
        ("postgresql://h/db", "repeatable read", "locking"),
        ("cockroachdb://h/db", "serializable", "locking"),
        ("cockroachdb://h/db?isolation=read-committed", "read committed", "locking"),
        ("cockroachdb://h/db?isolation=repeatable-read", "repeatable read", "locking"),
        ("yugabytedb://h/db", "repeatable read", "locking"),
        ("yugabytedb://h/db?isolation=read-committed", "read committed", "locking"),
        ("spanner://h/db", "serializable", "locking"),
        ("spanner://h/db?isolation=repeatable-read", "repeatable read", "optimistic"),
    ],
)
def test_isolation_is_the_products_default_unless_asked(url: str, isolation: str, waits: str) -> None:
    target = opened(url)
    assert target.dialect.isolation == isolation
    assert target.dialect.begin == f"BEGIN ISOLATION LEVEL {isolation.upper()}"
    assert target.waits == waits


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("cockroachdb://h/db?isolation=snapshot", "serializable, repeatable-read, read-committed"),
        (
            "spanner://h/db?isolation=read-committed",
            "isolation=serializable, repeatable-read$",
        ),
        ("yugabytedb://h/db?isolation=", "repeatable-read, serializable, read-committed"),
        ("yugabytedb://h/db?sharding=list", "there is sharding=hash, range"),
    ],
)
def test_what_a_product_has_not(url: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        opened(url)


def tables() -> list[Table]:
    scenario = find_scenario("transfer")
    return [*map(scenario.table, KeyType), TABLES, BATCHES]


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_is_said_that_a_relative_lacks(family: str) -> None:
    target = opened(f"{family}://h/db")
    dialect = target.dialect
    assert not dialect.advisory_locks
    assert not dialect.loading_settings
    assert dialect.statements_together == (family == "yugabytedb")
    assert dialect.copy_format == ("binary" if family == "yugabytedb" else "text")
    made = [statement for table in tables() for statement in dialect.create_table(table)]
    dropped = [statement for table in tables() for statement in dialect.drop_table(table.name)]
    for statement in [*made, *dropped]:
        assert ";" not in statement, "one statement of DDL a message"
        assert not {"UNLOGGED", "TEMP", "WITH", "CASCADE"} & set(statement.split())
    assert (
        "CREATE TABLE accounts_int (id bigint NOT NULL, balance numeric NOT NULL, PRIMARY KEY"
        in (made[0])
    )


def test_a_key_by_range_on_yugabytedb() -> None:
    """What PostgreSQL's own grammar does not have, so no server here can be told."""
    by_range = opened("yugabytedb://h/db?sharding=range").dialect
    assert by_range.create_table(tables()[0])[0].endswith("PRIMARY KEY (id ASC))")
    assert by_range.create_table(BATCHES)[0].endswith(
        "PRIMARY KEY (table_name ASC, load_id ASC, batch ASC))"
    )
    by_hash = opened("yugabytedb://h/db").dialect
    assert by_hash.create_table(BATCHES) == (
        sql_target("postgresql://h/db").dialect.create_table(BATCHES)
    )


def test_a_batch_fits_into_a_commit_of_spanner() -> None:
    """80,000 mutations: every column of every row, and every entry of an index."""
    target = opened("spanner://h/db")
    assert target.limits.batch_rows is not None
    for table in tables()[: len(KeyType)]:
        assert target.limits.batch_rows * (len(table.columns) + len(table.indexes)) <= 80_000
    assert opened("cockroachdb://h/db").limits.batch_rows is None


@pytest.mark.parametrize("family", FAMILIES)
def test_remedies_are_the_familys(family: str) -> None:
    target = opened(f"{family}://h/db")
    assert set(target.remedies) >= set(PostgresTarget.remedies), "none is missing"
