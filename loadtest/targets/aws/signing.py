"""AWS Signature Version 4 for the few kinds of request that load is made of.

boto3 signs any request of any service from scratch. Requests of one kind differ in a body and a time,
so the rest of what is signed is put together once. The tests compare signatures with botocore's own.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from time import gmtime, strftime, time
from typing import Any
from urllib.parse import quote

from botocore.exceptions import CredentialRetrievalError
from botocore.utils import normalize_url_path


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """A kind of request, and all that is the same in every request of the kind.

    Make one and keep it: a signer keeps what it has put together for it.
    """

    name: str
    """What the service calls it."""
    path: str = "/"
    """Percent-encoded, below the endpoint's own; without a query."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """But for those that every request has. `Content-Type` and `X-Amz-…` are signed, as they must be;
    others are not, for what lies between may change them."""


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
        self._keys = _Keys(("", "", None), "", b"", "")
        self._now = -1, "", self._keys

    def head(self, operation: Operation, body: bytes) -> bytes:
        """The head of a request, with the empty line at its end.

        Raises one of `aws.ERRORS` where credentials must be renewed and cannot be.
        """
        second = int(time())
        now = self._now
        if second != now[0]:
            # Once a second, for botocore takes longer to look at temporary credentials than all the
            # rest here does.
            stamp = strftime("%Y%m%dT%H%M%SZ", gmtime(second))
            now = self._now = second, stamp, self._keys_of(stamp[:8])
        return self._signed(now[1], now[2], operation, body)

    def head_at(self, stamp: str, operation: Operation, body: bytes) -> bytes:
        """The same for a moment given as `20260131T235959Z`."""
        return self._signed(stamp, self._keys_of(stamp[:8]), operation, body)

    def _signed(self, stamp: str, keys: "_Keys", operation: Operation, body: bytes) -> bytes:
        form = keys.forms.get(operation)
        if form is None:
            form = keys.forms[operation] = self._form(operation, keys)
        canonical = f"{form.before_date}{stamp}{form.after_date}{sha256(body).hexdigest()}"
        to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{keys.scope}\n{sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(keys.signing_key, to_sign.encode(), "sha256").hex()
        return (
            f"{form.lead}Content-Length: {len(body)}\r\nX-Amz-Date: {stamp}\r\n"
            f"{form.authorization}{signature}\r\n\r\n"
        ).encode()

    def _keys_of(self, day: str) -> "_Keys":
        try:
            # Renewed in there when they are about to expire.
            frozen = self._credentials.get_frozen_credentials()[:3]
        except RuntimeError as error:
            # botocore's way to say that what it renewed them with has expired as well.
            raise CredentialRetrievalError(provider="AWS", error_msg=str(error)) from None
        keys = self._keys
        if keys.credentials != frozen or keys.day != day:
            scope = f"{day}/{self._region}/{self._service}/aws4_request"
            keys = self._keys = _Keys(frozen, day, _signing_key(frozen[1], scope), scope)
        return keys

    def _form(self, operation: Operation, keys: "_Keys") -> "_Form":
        access_key, _, token = keys.credentials
        path = self._base + operation.path
        sent = {"Host": self._host, **operation.headers}
        if token:
            sent["X-Amz-Security-Token"] = token
        sent = {name: _plain(value) for name, value in sent.items()}
        signed = {name.lower(): value for name, value in sent.items() if _is_signed(name.lower())}
        names = sorted([*signed, "x-amz-date"])
        before, after = (
            "".join([f"{name}:{signed[name]}\n" for name in part])
            for part in _around(names, "x-amz-date")
        )
        # The service encodes again what is encoded already.
        canonical_path = quote(normalize_url_path(path), safe="/")
        listed = ";".join(names)
        lines = "".join([f"{name}: {value}\r\n" for name, value in sent.items()])
        return _Form(
            before_date=f"POST\n{canonical_path}\n\n{before}x-amz-date:",
            after_date=f"\n{after}\n{listed}\n",
            lead=f"POST {path} HTTP/1.1\r\n{lines}",
            authorization=(
                f"Authorization: AWS4-HMAC-SHA256 Credential={_plain(access_key)}/{keys.scope}, "
                f"SignedHeaders={listed}, Signature="
            ),
        )


@dataclass(frozen=True, slots=True)
class _Form:
    """A request with its credentials, but for its body, its time and its signature."""

    before_date: str
    after_date: str
    lead: str
    authorization: str


@dataclass(frozen=True, slots=True, eq=False)
class _Keys:
    """What holds for a day and for these credentials (access key, secret key, session token)."""

    credentials: tuple[str, str, str | None]
    day: str
    signing_key: bytes
    scope: str
    forms: dict[Operation, _Form] = field(default_factory=dict)


def _plain(value: str) -> str:
    """A value as it is signed, and so as it is sent: on one line, with single spaces."""
    return " ".join(value.split())


def _is_signed(name: str) -> bool:
    return name in ("host", "content-type") or name.startswith("x-amz-")


def _around(names: list[str], middle: str) -> tuple[list[str], list[str]]:
    at = names.index(middle)
    return names[:at], names[at + 1 :]


def _signing_key(secret_key: str, scope: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
