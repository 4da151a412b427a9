"""The front door of a managed PostgreSQL, before a database that is on this machine.

It is a process of its own that takes TLS connections by their server name, checks the signed token
that is the password, keeps to a rate of new connections, refuses statements that the service would
refuse, ends sessions of a certain age, and passes everything else on to the database's socket and
back. So a client meets the real protocol, real TLS and real signatures.

`python -m tests.rigs.gate` reads its settings as JSON from its input, writes its port, and serves
until its input ends.
"""

import asyncio
import contextlib
import json
import os
import resource
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, monotonic_ns
from typing import Any, TextIO
from weakref import WeakKeyDictionary

from tests.rigs import dsql_service, wire
from tests.rigs.dsql_rules import Refusal
from tests.rigs.sigv4 import Principal, TokenRefused, Wanted, check_token, signed_at, token_age_s

_REPOSITORY = Path(__file__).parents[2]
_STARTED_S = 30.0
_FILES = 16_384


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host name that clients ask for."""

    region: str
    commit_delay_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class GateSettings:
    """What the gate is and how it behaves."""

    endpoints: dict[str, Endpoint]
    principals: list[Principal]
    certificate: str
    key: str
    socket: str
    """The database's Unix socket."""
    database: str
    superuser: str
    """Who the user `admin` is in the database; all others go by their own name."""
    record: str
    """A folder for what is recorded: connections.jsonl, and statements.sql if asked."""
    service: str = "dsql"
    """`dsql`, or `rds-db`: PostgreSQL as it is, behind the other kind of token."""
    connections_per_s: float = 100.0
    connection_burst: int = 1000
    most_connections: int = 10_000
    session_age_s: float = 3600.0
    abrupt: bool = False
    """At that age: cut the connection, whatever goes on in it, rather than say so between messages."""
    clock_ahead_s: float = 0.0
    """How far the gate's clock is ahead of the client's."""
    tells_token: bool = False
    """Whether a refusal quotes the password, as no server should."""
    record_statements: bool = False

    @classmethod
    def from_json(cls, text: str) -> "GateSettings":
        """What `json.dumps(asdict(...))` wrote."""
        facts = json.loads(text)
        facts["endpoints"] = {host: Endpoint(**e) for host, e in facts["endpoints"].items()}
        facts["principals"] = [
            Principal(**{**one, "actions": frozenset(one["actions"])}) for one in facts["principals"]
        ]
        return cls(**facts)

    def to_json(self) -> str:
        """For `from_json`."""
        return json.dumps(asdict(self), default=sorted)


