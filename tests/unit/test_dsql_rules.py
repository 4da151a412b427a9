"""The stand-in's conscience: what Aurora DSQL is known to refuse, and what it takes."""

import pytest

from tests.rigs.dsql_catalogue import translate
from tests.rigs.dsql_rules import DsqlRules, Kind, Refusal, classify, forbidden

ACCEPTED = {
    "": Kind.NOTHING,
    " ; -- nothing": Kind.NOTHING,
    "BEGIN": Kind.BEGIN,
    "begin work;": Kind.BEGIN,
    "BEGIN ISOLATION LEVEL REPEATABLE READ": Kind.BEGIN,
    "BEGIN TRANSACTION READ ONLY": Kind.BEGIN,
    "START TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ WRITE": Kind.BEGIN,
    "COMMIT": Kind.END,
    "end": Kind.END,
    "ROLLBACK": Kind.END,
    "ABORT TRANSACTION": Kind.END,
    "SELECT 1": Kind.READ,
    "SELECT count(*), coalesce(sum(balance), 0) FROM accounts_int": Kind.READ,
    "SELECT balance FROM a WHERE id = $1 FOR UPDATE": Kind.READ,
    "SELECT balance FROM a WHERE id = $1 FOR KEY SHARE": Kind.READ,
    "SELECT 'SAVEPOINT; TRUNCATE t', E'it\\'s; fsync' /* VACUUM */ -- FOR SHARE": Kind.READ,
    "SELECT $$TABLESAMPLE; x$$, $a$ for share $a$": Kind.READ,
    "SELECT current_setting('server_version')": Kind.READ,
    "WITH a AS (SELECT 1) SELECT * FROM a": Kind.READ,
    "WITH a AS (DELETE FROM t RETURNING id) SELECT * FROM a": Kind.DML,
    "SELECT indisvalid FROM pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid": Kind.READ,
    "SELECT status, details FROM sys.jobs WHERE job_id = $1": Kind.READ,
    "INSERT INTO t (a, b) VALUES ($1, $2)": Kind.DML,
    "INSERT INTO t (a) SELECT b FROM u WHERE c = 'x'": Kind.DML,
    "INSERT INTO t (a) VALUES (1) ON CONFLICT DO NOTHING": Kind.DML,
    "UPDATE t SET a = a - $1 WHERE id = $2 RETURNING a": Kind.DML,
    "DELETE FROM t WHERE a >= $1 AND a < $2": Kind.DML,
    "CREATE TABLE t (a bigint NOT NULL, b numeric(38, 0) NOT NULL, PRIMARY KEY (a))": Kind.DDL,
    "CREATE TABLE IF NOT EXISTS t (a uuid PRIMARY KEY)": Kind.DDL,
    "CREATE TABLE t (a bigint GENERATED ALWAYS AS IDENTITY (CACHE 65536) PRIMARY KEY)": Kind.DDL,
    "CREATE SEQUENCE s CACHE 1": Kind.DDL,
    "DROP TABLE IF EXISTS t": Kind.DDL,
    "CREATE INDEX ASYNC i ON t (a, b)": Kind.DDL,
    "CREATE UNIQUE INDEX ASYNC IF NOT EXISTS i ON t (a)": Kind.DDL,
    "DROP INDEX IF EXISTS i": Kind.DDL,
    "COPY t (a, b) FROM STDIN": Kind.DML,
    "COPY t (a, b) FROM STDIN (FORMAT text)": Kind.DML,
    "CALL sys.wait_for_job('abc')": Kind.READ,
    "SET application_name = 'x'": Kind.READ,
    "SET search_path TO public": Kind.READ,
    "SHOW transaction_isolation": Kind.READ,
    "EXPLAIN ANALYZE VERBOSE SELECT 1": Kind.READ,
    "EXPLAIN (ANALYZE) UPDATE t SET a = 1": Kind.DML,
}

