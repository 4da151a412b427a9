"""PostgreSQL's errors for a user of the tool: a cause, and a remedy.

A server that refuses a connection sends a SQLSTATE, which libpq keeps to itself: only the words come
through. Those that have long been the same are known here by a part of them; any others, in another
language or of another product, are passed on as they are, with a remedy that is never wrong.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from loadtest.errors import printable

UNREACHABLE, REFUSES = "cannot be reached", "refuses"


class Reason(NamedTuple):
    """Why something did not work, in the parts of a line: the target *verb*: *cause*; *remedy*."""

    verb: str
    cause: str
    remedy: str


class _Known(NamedTuple):
    """Words of libpq or of a server, as a pattern, and what they mean."""

    words: str
    meaning: str
    """A key of REMEDIES."""
    sqlstate: str = ""
    """The code that the server sent with them; "" where they are libpq's own."""


# Looked through in this order. "FATAL:" and other lead-ins may be in any language.
_KNOWN = (
    _Known("password authentication failed for user", "28P01", "28P01"),
    _Known("no password supplied", "no password"),
    _Known("no pg_hba.conf entry|pg_hba.conf rejects connection", "not admitted", "28000"),
    _Known("is not permitted to log in|^role .* does not exist$", "no such user", "28000"),
    _Known("^database .* does not exist$", "3D000", "3D000"),
    _Known("PAM authentication failed", "token refused", "28000"),  # Aurora and RDS with IAM
    _Known("too many clients already|remaining connection slots are reserved", "53300", "53300"),
    _Known("too many connections for", "53300", "53300"),
    _Known("too many open connections", "53300", "53300"),  # Aurora DSQL
    _Known("unable to accept connection, rate exceeded", "53400", "53400"),  # Aurora DSQL
    _Known("unable to accept connection, access denied", "access denied", "28000"),  # Aurora DSQL
    _Known("shared memory segment", "no shared memory", "53100"),
    _Known("idle-in-transaction timeout", "25P03", "25P03"),
    _Known("due to transaction timeout", "25P04", "25P04"),
    _Known("due to administrator command", "57P01", "57P01"),
    _Known("the database system is", "57P03", "57P03"),  # starting up, shutting down, in recovery …
    _Known("certificate verify failed", "unknown authority"),
    _Known("does not match host name", "another name"),
    _Known("root certificate file", "no authority"),
    _Known("server does not support SSL", "no TLS"),
    _Known("invalid response to SSL|expected authentication request", "another protocol"),
    _Known("Connection refused|No such file or directory", "nothing listens"),
    _Known("timeout expired|timed out|no answer for", "no answer"),
    _Known("No route to host|Network is unreachable", "no answer"),
    _Known("failed to resolve host|could not translate host name", "no such host"),
    _Known("session is read-only", "25006", "25006"),
    _Known("definition of service", "no such service"),
    _Known("server closed the connection|Connection reset by peer|SSL SYSCALL error", "broken off"),
)

# psycopg's list of what happened at each of several hosts, or addresses of one.
_EACH_HOST = re.compile(r"^- host: .*?, port: .*?, hostaddr: .*?: (?=\S)", re.MULTILINE)
# What psycopg and libpq lead in with.
_LEAD = re.compile(r"^(?:connection (?:failed|is bad)|consuming input failed): ")
_ADDRESS = re.compile(r"^connection to server (?:at|on socket) .*? failed: ")

_AT_CONNECTING = "check the host, the port, the user and that the server runs"
_AT_WORK = "check the server's log, and what its user is allowed to do"

