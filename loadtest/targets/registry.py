"""From the text behind `--target` to a target."""

import re
from importlib import import_module
from urllib.parse import parse_qsl, urlsplit

from loadtest.errors import InputError
from loadtest.targets.base import Target, TargetSpec

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
        "any PostgreSQL server: `postgresql://user@host:5432/database`",
    ),
}
"""Family → (where its class is, what to type for it)."""

_ALIASES = {"postgres": "postgresql"}
_NAMED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9_.-]*)=(.*)$", re.DOTALL)


def parse_target(text: str) -> TargetSpec:
    """Read `[NAME=]URL`; raises InputError that lists the families when there is no such one."""
    named = _NAMED.match(text)
    name, url = (named[1], named[2]) if named else ("", text)
    scheme, separator, _ = url.partition("://")
    if not separator:
        scheme = url.partition("?")[0]
    family = _ALIASES.get(scheme, scheme)
    if family not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise InputError(
            f"target {_without_secrets(text)!r} is of no known family; give one of {known}, "
            "as in --target embedded or --target postgresql://user@host/database"
        )
    parts = urlsplit(url if separator else url.replace(scheme, f"{scheme}://", 1))
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    return TargetSpec(
        name=name or parts.hostname or family,
        family=family,
        url=url,
        options=options,
        shown=_without_secrets(url),
    )


def _without_secrets(url: str) -> str:
    """The URL without a password, wherever libpq lets one stand."""
    url = re.sub(r"(://[^/@:]*):[^@/]*@", r"\1@", url)
    return re.sub(r"([?&](?:password|sslpassword|token)=)[^&]*", r"\1***", url, flags=re.IGNORECASE)


def open_target(spec: TargetSpec) -> Target:
    """The target itself; nothing is contacted before `start`."""
    module, _, name = FAMILIES[spec.family][0].partition(":")
    target: Target = getattr(import_module(module), name)(spec)
    return target
