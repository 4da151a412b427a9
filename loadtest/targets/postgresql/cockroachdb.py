"""CockroachDB: PostgreSQL's protocol over a distributed, serializable store.

docs/targets.md says what of this was looked up and never run against the product.
"""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import psycopg

from loadtest.targets.base.dialect import Dialect
from loadtest.targets.postgresql.errors import REMEDIES
from loadtest.targets.postgresql.target import PostgresTarget, ask

_VERSION = re.compile(r"\bCockroachDB\b.*?\bv(\S+)")


class CockroachDialect(Dialect):
    """PostgreSQL as CockroachDB speaks it."""

    advisory_locks: ClassVar[bool] = False
    """The functions are there and lock nothing."""
    statements_together: ClassVar[bool] = False
    """COPY is refused in a message that holds other statements."""
    copy_format: ClassVar[str] = "text"
    loading_settings: ClassVar[tuple[str, ...]] = ()
    """Every commit is replicated and on disk, and nothing makes it less."""


class CockroachTarget(PostgresTarget):
    """`cockroachdb://user@host:26257/database`, and every option of libpq."""

    family: ClassVar[str] = "cockroachdb"
    own_options: ClassVar[tuple[str, ...]] = ("isolation", "pooler")
    isolations: ClassVar[tuple[str, ...]] = ("serializable", "repeatable-read", "read-committed")
    default_port: ClassVar[str | None] = "26257"
    remedies: ClassVar[Mapping[str, str]] = {
        **REMEDIES,
        "42501": (
            "grant its user what is missing: SELECT and UPDATE for a run; for seeding CREATE on the "
            "database, and membership of admin, which COPY asks for"
        ),
        "no TLS": "start the node without --insecure, or give sslmode=disable to do without TLS",
    }

    def make_dialect(self) -> Dialect:
        """How CockroachDB says things."""
        return CockroachDialect()

    def version(self, connection: psycopg.Connection[tuple[Any, ...]]) -> str:
        """CockroachDB's own version, rather than that of the PostgreSQL it is compatible with."""
        row = ask(connection, "SELECT version()")
        found = _VERSION.search(str(row[0])) if row else None
        return found[1] if found else super().version(connection)

    def durable(self, connection: psycopg.Connection[tuple[Any, ...]]) -> bool:  # noqa: ARG002
        """A commit is answered once most replicas have it on disk."""
        return True

    def connection_limit(self) -> int | None:
        """None: its `max_connections` is made up, and a limit of the cluster's is not shown."""
        return None
