"""What makes the embedded database, seen through the gate, behave as Aurora DSQL does.

The optimistic regime puts a view in front of each table. A session sees the views only: tables that
it makes are covered when it has made them, and what changes a table's definition is led to the table
beneath.
"""

import re
from pathlib import Path

import psycopg

from loadtest.targets.embedded import optimistic
from tests.rigs import dsql_catalogue
from tests.rigs.dsql_rules import DsqlRules, Refusal, forbidden

SEARCH_PATH = "optimistic,public"
SCHEMA_COMMANDS = (b"CREATE TABLE", b"DROP TABLE")
"""Tags of commands after which tables have to be covered, or their views have gone."""

_CREATE = re.compile(r"^(\s*CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?)(\w+\s*\()", re.IGNORECASE)
_DROP = re.compile(r"^(\s*DROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?)(\w+)\s*;?\s*$", re.IGNORECASE)


class Conscience:
    """One session: what it may say, and how the database behind is told."""

    def __init__(self) -> None:
        self._rules = DsqlRules()

    def may_prepare(self, sql: str) -> Refusal | None:
        """Why a text that is only prepared is refused, or None."""
        return forbidden(sql)

    def may_run(self, sql: str) -> Refusal | None:
        """Why a text that is run now is refused, or None; it counts as run then."""
        return self._rules.refuse(sql)


def in_other_words(sql: str) -> str:
    """The same for the database behind the gate; an accepted text as it is, nearly always."""
    sql = dsql_catalogue.translate(sql)
    sql = _CREATE.sub(r"\1public.\2", sql)
    # The view goes with its table.
    return _DROP.sub(r"\1public.\2 CASCADE", sql)


def cover_tables(socket: str, database: str, superuser: str) -> None:
    """Every table with a key gets its view; what is left of tables that have gone, goes too."""
    with psycopg.connect(
        host=str(Path(socket).parent), user=superuser, dbname=database, autocommit=True
    ) as connection:
        there = connection.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid "
            "WHERE c.relnamespace = 'public'::regnamespace AND i.indisprimary"
        ).fetchall()
        viewed = connection.execute(
            "SELECT viewname FROM pg_views WHERE schemaname = %s", (optimistic.SCHEMA,)
        ).fetchall()
        tables = {row[0] for row in there}
        for table in set(optimistic.covered(connection)) - tables:
            optimistic.uncover(connection, table)
        for table in tables - {row[0] for row in viewed}:
            optimistic.cover(connection, table)
