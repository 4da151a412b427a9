"""PostgreSQL servers that listen on TCP: with TLS and passwords, without either, or with IAM tokens.

They are made of the programs that come with the embedded database, on data of their own.
"""

import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from loadtest.errors import TargetError
from loadtest.targets.embedded.server import EmbeddedServer
from loadtest.targets.embedded.system_user import server_user
from tests.commands import REPOSITORY
from tests.rigs import Rig
from tests.rigs.certificates import Authority
from tests.rigs.data_folder import copied
from tests.rigs.dsql import OWNER, credentials
from tests.rigs.gate import Endpoint, Gate, GateSettings, running_gate

DATABASE = "bank"
TELLER, CLERK = "teller", "clerk"
"""An ordinary role that owns the database, and one that may connect to it and nothing else."""
PASSWORD = "not-in-any-file-4711"
RDS_REGION = "eu-west-1"
RDS_HOST = f"bank.cluster-c0ffee.{RDS_REGION}.rds.amazonaws.com"
_CONNECTIONS = "60"
OWNER_ROLE = "occbench"
_TRIES = 10
# Below the ports that systems hand out to outgoing connections, so that a server finds its port
# free again when it is started again.
_PORTS = range(20_000, 30_000)


@dataclass(frozen=True, slots=True)
class Server(Rig):
    """A running server, and what tests do to it."""

    port: int = 0
    """Where clients find it."""
    own_port: int = 0
    """Where it listens itself, behind its gate."""
    embedded: EmbeddedServer | None = None
    authority: Path = Path()
    """The file of the authority that signed its certificate, where it has one."""

    @property
    def verified(self) -> dict[str, str]:
        """The options of a URL that is to verify the server's certificate."""
        return {
            "hostaddr": "127.0.0.1",
            "sslmode": "verify-full",
            "sslrootcert": str(self.authority),
        }

    def url(
        self, user: str = TELLER, password: str = "", host: str = "localhost", **options: str
    ) -> str:
        """The server's address, for anybody; options are libpq's."""
        secret = f":{quote(password, safe='')}" if password else ""
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in options.items())
        return f"postgresql://{user}{secret}@{host}:{self.port}/{DATABASE}?{query}".rstrip("?")

    def as_owner(self, database: str = DATABASE) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection as superuser, through the server's socket; the caller closes it."""
        assert self.embedded is not None
        return _connect(self.embedded, self.own_port, database)

    def stop(self) -> None:
        """Stop it, which ends every session."""
        assert self.embedded is not None
        self.embedded.stop()

    def start(self) -> None:
        """Start it again, on the same port."""
        assert self.embedded is not None
        self.embedded.start()


@contextmanager
def tls_server(settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server with TLS from a test authority, that wants a password; its name is `localhost`.

    Without TLS its access rules turn everybody away but the superuser.
    """
    access = [
        f"local all {OWNER_ROLE} trust",
        "local all all reject",
        "host all all 127.0.0.1/32 scram-sha-256",
    ]
    with server_folder() as folder, _server(folder, settings or {}, access) as (embedded, port):
        authority = Authority(folder)
        shown = authority.issue("localhost")
        path = embedded.socket_folder / f".s.PGSQL.{port}"
        with _gate(shown.certificate, shown.key, port, path) as outside:
            server = Server("", {}, outside, port, embedded, authority.root)
            yield replace(server, target=server.url(password=PASSWORD, **server.verified))


@contextmanager
def plain_server(settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server without TLS that asks nobody for a password."""
    access = ["local all all trust", "host all all 127.0.0.1/32 trust"]
    with server_folder() as folder, _server(folder, settings or {}, access) as (embedded, port):
        server = Server("", {}, port, port, embedded)
        yield replace(server, target=server.url(host="127.0.0.1"))


@dataclass(frozen=True, slots=True)
class RdsServer(Rig):
    """A server that takes IAM's tokens for passwords, as Aurora's and RDS's do."""

    gate: Gate = field(kw_only=True)
    authority: Path = field(kw_only=True)

    def url(self, user: str = TELLER, **options: str) -> str:
        """Its address, for anybody; options are libpq's and the tool's."""
        everything = {"iam": "rds", "hostaddr": "127.0.0.1", **options}
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in everything.items())
        return f"postgresql://{user}@{RDS_HOST}:{self.gate.port}/{DATABASE}?{query}"


