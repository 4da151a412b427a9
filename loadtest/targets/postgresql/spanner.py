"""Spanner, in its PostgreSQL dialect, through PGAdapter.

PGAdapter is a proxy that runs beside the tool and speaks PostgreSQL's protocol. It authenticates
itself to Spanner, so a target names its address and the database, and no user.

docs/targets.md says what of this was looked up and never run against the product.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from loadtest.targets.base.dialect import Dialect
from loadtest.targets.base.target import Limits, TargetSpec
from loadtest.targets.postgresql.errors import REMEDIES
from loadtest.targets.postgresql.target import PostgresTarget

_MUTATIONS = 80_000
"""What Spanner takes in a commit: each column of a row written counts, and each index entry."""
_MUTATIONS_A_ROW = 8
"""More than any row of ours has."""
# PGAdapter repeats a transaction that Spanner aborted, unseen: what is to be measured would vanish.
_NO_RETRIES = "-c spanner.retry_aborts_internally=false"


class SpannerDialect(Dialect):
    """PostgreSQL as Spanner speaks it through PGAdapter."""

    advisory_locks: ClassVar[bool] = False
    statements_together: ClassVar[bool] = False
    copy_format: ClassVar[str] = "text"
    loading_settings: ClassVar[tuple[str, ...]] = ()


class SpannerTarget(PostgresTarget):
    """`spanner://host:5432/database`, where PGAdapter listens."""

    family: ClassVar[str] = "spanner"
    own_options: ClassVar[tuple[str, ...]] = ("isolation",)
    isolations: ClassVar[tuple[str, ...]] = ("serializable", "repeatable-read")
    remedies: ClassVar[Mapping[str, str]] = {
        **REMEDIES,
        "nobody listens": "start PGAdapter, and check the host and the port it listens on",
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

    def make_dialect(self) -> Dialect:
        """How Spanner says things."""
        return SpannerDialect()

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

    def durable(self, connection: psycopg.Connection[tuple[Any, ...]]) -> bool:  # noqa: ARG002
        """A commit is answered once most replicas have it."""
        return True

    def connection_limit(self) -> int | None:
        """None: PGAdapter shares a pool of Spanner sessions among any number of connections."""
        return None
