"""Aurora DSQL: PostgreSQL's protocol behind IAM, with one isolation level and no locks.

The password is a token that is signed here, anew for each connection. AWS's own Python connector is
not used: it makes a boto3 session for each connection, which keeps all users of the process waiting
(`aws/clients.py` has the figures).
"""

import os
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from random import sample
from typing import Any, ClassVar, NamedTuple, TypeVar
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg.conninfo import make_conninfo

from loadtest.errors import InputError, TargetError
from loadtest.errors.messages import without_secrets
from loadtest.targets.aws import clients
from loadtest.targets.aws.errors import ERRORS, target_error
from loadtest.targets.base.dialect import DSQL, Dialect, Statement
from loadtest.targets.base.sql import SqlSession
from loadtest.targets.base.target import Limits, StatementFailed, TargetSpec
from loadtest.targets.postgresql import libpq
from loadtest.targets.postgresql.errors import REMEDIES, refused_sqlstate
from loadtest.targets.postgresql.target import PostgresTarget
from loadtest.targets.url import check_options, number, region_of, said_option

ADMIN, DATABASE, PORT = "admin", "postgres", 5432
MOST_CONNECTIONS = 10_000
"""Open connections that a cluster takes."""
CONNECTIONS_PER_S, CONNECTION_BURST = 95.0, 950
"""New connections: DSQL's 100 a second and 1,000 at once, less some for the tool's own questions."""
SESSION_AGE_S = 3600
TOKEN_EXPIRES_S, _LONGEST_TOKEN_S = 900, 604_800
TRANSACTION_ROWS = 3000
"""Rows that a transaction may change."""

_REGION = re.compile(r"\.dsql(?:-[a-z0-9]+)?\.([a-z0-9-]+)\.on\.aws$")
_CONNECT_S, _CONNECT_SESSION_S = 10, 30
_ANY = 1e6

_OPTIONS = (
    "user", "region", "profile", "hostaddr", "sslrootcert", "token_expires_s", "session_age_s",
    "connection_rate", "connection_burst",
)  # fmt: skip

Opened = TypeVar("Opened")


class ClusterEndpoint(NamedTuple):
    """Where a cluster is reached, and for which Region tokens are signed."""

    host: str
    region: str


