"""PostgreSQL: any server that libpq reaches, and the base of everything that speaks its protocol."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import make_conninfo

from loadtest.errors import InputError, TargetError
from loadtest.targets.base.dialect import Statement
from loadtest.targets.base.sql import SqlSession, SqlTarget
from loadtest.targets.base.target import StatementFailed, TargetSpec
from loadtest.targets.postgresql import libpq, pooler
from loadtest.targets.postgresql.errors import REMEDIES, cause_of, reason
from loadtest.targets.postgresql.libpq import Connection
from loadtest.targets.url import choice, region_of, without_options, without_quotes

# A server that is being asked for hundreds of sessions at once takes its time.
_CONNECT_S, _CONNECT_SESSION_S = 10, 30
_SCHEME = re.compile(r"^[a-z]+(?:://)?")
_RDS_HOST = re.compile(r"\.([a-z0-9-]+)\.rds\.amazonaws\.com(?:\.cn)?$")
_WEAK_TLS = frozenset({"disable", "allow", "prefer"})

# Of other users' sessions an ordinary user does not see which kind they are, only whose.
_ROOM = """
WITH clients AS (
  SELECT datname, usename FROM pg_stat_activity
  WHERE pid <> pg_backend_pid() AND datname IS NOT NULL AND usename IS NOT NULL
    AND coalesce(backend_type, 'client backend') = 'client backend'
)
SELECT pg_backend_pid(),
       least(
         current_setting('max_connections')::int
           - current_setting('superuser_reserved_connections')::int
           - coalesce(current_setting('reserved_connections', true), '0')::int
           - (SELECT count(*) FROM clients),
         CASE WHEN datconnlimit >= 0 AND NOT rolsuper
           THEN datconnlimit - (SELECT count(*) FROM clients WHERE datname = current_database()) END,
         CASE WHEN rolconnlimit >= 0 AND NOT rolsuper
           THEN rolconnlimit - (SELECT count(*) FROM clients WHERE usename = current_user) END
       )
FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()
"""


_WRITERS = """
SELECT count(*) FROM pg_locks
WHERE relation = to_regclass('{}') AND mode = 'RowExclusiveLock' AND granted
  AND pid <> pg_backend_pid()
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_LOOKS, _BETWEEN_S, _MOMENT_S = 5, 0.03, 0.3


