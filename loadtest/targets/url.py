"""A target's URL: whether it can be read, what of it may be shown, and which options there may be.

What is not known to be harmless is not shown: of the options those of a list whose values look as they
should, of hosts, users and databases plain names. A text that cannot be read may be anything, and is
not shown at all.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote, unquote_plus, urlsplit

from loadtest.errors import InputError
from loadtest.errors.messages import HIDDEN, may_hold_secret, quoted
from loadtest.errors.typed import number_of
from loadtest.targets.base.target import TargetSpec

COMMON_OPTIONS = ("weight",)
"""Options of every family; no target sees them, for the tool itself does what they ask."""
LIBPQ_FAMILIES = frozenset({"postgresql", "cockroachdb", "yugabytedb", "spanner"})
"""Families whose options libpq reads, except for the tool's own."""

_OF_THE_TOOL = """
weight isolation iam region profile sharding commit_delay_ms transfer prefix accounts key_seed balance
retry token_expires_s session_age_s connection_rate connection_burst pooler
"""
_OF_LIBPQ = """
application_name channel_binding client_encoding connect_timeout dbname fallback_application_name
gssencmode keepalives keepalives_count keepalives_idle keepalives_interval krbsrvname
load_balance_hosts port replication require_auth requirepeer service ssl_max_protocol_version
ssl_min_protocol_version sslcompression sslmode sslnegotiation sslsni target_session_attrs
tcp_user_timeout user
"""
_PLAIN = re.compile(r"[\w.,/@+~-]*")
_PATH = re.compile(rf"[/~].*|\./.*|{_PLAIN.pattern}")
_ENDPOINT = re.compile(r"https?://(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::\d+)?/?", re.IGNORECASE)
_LOOKS: Mapping[str, re.Pattern[str]] = {
    **dict.fromkeys((_OF_THE_TOOL + _OF_LIBPQ).split(), _PLAIN),
    **dict.fromkeys(("data", "sslcert", "sslcrl", "sslkey", "sslrootcert"), _PATH),
    "host": re.compile(r"[/~].*|\./.*|[\w.,:/-]*"),
    "hostaddr": re.compile(r"[\w.,:/-]*"),
    "endpoint_url": _ENDPOINT,
}
"""Options that hold no secrets, and how their values look."""

_NAME = re.compile(r"[\w.$~-]{1,63}")
_FUNCTION = re.compile(r"[\w:$-]{1,256}")
"""A function's name, which may have a qualifier behind a colon and be an ARN."""
_NOTHING = re.compile(r"(?!)")
_OPTION_NAME = re.compile(r"[A-Za-z][A-Za-z_]{0,30}")
_HOST = re.compile(r"(?:[\w.-]*|\[[0-9A-Fa-f:.]+(?:%25[\w.-]+)?\]|%2[Ff][\w.%-]*)(?::\d+)?")
_PARTS = re.compile(
    r"(?P<scheme>[a-z][a-z-]*)"
    r"(?P<address>://(?:(?P<user>[^\s/?#\[\]@:]*)(?::(?P<password>[^\s/?#\[\]@]*))?@)?"
    r"(?P<hosts>[^\s/?#@]*)(?P<path>/[^\s?#]*)?)?"
    r"(?:\?(?P<query>.*))?",
    re.DOTALL,
)
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class ReadUrl:
    """A URL that can be read."""

    shown: str
    """The URL as it may be shown."""
    secrets: tuple[str, ...]
    """The hidden parts, as they stand in the URL and decoded."""


def read_url(url: str) -> ReadUrl | None:
    """Return the parts of a URL with a known scheme that may be shown; None where it cannot be read."""
    parts = _PARTS.fullmatch(url)
    if parts is None:
        return None
    scheme, user, password, query = parts.group("scheme", "user", "password", "query")
    hosts, path = parts["hosts"] or "", parts["path"] or ""
    if any(_BAD_PERCENT.search(part or "") for part in (user, password, path)):
        return None
    secrets = [password or ""]
    shown_hosts = [_shown_host(host, secrets) for host in hosts.split(",")]
    # An @ further on says that what stands here is no host.
    at_sign = "@" in path + (query or "")
    if None in shown_hosts or (at_sign and ",".join(map(str, shown_hosts)) != hosts):
        return None
    shown = str(scheme)
    if parts["address"] is not None:
        shown += "://"
        if user is not None:
            has_users = scheme in {*LIBPQ_FAMILIES, "postgres", "dsql"}
            shown += f"{_shown_name(user, secrets, _NAME if has_users else _NOTHING)}@"
        look = _FUNCTION if scheme == "lambda" else _NAME
        shown += ",".join(map(str, shown_hosts))
        shown += "/".join(_shown_name(name, secrets, look) for name in path.split("/"))
    if query is not None:
        options: list[str] = []
        for part in query.split("&"):
            option = _shown_option(part, after_hidden=any(HIDDEN in one for one in options))
            if option is None:
                return None
            if option != part:
                secrets += [part, part.partition("=")[2]]
            options.append(option)
        shown += f"?{'&'.join(options)}"
    both = {one for secret in secrets for one in (secret, unquote(secret), unquote_plus(secret))}
    return ReadUrl(shown, tuple(sorted(both - {""})))


