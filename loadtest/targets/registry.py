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
# A password as it should be, up to the @ of a plain host; else, for it may hold what it should not,
# up to the last @, unless what follows the colon is a port.
_CREDENTIALS = re.compile(
    r"(://(?!\[)[^/?@:]*):([^\s/?#\[\]@]*(?=@[^@/?]*(?:[/?]|$))|(?!\d*(?:[/?,]|$)).*)@", re.DOTALL
)
_SECRET_OPTION = re.compile(
    r"((?:^|[?&\s])(?:password|sslpassword|token)\s*=\s*)('(?:[^'\\]|\\.)*'|[^&]*)", re.IGNORECASE
)
_NOT_IN_CREDENTIALS = re.compile(r"[\s/?#\[\]@]|%(?![0-9A-Fa-f]{2})")
_NOT_IN_OPTION = re.compile(r"\s|%(?![0-9A-Fa-f]{2})")


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
    _check_secrets(url)
    try:
        parts = urlsplit(url if separator else url.replace(scheme, f"{scheme}://", 1))
    except ValueError as error:
        raise InputError(f"target {_without_secrets(url)!r} is not a URL: {error}") from None
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    return TargetSpec(
        name=name or parts.hostname or family,
        family=family,
        url=url,
        options=options,
        shown=_without_secrets(url),
    )


def _without_secrets(text: str) -> str:
    """The text without a password, wherever libpq lets one stand, and where it would not."""
    text = _CREDENTIALS.sub(r"\1@", text)
    return _SECRET_OPTION.sub(r"\1***", text)


def _check_secrets(url: str) -> None:
    """Refuse a password that libpq could not read: its own error would quote a part of it."""
    secrets = [(found[2], _NOT_IN_CREDENTIALS) for found in _CREDENTIALS.finditer(url)]
    secrets += [(found[2], _NOT_IN_OPTION) for found in _SECRET_OPTION.finditer(url)]
    if any(forbidden.search(secret) for secret, forbidden in secrets):
        raise InputError(
            f"target {_without_secrets(url)!r}: the password has characters that a URL cannot hold as "
            "they are; write @ as %40, / as %2F, % as %25, a space as %20, or use PGPASSWORD"
        )


def open_target(spec: TargetSpec) -> Target:
    """The target itself; nothing is contacted before `start`."""
    module, _, name = FAMILIES[spec.family][0].partition(":")
    target: Target = getattr(import_module(module), name)(spec)
    return target