class PostgresTarget(SqlTarget):
    """A server named by a libpq URL; libpq's environment variables and files hold as usual.

    The URL goes to libpq as it is, without the options that are the tool's own: `isolation`, `pooler`,
    and `iam`, `region` and `profile` for Aurora and RDS.
    """

    family: ClassVar[str] = "postgresql"
    errors: ClassVar[tuple[type[Exception], ...]] = (psycopg.Error,)
    own_options: ClassVar[tuple[str, ...]] = ("isolation", "pooler", "iam", "region", "profile")
    """Options that are taken out of the URL before libpq reads it."""
    isolations: ClassVar[tuple[str, ...]] = ("repeatable-read", "serializable", "read-committed")
    """The values of `?isolation=`; the first is the default."""
    isolation_sql: ClassVar[str] = ""
    """A question for the isolation level in force that is tried before PostgreSQL's own."""
    default_port: ClassVar[str | None] = None
    """The port of this family's servers, if it is not PostgreSQL's."""
    waits: str = "locking"
    """Whether a statement waits for another transaction's row (`locking`) or COMMIT decides."""
    remedies: ClassVar[Mapping[str, str]] = REMEDIES
    """Remedies for errors; see `errors.REMEDIES`."""

    def __init__(self, spec: TargetSpec) -> None:
        super().__init__(spec)
        isolation = choice(spec, "isolation", self.isolations)
        self.dialect = replace(self.dialect, isolation=isolation.replace("-", " "))
        self._pooled = "pooler" in self.own_options and "pooler" in spec.options
        self._rds = "iam" in self.own_options and "iam" in spec.options
        if self._pooled:
            choice(spec, "pooler", ("transaction",), ", for one that cannot hold named statements")
        if self._rds:
            choice(spec, "iam", ("rds",), ", for Aurora PostgreSQL and RDS")
        elif "iam" in self.own_options:
            for option in sorted({"region", "profile"} & set(spec.options)):
                raise InputError(f"target {spec.shown}: {option}= belongs to iam=rds only")

    def url(self) -> str:
        """The URL for libpq, which knows every family as PostgreSQL."""
        return _SCHEME.sub("postgresql://", without_options(self.spec.url, self.own_options), count=1)

    def conninfo(self) -> str:
        """The libpq connection string of a new load session."""
        return self._complete(_CONNECT_SESSION_S)

    def admin_conninfo(self) -> str:
        """The libpq connection string for schema, loading and checks."""
        return self._complete(_CONNECT_S)

    def explain(self, error: Exception) -> TargetError:
        """One line: the server's answer, and what to look at."""
        sqlstate = getattr(error, "sqlstate", None) or ""
        message = error.message if isinstance(error, StatementFailed) else str(error)
        unnamed = not (
            urlsplit(self.spec.url).hostname or {"host", "hostaddr"} & set(self.spec.options)
        )
        verb, cause, remedy = reason(sqlstate, message, self.remedies, address=unnamed)
        return TargetError(f"{self.called} {verb}: {self.spec.without_secrets(cause)}; {remedy}")

    def start(self) -> None:
        """Connect once, so that a wrong host, password or certificate shows before any load."""
        self.connect().close()

    def connect(self) -> Connection:
        """A plain blocking connection in autocommit."""
        try:
            connection = self.open_unasked()
            libpq.expect_answer(connection)
        except psycopg.ProgrammingError as error:
            raise self._unreadable(error) from None
        except psycopg.Error as error:
            raise self.explain(error) from None
        return connection

    def open_unasked(self) -> Connection:
        """As `connect`, without asking for an answer: a pooler may keep one waiting for a session."""
        return self.open_connection(self.admin_conninfo())

    def open_connection(self, conninfo: str) -> Connection:
        """Open a connection as all of this family are; raises psycopg.Error."""
        return libpq.connect(conninfo)

    def libpq_variables(self) -> dict[str, list[str]]:
        """The names of libpq's environment variables that these connections heed, if any is set."""
        names = libpq.variables(self.admin_conninfo())
        return {"libpq_variables": names} if names else {}

    def warm(self) -> None:
        """Sign a first token, where there are any."""
        self.conninfo()

    def open_session(self, statements: Sequence[Statement]) -> SqlSession:
        """A session for one user on a connection of its own."""
        # Imported here because it needs gevent, which loading and reporting do without.
        from loadtest.targets.postgresql.session import PostgresSession, UnnamedSession

        try:
            conninfo = self.conninfo()
        except TargetError as error:
            # No token, as when a role's credentials ran out: like a password that is refused.
            raise StatementFailed("28000", str(error), commit_sent=False, connected=False) from None
        kind = UnnamedSession if self._pooled else PostgresSession
        return kind(conninfo, self.dialect, statements, self.open_connection)

    def rehearse(
        self, statements: Sequence[Statement], attempt: Callable[[SqlSession], object]
    ) -> None:
        """Run one attempt that ends in ROLLBACK, where sessions can hold named statements."""
        may_share_names = "pooler" in self.own_options and not self._pooled
        if may_share_names and pooler.shares_names(self.open_unasked):
            raise InputError(
                f"{self.called}: the pooler in front of it gives a session to other clients between "
                "transactions and cannot hold named statements; add pooler=transaction to the URL, or "
                "let it hold them (pgbouncer from 1.21 on: max_prepared_statements)"
            )
        super().rehearse(statements, attempt)

    def describe(self) -> dict[str, Any]:
        """Describe the server for a report; what it does not tell is absent."""
        with self.connect() as connection:
            told = {
                "name": self.name,
                "url": self.spec.shown,
                "family": self.family,
                "version": self.version(connection),
                "regime": self.waits,
                "isolation": self.isolation_in_force(connection),
                "commit_delay_ms": 0.0,
                **({"pooler": "transaction"} if self._pooled else {}),
                **self.libpq_variables(),
            }
            durable = self.durable(connection)
        return told if durable is None else {**told, "durable": durable}

    def durable(self, connection: Connection) -> bool | None:
        """Whether what is committed outlives a crash; None where the server does not say."""
        row = ask(
            connection,
            "SELECT current_setting('fsync', true), current_setting('synchronous_commit', true)",
        )
        return "off" not in row if row else None

    def version(self, connection: Connection) -> str:
        """The server's version in its product's own numbers."""
        # Sent by everything that speaks the protocol when it lets a client in.
        return (connection.info.parameter_status("server_version") or "unknown").split()[0]

    def isolation_in_force(self, connection: Connection) -> str:
        """Ask for the isolation of a transaction that begins as this run's do."""
        for query in filter(None, (self.isolation_sql, "SHOW TRANSACTION ISOLATION LEVEL")):
            try:
                connection.execute(self.dialect.begin.encode())
                row = ask(connection, query)
            finally:
                connection.rollback()
            if row:
                return str(row[0]).lower()
        return self.dialect.isolation

    def server_id(self) -> str:
        """The start of the server's process, by whatever name it is reached; else its address."""
        with self.connect() as connection:
            row = ask(connection, "SELECT extract(epoch FROM pg_postmaster_start_time())::text")
            return f"started {row[0]}" if row else f"{connection.info.host}:{connection.info.port}"

    def in_use(self, tables: Sequence[str]) -> list[str]:
        """The runs of this machine; else whether other sessions write to the tables."""
        noted = super().in_use(tables)
        # Where there are no advisory locks there is nothing that could tell of any.
        if noted or not tables or not self.dialect.advisory_locks:
            return noted
        with self.connect() as connection:
            return [f"others write to {one}" for one in tables if _is_written_to(connection, one)]

    def connection_limit(self) -> int | None:
        """Return the number of connections that server, database and role have left for this user.

        None behind a pooler, which has limits of its own and does not tell them.
        """
        with self.connect() as connection:
            row = ask(connection, _ROOM)
            # A pooler answers for its servers, and not with the process that it told libpq of.
            if row is None or row[0] != connection.info.backend_pid:
                return None
            return max(int(row[1]), 0)

    # Connection strings

    def _complete(self, connect_s: int) -> str:
        """Complete what the user gives with defaults, and with a fresh token for RDS."""
        conninfo = self.url()
        try:
            named = libpq.named(conninfo)
            defaults = self._defaults(named, connect_s)
            if {**defaults, **named}.get("sslrootcert") == "system":
                libpq.find_system_roots()
            missing = {name: value for name, value in defaults.items() if name not in named}
            if missing:
                conninfo = make_conninfo(conninfo, **missing)
        except psycopg.ProgrammingError as error:
            raise self._unreadable(error) from None
        return make_conninfo(conninfo, password=self._rds_token(conninfo)) if self._rds else conninfo

    def _defaults(self, named: Mapping[str, str], connect_s: int) -> dict[str, str]:
        defaults = {} if self.default_port is None else {"port": self.default_port}
        if "service" not in named:  # which may name it, out of sight
            defaults["connect_timeout"] = str(connect_s)
            defaults.update(libpq.PATIENCE)
        root = self.spec.sslrootcert
        if root is not None and "sslrootcert" not in named:
            # Who names an authority wants the server's certificate checked against it.
            defaults.update(sslrootcert=root, sslmode="verify-full")
        elif self._rds:
            defaults["sslmode"] = "verify-full" if "sslrootcert" in named else "require"
        return defaults

    def _unreadable(self, error: psycopg.Error) -> InputError:
        said = without_quotes(self.spec, cause_of(str(error)))
        return InputError(
            f"{self.called}: {said}; give it as in postgresql://user@host:5432/database?option=value"
        )

    def _rds_token(self, conninfo: str) -> str:
        """A fresh password; raises InputError, and TargetError where there are no credentials."""
        # Imported here: boto3 takes a third of a second, and few need it.
        from loadtest.targets.aws import clients, errors

        named = libpq.named(conninfo)
        host, user = named.get("host", ""), named.get("user", "")
        if named.get("sslmode") in _WEAK_TLS:
            raise InputError(
                f"{self.called}: iam=rds needs TLS; take sslmode={named['sslmode']} out, or give "
                "sslmode=verify-full and sslrootcert="
            )
        port = named.get("port") or "5432"
        if not port.isdecimal() or "," in host:
            raise InputError(f"{self.called}: iam=rds needs one host and one port; a token is for both")
        region = region_of(self.spec, host, _RDS_HOST)
        try:
            return clients.rds_token(host, int(port), user, region, self.spec.options.get("profile"))
        except errors.ERRORS as error:
            raise errors.target_error(self.called, error) from None


def _is_written_to(connection: Connection, table: str) -> bool:
    """Whether other sessions have transactions open that write to the table, now and a moment later.

    What a killed command left is gone by then.
    """
    query = _WRITERS.format(table)

    def is_seen() -> bool:
        row = ask(connection, query)
        if row is None or not row[0]:
            time.sleep(_BETWEEN_S)
            return False
        return True

    for pause_s in (0, _MOMENT_S):
        time.sleep(pause_s)
        if not any(is_seen() for _ in range(_LOOKS)):
            return False
    return True


def ask(connection: Connection, query: str) -> tuple[Any, ...] | None:
    """The first row of an answer; None where the server does not know what is asked."""
    try:
        return connection.execute(query.encode()).fetchone()
    except psycopg.Error:
        if connection.closed:
            raise
        return None
