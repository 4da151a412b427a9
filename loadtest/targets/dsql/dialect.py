"""What may be said to Aurora DSQL, and how.

DSQL takes PostgreSQL's protocol and a part of its SQL. What the tool needs of it and DSQL does not
have, the seeder and the sessions do without; the differences are all here. `dsql_jobs` waits for the
indexes, which DSQL builds by itself after the statement is answered.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from loadtest.targets.base.dialect import Dialect
from loadtest.targets.base.table import Table


class DsqlDialect(Dialect):
    """PostgreSQL as Aurora DSQL speaks it.

    There is one isolation level, so the BEGIN that names it is PostgreSQL's, unchanged: should
    there ever be another, a report still says what was measured. A table is made and dropped with
    PostgreSQL's statements too, each in a transaction of its own as connections are in autocommit.
    """

    column_types: ClassVar[Mapping[str, str]] = {
        **Dialect.column_types,
        # A numeric without a size is numeric(18,6) here: too small for a large balance, and every
        # amount would come back with six decimals. 38 digits are what every cluster can do.
        "numeric": "numeric(38, 0)",
    }
    advisory_locks: ClassVar[bool] = False
    statements_together: ClassVar[bool] = False
    copy_format: ClassVar[str] = "text"
    """What psql's `\\copy` sends is promised to work; the binary format is promised nowhere."""
    loading_settings: ClassVar[tuple[str, ...]] = ()
    """Every commit is durable in several places, and nothing makes it less."""
    asynchronous_indexes: ClassVar[bool] = True

    def create_index(self, table: Table, columns: Sequence[str]) -> str:
        """The statement that starts to build an index; its answer is the job's id."""
        name = self.index_name(table, columns)
        return f"CREATE INDEX ASYNC IF NOT EXISTS {name} ON {table.name} ({', '.join(columns)})"
