"""Everything that the tool can say to Aurora DSQL by its dialect is something that DSQL takes.

What is put together on the way (the seeder's statements, a target's own questions) is heard at the
door of a stand-in, in tests/integration/test_seed_dsql.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from loadtest.engine.probes.table import PROBE_TABLE, STATEMENTS
from loadtest.targets.base.dialect import DSQL, Dialect
from loadtest.targets.base.table import Column, Table
from loadtest.workload.builtin import SCENARIOS
from loadtest.workload.keyspace import KeyType
from seed.manifest import TABLES
from seed.sql.ledger import BATCHES
from tests.rigs.dsql_rules import DsqlRules, Kind, classify

ALL_TYPES = Table(
    "wide",
    (Column("a", "bigint"), Column("b", "uuid"), Column("c", "numeric"), Column("d", "text")),
    ("b", "a"),
    (("c",), ("d", "a")),
)


def tables() -> list[Table]:
    """Every table that the tool makes, and one with everything that a table can have."""
    found = [s.table(key_type) for s in SCENARIOS.values() for key_type in KeyType]
    return [*found, TABLES, BATCHES, PROBE_TABLE, ALL_TYPES]


def of_the_schema(dialect: Dialect) -> list[str]:
    """Each a transaction of its own."""
    found = []
    for table in tables():
        indexes = table.indexes or (table.primary_key,)
        found += dialect.create_table(table)
        found += [dialect.create_index(table, columns) for columns in indexes]
        found += [dialect.drop_index(table, columns) for columns in indexes]
        found += dialect.drop_table(table.name)
    return found


def transactions(dialect: Dialect) -> Iterator[Sequence[str]]:
    """What a session may run between its BEGIN and its end, all statements of a scenario in one."""
    for scenario in SCENARIOS.values():
        for key_type in KeyType:
            yield [statement.sql for statement in scenario.statements(dialect, [key_type])]
            invariant = scenario.invariant(key_type)
            yield invariant.total_sql, invariant.violations_sql
    yield [statement.sql for statement in STATEMENTS]


def refusals(dialect: Dialect) -> list[str]:
    """What of all this would be refused, said to one session after the other."""
    found = []
    rules = DsqlRules()
    said = [*dialect.loading_settings, *of_the_schema(dialect)]
    for end in ("COMMIT", "ROLLBACK"):
        for statements in transactions(dialect):
            said += [dialect.begin, *statements, end]
    for sql in said:
        refusal = rules.refuse(sql)
        if refusal is not None:
            found.append(f"{sql}: {refusal}")
    return found


def test_nothing_that_it_says_is_refused() -> None:
    assert refusals(DSQL) == []


def test_there_is_something_to_refuse_in_what_plain_postgresql_is_told() -> None:
    found = "\n".join(refusals(Dialect()))
    assert "CREATE INDEX without ASYNC" in found
    assert "synchronous_commit" in found


@pytest.mark.parametrize(
    "more",
    [
        {"isolation": "serializable"},
        {"isolation": "repeatable read; savepoint a"},
        {"loading_settings": ("SET synchronous_commit = off",)},
        {"types": {**DSQL.types, "text": "text[]"}},
        {"types": {**DSQL.types, "bigint": "bigserial"}},
        {"drop_table": lambda name: [f"TRUNCATE {name}"]},
        {"create_table": lambda table: [f"CREATE UNLOGGED TABLE {table.name} (a int)"]},
        {"create_index": lambda table, columns: f"CREATE INDEX i ON {table.name} (a)"},
    ],
)
def test_it_would_be_seen(more: dict[str, object]) -> None:
    dialect = replace(DSQL)
    for name, value in more.items():
        setattr(dialect, name, value)
    assert refusals(dialect)


def test_every_statement_of_the_schema_is_one_and_changes_the_schema() -> None:
    for sql in of_the_schema(DSQL):
        assert classify(sql) is Kind.DDL, sql


def test_a_numeric_has_room_for_every_balance_and_total_and_no_decimals() -> None:
    (create,) = DSQL.create_table(ALL_TYPES)
    assert "c numeric(38, 0) NOT NULL" in create
    assert "numeric" not in create.replace("numeric(38, 0)", "")


def test_an_index_is_named_for_what_it_is_on_and_built_when_it_is_not_there() -> None:
    table = replace(ALL_TYPES, name="t")
    assert DSQL.create_index(table, ("d", "a")) == "CREATE INDEX ASYNC IF NOT EXISTS t_d_a ON t (d, a)"
    assert Dialect().create_index(table, ("d", "a")) == "CREATE INDEX IF NOT EXISTS t_d_a ON t (d, a)"


def test_what_dsql_lacks_is_not_counted_on() -> None:
    dialect = DSQL
    assert dialect.isolation == "repeatable read"
    assert not dialect.advisory_locks
    assert not dialect.statements_together
    assert dialect.copy_format == "text"
    assert dialect.asynchronous_indexes