REMEDIES: Mapping[str, str] = {
    "nothing listens": "check the host, the port and that the server runs",
    "no answer": "check the host, the port, and whether a firewall is in the way",
    "no such host": "check the host's name",
    "another protocol": "check the port: something else than PostgreSQL listens there",
    "broken off": "check that the server runs, its log, and whether it wants TLS (sslmode=require)",
    "no password": "give the password in PGPASSWORD, in ~/.pgpass or in the URL",
    "28P01": "check the user and the password, which come from the URL, PGPASSWORD or ~/.pgpass",
    "no such user": "check the user's name, and that it may log in",
    "token refused": (
        "check that the user has the role rds_iam, that the server takes IAM, that the credentials "
        "are allowed rds-db:connect for it, and the Region"
    ),
    "not admitted": (
        "check the user, the database and sslmode, or add a line for them to the server's pg_hba.conf"
    ),
    "3D000": "check the database's name, or make the database first",
    "unknown authority": (
        "give the file of the authority that signed the server's certificate with --sslrootcert, "
        "sslrootcert= in the URL or PGSSLROOTCERT, and check that the certificate is still valid"
    ),
    "no such service": "check the service's name, and the file that PGSERVICEFILE names",
    "another name": "check the host: the server's certificate must be for the name in the URL",
    "no authority": (
        "give the file of the authority that signed the server's certificate with --sslrootcert, or "
        "sslrootcert=system for those that this machine trusts"
    ),
    "no TLS": "switch TLS on in the server, or give sslmode=disable to do without",
    "25006": "give the primary's address, or several and target_session_attrs=read-write",
    "42501": (
        "grant its user what is missing: SELECT and UPDATE for a run, CREATE on the schema for seeding"
    ),
    "42P01": "seed it first with `occbench seed`, and check the database and the search_path",
    "53300": (
        "ask for fewer --users, or raise the limit of the server (max_connections), the role or "
        "the database"
    ),
    "53400": "ask for fewer new connections a second with --spawn-rate",
    "no shared memory": (
        "give the server's machine or container a larger /dev/shm, as with docker run --shm-size=256m"
    ),
    "57014": (
        "raise the statement_timeout of its user, its database or the server, or ask for less at once"
    ),
    "25P03": "raise the idle_in_transaction_session_timeout of its user, its database or the server",
    "25P04": "raise the transaction_timeout of its user, its database or the server",
    "57P05": "raise the idle_session_timeout of its user, its database or the server",
    "57P01": "check the server's log, and try again when it runs",
    "57P03": "wait until the server is ready, and try again",
    "28": "check the user, and how the server wants it to prove who it is",
    "08": "check the server and the network, and try again",
    "53": "check the server's disk, memory and limits",
    "57P0": "check the server's log, and try again when it runs",
}
"""Meaning or SQLSTATE, or the beginning of one → what to do about it."""


def refused_sqlstate(message: str) -> str:
    """The SQLSTATE that a server sent with these words when it refused a connection, or ""."""
    return _known(cause_of(message)).sqlstate


def reason(
    sqlstate: str, message: str, remedies: Mapping[str, str] = REMEDIES, *, address: bool = False
) -> Reason:
    """Explain an error by its SQLSTATE where there is one, and by well-known words where not.

    `message` may be all that psycopg says. `remedies` is REMEDIES, or a family's own, which has all of
    its keys. `address` keeps in the cause which address it was, for a user who has not named one; where
    nothing answered there it is kept in any case.
    """
    cause = cause_of(message)
    known = _known(cause)
    verb = REFUSES if sqlstate or known.sqlstate or known.meaning == "no password" else UNREACHABLE
    keys = [sqlstate, sqlstate[:4], sqlstate[:2]] if sqlstate else []
    if not sqlstate or sqlstate == known.sqlstate:
        keys.insert(0, known.meaning)
    remedy = next((remedies[key] for key in keys if key in remedies), "")
    if not remedy:
        remedy = _AT_CONNECTING if verb == UNREACHABLE else _AT_WORK
    return Reason(verb, cause if address or verb == UNREACHABLE else _ADDRESS.sub("", cause), remedy)


def cause_of(message: str) -> str:
    """The first line, without the words that only say that it is an error.

    Of several hosts it is the first that says most: a refusal more than a server that is not the one
    that is wanted, and that more than one that does not answer.
    """
    causes = [_cause_of(one) for one in _EACH_HOST.split(message)[1:] or [message]]
    return min(causes, key=lambda cause: _SAYS_LITTLE.get(_known(cause).meaning, 0))


_SAYS_LITTLE: Mapping[str, int] = {
    **dict.fromkeys(("25006", "57P03"), 1),
    **dict.fromkeys(("nothing listens", "no answer", "no such host", "broken off"), 2),
}


def _cause_of(message: str) -> str:
    lines = [line for line in message.splitlines() if line.strip()] or ["no reason given"]
    cause = _LEAD.sub("", lines[0].strip())
    for level in ("FATAL:", "ERROR:"):
        before, _, after = cause.partition(level)
        cause = before + after.lstrip()
    # A server may say anything, and this goes to a terminal.
    return printable(cause.strip())


def _known(cause: str) -> _Known:
    cause = _ADDRESS.sub("", cause)
    known = (one for one in _KNOWN if re.search(one.words, cause, re.IGNORECASE))
    return next(known, _Known("", ""))
