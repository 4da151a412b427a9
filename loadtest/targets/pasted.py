"""Addresses as other tools write them → what to give to `--target` instead, without the password."""

import re
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import parse_qsl, unquote

_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,80}")
_KEPT_APART = "; a password goes into PGPASSWORD or ~/.pgpass"

_DSQL = re.compile(r"\b([a-z0-9]{4,40}\.dsql(?:-[a-z0-9]+)?\.[a-z0-9-]+\.on\.aws)\b")
_DYNAMODB = re.compile(r"\bdynamodb\.([a-z0-9-]+)\.amazonaws\.com\b")
_LAMBDA = re.compile(r"\blambda\.([a-z0-9-]+)\.amazonaws\.com(?:/[\d-]+/functions/([A-Za-z0-9_-]+))?")
_FUNCTION_URL = re.compile(r"\.lambda-url\.([a-z0-9-]+)\.on\.aws\b")
_ARN = re.compile(r"arn:aws[a-z-]*:([a-z0-9-]+):([a-z0-9-]*):\d*:(?:[a-z-]+[:/])?([A-Za-z0-9_-]*)")
_LOCAL = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})/?")
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
_OF_OTHERS: Mapping[str, str] = {
    "schema": "leave it out, or give options=-csearch_path%3DNAME",
    "currentSchema": "leave it out, or give options=-csearch_path%3DNAME",
    "ssl": "give sslmode=require or sslmode=verify-full",
    "sslaccept": "give sslmode=require or sslmode=verify-full",
    "connection_limit": "leave it out: --users says how many connections there are",
    "pool_timeout": "leave it out: each user has a connection of its own",
    "pgbouncer": "leave it out",
    "serverVersion": "leave it out",
    "charset": "leave it out, or give client_encoding=",
    "passwd": "give the password in PGPASSWORD or ~/.pgpass",
    "pwd": "give the password in PGPASSWORD or ~/.pgpass",
}
"""Options of Prisma, JDBC, SQLAlchemy and others, which libpq does not know → what to do."""


def remedy_for_options(query: str) -> str:
    """What to do about an option of another tool in a PostgreSQL URL; "" where there is none."""
    for name, _ in parse_qsl(query, keep_blank_values=True):
        if name in _OF_OTHERS:
            return f"{name}= is another tool's option; {_OF_OTHERS[name]}"
    return ""


def right_form(text: str) -> str:
    """What to give instead, as `give it as …`; "" where nobody can say."""
    return _first_of(_READERS, text)


def right_form_at_aws(text: str) -> str:
    """The same for what is certainly an address of AWS, whatever stands around it."""
    return _first_of(_OF_AWS, text)


def _first_of(readers: Sequence[Callable[[str], str]], text: str) -> str:
    for read in readers:
        if found := read(text):
            return f"give it as {found}"
    return ""


def _arn(text: str) -> str:
    found = _ARN.search(text)
    if found is None:
        return ""
    service, region, name = found[1], found[2] or "REGION", found[3]
    forms = {
        "dsql": f"dsql-cluster://{name or 'ID'}?region={region}",
        "lambda": f"lambda://{region}/{name or 'NAME'}?database=URL",
        "dynamodb": f"dynamodb://{region}",
        "rds": f"postgresql://USER@HOST/DATABASE?iam=rds&region={region}",
    }
    return forms.get(service, "")


def _dsql(text: str) -> str:
    found = _DSQL.search(text)
    return f"{found[1]}, without a password: tokens are made from your AWS credentials" if found else ""


def _dynamodb(text: str) -> str:
    found = _DYNAMODB.search(text)
    return f"dynamodb://{found[1]}" if found else ""


def _lambda(text: str) -> str:
    if found := _LAMBDA.search(text):
        return f"lambda://{found[1]}/{found[2] or 'NAME'}?database=URL"
    if found := _FUNCTION_URL.search(text):
        return f"lambda://{found[1]}/NAME?database=URL, by the function's name and not by its URL"
    return ""


def _local(text: str) -> str:
    found = _LOCAL.fullmatch(text)
    return f"dynamodb://us-east-1?endpoint_url=http://{found[1]}{found[2]}" if found else ""


def _url(text: str) -> str:
    """jdbc:…, SQLAlchemy's dialect+driver, a URL in quotes or behind `psql`."""
    found = _URL.search(text)
    if found is None:
        return ""
    options = dict(parse_qsl(text.partition("?")[2]))
    return _postgresql(
        unquote(found[1] or options.get("user", "")), found[2] or "HOST", unquote(found[3] or "")
    )


def _pairs(text: str) -> str:
    """libpq's `host=h dbname=d` and ADO.NET's `Server=h;Database=d`."""
    given = {
        _PAIRS[found[1].lower()]: found[2].strip("'\"")
        for found in _PAIR.finditer(text)
        if found[1].lower() in _PAIRS
    }
    if not given:
        return ""
    host = given.get("host", "HOST").removeprefix("tcp:").replace(",", ":")
    port = given.get("port", "")
    host = f"{host}:{port}" if port.isdecimal() and ":" not in host else host
    return _postgresql(given.get("user", ""), host, given.get("database", ""))


def _no_scheme(text: str) -> str:
    found = _NO_SCHEME.fullmatch(_HALF_A_SCHEME.sub("", text))
    return _postgresql(found[1] or "", found[2], found[3]) if found else ""


def _postgresql(user: str, host: str, database: str) -> str:
    if not all(_PLAIN.fullmatch(part) for part in host.split(":")) or "@" in host:
        host = "HOST"
    user = user if _PLAIN.fullmatch(user) else "USER"
    database = database if _PLAIN.fullmatch(database) else "DATABASE"
    return f"postgresql://{user}@{host}/{database}{_KEPT_APART}"


_OF_AWS = (_arn, _dsql, _dynamodb, _lambda)
_READERS = (*_OF_AWS, _local, _url, _pairs, _no_scheme)
