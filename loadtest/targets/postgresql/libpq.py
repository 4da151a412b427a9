"""libpq: connection strings, what the environment adds to them, connecting, whom to trust."""

import os
import re
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from time import monotonic
from typing import Any

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

Connection = psycopg.Connection[tuple[Any, ...]]

PATIENCE: Mapping[str, str] = {
    "tcp_user_timeout": "30000",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "4",
}
"""The silence after which a connection counts as lost: half a minute. Where the other end is
gone the kernel sees to it, whose own defaults are a quarter of an hour for what was sent and two hours
for what is awaited. Where it is there and does not answer, `silence.py` does."""


def patience_s(parameters: Mapping[str, str]) -> float:
    """The time that a session with these options in force waits for an answer; 0 if for ever."""
    # Through a Unix socket the kernel takes no notice of the option, and it is not set.
    return max(0, int(parameters.get("tcp_user_timeout") or PATIENCE["tcp_user_timeout"])) / 1000


def named(conninfo: str) -> dict[str, str]:
    """Every option in force: of the string, of the environment, of the service file in PGSERVICE.

    An option that has libpq's own default is left out. Raises psycopg.ProgrammingError where the
    string is none that libpq can read.
    """
    environment = {
        option.keyword.decode(): option.val.decode(errors="replace")
        for option in pq.Conninfo.get_defaults()
        if option.val and option.val != option.compiled
    }
    return {**environment, **{name: str(value) for name, value in conninfo_to_dict(conninfo).items()}}


# What libpq reads from the environment besides the options that it lists.
_MORE_VARIABLES = ("PGSERVICEFILE", "PGSYSCONFDIR", "PGTZ", "PGDATESTYLE", "PGGEQO")
_hiding = threading.Lock()


def connect(conninfo: str) -> Connection:
    """A connection in autocommit, by the string and libpq's environment.

    psycopg prepares nothing by itself: behind a pooler a named statement stays in the next client's
    session.
    """
    return psycopg.connect(conninfo, autocommit=True, prepare_threshold=None)


def expect_answer(connection: Connection) -> None:
    """Ask a connection something; raises psycopg.Error where no answer comes within its patience.

    What let it in, as a pooler does, need not have a server that answers. What is asked afterwards may
    take any time, as a count of many rows does.
    """
    seconds = patience_s(connection.info.get_parameters())
    if seconds and last_answer(connection, b"SELECT 1", seconds) is None:
        connection.close()
        raise psycopg.errors.ConnectionTimeout(f"no answer for {seconds:g} s")


def last_answer(connection: Connection, query: bytes, seconds: float) -> pq.abc.PGresult | None:
    """The last result of these statements; None where it does not come within so many seconds."""
    pgconn, last = connection.pgconn, None
    deadline = monotonic() + seconds
    pgconn.send_query(query)
    while True:
        while pgconn.is_busy():
            if not _is_ready(pgconn, EVENT_READ, deadline):
                return None
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:
            return last
        last = result


def _is_ready(pgconn: pq.abc.PGconn, event: int, deadline: float) -> bool:
    """Wait for the socket; False once the deadline has passed."""
    with DefaultSelector() as selector:
        selector.register(pgconn.socket, event)
        return bool(selector.select(deadline - monotonic())) or monotonic() < deadline


def connect_apart(conninfo: str, seconds: float) -> Connection:
    """Connect over a Unix socket, heeding nothing of the environment.

    Not everything that it says could be overruled in a connection string: PGSERVICE, PGTZ. It is
    hidden while libpq reads it, which over a Unix socket is done before anything is waited for.
    """
    deadline = monotonic() + seconds
    with _environment_hidden():
        pgconn = pq.PGconn.connect_start(conninfo.encode())
        # The first message, which leaves here, has the last of it.
        state = pgconn.connect_poll() if pgconn.status != pq.ConnStatus.BAD else _FAILED
    while state in _WAITING:
        if not _is_ready(pgconn, _WAITING[state], deadline):
            pgconn.finish()
            raise psycopg.errors.ConnectionTimeout("connection timeout expired")
        state = pgconn.connect_poll()
    if state == _FAILED:
        message = pgconn.get_error_message()
        pgconn.finish()
        raise psycopg.OperationalError(f"connection failed: {message}")
    pgconn.nonblocking = 1
    connection: Connection = psycopg.Connection(pgconn)
    connection.autocommit, connection.prepare_threshold = True, None
    return connection


_FAILED: int = pq.PollingStatus.FAILED
_WAITING: dict[int, int] = {pq.PollingStatus.READING: EVENT_READ, pq.PollingStatus.WRITING: EVENT_WRITE}


@contextmanager
def _environment_hidden() -> Iterator[None]:
    """Hide libpq's variables; not to be waited in, for other connections need them."""
    with _hiding:
        hidden = {name: os.environ.pop(name) for name in [*os.environ] if name.startswith("PG")}
        try:
            yield
        finally:
            os.environ.update(hidden)


def variables(conninfo: str) -> list[str]:
    """The names of libpq's variables that are set and that this connection string does not overrule."""
    given = conninfo_to_dict(conninfo)
    known = {
        option.envvar.decode(): option.keyword.decode()
        for option in pq.Conninfo.get_defaults()
        if option.envvar
    }
    names = [name for name, option in known.items() if option not in given]
    return sorted(name for name in (*names, *_MORE_VARIABLES) if name in os.environ)


def overruled(given: Mapping[str, str], major: int) -> dict[str, str]:
    """The options that the environment sets besides those that are given, each with no effect.

    PGSERVICE itself cannot be overruled, but all that its service sets. What a client of this major
    version does not know is left out: it would refuse the option, and ignores the variable.
    """
    return {
        name: (option.compiled or b"").decode() or _NEUTRAL.get(name, "")
        for option in pq.Conninfo.get_defaults()
        if (name := option.keyword.decode()) not in given
        and name != "service"
        and _SINCE.get(name, 0) <= major
        and option.val is not None
        and option.val != option.compiled
    }


_SINCE = {
    **dict.fromkeys(("require_auth", "sslcertmode", "load_balance_hosts"), 16),
    **dict.fromkeys(("sslnegotiation", "gssdelegation"), 17),
    **dict.fromkeys(("min_protocol_version", "max_protocol_version"), 18),
}
# Where an option may not be empty.
_NEUTRAL = {
    "connect_timeout": "0",
    "sslcertmode": "allow",
    "min_protocol_version": "3.0",
    "max_protocol_version": "3.0",
}

_HASHED_NAME = re.compile(r"[0-9a-f]{8}\.\d+")


def find_system_roots() -> None:
    """Let `sslrootcert=system` mean what it says; does nothing where the user has told OpenSSL.

    The OpenSSL that comes with psycopg looks into a folder that is nowhere but where it was built;
    Python's own knows the right one. A folder with hashed names is best: a file is read whole for
    each connection, which then takes 7 ms of this process's time instead of 2. Where Python knows
    neither, it is the file that comes with boto3.
    """
    if "SSL_CERT_FILE" in os.environ or "SSL_CERT_DIR" in os.environ:
        return
    known = ssl.get_default_verify_paths()
    if known.capath is not None:
        with suppress(OSError):
            if any(_HASHED_NAME.fullmatch(entry.name) for entry in Path(known.capath).iterdir()):
                os.environ["SSL_CERT_DIR"] = known.capath
                return
    file = known.cafile
    if file is None:
        # Imported here: it is seldom needed, and boto3's packages must not be imported before gevent.
        import botocore

        file = str(Path(botocore.__file__).parent / "cacert.pem")
    os.environ["SSL_CERT_FILE"] = file