def _shown_host(text: str, secrets: list[str]) -> str | None:
    """A host with its port, without what is not a port; None where it is no host."""
    if _HOST.fullmatch(text):
        return text
    host, _, port = text.rpartition(":")
    if not host or not port or not _HOST.fullmatch(host):
        return None
    secrets.append(port)
    return f"{host}:{HIDDEN}"


def _shown_name(text: str, secrets: list[str], look: re.Pattern[str]) -> str:
    """The name of a user, a database or a function as it stands in the URL, if it looks like one."""
    if not text or look.fullmatch(unquote(text)):
        return text
    secrets.append(text)
    return HIDDEN


def _shown_option(part: str, *, after_hidden: bool) -> str | None:
    """`name=value` as it may be shown; None where it cannot be read.

    What comes after something hidden may be the rest of it, behind an & that was meant to be in it.
    """
    raw_name, mark, raw = part.partition("=")
    name, value = unquote_plus(raw_name), unquote_plus(raw)
    if name == "database":
        inner = read_url(value)  # a target of its own
        if inner is None:
            return f"{raw_name}={HIDDEN}"
        return part if inner.shown == value else f"{raw_name}={quote(inner.shown, safe='')}"
    if is_harmless(name, value):
        return part
    if re.search(r"\s", raw) or _BAD_PERCENT.search(raw):
        return None
    if not (mark and _OPTION_NAME.fullmatch(name)) or (after_hidden and name not in _LOOKS):
        return HIDDEN
    return f"{name}={HIDDEN}"


def is_harmless(name: str, value: str) -> bool:
    """Whether an option is one that holds no secrets, and its value looks as such a value does."""
    look = _LOOKS.get(name)
    if look is None or look.fullmatch(value) is None:
        return False
    return look is _ENDPOINT or (value.isprintable() and not may_hold_secret(value))


def check_options(spec: TargetSpec, known: Sequence[str], more: str = "") -> None:
    """Refuse an option that is not among a family's own; raises InputError that lists all there are.

    `more` is added to the line, as in "; its value must be …".
    """
    if unknown := set(spec.options) - set(known):
        there_is = ", ".join((*known, *COMMON_OPTIONS))
        named = [name for name in unknown if re.search(rf"[?&]{re.escape(name)}=", spec.shown)]
        which = f"no option {min(named)!r}" if named else "it has an option that there is not"
        raise InputError(f"target {spec.shown}: {which}; there is {there_is}{more}")


def said_option(spec: TargetSpec, name: str) -> str:
    """`name=value` for a message about it, without a value that may be a secret."""
    value = spec.options[name]
    return f"{name}={value if is_harmless(name, value) else HIDDEN}"


def choice(spec: TargetSpec, name: str, choices: Sequence[str], more: str = "") -> str:
    """The value of an option, by default the first of its choices; raises InputError for another.

    `more` is added to the line.
    """
    value = spec.options.get(name, choices[0])
    if value not in choices:
        raise InputError(
            f"target {spec.shown}: {said_option(spec, name)} is not known; there is "
            f"{name}={', '.join(choices)}{more}"
        )
    return value


def number(spec: TargetSpec, name: str, default: float, least: float, most: float) -> float:
    """The number that an option gives; raises InputError where it is none from least to most."""
    text = spec.options.get(name)
    if text is None:
        return default
    value = number_of(text)
    if value is None or not least <= value <= most:
        raise InputError(
            f"target {spec.shown}: {said_option(spec, name)} is not a number from {least:,.0f} to "
            f"{most:,.0f}"
        )
    return value


def region_of(spec: TargetSpec, host: str, named_in: re.Pattern[str]) -> str:
    """The Region of `region=`, or the one in the host's name; raises InputError without either."""
    found = named_in.search(host)
    region = spec.options.get("region") or (found and found[1])
    if not region:
        raise InputError(
            f"target {spec.shown}: no Region can be read from the host {quoted(host)}; give region="
        )
    return region


def without_quotes(spec: TargetSpec, text: str) -> str:
    """Return libpq's message about a URL that it cannot read, without quoted parts that are hidden."""
    shown = set(re.split(r"[/?&=@:,]+", unquote(spec.shown)))
    # From the first quote to the last one: what stands between may have quotes of its own.
    text = text.replace('"="', "=")
    return spec.without_secrets(
        re.sub(r'"(.*)"', lambda found: found[0] if found[1] in shown else f'"{HIDDEN}"', text)
    )


def check_endpoint(spec: TargetSpec, lead: str) -> str | None:
    """The `endpoint_url` of an AWS service; raises InputError where it is more than an address."""
    url = spec.options.get("endpoint_url")
    if not url:
        return None
    try:
        parts = urlsplit(url)
        bare = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        bare = False
    if not bare or "@" in parts.netloc or parts.path not in ("", "/") or parts.query:
        # Not quoted: who puts a password there would find it in a log.
        raise InputError(
            f"{lead}: endpoint_url must be a scheme, a host and a port alone, "
            "as in endpoint_url=http://127.0.0.1:8000"
        )
    return url


def without_options(url: str, names: Collection[str]) -> str:
    """The URL without these options; all else stays byte by byte, for libpq reads it its own way."""
    head, mark, query = url.partition("?")
    if not mark:
        return url
    kept = [part for part in query.split("&") if unquote_plus(part.partition("=")[0]) not in names]
    return f"{head}?{'&'.join(kept)}" if kept else head
