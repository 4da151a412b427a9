"""SQL statements, and where PostgreSQL's relatives differ from its SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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


@dataclass
class Dialect:
    """A family's SQL; what is not given is as in PostgreSQL."""

    isolation: str = "repeatable read"
    types: Mapping[str, str] = field(default_factory=dict)
    """The family's names of column types that it has no or another meaning for."""
    key_order: str = ""
    """The word behind each column of a primary key."""
    advisory_locks: bool = True
    """Whether `pg_try_advisory_xact_lock` is there; else the seeder relies on its ledger alone."""
    statements_together: bool = True
    """Whether one message may hold several statements, COPY among them."""
    copy_format: str = "binary"
    """The format that COPY … FROM STDIN takes: `binary` or `text`."""
    loading_settings: tuple[str, ...] = ("SET LOCAL synchronous_commit = off",)
    """The first statements of a loading transaction; the whole is as durable as the last commit. They
    end with the transaction: behind a pooler the session is another client's after it."""
    asynchronous_indexes: bool = False
    """Whether CREATE INDEX only starts a job, which `sys.jobs` shows (`index_jobs.py`)."""

    @property
    def begin(self) -> str:
        """The statement that begins a transaction."""
        return f"BEGIN ISOLATION LEVEL {self.isolation.upper()}"

    def create_table(self, table: Table) -> list[str]:
        """The statements that make the table, each to be run in a transaction of its own."""
        columns = [f"{c.name} {self.types.get(c.type, c.type)} NOT NULL" for c in table.columns]
        key = ", ".join(f"{column} {self.key_order}".rstrip() for column in table.primary_key)
        return [f"CREATE TABLE {table.name} ({', '.join(columns)}, PRIMARY KEY ({key}))"]

    def index_name(self, table: Table, columns: Sequence[str]) -> str:
        """Return the name of a table's index on these columns."""
        return f"{table.name}_{'_'.join(columns)}"

    def create_index(self, table: Table, columns: Sequence[str]) -> str:
        """The statement that makes an index on these columns if it is not there.

        Of an asynchronous one it is the beginning, and its answer is the job's id.
        """
        create = "CREATE INDEX ASYNC" if self.asynchronous_indexes else "CREATE INDEX"
        name = self.index_name(table, columns)
        return f"{create} IF NOT EXISTS {name} ON {table.name} ({', '.join(columns)})"

    def drop_index(self, table: Table, columns: Sequence[str]) -> str:
        """The statement that removes the index if it is there, finished or not."""
        return f"DROP INDEX IF EXISTS {self.index_name(table, columns)}"

    def drop_table(self, name: str) -> list[str]:
        """The statements that remove the table if it is there."""
        return [f"DROP TABLE IF EXISTS {name}"]


# None of them has a commit that could be made less durable for loading. docs/targets.md says what of
# the first three was looked up and never run against the product.

COCKROACHDB = Dialect(
    advisory_locks=False,  # the functions are there and lock nothing
    statements_together=False,  # COPY is refused in a message that holds other statements
    copy_format="text",
    loading_settings=(),
)
YUGABYTEDB = Dialect(
    advisory_locks=False,  # only recent versions have them
    loading_settings=(),
)
SPANNER = Dialect(
    advisory_locks=False, statements_together=False, copy_format="text", loading_settings=()
)
"""Spoken to through PGAdapter."""
DSQL = Dialect(
    # A numeric without a size is numeric(18,6) here: too small for a large balance, and every amount
    # would come back with six decimals. 38 digits are what every cluster can do.
    types={"numeric": "numeric(38, 0)"},
    advisory_locks=False,
    statements_together=False,
    copy_format="text",  # as psql's `\copy`, which is promised to work; the binary format is not
    loading_settings=(),
    asynchronous_indexes=True,
)
"""There is one isolation level, and BEGIN names it all the same: should there ever be another, a report
still says what was measured."""