REFUSED = [
    "SAVEPOINT a",
    "RELEASE a",
    "RELEASE SAVEPOINT a",
    "ROLLBACK TO a",
    "ROLLBACK TO SAVEPOINT a",
    "COMMIT AND CHAIN",
    "COMMIT PREPARED 'x'",
    "PREPARE TRANSACTION 'x'",
    "TRUNCATE t",
    "TRUNCATE TABLE t CASCADE",
    "CREATE TEMP TABLE t (a int)",
    "CREATE TEMPORARY TABLE t (a int)",
    "CREATE LOCAL TEMPORARY TABLE t (a int)",
    "CREATE UNLOGGED TABLE t (a int)",
    "CREATE TRIGGER x BEFORE INSERT ON t EXECUTE FUNCTION f()",
    "CREATE CONSTRAINT TRIGGER x AFTER INSERT ON t EXECUTE FUNCTION f()",
    "CREATE EVENT TRIGGER x ON ddl_command_start EXECUTE FUNCTION f()",
    "CREATE EXTENSION pgcrypto",
    "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$",
    "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $x$BEGIN RETURN 1; END$x$",
    "CREATE PROCEDURE p() LANGUAGE plpgsql AS 'begin end'",
    "DO $$ BEGIN PERFORM 1; END $$",
    "CALL my_own(1)",
    "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE",
    "WITH m AS (MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE RETURNING a) SELECT 1 FROM m",
    "SELECT * FROM t TABLESAMPLE SYSTEM (1)",
    "VACUUM",
    "VACUUM (ANALYZE) t",
    "LISTEN a",
    "NOTIFY a",
    "UNLISTEN *",
    "SELECT pg_notify('a', 'b')",
    "CREATE TABLE t (a bigint[] NOT NULL, PRIMARY KEY (a))",
    "CREATE TABLE t (a int ARRAY)",
    "CREATE INDEX i ON t (a)",
    "CREATE UNIQUE INDEX i ON t (a)",
    "CREATE INDEX CONCURRENTLY i ON t (a)",
    "CREATE INDEX IF NOT EXISTS i ON t (a)",
    "CREATE INDEX ASYNC i ON t USING hash (a)",
    "CREATE TABLE t AS SELECT 1",
    "CREATE TABLE t (a) AS SELECT 1",
    "CREATE TABLE t (LIKE u) INHERITS (u)",
    "CREATE TABLE t (a int) PARTITION BY HASH (a)",
    "SELECT 1 INTO t",
    "ALTER TABLE t ALTER COLUMN a TYPE text",
    "CREATE TABLE t (a serial PRIMARY KEY)",
    "CREATE TABLE t (a bigserial PRIMARY KEY)",
    "CREATE TABLE t (a bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY)",
    "CREATE TABLE t (a bigint GENERATED ALWAYS AS IDENTITY (CACHE 100) PRIMARY KEY)",
    "CREATE SEQUENCE s CACHE 20",
    "BEGIN ISOLATION LEVEL SERIALIZABLE",
    "BEGIN ISOLATION LEVEL READ COMMITTED",
    "BEGIN TRANSACTION ISOLATION LEVEL READ UNCOMMITTED",
    "START TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE",
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "SET default_transaction_isolation = 'repeatable read'",
    "SET DEFAULT_TRANSACTION_ISOLATION TO serializable",
    "SELECT set_config('search_path', 'x', false)",
    "SELECT 1 FROM t FOR SHARE",
    "SELECT 1 FROM t WHERE a = 1 FOR NO KEY UPDATE",
    "SELECT pg_try_advisory_lock(1)",
    "SELECT pg_advisory_xact_lock(1)",
    "SELECT pg_advisory_unlock(1)",
    "SELECT count(*) FROM pg_stat_activity",
    "SELECT pg_sleep(1)",
    "LOCK TABLE t",
    "SET synchronous_commit = off",
    "SET LOCAL synchronous_commit TO off",
    "SET fsync = off",
    "SELECT current_setting('fsync', true)",
    "SELECT current_setting('max_connections')::int",
    "SHOW synchronous_commit",
    "SHOW ALL",
    "RESET ALL",
    "COPY t FROM STDIN (FORMAT BINARY)",
    "COPY t FROM STDIN WITH BINARY",
    "COPY t TO STDOUT",
    "COPY t FROM '/etc/passwd'",
    "COPY t FROM PROGRAM 'id'",
    "DISCARD ALL",
    "DEALLOCATE ALL",
    "PREPARE a AS SELECT 1",
    "EXECUTE a",
    "DECLARE c CURSOR FOR SELECT 1",
    "CLUSTER t",
    "REINDEX TABLE t",
    "CHECKPOINT",
    "EXPLAIN VACUUM",
    "EXPLAIN SELECT 1 FROM t FOR SHARE",
    "(SELECT 1)",
    "nonsense",
    "SELECT 1; SELECT 2",
    "BEGIN; INSERT INTO t VALUES (1)",
]


