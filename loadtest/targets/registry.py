"""From the text behind `--target` to a target."""

import re
from difflib import get_close_matches
from importlib import import_module
from urllib.parse import parse_qsl, urlsplit

from loadtest.errors import InputError
from loadtest.errors.messages import HIDDEN, quoted
from loadtest.errors.typed import number_of
from loadtest.targets.base.target import Target, TargetSpec
from loadtest.targets.pasted import remedy_for_options, right_form, right_form_at_aws
from loadtest.targets.url import COMMON_OPTIONS, LIBPQ_FAMILIES, is_harmless, read_url, without_options

FAMILIES: dict[str, tuple[str, str]] = {
    "embedded": (
        "loadtest.targets.embedded.target:EmbeddedTarget",
        (
            "the PostgreSQL that comes with the tool: `embedded` (optimistic) or `embedded://locking`, "
            "`?commit_delay_ms=MS`, `?data=FOLDER`"
        ),
    ),
    "postgresql": (
        "loadtest.targets.postgresql.target:PostgresTarget",
        (
            "any PostgreSQL server: `postgresql://user@host:5432/database`, every libpq option, "
            "`?isolation=repeatable-read|serializable|read-committed`, `?iam=rds`"
        ),
    ),
    "dsql": (
        "loadtest.targets.dsql.target:DsqlTarget",
        "Aurora DSQL: an endpoint's host name, or `dsql://HOST?user=admin`",
    ),
    "dsql-cluster": (
        "loadtest.targets.dsql.by_identifier:DsqlClusterTarget",
        "Aurora DSQL by a cluster's identifier: `dsql-cluster://ID?region=us-east-1`",
    ),
    "cockroachdb": (
        "loadtest.targets.postgresql.relatives:CockroachTarget",
        "CockroachDB: `cockroachdb://user@host:26257/database`, `?isolation=LEVEL`",
    ),
    "yugabytedb": (
        "loadtest.targets.postgresql.relatives:YugabyteTarget",
        "YugabyteDB: `yugabytedb://user@host:5433/database`, `?isolation=LEVEL`, `?sharding=range`",
    ),
    "spanner": (
        "loadtest.targets.postgresql.relatives:SpannerTarget",
        "Spanner through PGAdapter: `spanner://host:5432/database`, `?isolation=LEVEL`",
    ),
    "dynamodb": (
        "loadtest.targets.dynamodb.target:DynamoTarget",
        "DynamoDB: `dynamodb://us-east-1`, `?transfer=optimistic`, `?endpoint_url=URL`",
    ),
    "lambda": (
        "loadtest.targets.aws_lambda.target:LambdaTarget",
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
_MISNAMED = re.compile(r"^([^=:/?@;'\"]*)=(.*)", re.DOTALL)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}(?=://)")
_DSQL_HOST = re.compile(r"^[a-z0-9-]+\.dsql(?:-[a-z0-9]+)?\.[a-z0-9-]+\.on\.aws(?:[:?]|$)")
_LARGEST_WEIGHT = 1e6
_ALIKE = 0.7
"""How much of two words must be the same, of 1, for one to be meant by the other."""


def parse_target(text: str, sslrootcert: str | None = None) -> TargetSpec:
    """Read `[NAME=]URL`; raises InputError that lists the families when there is no such one.

    `sslrootcert` is the file of authorities to trust where the URL names none.
    """
    name, url = _parted(text)
    family = _family(url)
    if family is None:
        raise InputError(_of_no_family(text, name, url))
    read = read_url(url)
    if read is None:
        shown = f"target {f'{name} ' if name else ''}{family}://…"
        # One address within another.
        nested = url.count("://") > 1 or "arn:" in url
        if nested and (remedy := right_form_at_aws(url)):
            raise InputError(f"{shown} is not a URL; {remedy}")
        raise InputError(
            f"{shown} cannot be read as a URL, and no more of it is shown for what may be in it: the "
            "password, the port or something else has characters that a URL cannot hold as they are; "
            "write @ as %40, / as %2F, % as %25, a space as %20, or use PGPASSWORD"
        )
    try:
        parts = urlsplit(url if "://" in url else url.replace(family, f"{family}://", 1))
    except ValueError:
        raise InputError(f"target {read.shown} is not a URL; {_GIVE}") from None
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if family in LIBPQ_FAMILIES and (remedy := remedy_for_options(parts.query)):
        raise InputError(f"target {read.shown}: {remedy}")
    return TargetSpec(
        name=name or parts.hostname or family,
        family=family,
        url=without_options(url, COMMON_OPTIONS),
        options={key: value for key, value in options.items() if key not in COMMON_OPTIONS},
        shown=read.shown,
        secrets=read.secrets,
        weight=_weight(options.get("weight", "1"), read.shown),
        sslrootcert=sslrootcert,
    )


def _parted(text: str) -> tuple[str, str]:
    """The name, "" where there is none, and the URL."""
    if not text.strip():
        raise InputError(f"the target is empty; {_GIVE}")
    named = _NAMED.match(text)
    if named is None and (misnamed := _MISNAMED.match(text)) is not None and _family(misnamed[2]):
        wrong = "is empty"
        if misnamed[1]:
            wrong = "holds a blank" if re.search(r"\s", misnamed[1]) else "is not one"
        raise InputError(
            f"target {misnamed[2].partition('?')[0].partition(':')[0]}…: the name "
            f"{quoted(misnamed[1])} {wrong}; a name is made of letters, digits, dot, dash and "
            "underscore, as in --target east=URL"
        )
    name, url = (named[1], named[2]) if named else ("", text)
    if not url.strip():
        raise InputError(f"target {text!r} has a name and nothing behind it; {_GIVE}")
    return name, f"dsql://{url}" if _DSQL_HOST.match(url) else url


def _family(url: str) -> str | None:
    """The family that a URL begins with; None where it is none of them."""
    scheme, separator, _ = url.partition("://")
    if not separator:
        scheme = url.partition("?")[0]
    family = _ALIASES.get(scheme, scheme)
    return family if family in FAMILIES else None


def _of_no_family(text: str, name: str, url: str) -> str:
    """Return the error; it shows no more than the text's scheme, for the rest may be anything."""
    scheme = _SCHEME.match(url)
    lead = " ".join(filter(None, [name if scheme else "", f"{scheme[0]}://…" if scheme else ""]))
    remedy = right_form(text)
    if not remedy:
        word = scheme[0] if scheme else re.split(r"[:?]", url)[0]
        like = get_close_matches(word.lower(), [*FAMILIES, *_ALIASES], n=1, cutoff=_ALIKE)
        remedy = f"did you mean {like[0]}? There is {', '.join(FAMILIES)}" if like else _GIVE
    return f"{f'target {lead}' if lead else 'the target'} is of no known family; {remedy}"


def _weight(text: str, shown: str) -> float:
    weight = number_of(text)
    if weight is None or not 0 < weight <= _LARGEST_WEIGHT:
        said = text if is_harmless("weight", text) else HIDDEN
        raise InputError(
            f"target {shown}: weight={said} is not a number above 0 and up to {_LARGEST_WEIGHT:g}; "
            "a target with weight=3 has three times the users of one with weight=1"
        )
    return weight


def shown_target(text: str) -> str:
    """`[NAME=]URL` without secrets, as it would be typed; nothing of a text that is no target."""
    try:
        spec = parse_target(text)
    except InputError:
        return HIDDEN
    named = _NAMED.match(text)
    return f"{named[1]}={spec.shown}" if named else spec.shown


def open_target(spec: TargetSpec) -> Target:
    """The target itself; nothing is contacted before `start`."""
    module, _, name = FAMILIES[spec.family][0].partition(":")
    target: Target = getattr(import_module(module), name)(spec)
    return target
