"""An Aurora DSQL cluster: the embedded optimistic database behind a gate that is DSQL's front door.

Tables made through it are in the optimistic regime, statements that DSQL refuses are refused, and
TLS, tokens, session age and the rate of new connections are real. Two of its endpoints with different
commit delays are a multi-Region cluster.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from urllib.parse import quote

import psycopg

from loadtest.targets.embedded import optimistic
from loadtest.targets.embedded.server import EmbeddedServer
from tests.conftest import short_folder
from tests.rigs import Rig, dsql_catalogue
from tests.rigs.certificates import Authority, ServerCertificate
from tests.rigs.data_folder import copied
from tests.rigs.gate import Endpoint, Gate, GateSettings, running_gate
from tests.rigs.sigv4 import Principal

REGION = "us-east-1"
HOST = f"abcdefghijklmnopqrstuvwxyz.dsql.{REGION}.on.aws"
FAR_HOST = "abcdefghijklmnopqrstuvwxyz.dsql.us-west-2.on.aws"
"""Another Region's endpoint of the same cluster."""
ROLE, READER = "app", "reader"
"""Roles other than `admin`: one that may read and write every table, one that may only read."""
OWNER = Principal("AKIAOCCBENCHTESTOWNER", "made-up/secret+of+the+owner")
GUEST = Principal(
    "AKIAOCCBENCHTESTGUEST", "made-up/secret+of+the+guest", actions=frozenset({"DbConnect"})
)
"""Somebody who may not connect as `admin`."""
VISITOR = Principal("ASIAOCCBENCHTESTVISIT", "made-up/secret+of+the+visitor", "a-session/token==")
"""Somebody with credentials for a while."""
_MOST_CONNECTIONS = 1300


@dataclass(frozen=True, slots=True)
class Database:
    """The database behind the gate, and the authority that signs the gate's certificate."""

    server: EmbeddedServer
    authority: Authority
    certificate: ServerCertificate
    folder: Path

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Past the gate, as its superuser, to the tables themselves; the caller closes it."""
        conninfo = self.server.conninfo(options="-c search_path=public")
        return psycopg.connect(conninfo, autocommit=True)


@dataclass(frozen=True, slots=True)
class DsqlRig(Rig):
    """A cluster to point the tool at, and what a test looks at."""

    gate: Gate = field(kw_only=True)
    database: Database = field(kw_only=True)

    def url(self, host: str = HOST, **options: object) -> str:
        """An endpoint's URL, with these options beside those that lead to the gate."""
        everything = {
            "hostaddr": "127.0.0.1",
            "sslrootcert": self.database.authority.root,
            **options,
        }
        query = "&".join(f"{name}={quote(str(value), safe='/')}" for name, value in everything.items())
        return f"dsql://{host}:{self.gate.port}?{query}"


def credentials(principal: Principal = OWNER) -> dict[str, str]:
    """The environment of a command that has these credentials, and no other."""
    found = {
        "AWS_ACCESS_KEY_ID": principal.key_id,
        "AWS_SECRET_ACCESS_KEY": principal.secret,
        **no_credentials(),
    }
    if principal.session_token:
        found["AWS_SESSION_TOKEN"] = principal.session_token
    return found


def no_credentials() -> dict[str, str]:
    """The environment of a command on a machine without any credentials."""
    return {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        # Tokens need no service; whatever else is asked of AWS finds nobody, and never leaves here.
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    }


@contextmanager
def dsql_database() -> Iterator[Database]:
    """The database, with room for a thousand users, and the roles; without a gate."""
    settings = {"max_connections": str(_MOST_CONNECTIONS)}
    with short_folder() as folder:
        server = EmbeddedServer(copied(folder / "data"), settings)
        server.start()
        try:
            authority = Authority(folder)
            certificate = authority.issue(f"*.dsql.{REGION}.on.aws", "*.dsql.us-west-2.on.aws")
            database = Database(server, authority, certificate, folder)
            with database.connect() as connection:
                optimistic.install(connection)
                dsql_catalogue.install(connection)
                for role, rights in (
                    (ROLE, "pg_read_all_data, pg_write_all_data"),
                    (READER, "pg_read_all_data"),
                ):
                    connection.execute(f"CREATE ROLE {role} LOGIN".encode())
                    connection.execute(f"GRANT {rights} TO {role}".encode())
            yield database
        finally:
            server.stop()


@contextmanager
def dsql_gate(
    database: Database,
    endpoints: Mapping[str, Endpoint] | None = None,
    certificate: ServerCertificate | None = None,
    principal: Principal = OWNER,
    **settings: Any,
) -> Iterator[DsqlRig]:
    """A gate before the database; the further settings are those of `GateSettings`."""
    made = GateSettings(
        endpoints=dict(endpoints or {HOST: Endpoint(REGION), FAR_HOST: Endpoint("us-west-2")}),
        principals=[OWNER, GUEST, VISITOR],
        certificate=str((certificate or database.certificate).certificate),
        key=str((certificate or database.certificate).key),
        socket=str(database.server.socket_folder / ".s.PGSQL.5432"),
        database="occbench",
        superuser="occbench",
        record=mkdtemp(prefix="gate-", dir=database.folder),
        **settings,
    )
    with running_gate(made) as gate:
        rig = DsqlRig("", credentials(principal), gate=gate, database=database)
        yield DsqlRig(rig.url(), rig.environment, gate=gate, database=database)


@contextmanager
def dsql(**settings: Any) -> Iterator[DsqlRig]:
    """A cluster of its own; the settings are those of `dsql_gate`."""
    with dsql_database() as database, dsql_gate(database, **settings) as rig:
        yield rig