class DsqlTarget(PostgresTarget):
    """`dsql://<cluster>.dsql.<region>.on.aws[:port][/database][?user=…]`."""

    family: ClassVar[str] = "dsql"
    dialect: Dialect = DSQL
    errors: ClassVar[tuple[type[Exception], ...]] = (psycopg.Error, *ERRORS)
    isolations: ClassVar[tuple[str, ...]] = ("repeatable-read",)
    remedies: ClassVar[Mapping[str, str]] = {
        **REMEDIES,
        "unknown authority": (
            "give the file of the authority that signed the server's certificate with --sslrootcert, "
            "sslrootcert= in the URL or PGSSLROOTCERT; Amazon's own is among those of any machine"
        ),
        "no such host": "check the cluster's identifier and Region, and that the cluster is there",
        "access denied": (
            "let the IAM policy of these credentials allow dsql:DbConnectAdmin for user=admin, and "
            "dsql:DbConnect for a role, which AWS IAM GRANT must link to it; check the Region, that "
            "the credentials have not expired, and this machine's clock"
        ),
        "42501": "grant its role what is missing, or connect with user=admin",
        "42P01": "seed it first with `occbench seed`, and check the cluster and the role",
        "53300": "close other clients of the cluster, ask for fewer --users, or have the quota raised",
        "53400": (
            "other clients open connections too: try again, or give what they leave of the cluster's "
            "100 a second as connection_rate= and connection_burst="
        ),
    }
    own_options: ClassVar[tuple[str, ...]] = ()

    def __init__(self, spec: TargetSpec) -> None:
        check_options(spec, _OPTIONS)
        super().__init__(spec)
        parts = urlsplit(spec.url)
        if parts.password is not None:
            raise InputError(
                f"target {spec.shown}: Aurora DSQL takes no password; take it out, tokens are made "
                "from your AWS credentials"
            )
        self.address = parts.hostname or ""
        """What stands where a URL has its host."""
        self.user = spec.options.get("user") or unquote(parts.username or "") or ADMIN
        self.profile = spec.options.get("profile")
        self._database = unquote(parts.path.lstrip("/")) or DATABASE
        try:
            self._port = PORT if parts.port is None else parts.port
        except ValueError:
            raise InputError(f"target {spec.shown}: the port is not a number up to 65535") from None
        self._hostaddr = spec.options.get("hostaddr")
        try:
            ip_address(self._hostaddr or "127.0.0.1")
        except ValueError:
            raise InputError(
                f"target {spec.shown}: {said_option(spec, 'hostaddr')} is not an IP address; "
                "it takes the place of what the host's name would resolve to"
            ) from None
        self._token_expires_s = round(
            number(spec, "token_expires_s", TOKEN_EXPIRES_S, 1, _LONGEST_TOKEN_S)
        )
        self._limits = Limits(
            connections_per_s=number(spec, "connection_rate", CONNECTIONS_PER_S, 1, _ANY),
            connection_burst=round(number(spec, "connection_burst", CONNECTION_BURST, 1, _ANY)),
            session_age_s=number(spec, "session_age_s", SESSION_AGE_S, 1, SESSION_AGE_S),
            batch_rows=TRANSACTION_ROWS,
        )

    @property
    def limits(self) -> Limits:
        """DSQL's quotas, or what the URL says is this run's share of them."""
        return self._limits

    def endpoint(self) -> ClusterEndpoint:
        """The host, and its Region; asked for at every connection.

        Raises InputError where the Region is neither given nor to be read from the host.
        """
        return ClusterEndpoint(self.address, region_of(self.spec, self.address, _REGION))

    def open_unasked(self) -> libpq.Connection:
        """As `connect`, at the first address that answers."""
        return self._first_that_answers(self.open_connection, _CONNECT_S)

    def warm(self) -> None:
        """Find the cluster and sign a first token."""
        self.conninfo()

    def open_session(self, statements: Sequence[Statement]) -> SqlSession:
        """A session for one user on a connection of its own."""
        # Imported here because it needs gevent, which loading and reporting do without.
        from loadtest.targets.postgresql.session import PostgresSession

        try:
            return self._first_that_answers(
                lambda conninfo: PostgresSession(conninfo, self.dialect, statements), _CONNECT_SESSION_S
            )
        except StatementFailed as failure:
            raise StatementFailed(
                failure.sqlstate,
                without_secrets(failure.message),
                commit_sent=failure.commit_sent,
                connected=failure.connected,
            ) from None
        except TargetError as error:
            # No address or no token, for now: credentials of a role run out, and are renewed.
            raise StatementFailed("28000", str(error), commit_sent=False, connected=False) from None

    def conninfo(self) -> str:
        """The libpq connection string of a new load session, with a token of its own."""
        return self._conninfo(self._addresses()[0], _CONNECT_SESSION_S)

    def admin_conninfo(self) -> str:
        """The libpq connection string for schema, loading and checks."""
        return self._conninfo(self._addresses()[0], _CONNECT_S)

    def explain(self, error: Exception) -> TargetError:
        """One line: what AWS, libpq or DSQL answered, and what to do about it."""
        if isinstance(error, ERRORS):
            return target_error(self.called, error)
        return super().explain(error)

    def describe(self) -> dict[str, Any]:
        """What a report should know; DSQL has no setting that could make it less durable."""
        with self.connect() as connection:
            version = self.version(connection)
        host, region = self.endpoint()
        return {
            "name": self.name,
            "url": self.spec.shown,
            "family": self.family,
            "endpoint": host,
            "region": region,
            "version": version,
            "regime": "optimistic",
            "isolation": self.dialect.isolation,
            "durable": True,
            **self.libpq_variables(),
        }

    def server_id(self) -> str:
        """The endpoint: every Region of a cluster has limits of its own."""
        return self.endpoint().host

    def connection_limit(self) -> int | None:
        """What a cluster takes; how much of it others use is not to be had."""
        return MOST_CONNECTIONS

    def _first_that_answers(self, open_one: Callable[[str], Opened], connect_s: int) -> Opened:
        """What opens at the first of the host's addresses that can be reached.

        Once DSQL has answered, and be it with a refusal, no other address is asked: it would only
        use up new connections.
        """
        addresses = self._addresses()
        for address in addresses[:-1]:
            try:
                return open_one(self._conninfo(address, connect_s))
            except (psycopg.Error, StatementFailed) as error:
                if error.sqlstate or refused_sqlstate(str(error)):
                    raise
        return open_one(self._conninfo(addresses[-1], connect_s))

    def _addresses(self) -> list[str]:
        """Where the host is, in an order that spreads sessions over the addresses."""
        if self._hostaddr is not None:
            return [self._hostaddr]
        host = self.endpoint().host
        try:
            resolved = socket.getaddrinfo(host, self._port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise TargetError(
                f"{self.called} cannot be reached: {error.strerror or error}; "
                f"{self.remedies['no such host']}"
            ) from None
        addresses = sorted({str(one[4][0]) for one in resolved})
        return sample(addresses, len(addresses))

    def _conninfo(self, address: str, connect_s: int) -> str:
        host, region = self.endpoint()
        try:
            token = clients.dsql_token(host, self.user, region, self.profile, self._token_expires_s)
        except ERRORS as error:
            raise self.explain(error) from None
        return make_conninfo(
            host=host,
            hostaddr=address,
            port=self._port,
            user=self.user,
            dbname=self._database,
            password=token,
            sslmode="verify-full",
            sslrootcert=self._roots(),
            gssencmode="disable",
            connect_timeout=connect_s,
            application_name="occbench",
            **libpq.PATIENCE,
        )

    def _roots(self) -> str:
        """Which authorities to trust."""
        asked = (
            self.spec.options.get("sslrootcert")
            or self.spec.sslrootcert
            or os.environ.get("PGSSLROOTCERT")
            or "system"
        )
        if asked == "system":
            libpq.find_system_roots()
        return asked