@contextmanager
def rds_server() -> Iterator[RdsServer]:
    """An RDS instance: PostgreSQL as it is, behind TLS and tokens; the rig has the credentials."""
    access = ["local all all trust"]
    with server_folder() as folder, _server(folder, {}, access) as (embedded, port):
        authority = Authority(folder)
        shown = authority.issue(RDS_HOST)
        settings = GateSettings(
            endpoints={RDS_HOST: Endpoint(RDS_REGION)},
            principals=[OWNER],
            certificate=str(shown.certificate),
            key=str(shown.key),
            socket=str(embedded.socket_folder / f".s.PGSQL.{port}"),
            database=DATABASE,
            superuser=OWNER_ROLE,
            record=str(folder),
            service="rds-db",
        )
        with running_gate(settings) as gate:
            rig = RdsServer("", credentials(), gate=gate, authority=authority.root)
            yield replace(rig, target=rig.url(sslrootcert=str(authority.root)))


@contextmanager
def _gate(certificate: Path, key: Path, port: int, path: Path) -> Iterator[int]:
    """The gate in front of a server, in a process of its own; gives its port."""
    words = ["-m", "tests.rigs.tls_gate", *map(str, (certificate, key, port, path))]
    gate = subprocess.Popen(
        [sys.executable, *words],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert gate.stdin is not None
    assert gate.stdout is not None
    try:
        yield int(gate.stdout.readline())
    finally:
        gate.stdin.close()
        gate.stdout.close()
        gate.terminate()
        gate.wait(10)


@contextmanager
def server_folder() -> Iterator[Path]:
    """A folder that the server's user can reach, and with a name short enough for a socket."""
    made = Path(tempfile.mkdtemp(prefix="occ-", dir="/tmp"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made)


@contextmanager
def _server(
    folder: Path, settings: Mapping[str, str], access: Sequence[str]
) -> Iterator[tuple[EmbeddedServer, int]]:
    rules = folder / "access.conf"
    rules.write_text("\n".join(access) + "\n")
    _give_to_server(rules)
    embedded, port = _started(folder, {**settings, "hba_file": str(rules)})
    try:
        with closing(_connect(embedded, port, OWNER_ROLE)) as owner:
            for role in (TELLER, CLERK):
                name = sql.Identifier(role)
                owner.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(name, PASSWORD))
            owner.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(
                    sql.Identifier(DATABASE), sql.Identifier(TELLER)
                )
            )
        yield embedded, port
    finally:
        embedded.stop()


def _connect(embedded: EmbeddedServer, port: int, database: str) -> psycopg.Connection[Any]:
    host = str(embedded.socket_folder)
    return psycopg.connect(host=host, port=port, user=OWNER_ROLE, dbname=database, autocommit=True)


def _started(folder: Path, settings: Mapping[str, str]) -> tuple[EmbeddedServer, int]:
    """A server on a port that was free; PostgreSQL cannot be told to look for one itself."""
    data = copied(folder / "data")
    for attempt in range(_TRIES):
        port = free_port()
        embedded = EmbeddedServer(
            data,
            {
                "listen_addresses": "127.0.0.1",
                "port": str(port),
                "max_connections": _CONNECTIONS,
                "shared_buffers": "32MB",
                "min_wal_size": "32MB",
                **settings,
            },
        )
        try:
            embedded.start()
        except TargetError:
            if attempt == _TRIES - 1:
                raise
        else:
            return embedded, port
    raise AssertionError("the last try returns or raises")


def free_port() -> int:
    """A port that was free just now."""
    while True:
        port = random.choice(_PORTS)  # noqa: S311 - any will do
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def _give_to_server(*files: Path) -> None:
    """Files that only the server's user may read, as PostgreSQL demands of a key."""
    user = server_user()
    for file in files:
        file.chmod(0o600)
        if user.switched:
            os.chown(file, user.uid, user.gid)
