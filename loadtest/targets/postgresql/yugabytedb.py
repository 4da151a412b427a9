"""YugabyteDB: PostgreSQL's own query layer over a distributed store.

docs/targets.md says what of this was looked up and never run against the product.
"""

from typing import Any, ClassVar

import psycopg

from loadtest.errors import InputError
from loadtest.targets.base.dialect import Dialect
from loadtest.targets.base.table import Table
from loadtest.targets.base.target import TargetSpec
from loadtest.targets.postgresql.target import PostgresTarget, ask
from loadtest.targets.url import said_option

_SHARDINGS = ("hash", "range")


class YugabyteDialect(Dialect):
    """PostgreSQL as YugabyteDB speaks it."""

    advisory_locks: ClassVar[bool] = False
    """Only recent versions have them; the seeder's ledger does without on all."""
    loading_settings: ClassVar[tuple[str, ...]] = ()
    """Every commit is replicated, and `synchronous_commit` means nothing."""

    def __init__(self, *, by_range: bool) -> None:
        self._by_range = by_range

    def create_table(self, table: Table) -> list[str]:
        """As PostgreSQL's, which spreads rows by the hash of the key's first column; or by range.

        By range neighbours in key order share a tablet, as they do on Aurora DSQL, so that the type
        of the key decides how writes spread.
        """
        made = super().create_table(table)
        if not self._by_range:
            return made
        key = ", ".join(table.primary_key)
        ordered = ", ".join(f"{column} ASC" for column in table.primary_key)
        return [s.replace(f"PRIMARY KEY ({key})", f"PRIMARY KEY ({ordered})") for s in made]


class YugabyteTarget(PostgresTarget):
    """`yugabytedb://user@host:5433/database?sharding=hash|range`, and every option of libpq."""

    family: ClassVar[str] = "yugabytedb"
    own_options: ClassVar[tuple[str, ...]] = ("isolation", "pooler", "sharding")
    default_port: ClassVar[str | None] = "5433"

    def __init__(self, spec: TargetSpec) -> None:
        sharding = spec.options.get("sharding", _SHARDINGS[0])
        if sharding not in _SHARDINGS:
            raise InputError(
                f"target {spec.shown}: {said_option(spec, 'sharding')} is none of "
                f"{', '.join(_SHARDINGS)}"
            )
        self._by_range = sharding == "range"
        super().__init__(spec)

    def make_dialect(self) -> Dialect:
        """How YugabyteDB says things."""
        return YugabyteDialect(by_range=self._by_range)

    def isolation_in_force(self, connection: psycopg.Connection[tuple[Any, ...]]) -> str:
        """What is really given: read committed is snapshot isolation unless the cluster enables it."""
        try:
            connection.execute(self.dialect.begin.encode())
            row = ask(connection, "SHOW yb_effective_transaction_isolation_level")
        finally:
            connection.rollback()
        return str(row[0]).lower() if row else super().isolation_in_force(connection)

    def durable(self, connection: psycopg.Connection[tuple[Any, ...]]) -> bool:  # noqa: ARG002
        """A commit is answered once most replicas have it, whatever PostgreSQL's settings say."""
        return True
