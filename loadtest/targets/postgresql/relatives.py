"""Databases that speak PostgreSQL's protocol over a distributed store.

Their dialects are in `base/dialect.py`; docs/targets.md says what of all this was looked up and never
run against the product.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from loadtest.targets.base.dialect import COCKROACHDB, SPANNER, YUGABYTEDB, Dialect
from loadtest.targets.base.target import Limits, TargetSpec
from loadtest.targets.postgresql.errors import REMEDIES
from loadtest.targets.postgresql.libpq import Connection
from loadtest.targets.postgresql.target import PostgresTarget, ask
from loadtest.targets.url import choice

_COCKROACH_VERSION = re.compile(r"\bCockroachDB\b.*?\bv(\S+)")
_MUTATIONS = 80_000
"""Spanner's limit in a commit: each column of a row written counts, and each index entry."""
_MUTATIONS_A_ROW = 8
"""More than any row of ours has."""
# PGAdapter repeats a transaction that Spanner aborted, unseen: what is to be measured would vanish.
_NO_RETRIES = "-c spanner.retry_aborts_internally=false"


class Relative(PostgresTarget):
    """A database whose commits are answered once most replicas have them, whatever its settings say."""

    def durable(self, connection: Connection) -> bool:  # noqa: ARG002
        """Always."""
        return True


class CockroachTarget(Relative):
    """`cockroachdb://user@host:26257/database`, and every option of libpq."""

    family: ClassVar[str] = "cockroachdb"
    dialect: Dialect = COCKROACHDB
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

    def version(self, connection: Connection) -> str:
        """CockroachDB's own version, rather than that of the PostgreSQL it is compatible with."""
        row = ask(connection, "SELECT version()")
        own = _COCKROACH_VERSION.search(str(row[0])) if row else None
        return own[1] if own else super().version(connection)

    def connection_limit(self) -> int | None:
        """None: its `max_connections` is made up, and a limit of the cluster's is not shown."""
        return None


class YugabyteTarget(Relative):
    """`yugabytedb://user@host:5433/database?sharding=hash|range`, and every option of libpq.

    Rows are spread by the hash of the key's first column. By range, neighbours in key order share a
    tablet, as they do on Aurora DSQL, so that the type of the key decides how writes spread.
    """

    family: ClassVar[str] = "yugabytedb"
    dialect: Dialect = YUGABYTEDB
    own_options: ClassVar[tuple[str, ...]] = ("isolation", "pooler", "sharding")
    default_port: ClassVar[str | None] = "5433"
    isolation_sql: ClassVar[str] = "SHOW yb_effective_transaction_isolation_level"
    """Read committed is snapshot isolation unless the cluster enables it."""

    def __init__(self, spec: TargetSpec) -> None:
        super().__init__(spec)
        if choice(spec, "sharding", ("hash", "range")) == "range":
            self.dialect = replace(self.dialect, key_order="ASC")


class SpannerTarget(Relative):
    """`spanner://host:5432/database`: Spanner's PostgreSQL dialect, where PGAdapter listens.

    PGAdapter is a proxy beside the tool, which authenticates itself to Spanner; no user is named.
    """

    family: ClassVar[str] = "spanner"
    dialect: Dialect = SPANNER
    own_options: ClassVar[tuple[str, ...]] = ("isolation",)
    isolations: ClassVar[tuple[str, ...]] = ("serializable", "repeatable-read")
    remedies: ClassVar[Mapping[str, str]] = {
        **REMEDIES,
        "nothing listens": "start PGAdapter, and check the host and the port it listens on",
        "broken off": "check that PGAdapter runs, and with -x if it is not on this machine",
        "42501": "grant PGAdapter's service account the role spanner.databaseUser",
        "28": "check the credentials that PGAdapter was started with",
        "3D000": "check the database's name, and the project and instance PGAdapter was started with",
    }

    def __init__(self, spec: TargetSpec) -> None:
        super().__init__(spec)
        # At serializable Spanner locks what it reads; its snapshot isolation decides at COMMIT.
        if self.dialect.isolation == "repeatable read":
            self.waits = "optimistic"

    @property
    def limits(self) -> Limits:
        """The rows that a commit can write."""
        return Limits(batch_rows=_MUTATIONS // _MUTATIONS_A_ROW)

    def conninfo(self) -> str:
        """The libpq connection string of a new load session, whose aborted transactions fail."""
        conninfo = super().conninfo()
        given = conninfo_to_dict(conninfo).get("options")
        options = f"{given} {_NO_RETRIES}" if given else _NO_RETRIES
        return make_conninfo(conninfo, options=options)

    def connection_limit(self) -> int | None:
        """None: PGAdapter shares a pool of Spanner sessions among any number of connections."""
        return None