class Gate:
    """A gate that runs, seen from the test."""

    def __init__(self, port: int, record: Path) -> None:
        self.port = port
        self._record = record

    def connections(self) -> list[dict[str, Any]]:
        """Every connection that asked to come in so far: when, who, with what, and the answer.

        `at_ns` is `time.monotonic_ns()`'s, the same for all processes of the machine; `answer` is ""
        or the SQLSTATE of the refusal, `why` what the client is not told; `signed` is the date of
        the token, in whole seconds, and `token_age_s` how long ago that was.
        """
        lines = (self._record / "connections.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def statements(self) -> list[str]:
        """Every SQL text that clients sent so far, as they sent it."""
        lines = (self._record / "statements.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]


@contextmanager
def running_gate(settings: GateSettings) -> Iterator[Gate]:
    """A gate in a process of its own; what went wrong inside it is raised at the end."""
    record = Path(settings.record)
    errors = record / "errors.txt"
    with errors.open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.rigs.gate"],
            cwd=_REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(settings.to_json() + "\n")
        process.stdin.flush()
        port = process.stdout.readline()
        if not port:
            raise AssertionError(f"the gate did not start: {errors.read_text()}")
        yield Gate(int(port), record)
    finally:
        process.stdin.close()
        try:
            process.wait(_STARTED_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
    if trouble := errors.read_text():
        raise AssertionError(f"in the gate: {trouble}")


class _Admission:
    """How many connections there may be, and how fast they may come."""

    def __init__(self, settings: GateSettings) -> None:
        self._settings = settings
        self._tokens = float(settings.connection_burst)
        self._at = monotonic()
        self._open = 0

    def admit(self) -> tuple[str, str] | None:
        """Let one in, or say why not."""
        now = monotonic()
        filled = self._tokens + (now - self._at) * self._settings.connections_per_s
        self._tokens, self._at = min(filled, float(self._settings.connection_burst)), now
        if self._tokens < 1:
            return "53400", "Unable to accept connection, rate exceeded."
        if self._open >= self._settings.most_connections:
            return "53300", "Unable to accept connection, too many open connections."
        self._tokens -= 1
        self._open += 1
        return None

    def leave(self) -> None:
        """One that was let in has gone."""
        self._open -= 1


class _Server:
    """What all sessions share."""

    def __init__(self, settings: GateSettings) -> None:
        self.settings = settings
        self.principals = {one.key_id: one for one in settings.principals}
        self.admissions = {host: _Admission(settings) for host in settings.endpoints}
        self.names: WeakKeyDictionary[object, str | None] = WeakKeyDictionary()
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(settings.certificate, settings.key)
        self.tls.sni_callback = self._note_name
        record = Path(settings.record)
        self._connections = _lines(record / "connections.jsonl")
        self._statements = _lines(record / "statements.jsonl") if settings.record_statements else None
        self.is_dsql = settings.service == "dsql"
        # One at a time: each looks at all tables.
        self.schema_lock = asyncio.Lock()

    def _note_name(self, connection: object, name: str | None, context: object) -> None:
        self.names[connection] = name

    def note_connection(self, **facts: object) -> None:
        self._connections.write(json.dumps(facts) + "\n")

    def note_statement(self, sql: str) -> None:
        if self._statements is not None:
            self._statements.write(json.dumps(sql) + "\n")

    def cover_tables(self) -> None:
        """After a change of the schema: every table behaves as the service's tables do."""
        settings = self.settings
        dsql_service.cover_tables(settings.socket, settings.database, settings.superuser)


def _lines(path: Path) -> TextIO:
    return path.open("w", buffering=1)


class _Client(asyncio.Protocol):
    """One connection, from its first byte to its last."""

    def __init__(self, server: _Server) -> None:
        self._server = server
        self._arrived_ns = monotonic_ns()
        self._transport: asyncio.Transport | None = None
        self._inbox = b""
        self._step: Callable[[], bool] = self._greet
        self._host: str | None = None
        self._parameters: dict[str, str] = {}
        self._admitted = False
        self._ended = False
        self._behind: _Behind | None = None
        self._age: asyncio.TimerHandle | None = None
        self._conscience = dsql_service.Conscience() if server.is_dsql else None
        self._prepared: dict[bytes, str] = {}
        self._portals: dict[bytes, str] = {}
        self._refused: dict[str, Refusal] = {}
        self._frames = wire.Frames(b"QPBE", self._look)

    # The transport's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._behind is not None:
            self._behind.send(self._frames.take(data))
            return
        self._inbox += data
        self._go_on()

    def _go_on(self) -> None:
        while self._step():
            pass

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()

    def pause_writing(self) -> None:
        if self._behind is not None:
            self._behind.pause()

    def resume_writing(self) -> None:
        if self._behind is not None:
            self._behind.resume()

    # Before the session: each step says whether there is another

    def _wait(self) -> bool:
        return False

    def _greet(self) -> bool:
        """Plain text: the client must ask for TLS."""
        if len(self._inbox) < 8:
            return False
        code = int.from_bytes(self._inbox[4:8], "big")
        if code == wire.GSS_REQUEST:
            self._inbox = self._inbox[8:]
            self.write(b"N")
            return True
        if code != wire.SSL_REQUEST:
            return self._refuse("08004", "unable to accept connection, TLS is required")
        self._inbox = self._inbox[8:]
        self._step = self._wait
        self.write(b"S")
        _in_background(self._start_tls())
        return False

    async def _start_tls(self) -> None:
        assert self._transport is not None
        loop = asyncio.get_running_loop()
        try:
            transport = await loop.start_tls(self._transport, self, self._server.tls, server_side=True)
        except (OSError, ssl.SSLError):
            # The client does not like the certificate, or has gone.
            self._end()
            return
        if transport is None:
            return
        self._transport = transport
        self._host = self._server.names.get(transport.get_extra_info("ssl_object"))
        self._step = self._read_startup
        self._go_on()

    def _read_startup(self) -> bool:
        length = int.from_bytes(self._inbox[:4], "big")
        if len(self._inbox) < 4 or len(self._inbox) < length:
            return False
        body, self._inbox = self._inbox[4:length], self._inbox[length:]
        version = int.from_bytes(body[:4], "big")
        if version == wire.CANCEL_REQUEST:
            self._step = self._wait
            _in_background(self._cancel(length.to_bytes(4, "big") + body))
            return False
        if version >> 16 != wire.PROTOCOL_3 >> 16:
            return self._refuse("08P01", "unable to accept connection, unknown protocol")
        self._parameters = wire.startup_parameters(body[4:])
        if self._host is None:
            return self._refuse("08004", "unable to accept connection, sni was not received")
        if self._host not in self._server.settings.endpoints:
            # Nobody knows what the service itself says here.
            return self._refuse("08001", "unable to accept connection, cluster not found")
        refusal = self._server.admissions[self._host].admit()
        if refusal is not None:
            return self._refuse(*refusal)
        self._admitted = True
        self.write(wire.ASK_PASSWORD)
        self._step = self._read_password
        return True

    def _read_password(self) -> bool:
        length = int.from_bytes(self._inbox[1:5], "big")
        if len(self._inbox) < 5 or len(self._inbox) < length + 1:
            return False
        body, self._inbox = self._inbox[5 : length + 1], self._inbox[length + 1 :]
        token = body.rstrip(b"\0").decode(errors="replace")
        user = self._parameters.get("user", "")
        try:
            self._check(token, user)
        except TokenRefused as why:
            quoted = f": {token}" if self._server.settings.tells_token else ""
            return self._refuse("28000", self._denial(user) + quoted, token, str(why))
        self._note(token, "")
        self._step = self._wait
        _in_background(self._enter(user))
        return False

    def _check(self, token: str, user: str) -> None:
        settings = self._server.settings
        assert self._host is not None
        region = settings.endpoints[self._host].region
        if settings.service == "dsql":
            action = "DbConnectAdmin" if user == "admin" else "DbConnect"
            wanted = Wanted(self._host, region, "dsql", action)
        else:
            assert self._transport is not None
            port = self._transport.get_extra_info("sockname")[1]
            wanted = Wanted(f"{self._host}:{port}", region, "rds-db", "connect", {"DBUser": user})
        now = datetime.now(UTC) + timedelta(seconds=settings.clock_ahead_s)
        check_token(token, wanted, self._server.principals, now)

    def _denial(self, user: str) -> str:
        if self._server.settings.service == "dsql":
            return "unable to accept connection, access denied"
        return f'PAM authentication failed for user "{user}"'

    async def _enter(self, user: str) -> None:
        """Open the database's own session, whose answers go to the client as they are."""
        settings = self._server.settings
        assert self._host is not None
        endpoint = settings.endpoints[self._host]
        parameters = dict(self._parameters)
        parameters["user"] = settings.superuser if user == "admin" else user
        parameters["database"] = settings.database
        if self._server.is_dsql:
            parameters["options"] = (
                f"-c search_path={dsql_service.SEARCH_PATH} "
                "-c default_transaction_isolation=repeatable\\ read "
                f"-c occ.commit_delay_ms={endpoint.commit_delay_ms:g}"
            )
        loop = asyncio.get_running_loop()
        try:
            _, behind = await loop.create_unix_connection(
                lambda: _Behind(self._server, self), settings.socket
            )
        except OSError as error:
            self._refuse("57P03", f"unable to accept connection, {error.strerror}")
            return
        if self._ended:
            behind.close()
            return
        behind.send(wire.startup(parameters))
        self._behind = behind
        self._age = loop.call_later(settings.session_age_s, self._too_old)
        behind.send(self._frames.take(self._inbox))

    async def _cancel(self, request: bytes) -> None:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_unix_connection(self._server.settings.socket)
            writer.write(request)
            await writer.drain()
            writer.close()
        self._end()

    def _refuse(self, sqlstate: str, text: str, token: str = "", why: str = "") -> bool:
        self._note(token, sqlstate, why)
        self.write(wire.error("FATAL", sqlstate, text))
        self._end()
        return False

    def _note(self, token: str, answer: str, why: str = "") -> None:
        self._server.note_connection(
            at_ns=self._arrived_ns,
            host=self._host,
            user=self._parameters.get("user", ""),
            application=self._parameters.get("application_name", ""),
            signed=signed_at(token),
            token_age_s=token_age_s(token, datetime.now(UTC)),
            answer=answer,
            why=why,
        )

    # The session

    def write(self, data: bytes) -> None:
        """To the client."""
        if self._transport is not None and not self._ended:
            self._transport.write(data)

    def pause(self) -> None:
        if self._transport is not None and not self._ended:
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None and not self._ended:
            self._transport.resume_reading()

    def _look(self, message: bytes) -> bytes:
        """What a client says in SQL: recorded, refused, or said so that the database understands."""
        kind, body = message[:1], message[5:]
        if kind == b"B":
            portal, statement, _ = body.split(b"\0", 2)
            self._portals[portal] = self._prepared.get(statement, "")
            return message
        if kind == b"E":
            return self._run(message, self._portals.get(body.partition(b"\0")[0], ""))
        name = b""
        if kind == b"P":
            name, _, body = body.partition(b"\0")
        text, _, rest = body.partition(b"\0")
        sql = text.decode(errors="replace")
        self._server.note_statement(sql)
        if kind == b"P":
            self._prepared[name] = sql
            name += b"\0"
        if self._conscience is None:
            return message
        may = self._conscience.may_prepare if kind == b"P" else self._conscience.may_run
        refusal = may(sql)
        instead = dsql_service.in_other_words(sql) if refusal is None else self._mark(refusal)
        if instead == sql:
            return message
        return wire.message(kind, name + instead.encode() + b"\0" + rest)

    def _run(self, message: bytes, sql: str) -> bytes:
        """An Execute of what was prepared before."""
        if self._conscience is None or (refusal := self._conscience.may_run(sql)) is None:
            return message
        return wire.message(b"P", b"\0" + self._mark(refusal).encode() + b"\0\0\0")

    def _mark(self, refusal: Refusal) -> str:
        """What the database is told instead of a statement that is refused: nothing it can parse.

        It must fail itself at this place, or it and the client would disagree on whether a
        transaction goes on. Its error gets the service's words on the way back.
        """
        mark = f"occ_refused_{len(self._refused)}"
        self._refused[mark] = refusal
        return mark

    def refusal_in(self, error: bytes) -> Refusal | None:
        """Which refusal this error of the database stands for, if any."""
        text = wire.error_field(error, b"M")
        for mark, refusal in self._refused.items():
            if f'"{mark}"' in text:
                return refusal
        return None

    def _too_old(self) -> None:
        if self._behind is None:
            return
        if self._server.settings.abrupt:
            self._behind.close()
            if self._transport is not None:
                self._transport.abort()
            self._ended = True
            self._leave()
        else:
            self._behind.last_words = wire.error(
                "FATAL", "57P01", "terminating connection, session lifetime exceeded"
            )
            self._behind.say_last_words()

    def finish(self) -> None:
        """Close what the client sees; what was written goes out first."""
        self._end()

    def _end(self) -> None:
        if self._ended:
            return
        self._ended = True
        if self._behind is not None:
            self._behind.close()
        if self._transport is not None:
            self._transport.close()
        self._leave()

    def _leave(self) -> None:
        if self._age is not None:
            self._age.cancel()
        if self._admitted:
            self._admitted = False
            assert self._host is not None
            self._server.admissions[self._host].leave()


class _Behind(asyncio.Protocol):
    """The database's side of a session."""

    def __init__(self, server: _Server, client: _Client) -> None:
        self._server = server
        self._client = client
        self._transport: asyncio.Transport | None = None
        self._schema_changed = False
        self._covering = False
        self._frames = wire.Frames(b"CZE" if server.is_dsql else b"", self._look)
        self.last_words: bytes | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._client.write(self._frames.take(data))
        self.say_last_words()

    def connection_lost(self, exc: Exception | None) -> None:
        self._client.finish()

    def pause_writing(self) -> None:
        self._client.pause()

    def resume_writing(self) -> None:
        self._client.resume()

    def send(self, data: bytes) -> None:
        """To the database."""
        if self._transport is not None and data:
            self._transport.write(data)

    def pause(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def say_last_words(self) -> None:
        """End the session, where no message is cut in two by it."""
        if self.last_words is not None and self._frames.between_messages:
            self._client.write(self.last_words)
            self._client.finish()

    def _look(self, message: bytes) -> bytes | None:
        kind = message[:1]
        if kind == b"E":
            refusal = self._client.refusal_in(message[5:])
            return message if refusal is None else wire.error("ERROR", refusal.sqlstate, refusal)
        if kind == b"C":
            self._schema_changed |= message[5:].startswith(dsql_service.SCHEMA_COMMANDS)
        elif self._schema_changed and message[5:6] == b"I" and not self._covering:
            # The client learns of the end of its command once the table is as the service's are.
            self._covering = True
            _in_background(self._cover())
            return None
        elif self._covering:
            return None
        return message

    async def _cover(self) -> None:
        async with self._server.schema_lock:
            await asyncio.to_thread(self._server.cover_tables)
        self._schema_changed = self._covering = False
        self._client.write(self._frames.again())


_background: set[asyncio.Task[None]] = set()


def _in_background(work: Any) -> None:
    task = asyncio.get_running_loop().create_task(work)
    _background.add(task)
    task.add_done_callback(_background.discard)


async def _serve(settings: GateSettings) -> None:
    server = _Server(settings)
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: _Client(server), "127.0.0.1", 0, backlog=1024)
    print(listening.sockets[0].getsockname()[1], flush=True)
    # Until whoever started the gate closes its input, or is gone.
    await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    """Serve until the input ends."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if most == resource.RLIM_INFINITY else min(most, _FILES)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    asyncio.run(_serve(GateSettings.from_json(sys.stdin.readline())))
    sys.stdout.flush()
    # Sessions that are still open are not worth a warning each.
    os._exit(0)


if __name__ == "__main__":
    main()
