"""Signed requests to an AWS service over connections that are kept, one for each user.

boto3's own way of calling costs more than twice as much (0.9 ms of computing a call, in which no
other user of the process moves, against 0.4 ms here), and does not say whether a request had left
when it failed. Credentials, endpoint and signature are botocore's all the same.
"""

import http.client
import os
import select
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import NoCredentialsError, ProxyConnectionError
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

from loadtest.errors import InputError
from loadtest.targets import aws

_CONNECT_TIMEOUT_S = 10.0
# After this long without use the other side may have closed a connection.
_IDLE_S = 1.0


class NotSent(Exception):  # noqa: N818 - what happened, not a bug
    """There was no connection to be had: nothing of the request has left."""


class Lost(Exception):  # noqa: N818
    """The request had left, at least in part, and no answer to it came."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; the names of the headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Endpoint:
    """One service in one Region, and who asks there: what all connections to it share."""

    def __init__(
        self,
        service: str,
        region: str,
        *,
        profile: str | None,
        endpoint_url: str | None,
        sslrootcert: str | None,
        timeout_s: float,
    ) -> None:
        """Find the endpoint and the credentials as boto3 does; nothing is contacted but for those.

        Raises InputError, or one of `aws.ERRORS`. `timeout_s` is how long an answer is waited for.
        """
        url: str = aws.client(service, region, profile, endpoint_url).meta.endpoint_url
        self.timeout_s = timeout_s
        self._service, self._region = service, region
        session = boto3.Session(profile_name=profile)
        credentials = session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        self._credentials: Any = credentials
        parts = urlsplit(url)
        if get_environ_proxies(url).get(parts.scheme):
            raise ProxyConnectionError(
                proxy_url=f"load does not go through a proxy; add {parts.hostname} to NO_PROXY"
            )
        # Whatever else stands before the host or behind it, it is not part of the Host header.
        self.address = parts.netloc.rpartition("@")[2]
        self._origin = f"{parts.scheme}://{self.address}"
        self._base = parts.path.rstrip("/")
        self.tls: ssl.SSLContext | None = None
        if parts.scheme == "https":
            trusted = sslrootcert or os.environ.get("AWS_CA_BUNDLE")
            try:
                self.tls = ssl.create_default_context(cafile=trusted or get_cert_path(True))
            except OSError as error:
                raise InputError(
                    f"--sslrootcert: no certificates can be read from {trusted}: "
                    f"{error.strerror or 'it holds none'}"
                ) from None

    def path(self, path: str) -> str:
        """Where a path of the service is at this endpoint."""
        return self._base + path

    def signed(self, path: str, body: bytes, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers of a POST, the signature among them; raises one of `aws.ERRORS`."""
        request = AWSRequest("POST", f"{self._origin}{path}", headers=dict(headers), data=body)
        # Renewed in there when they are about to expire.
        frozen = self._credentials.get_frozen_credentials()
        SigV4Auth(frozen, self._service, self._region).add_auth(request)
        return dict(request.headers.items())


class Connection:
    """One user's connection, opened again whenever the other side has closed it between requests."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Open it; raises NotSent."""
        self._endpoint = endpoint
        made: http.client.HTTPConnection
        if endpoint.tls is None:
            made = http.client.HTTPConnection(endpoint.address, timeout=_CONNECT_TIMEOUT_S)
        else:
            made = http.client.HTTPSConnection(
                endpoint.address, timeout=_CONNECT_TIMEOUT_S, context=endpoint.tls
            )
        self._connection = made
        self._used = 0.0
        self._open()

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send one request and wait for its answer; never sends it twice.

        Raises NotSent or Lost, and one of `aws.ERRORS` where it cannot be signed.
        """
        path = self._endpoint.path(path)
        signed = self._endpoint.signed(path, body, headers)
        if self._connection.sock is not None and self._was_closed():
            self._connection.close()
        if self._connection.sock is None:
            self._open()
        try:
            self._connection.request("POST", path, body, signed)
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise Lost(_reason(error)) from None
        except BaseException:
            # Stopped while it waited: what comes later must not answer another request.
            self._connection.close()
            raise
        self._used = monotonic()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, found, content)

    def close(self) -> None:
        """Close it; never raises."""
        self._connection.close()

    def _open(self) -> None:
        connection = self._connection
        try:
            connection.connect()
            connection.sock.settimeout(self._endpoint.timeout_s)
        except OSError as error:
            connection.close()
            raise NotSent(_reason(error)) from None
        self._used = monotonic()

    def _was_closed(self) -> bool:
        """Whether something came on a connection that waits for nothing: its end, as a rule."""
        if monotonic() - self._used < _IDLE_S:
            return False
        poll = select.poll()
        poll.register(self._connection.sock, select.POLLIN)
        return bool(poll.poll(0))


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"certificate verify failed: {error.verify_message} "
            "(--sslrootcert names the authorities to trust)"
        )
    if isinstance(error, http.client.RemoteDisconnected):
        return "the connection was closed without an answer"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
