"""PostgreSQL: any server that libpq reaches, and the base of everything that speaks its protocol."""

from collections.abc import Sequence
from typing import Any, ClassVar

import psycopg

from loadtest.errors import InputError, TargetError
from loadtest.targets.base import StatementFailed, TargetSpec
from loadtest.targets.sql import Dialect, SqlSession, SqlTarget, Statement


class PostgresTarget(SqlTarget):
    """A PostgreSQL server named by a libpq URL; libpq's environment variables hold as usual."""

    family: ClassVar[str] = "postgresql"
    errors: ClassVar[tuple[type[Exception], ...]] = (psycopg.Error,)

    def __init__(self, spec: TargetSpec) -> None:
        super().__init__(spec)
        self.dialect = Dialect()

    def conninfo(self) -> str:
        """The libpq connection string of load sessions."""
        return self.spec.url

    def admin_conninfo(self) -> str:
        """The libpq connection string for schema, loading and checks."""
        return self.spec.url

    def explain(self, error: Exception) -> TargetError:
        """One line: the server's answer, and what to look at."""
        return TargetError(
            f"{self.called} refuses: {_first_line(error)}; check what its user is allowed to do"
        )

    def explain_failed(self, failure: StatementFailed) -> TargetError:
        """One line for what a session raised."""
        return TargetError(
            f"{self.called} refuses: {failure.message}; check what its user is allowed to do"
        )

    def start(self) -> None:
        """Connect once, so that a wrong host, password or certificate shows before any load."""
        self.connect().close()

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A plain blocking connection in autocommit."""
        try:
            return psycopg.connect(self.admin_conninfo(), autocommit=True, connect_timeout=10)
        except psycopg.ProgrammingError as error:
            raise InputError(f"target {self.name}: {_first_line(error)}") from None
        except psycopg.Error as error:
            raise TargetError(
                f"target {self.name} ({self.spec.shown}) cannot be reached: {_first_line(error)}; "
                "check the host, the port, the user and that the server runs"
            ) from None

    def open_session(self, statements: Sequence[Statement]) -> SqlSession:
        """A session for one user on a connection of its own."""
        # Imported here because it needs gevent, which loading and reporting do without.
        from loadtest.targets.postgresql_session import PostgresSession

        return PostgresSession(self.conninfo(), self.dialect, statements)

    def describe(self) -> dict[str, Any]:
        """What a report should know of this server."""
        with self.connect() as connection:
            row = connection.execute(
                "SELECT current_setting('server_version'), current_setting('fsync', true), "
                "current_setting('synchronous_commit', true)"
            ).fetchone()
        version, fsync, synchronous = row or ("", None, None)
        return {
            "name": self.name,
            "url": self.spec.shown,
            "family": self.family,
            "version": str(version).split()[0],
            "regime": "locking",
            "isolation": self.dialect.isolation,
            "commit_delay_ms": 0.0,
            "durable": fsync != "off" and synchronous != "off",
        }

    def place(self) -> str:
        """The address of the server."""
        with self.connect() as connection:
            return f"{connection.info.host}:{connection.info.port}"

    def connection_limit(self) -> int | None:
        """`max_connections` less what is taken and reserved."""
        with self.connect() as connection:
            row = connection.execute(
                "SELECT current_setting('max_connections')::int "
                "- current_setting('superuser_reserved_connections')::int "
                "- (SELECT count(*) FROM pg_stat_activity "
                "   WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())"
            ).fetchone()
        return int(row[0]) if row else None


def _first_line(error: Exception) -> str:
    """The cause without libpq's lead-in, which repeats the address, and without a second line."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    for lead in ("FATAL:", "ERROR:"):
        if lead in lines[0]:
            return lines[0].split(lead, 1)[1].strip()
    return lines[0].removeprefix("connection failed: ").strip()
