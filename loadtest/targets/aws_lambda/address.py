"""What stands behind `--target` for a Lambda function, taken apart and checked."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from loadtest.errors import InputError
from loadtest.errors.typed import whole_of
from loadtest.targets.base.calls import Declared
from loadtest.targets.registry import parse_target
from loadtest.targets.url import check_endpoint, check_options, choice, said_option

if TYPE_CHECKING:
    from loadtest.targets.base.target import TargetSpec

_OPTIONS = (
    "profile", "endpoint_url", "database", "accounts", "key_seed", "balance", "retry",
)  # fmt: skip
_REGION = re.compile(r"[a-z0-9-]+")
# A name, or an ARN of any length that Lambda takes for one; then, perhaps, a version or an alias.
_FUNCTION = re.compile(
    r"(?:arn:[a-z-]+:lambda:[a-z0-9-]+:)?(?:\d{12}:)?(?:function:)?"
    r"[A-Za-z0-9_-]+(?::(?:\$LATEST|[A-Za-z0-9_-]+))?"
)
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class LambdaAddress:
    """Which function, how to reach it, and what is known of the database behind it."""

    region: str
    function: str
    """Its name or ARN, with the qualifier if there is one."""
    profile: str | None
    endpoint_url: str | None
    retry_here: bool
    """Whether the run tries again after a conflict; else the function does."""
    database: TargetSpec | None
    declared: Declared | None

    @classmethod
    def of(cls, spec: TargetSpec) -> LambdaAddress:
        """Read a spec of the family `lambda`; raises InputError that shows no secret."""
        lead = f"target {spec.shown}"
        parts = urlsplit(spec.url)
        region, function = parts.netloc, unquote(parts.path.removeprefix("/"))
        if not _REGION.fullmatch(region) or not _FUNCTION.fullmatch(function):
            raise InputError(
                f"{lead}: a Region and a function's name are needed, as in "
                "lambda://us-east-1/transfer or lambda://us-east-1/transfer:live"
            )
        check_options(spec, _OPTIONS, ", and the value of database= must be percent-encoded")
        database = _database(spec, lead)
        declared = _declared(spec, lead)
        if (database is None) == (declared is None):
            raise InputError(
                f"{lead}: say what is behind the function, either database=URL (percent-encoded), "
                "which is then seeded and checked, or accounts=N if it cannot be reached from here"
            )
        return cls(
            region=region,
            function=function,
            profile=spec.options.get("profile") or None,
            endpoint_url=check_endpoint(spec, lead),
            retry_here=choice(spec, "retry", ("function", "caller")) == "caller",
            database=database,
            declared=declared,
        )


def _database(spec: TargetSpec, lead: str) -> TargetSpec | None:
    text = spec.options.get("database")
    if text is None:
        return None
    try:
        database = parse_target(text, spec.sslrootcert)
    except InputError as error:
        raise InputError(f"{lead}, in database=: {error}") from None
    if database.family == spec.family:
        raise InputError(f"{lead}: database= names a function; name the database behind it")
    return replace(database, name=f"{spec.name}'s database")


def _declared(spec: TargetSpec, lead: str) -> Declared | None:
    accounts = _number(spec, lead, "accounts", 2)
    key_seed = _number(spec, lead, "key_seed", 0)
    balance = _number(spec, lead, "balance", 0)
    if accounts is None:
        if key_seed is not None or balance is not None:
            raise InputError(f"{lead}: key_seed= and balance= go with accounts= only")
        return None
    return Declared(accounts, 1 if key_seed is None else key_seed, balance)


def _number(spec: TargetSpec, lead: str, name: str, least: int) -> int | None:
    text = spec.options.get(name)
    if text is None:
        return None
    number = whole_of(text)
    if number is None or not least <= number <= _LARGEST:
        raise InputError(f"{lead}: {said_option(spec, name)} is not a whole number from {least} on")
    return number
