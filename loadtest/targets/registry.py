"""From the text behind `--target` to a target."""

import re
from difflib import get_close_matches
from importlib import import_module
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from loadtest.errors import InputError
from loadtest.targets.base import Target, TargetSpec
from loadtest.targets.url import COMMON_OPTIONS, without_options

FAMILIES: dict[str, tuple[str, str]] = {
    "embedded": (
        "loadtest.targets.embedded.target:EmbeddedTarget",
        (
            "the PostgreSQL that comes with the tool: `embedded` (optimistic) or `embedded://locking`, "
            "`?commit_delay_ms=MS`, `?data=FOLDER`"
        ),
    ),
    "postgresql": (
        "loadtest.targets.postgresql:PostgresTarget",
        (
            "any PostgreSQL server: `postgresql://user@host:5432/database`, every libpq option, "
            "`?isolation=repeatable-read|serializable|read-committed`, `?iam=rds`"
        ),
    ),
    "dsql": (
        "loadtest.targets.dsql:DsqlTarget",
        "Aurora DSQL: an endpoint's host name, or `dsql://HOST?user=admin`",
    ),
    "dsql-cluster": (
        "loadtest.targets.dsql_cluster:DsqlClusterTarget",
        "Aurora DSQL by a cluster's identifier: `dsql-cluster://ID?region=us-east-1`",
    ),
    "cockroachdb": (
        "loadtest.targets.cockroachdb:CockroachTarget",
        "CockroachDB: `cockroachdb://user@host:26257/database`, `?isolation=LEVEL`",
    ),
    "yugabytedb": (
        "loadtest.targets.yugabytedb:YugabyteTarget",
        "YugabyteDB: `yugabytedb://user@host:5433/database`, `?isolation=LEVEL`, `?sharding=range`",
    ),
    "spanner": (
        "loadtest.targets.spanner:SpannerTarget",
        "Spanner through PGAdapter: `spanner://host:5432/database`, `?isolation=LEVEL`",
    ),
    "dynamodb": (
        "loadtest.targets.dynamodb.target:DynamoTarget",
        "DynamoDB: `dynamodb://us-east-1`, `?transfer=optimistic`, `?endpoint_url=URL`",
    ),
    "lambda": (
        "loadtest.targets.lambda_function:LambdaTarget",
        (
            "a Lambda function that does the transaction: `lambda://us-east-1/NAME?database=URL`, the "
            "URL of what is behind it percent-encoded; `?retry=caller`"
        ),
    ),
}
"""Family → (where its class is, what to type for it)."""

_ALIASES = {"postgres": "postgresql"}
_GIVE = (
    f"give one of {', '.join(FAMILIES)}, as in --target embedded or "
    "--target postgresql://user@host/database"
)
_NAMED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9_.-]*)=(.*)$", re.DOTALL)
_MISNAMED = re.compile(r"^([^=:/?@]*)=", re.DOTALL)
# A password as it should be, up to the @ of a plain host; else, for it may hold what it should not,
# up to the last @, unless what follows the colon is a port.
_CREDENTIALS = re.compile(
    r"(://(?!\[)[^/?@:]*):([^\s/?#\[\]@]*(?=@[^@/?]*(?:[/?]|$))|(?!\d*(?:[/?,]|$)).*)@", re.DOTALL
)
# Whatever is called so, even where no target has such an option: an error would quote it.
_HIDDEN_NAME = (
    r"[a-z_-]*(?:password|secret|token(?!_expires))[a-z_-]*"
    r"|(?:aws_?)?access_?key(?:_?id)?"
)
_SECRET_OPTION = re.compile(
    rf"((?:^|[?&\s])(?:{_HIDDEN_NAME})\s*=\s*)('(?:[^'\\]|\\.)*'|[^&]*)", re.IGNORECASE
)
_DSQL_HOST = re.compile(r"^[a-z0-9-]+\.dsql(?:-[a-z0-9]+)?\.[a-z0-9-]+\.on\.aws(?:[:?]|$)")
# What a URL's begin would be if its scheme were not forgotten.
_FORGOTTEN_SCHEME = re.compile(r"^((?:[A-Za-z0-9_.-]+=)?[^/?@:&=]*:)[^/@][^@]*@")
_ENCODED_OPTION = re.compile(r"(?<=[?&])([^\s?=&]+=)([^\s&]*%[0-9A-Fa-f]{2}[^\s&]*)")
_ENCODED_URL = re.compile(r"%(?:25)*3A%(?:25)*2F%(?:25)*2F", re.IGNORECASE)
_LARGEST_WEIGHT = 1e6
_ALIKE = 0.7
"""How much of two words must be the same, of 1, for one to be meant by the other."""
_NOT_IN_CREDENTIALS = re.compile(r"[\s/?#\[\]@]|%(?![0-9A-Fa-f]{2})")
_NOT_IN_OPTION = re.compile(r"\s|%(?![0-9A-Fa-f]{2})")


