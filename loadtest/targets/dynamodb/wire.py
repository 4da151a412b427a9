"""One kept connection to DynamoDB's HTTP endpoint, for one user or one loading thread.

boto3 spends many times as long on a call as this does, in all of which no other user of the process
moves (`python -m tests.bench.dynamodb` measures both). Nothing here asks twice: a request that was
sent and not answered may have been done.
"""

import socket
import ssl
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

CONNECT_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 30.0
_PIECE = 1 << 18


class NotSent(Exception):  # noqa: N818 - what happened, not a bug
    """There was no connection to be had: nothing of the request has left."""


class Lost(Exception):  # noqa: N818
    """The request was sent, in whole or in part, and no answer to it came that can be read."""


class MakesHeads(Protocol):
    """What makes the head of a request: `signing.Signer`."""

    def head(self, operation: str, body: bytes) -> bytes:
        """The head of a request, up to the empty line."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where wires lead: an address, the authorities to trust, and who signs."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    signer: MakesHeads


def host_header(url: str) -> str:
    """The Host header for an endpoint's URL: with its port unless that is the scheme's own."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    usual = {"http": 80, "https": 443}[parts.scheme]
    return host if parts.port in (None, usual) else f"{host}:{parts.port}"


class Wire:
    """A connection that is opened when it is needed and kept."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._socket: socket.socket | None = None

    def connect(self) -> None:
        """Open the connection now; raises NotSent."""
        if self._socket is None:
            try:
                self._socket = self._open()
            except (OSError, ValueError) as error:
                raise NotSent(_why(error)) from None

    def _open(self) -> socket.socket:
        where = self._endpoint
        plain = socket.create_connection((where.host, where.port), CONNECT_TIMEOUT_S)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened = plain
            if where.tls is not None:
                opened = where.tls.wrap_socket(plain, server_hostname=where.host)
            opened.settimeout(ANSWER_TIMEOUT_S)
        except BaseException:
            plain.close()
            raise
        return opened

    def request(self, operation: str, body: bytes) -> tuple[int, bytes]:
        """Send a request; returns the answer's HTTP status and body.

        Raises NotSent, Lost, or one of botocore's errors where there are no credentials to sign with.
        """
        message = self._endpoint.signer.head(operation, body) + body
        if self._socket is not None and self._is_stale(self._socket):
            self.close()
        self.connect()
        opened = self._socket
        assert opened is not None  # noqa: S101 - it has just been opened
        keep = False
        try:
            opened.sendall(message)
            status, answer, keep = _read_answer(opened)
        except (OSError, ValueError) as error:
            raise Lost(_why(error)) from None
        finally:
            # Whatever comes on it later would be taken for the answer to another request.
            if not keep:
                self.close()
        return status, answer

    def _is_stale(self, opened: socket.socket) -> bool:
        """Whether the other side has closed a connection on which nothing was under way.

        Found out before sending: afterwards nobody could say whether the request was done.
        """
        try:
            opened.settimeout(0)
            opened.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            opened.settimeout(ANSWER_TIMEOUT_S)
            return False
        except OSError:
            return True
        return True

    def close(self) -> None:
        """Close it; never raises. The next request opens another one."""
        opened, self._socket = self._socket, None
        if opened is not None:
            opened.close()


def _read_answer(opened: socket.socket) -> tuple[int, bytes, bool]:
    """(status, body, whether the connection may be used again); raises ValueError, OSError."""
    data = bytearray()
    while (end := data.find(b"\r\n\r\n")) < 0:
        _receive(opened, data)
    lines = bytes(data[:end]).lower().split(b"\r\n")
    del data[: end + 4]
    if not lines[0].startswith(b"http/1."):
        raise ValueError("the answer is not HTTP/1.1")
    status = int(lines[0][9:12])
    headers = {name: value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
    if headers.get(b"transfer-encoding") == b"chunked":
        body = _read_chunks(opened, data)
    else:
        length = int(headers[b"content-length"]) if b"content-length" in headers else -1
        if length < 0:
            raise ValueError("the answer does not say how long it is")
        while len(data) < length:
            _receive(opened, data)
        body = bytes(data)
    keep = lines[0].startswith(b"http/1.1") and headers.get(b"connection") != b"close"
    return status, body, keep


def _read_chunks(opened: socket.socket, data: bytearray) -> bytes:
    body = bytearray()
    while True:
        while (end := data.find(b"\r\n")) < 0:
            _receive(opened, data)
        size = int(data[:end].partition(b";")[0], 16)
        del data[: end + 2]
        while len(data) < size + 2:
            _receive(opened, data)
        body += data[:size]
        del data[: size + 2]
        if not size:
            return bytes(body)


def _receive(opened: socket.socket, data: bytearray) -> None:
    piece = opened.recv(_PIECE)
    if not piece:
        raise ConnectionError("the connection was closed before the answer was complete")
    data += piece


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message.rstrip('.')}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
