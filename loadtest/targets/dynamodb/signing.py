"""AWS Signature Version 4 for the one kind of request that load is made of.

boto3 signs any request of any service; what is sent here differs in three headers and a body, so the
rest of what is signed is made once. The tests compare every signature with botocore's own.
"""

import hmac
from hashlib import sha256
from time import gmtime, strftime, time
from typing import Any

CONTENT_TYPE = "application/x-amz-json-1.0"
API = "DynamoDB_20120810"
_SERVICE = "dynamodb"


class Signer:
    """Makes the heads of requests to one endpoint: every header, the signature among them."""

    def __init__(self, credentials: Any, host: str, region: str) -> None:
        """Take botocore's `credentials`, and `host` as the Host header says it."""
        self._credentials = credentials
        self._host = host
        self._region = region
        self._second = -1
        self._stamp = ""
        self._key_of: tuple[str, str] | None = None
        self._key = b""

    def head(self, operation: str, body: bytes) -> bytes:
        """The head of a request, up to the empty line.

        Raises one of botocore's errors where credentials must be renewed and cannot be.
        """
        second = int(time())
        if second != self._second:
            self._second, self._stamp = second, strftime("%Y%m%dT%H%M%SZ", gmtime(second))
        return self.head_at(self._stamp, operation, body)

    def head_at(self, stamp: str, operation: str, body: bytes) -> bytes:
        """The same for a moment given as `20260131T235959Z`."""
        # Renewed in there when they are about to expire.
        access_key, secret_key, token = self._credentials.get_frozen_credentials()[:3]
        day = stamp[:8]
        signed = "content-type;host;x-amz-date;x-amz-target"
        token_canonical = token_line = ""
        if token:
            signed = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target"
            token_canonical = f"x-amz-security-token:{token}\n"
            token_line = f"X-Amz-Security-Token: {token}\r\n"
        canonical = (
            f"POST\n/\n\ncontent-type:{CONTENT_TYPE}\nhost:{self._host}\nx-amz-date:{stamp}\n"
            f"{token_canonical}x-amz-target:{API}.{operation}\n\n{signed}\n{sha256(body).hexdigest()}"
        )
        scope = f"{day}/{self._region}/{_SERVICE}/aws4_request"
        to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
        if self._key_of != (secret_key, day):
            self._key = _signing_key(secret_key, day, self._region)
            self._key_of = secret_key, day
        signature = hmac.digest(self._key, to_sign.encode(), "sha256").hex()
        return (
            f"POST / HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: {CONTENT_TYPE}\r\n"
            f"Content-Length: {len(body)}\r\nX-Amz-Date: {stamp}\r\n{token_line}"
            f"X-Amz-Target: {API}.{operation}\r\nAuthorization: AWS4-HMAC-SHA256 "
            f"Credential={access_key}/{scope}, SignedHeaders={signed}, Signature={signature}\r\n\r\n"
        ).encode()


def _signing_key(secret_key: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, _SERVICE, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