@pytest.mark.parametrize(("sql", "kind"), ACCEPTED.items())
def test_accepted(sql: str, kind: Kind) -> None:
    assert classify(sql) is kind
    assert forbidden(sql) is None


@pytest.mark.parametrize("sql", REFUSED)
def test_refused(sql: str) -> None:
    refusal = forbidden(sql)
    assert isinstance(refusal, Refusal)
    assert refusal
    assert len(refusal.sqlstate) == 5
    # At the start of a session as well as within a transaction.
    assert DsqlRules().refuse(sql) == refusal
    rules = DsqlRules()
    assert rules.refuse("BEGIN") is None
    assert rules.refuse(sql) == refusal


def test_what_the_product_does_not_have_is_a_feature_that_is_not_supported() -> None:
    for sql in ("SAVEPOINT a", "TRUNCATE t", "SELECT 1 FROM t FOR SHARE", "SET TRANSACTION READ ONLY"):
        refusal = forbidden(sql)
        assert refusal is not None
        assert refusal.sqlstate == "0A000"


MAKE, MAKE_INDEX = "CREATE TABLE t (a uuid PRIMARY KEY)", "CREATE INDEX ASYNC i ON t (a)"
WRITE, READ, COPY = "INSERT INTO t VALUES ($1)", "SELECT 1", "COPY t (a) FROM STDIN"


@pytest.mark.parametrize(
    ("before", "sql", "refused"),
    [
        ((), MAKE, False),
        ((MAKE,), MAKE_INDEX, False),
        ((WRITE,), MAKE, False),
        (("BEGIN",), MAKE, False),
        (("BEGIN", MAKE), MAKE_INDEX, True),
        (("BEGIN", MAKE, "COMMIT"), MAKE_INDEX, False),
        (("BEGIN", MAKE, "COMMIT", "BEGIN"), MAKE_INDEX, False),
        (("BEGIN", MAKE, "ROLLBACK", "BEGIN"), WRITE, False),
        (("BEGIN", MAKE), WRITE, True),
        (("BEGIN", MAKE), COPY, True),
        (("BEGIN", MAKE), READ, False),
        (("BEGIN", WRITE), MAKE, True),
        (("BEGIN", WRITE), "DROP TABLE t", True),
        (("BEGIN", WRITE, COPY), WRITE, False),
        (("BEGIN", READ), MAKE, False),
        (("BEGIN",), "BEGIN", True),
        ((), "COMMIT", False),
    ],
)
def test_a_transaction_has_one_change_of_the_schema_or_writes(
    before: tuple[str, ...], sql: str, *, refused: bool
) -> None:
    rules = DsqlRules()
    for statement in before:
        assert rules.refuse(statement) is None
    assert (rules.refuse(sql) is not None) is refused


def test_a_refused_statement_leaves_no_trace_in_the_transaction() -> None:
    rules = DsqlRules()
    for sql in ("BEGIN", WRITE):
        assert rules.refuse(sql) is None
    assert rules.refuse(MAKE) is not None
    assert rules.refuse(WRITE) is None
    assert rules.refuse("COMMIT") is None


@pytest.mark.parametrize(
    ("sql", "translated"),
    [
        (
            "CREATE INDEX ASYNC i ON T (a, b)",
            "SELECT sys.create_index_async('', False, 'i', 't', 'a, b') AS job_id",
        ),
        (
            "create unique index async if not exists I on t(a) ;",
            "SELECT sys.create_index_async('UNIQUE', True, 'i', 't', 'a') AS job_id",
        ),
        ("CREATE INDEX i ON t (a)", "CREATE INDEX i ON t (a)"),
        ("SELECT 'CREATE INDEX ASYNC i ON t (a)'", "SELECT 'CREATE INDEX ASYNC i ON t (a)'"),
    ],
)
def test_only_an_asynchronous_index_is_translated(sql: str, translated: str) -> None:
    assert translate(sql) == translated
