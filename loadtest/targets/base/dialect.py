"""How SQL is said: statements, and what a family of databases says in its own way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from loadtest.targets.base.table import Table


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement that sessions prepare when they open and run many times.

    `parameter_types` names the type of $1, $2, … ("bigint", "uuid", "numeric"); keys travel in
    binary, numbers as text.
    """

    name: str
    sql: str
    parameter_types: tuple[str, ...] = ()


class Dialect:
    """How PostgreSQL says things; families differ by overriding."""

    begin: str = "BEGIN ISOLATION LEVEL REPEATABLE READ"
    isolation: str = "repeatable read"
    column_types: ClassVar[Mapping[str, str]] = {
        "bigint": "bigint",
        "uuid": "uuid",
        "numeric": "numeric",
        "text": "text",
    }
    advisory_locks: ClassVar[bool] = True
    """Whether `pg_try_advisory_xact_lock` is there; else the seeder relies on its ledger alone."""
    statements_together: ClassVar[bool] = True
    """Whether one message may hold several statements, COPY among them."""
    copy_format: ClassVar[str] = "binary"
    """The format that COPY … FROM STDIN takes: `binary` or `text`."""
    loading_settings: ClassVar[tuple[str, ...]] = ("SET LOCAL synchronous_commit = off",)
    """What a loading transaction says first; durability of the whole is the last commit's. Nothing
    may outlive the transaction: behind a pooler the session is somebody else's after it."""
    asynchronous_indexes: ClassVar[bool] = False
    """Whether CREATE INDEX only starts a job, which `sys.jobs` shows and `dsql_jobs` waits for."""

    def create_table(self, table: Table) -> list[str]:
        """The statements that make the table, each to be run in a transaction of its own."""
        columns = [f"{c.name} {self.column_types[c.type]} NOT NULL" for c in table.columns]
        key = ", ".join(table.primary_key)
        return [f"CREATE TABLE {table.name} ({', '.join(columns)}, PRIMARY KEY ({key}))"]

    def index_name(self, table: Table, columns: Sequence[str]) -> str:
        """What the index of a table on these columns is called."""
        return f"{table.name}_{'_'.join(columns)}"

    def create_index(self, table: Table, columns: Sequence[str]) -> str:
        """The statement that makes an index on these columns if it is not there."""
        name = self.index_name(table, columns)
        return f"CREATE INDEX IF NOT EXISTS {name} ON {table.name} ({', '.join(columns)})"

    def drop_index(self, table: Table, columns: Sequence[str]) -> str:
        """The statement that removes the index if it is there, finished or not."""
        return f"DROP INDEX IF EXISTS {self.index_name(table, columns)}"

    def drop_table(self, name: str) -> list[str]:
        """The statements that remove the table if it is there."""
        return [f"DROP TABLE IF EXISTS {name}"]
