"""Addresses as other tools write them → what to give to `--target` instead, without the password."""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote

_AT_AWS = [
    (re.compile(pattern), form)
    for pattern, form in (
        (r"arn:aws[a-z-]*:dsql:([a-z0-9-]+):\d*:cluster/(\w+)", r"dsql-cluster://\2?region=\1"),
        (r"arn:aws[a-z-]*:lambda:([a-z0-9-]+):\d*:function:([\w-]+)", r"lambda://\1/\2?database=URL"),
        (r"arn:aws[a-z-]*:dynamodb:([a-z0-9-]+):", r"dynamodb://\1"),
        (r"arn:aws[a-z-]*:rds:([a-z0-9-]+):", r"postgresql://USER@HOST/DATABASE?iam=rds&region=\1"),
        (
            r"\b([a-z0-9]{4,40}\.dsql(?:-[a-z0-9]+)?\.[a-z0-9-]+\.on\.aws)\b",
            r"\1, without a password: tokens are made from your AWS credentials",
        ),
        (r"\bdynamodb\.([a-z0-9-]+)\.amazonaws\.com\b", r"dynamodb://\1"),
        (
            r"\blambda\.([a-z0-9-]+)\.amazonaws\.com/[\d-]+/functions/([\w-]+)",
            r"lambda://\1/\2?database=URL",
        ),
        (r"\blambda\.([a-z0-9-]+)\.amazonaws\.com\b", r"lambda://\1/NAME?database=URL"),
        (
            r"\.lambda-url\.([a-z0-9-]+)\.on\.aws\b",
            r"lambda://\1/NAME?database=URL, by the function's name and not by its URL",
        ),
        (
            r"^https?://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})/?$",
            r"dynamodb://us-east-1?endpoint_url=http://\1\2",
        ),
    )
]
"""A part of an address of AWS, or of DynamoDB Local → the target to give."""

_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,80}")
_URL = re.compile(
    r"\b(?:postgres|postgresql|cockroachdb|yugabytedb|redshift|aws-dsql)(?:\+\w+)?://"
    r"(?:([^:/?@\s]*)(?::.*)?@)?([^/?@\s]*)(?:/([^?\s\"']*))?",
    re.DOTALL,
)
_PAIR = re.compile(r"([A-Za-z][A-Za-z ]*?)\s*=\s*('(?:[^'\\]|\\.)*'|\"[^\"]*\"|[^;\s]*)")
_NO_SCHEME = re.compile(
    r"(?:([A-Za-z0-9_.-]+)(?::(?!//).*)?@)?([A-Za-z0-9.-]+(?::\d+)?)/(\w[\w-]*)(?:\?.*)?"
)
_HALF_A_SCHEME = re.compile(r"^(?:postgres|postgresql):/?(?!/)")
_PAIRS = {
    "host": "host", "server": "host", "data source": "host", "hostaddr": "host", "port": "port",
    "user": "user", "user id": "user", "username": "user", "uid": "user", "user name": "user",
    "dbname": "database", "database": "database", "initial catalog": "database",
}  # fmt: skip

_SEARCH_PATH = "leave it out, or give options=-csearch_path%3DNAME"
_SSLMODE = "give sslmode=require or sslmode=verify-full"
_PASSWORD = "give the password in PGPASSWORD or ~/.pgpass"  # noqa: S105 - where to put it
_OPTIONS: Mapping[str, str] = {
    "schema": _SEARCH_PATH,
    "currentSchema": _SEARCH_PATH,
    "ssl": _SSLMODE,
    "sslaccept": _SSLMODE,
    "connection_limit": "leave it out: --users says how many connections there are",
    "pool_timeout": "leave it out: each user has a connection of its own",
    "pgbouncer": "leave it out",
    "serverVersion": "leave it out",
    "charset": "leave it out, or give client_encoding=",
    "passwd": _PASSWORD,
    "pwd": _PASSWORD,
}
"""Options of Prisma, JDBC, SQLAlchemy and others, which libpq does not know → what to do."""


def remedy_for_options(query: str) -> str:
    """Return the remedy for an option of another tool in a PostgreSQL URL; "" where there is none."""
    for name, _ in parse_qsl(query, keep_blank_values=True):
        if name in _OPTIONS:
            return f"{name}= is another tool's option; {_OPTIONS[name]}"
    return ""


def right_form(text: str) -> str:
    """Return the target to give instead, as `give it as …`; "" where it is not known."""
    form = right_form_at_aws(text)
    if not form and (connection := _url(text) or _pairs(text) or _no_scheme(text)):
        user, host, database = connection
        if not all(_PLAIN.fullmatch(part) for part in host.split(":")):
            host = "HOST"
        user = user if _PLAIN.fullmatch(user) else "USER"
        database = database if _PLAIN.fullmatch(database) else "DATABASE"
        form = (
            f"give it as postgresql://{user}@{host}/{database}; a password goes into PGPASSWORD or "
            "~/.pgpass"
        )
    return form


def right_form_at_aws(text: str) -> str:
    """Return the same for an address of AWS, with any text around it."""
    for pattern, form in _AT_AWS:
        if match := pattern.search(text):
            return f"give it as {match.expand(form)}"
    return ""


def _url(text: str) -> tuple[str, str, str] | None:
    """User, host and database of jdbc:…, SQLAlchemy's URLs, a URL in quotes or behind `psql`."""
    match = _URL.search(text)
    if match is None:
        return None
    options = dict(parse_qsl(text.partition("?")[2]))
    return unquote(match[1] or options.get("user", "")), match[2] or "HOST", unquote(match[3] or "")


def _pairs(text: str) -> tuple[str, str, str] | None:
    """The same of libpq's `host=h dbname=d` and ADO.NET's `Server=h;Database=d`."""
    given = {
        _PAIRS[pair[1].lower()]: pair[2].strip("'\"")
        for pair in _PAIR.finditer(text)
        if pair[1].lower() in _PAIRS
    }
    if not given:
        return None
    host = given.get("host", "HOST").removeprefix("tcp:").replace(",", ":")
    port = given.get("port", "")
    host = f"{host}:{port}" if port.isdecimal() and ":" not in host else host
    return given.get("user", ""), host, given.get("database", "")


def _no_scheme(text: str) -> tuple[str, str, str] | None:
    """The same of `user@host/database`."""
    match = _NO_SCHEME.fullmatch(_HALF_A_SCHEME.sub("", text))
    return (match[1] or "", match[2], match[3]) if match else None
