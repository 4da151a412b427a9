"""Checks the signed tokens that stand for passwords at AWS's databases, as the service would.

Written from the rules of Signature Version 4 and not with boto3, which makes the tokens: what both
agree on is not one library agreeing with itself.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote

_ALGORITHM = "AWS4-HMAC-SHA256"
_LONGEST_S = 604_800
_CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Principal:
    """Whose credentials they are, and what IAM lets it do."""

    key_id: str
    secret: str = field(repr=False)
    session_token: str = field(default="", repr=False)
    actions: frozenset[str] = frozenset({"DbConnectAdmin", "DbConnect", "connect"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a token must have been made for."""

    host: str
    region: str
    service: str
    action: str
    parameters: Mapping[str, str] = field(default_factory=dict)


class TokenRefused(Exception):  # noqa: N818 - what happened
    """Why, in the server's words to itself; a client is told less."""


def check_token(
    token: str, wanted: Wanted, principals: Mapping[str, Principal], now: datetime
) -> Principal:
    """Who signed the token; raises TokenRefused unless it is good for what is wanted, now."""
    host, separator, query = token.partition("/?")
    if not separator:
        raise TokenRefused("it is no token")
    fields = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=False))
    _expect(host, wanted.host, "host")
    _expect(fields.get("X-Amz-Algorithm"), _ALGORITHM, "algorithm")
    _expect(fields.get("X-Amz-SignedHeaders"), "host", "signed headers")
    for name, value in {"Action": wanted.action, **wanted.parameters}.items():
        _expect(fields.get(name), value, name)
    key_id, _, scope = fields.get("X-Amz-Credential", "").partition("/")
    made = fields.get("X-Amz-Date", "")
    _expect(scope, f"{made[:8]}/{wanted.region}/{wanted.service}/aws4_request", "scope")
    principal = principals.get(key_id)
    if principal is None:
        raise TokenRefused("nobody has this key")
    _expect(fields.get("X-Amz-Security-Token", ""), principal.session_token, "session token")
    signature = fields.pop("X-Amz-Signature", "")
    if not hmac.compare_digest(signature, _signature(host, fields, scope, principal.secret)):
        raise TokenRefused("the signature is wrong")
    _check_time(made, fields.get("X-Amz-Expires", ""), now)
    if wanted.action not in principal.actions:
        raise TokenRefused(f"{wanted.action} is not allowed")
    return principal


def _expect(found: str | None, wanted: str, what: str) -> None:
    if found != wanted:
        raise TokenRefused(f"the {what} is {found!r}, not {wanted!r}")


def signed_at(token: str) -> str:
    """The date of a token, as it stands there; "" where it has none."""
    return dict(parse_qsl(token.partition("/?")[2])).get("X-Amz-Date", "")


def token_age_s(token: str, now: datetime) -> float | None:
    """How long ago a token was signed; None where it does not say."""
    try:
        return (now - _moment(signed_at(token))).total_seconds()
    except ValueError:
        return None


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def _check_time(made: str, lasts: str, now: datetime) -> None:
    try:
        since = _moment(made)
        seconds = int(lasts)
    except ValueError:
        raise TokenRefused("it has no time") from None
    if not 0 < seconds <= _LONGEST_S:
        raise TokenRefused(f"it would last {seconds} s")
    if now > since + timedelta(seconds=seconds):
        raise TokenRefused("it has expired")
    if now < since - _CLOCK_SKEW:
        raise TokenRefused("it is from the future")


def _signature(host: str, fields: Mapping[str, str], scope: str, secret: str) -> str:
    """What the signature of a GET with these fields must be."""
    pairs = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in fields.items()
    )
    request = "\n".join(
        (
            "GET",
            "/",
            "&".join(f"{name}={value}" for name, value in pairs),
            f"host:{host}\n",
            "host",
            hashlib.sha256(b"").hexdigest(),
        )
    )
    to_sign = "\n".join(
        (_ALGORITHM, fields["X-Amz-Date"], scope, hashlib.sha256(request.encode()).hexdigest())
    )
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = _mac(key, part)
    return _mac(key, to_sign).hex()


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
