"""AWS Signature Version 4 for the few kinds of request that load is made of.

boto3 signs any request of any service from scratch. Requests of one kind differ in a body and a time,
so the rest of what is signed is put together once. The tests compare signatures with botocore's own.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from hashlib import sha256
from time import gmtime, strftime, time
from typing import Any
from urllib.parse import quote

from botocore.exceptions import CredentialRetrievalError
from botocore.utils import normalize_url_path


@dataclass(frozen=True, slots=True, eq=False)
class RequestKind:
    """A kind of request, and all that is the same in every request of the kind.

    Make one and keep it: a signer keeps what it has put together for it.
    """

    name: str
    """What the service calls it."""
    path: str = "/"
    """Percent-encoded, below the endpoint's own; without a query."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Without those that every request has. `Content-Type` and `X-Amz-…` are signed, as they must be;
    others are not, for what lies between may change them."""


@dataclass(frozen=True, slots=True)
class _Template:
    """A request with its credentials, without its body, its time and its signature."""

    before_date: str
    after_date: str
    head: str
    authorization: str


@dataclass(frozen=True, slots=True, eq=False)
class _Keys:
    """What holds for a day and for these credentials (access key, secret key, session token)."""

    credentials: tuple[str, str, str | None]
    day: str
    scope: str
    signing_key: bytes
    templates: dict[RequestKind, _Template] = field(default_factory=dict)


class Signer:
    """Makes the heads of requests to one endpoint: every header, the signature among them.

    All users of a process share one. What changes while it works is replaced as a whole, so that
    threads may share it too.
    """

    def __init__(
        self, credentials: Any, *, service: str, region: str, host: str, base: str = ""
    ) -> None:
        """Take botocore's `credentials`, and `host` as the Host header says it.

        `base` is what all paths begin with, without a slash at its end.
        """
        self._credentials = credentials
        self._service, self._region = service, region
        self._host, self._base = host, base
        self._keys = _Keys(("", "", None), "", "", b"")
        self._now = -1, "", self._keys

    def head(self, kind: RequestKind, body: bytes) -> bytes:
        """The head of a request, with the empty line at its end.

        Raises one of `errors.ERRORS` where credentials must be renewed and cannot be.
        """
        second = int(time())
        now = self._now
        if second != now[0]:
            # Once a second, for botocore takes longer to look at temporary credentials than all the
            # rest here does.
            stamp = strftime("%Y%m%dT%H%M%SZ", gmtime(second))
            now = self._now = second, stamp, self._keys_of(stamp[:8])
        return self._signed(now[1], now[2], kind, body)

    def head_at(self, stamp: str, kind: RequestKind, body: bytes) -> bytes:
        """The same for a moment given as `20260131T235959Z`."""
        return self._signed(stamp, self._keys_of(stamp[:8]), kind, body)

    def _signed(self, stamp: str, keys: _Keys, kind: RequestKind, body: bytes) -> bytes:
        template = keys.templates.get(kind)
        if template is None:
            template = keys.templates[kind] = self._template(kind, keys)
        canonical = f"{template.before_date}{stamp}{template.after_date}{sha256(body).hexdigest()}"
        to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{keys.scope}\n{sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(keys.signing_key, to_sign.encode(), "sha256").hex()
        return (
            f"{template.head}Content-Length: {len(body)}\r\nX-Amz-Date: {stamp}\r\n"
            f"{template.authorization}{signature}\r\n\r\n"
        ).encode()

    def _keys_of(self, day: str) -> _Keys:
        try:
            # Renewed in there when they are about to expire.
            credentials = self._credentials.get_frozen_credentials()[:3]
        except RuntimeError as error:
            # botocore's way to say that what it renewed them with has expired as well.
            raise CredentialRetrievalError(provider="AWS", error_msg=str(error)) from None
        keys = self._keys
        if keys.credentials != credentials or keys.day != day:
            parts = (day, self._region, self._service, "aws4_request")
            signing_key = reduce(
                lambda key, part: hmac.digest(key, part.encode(), "sha256"),
                parts,
                f"AWS4{credentials[1]}".encode(),
            )
            keys = self._keys = _Keys(credentials, day, "/".join(parts), signing_key)
        return keys

    def _template(self, kind: RequestKind, keys: _Keys) -> _Template:
        access_key, _, token = keys.credentials
        path = self._base + kind.path
        headers = {"Host": self._host, **kind.headers}
        if token:
            headers["X-Amz-Security-Token"] = token
        headers = {name: _spaced(value) for name, value in headers.items()}
        signed = {name.lower(): value for name, value in headers.items() if _is_signed(name.lower())}
        names = sorted([*signed, "x-amz-date"])
        listed = ";".join(names)
        lines = "".join([f"{name}:{signed.get(name, _DATE)}\n" for name in names])
        before_date, after_date = lines.split(_DATE)
        # The service encodes again what is encoded already.
        canonical_path = quote(normalize_url_path(path), safe="/")
        sent = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        return _Template(
            before_date=f"POST\n{canonical_path}\n\n{before_date}",
            after_date=f"{after_date}\n{listed}\n",
            head=f"POST {path} HTTP/1.1\r\n{sent}",
            authorization=(
                f"Authorization: AWS4-HMAC-SHA256 Credential={_spaced(access_key)}/{keys.scope}, "
                f"SignedHeaders={listed}, Signature="
            ),
        )


# Stands where the date will be: no header has one, see `_spaced`.
_DATE = "\r"


def _spaced(value: str) -> str:
    """A value as it is signed, and so as it is sent: on one line, with single spaces."""
    return " ".join(value.split())


def _is_signed(name: str) -> bool:
    return name in ("host", "content-type") or name.startswith("x-amz-")