def parse_target(text: str, sslrootcert: str | None = None) -> TargetSpec:
    """Read `[NAME=]URL`; raises InputError that lists the families when there is no such one.

    `sslrootcert` is the file of authorities to trust where the URL names none.
    """
    if not text.strip():
        raise InputError(f"the target is empty; {_GIVE}")
    named = _NAMED.match(text)
    if named is None and (misnamed := _MISNAMED.match(text)) is not None:
        wrong = "is empty"
        if misnamed[1]:
            wrong = "holds a blank" if re.search(r"\s", misnamed[1]) else "is not one"
        raise InputError(
            f"target {without_secrets(text)!r}: the name {misnamed[1]!r} {wrong}; a name is made of "
            "letters, digits, dot, dash and underscore, as in --target east=URL"
        )
    name, url = (named[1], named[2]) if named else ("", text)
    if not url.strip():
        raise InputError(f"target {text!r} has a name and nothing behind it; {_GIVE}")
    if _DSQL_HOST.match(url):
        url = f"dsql://{url}"
    scheme, separator, _ = url.partition("://")
    if not separator:
        scheme = url.partition("?")[0]
    family = _ALIASES.get(scheme, scheme)
    if family not in FAMILIES:
        like = get_close_matches(scheme.lower(), [*FAMILIES, *_ALIASES], n=1, cutoff=_ALIKE)
        remedy = f"did you mean {like[0]}? There is {', '.join(FAMILIES)}" if like else _GIVE
        raise InputError(f"target {without_secrets(text)!r} is of no known family; {remedy}")
    _check_secrets(url)
    try:
        parts = urlsplit(url if separator else url.replace(scheme, f"{scheme}://", 1))
    except ValueError as error:
        raise InputError(f"target {without_secrets(url)!r} is not a URL: {error}") from None
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    shown = without_secrets(url)
    return TargetSpec(
        name=name or parts.hostname or family,
        family=family,
        url=without_options(url, COMMON_OPTIONS),
        options={key: value for key, value in options.items() if key not in COMMON_OPTIONS},
        shown=shown,
        weight=_weight(options.get("weight", "1"), shown),
        sslrootcert=sslrootcert,
    )


def _weight(text: str, shown: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = 0.0
    if not 0 < weight <= _LARGEST_WEIGHT:
        raise InputError(
            f"target {shown}: weight={text} is not a number above 0 and up to {_LARGEST_WEIGHT:g}; "
            "a target with weight=3 has three times the users of one with weight=1"
        )
    return weight


def without_secrets(text: str) -> str:
    """The text without a password, wherever libpq lets one stand, and where it would not.

    Also within a percent-encoded option, which may be a URL of its own.
    """
    if "://" not in text and _ENCODED_URL.search(text):
        return _encoded_without_secrets(text)
    text = _FORGOTTEN_SCHEME.sub(r"\1***@", text)
    text = _ENCODED_OPTION.sub(lambda found: found[1] + _encoded_without_secrets(found[2]), text)
    text = _CREDENTIALS.sub(r"\1@", text)
    return _SECRET_OPTION.sub(r"\1***", text)


def _encoded_without_secrets(value: str) -> str:
    plain = unquote(value)
    shown = without_secrets(plain)
    deeper = unquote(shown)
    if deeper != shown and without_secrets(deeper) != deeper:
        return "***"  # encoded once more than it should be
    return value if shown == plain else quote(shown, safe="")


def _check_secrets(url: str) -> None:
    """Refuse a password that libpq could not read: its own error would quote a part of it."""
    secrets = [(found[2], _NOT_IN_CREDENTIALS) for found in _CREDENTIALS.finditer(url)]
    secrets += [(found[2], _NOT_IN_OPTION) for found in _SECRET_OPTION.finditer(url)]
    if any(forbidden.search(secret) for secret, forbidden in secrets):
        raise InputError(
            f"target {without_secrets(url)!r}: the password has characters that a URL cannot hold as "
            "they are; write @ as %40, / as %2F, % as %25, a space as %20, or use PGPASSWORD"
        )


def open_target(spec: TargetSpec) -> Target:
    """The target itself; nothing is contacted before `start`."""
    module, _, name = FAMILIES[spec.family][0].partition(":")
    target: Target = getattr(import_module(module), name)(spec)
    return target
