"""One kept connection to a service, for one user or one loading thread.

Nothing here asks twice: a request that was sent and not answered may have been done.
"""

import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from loadtest.targets.aws.endpoint import Endpoint
from loadtest.targets.aws.signing import Operation

CONNECT_TIMEOUT_S = 10.0
_PIECE = 1 << 16
_LONGEST_HEAD = 1 << 17
_WITHOUT_BODY = frozenset({204, 304})


class NotSent(Exception):  # noqa: N818 - what happened, not a bug
    """There was no connection to be had: nothing of the request has left."""


class Lost(Exception):  # noqa: N818
    """The request was sent, in whole or in part, and no answer to it came that can be read."""


class Answer(NamedTuple):
    """What came back; the names of the headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """A connection that is opened when it is needed and kept."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._head = endpoint.signer.head
        self._socket: socket.socket | None = None

    def connect(self) -> None:
        """Open the connection now, if it is not open; raises NotSent."""
        if self._socket is None:
            self._socket = self._open()

    def post(self, operation: Operation, body: bytes) -> Answer:
        """Send a request and wait for its answer; never sends it twice.

        Raises NotSent or Lost, and one of `aws.ERRORS` where there are no credentials to sign with.
        """
        message = self._head(operation, body) + body
        opened = self._socket
        if opened is not None and self._is_stale(opened):
            self.close()
            opened = None
        if opened is None:
            opened = self._socket = self._open()
        keep = False
        try:
            opened.sendall(message)
            answer, keep = _read_answer(opened)
        except (OSError, ValueError) as error:
            raise Lost(_why(error)) from None
        finally:
            # Whatever comes on it later would be taken for the answer to another request. So it is
            # with one that stops waiting because its user is stopped.
            if not keep:
                self.close()
        return answer

    def close(self) -> None:
        """Close it; never raises. The next request opens another one."""
        opened, self._socket = self._socket, None
        if opened is not None:
            with suppress(OSError):
                opened.close()

    def _open(self) -> socket.socket:
        where = self._endpoint
        try:
            plain = socket.create_connection((where.host, where.port), CONNECT_TIMEOUT_S)
            try:
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                opened = plain
                if where.tls is not None:
                    opened = where.tls.wrap_socket(plain, server_hostname=where.host)
                opened.settimeout(where.timeout_s)
            except BaseException:
                plain.close()
                raise
        except (OSError, ValueError) as error:
            raise NotSent(_why(error)) from None
        return opened

    def _is_stale(self, opened: socket.socket) -> bool:
        """Whether the other side has closed a connection on which nothing was under way.

        Found out before sending: afterwards nobody could say whether the request was done.
        """
        try:
            opened.settimeout(0)
            opened.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            opened.settimeout(self._endpoint.timeout_s)
            return False
        except OSError:
            return True
        return True


def _read_answer(opened: socket.socket) -> tuple[Answer, bool]:
    """(the answer, whether the connection may be used again); raises ValueError, OSError."""
    data = _receive(opened)
    while (end := data.find(b"\r\n\r\n")) < 0:
        if len(data) > _LONGEST_HEAD:
            raise ValueError("the answer is not HTTP/1.1")
        data += _receive(opened)
    first, *lines = data[:end].decode("latin-1").split("\r\n")
    if not first.startswith("HTTP/1."):
        raise ValueError("the answer is not HTTP/1.1")
    status = int(first[9:12])
    headers = {
        name.lower(): value.strip() for name, _, value in [line.partition(":") for line in lines]
    }
    rest = data[end + 4 :]
    if status in _WITHOUT_BODY:
        body, more = b"", len(rest) > 0
    elif "transfer-encoding" in headers:
        body, more = _read_chunks(opened, rest, headers["transfer-encoding"])
    else:
        body, more = _read_length(opened, rest, headers.get("content-length"))
    # What nobody has asked for may be the beginning of anything.
    ends = "close" in headers.get("connection", "").lower() or not first.startswith("HTTP/1.1")
    return Answer(status, headers, body), not (ends or more)


def _read_length(opened: socket.socket, rest: bytes, said: str | None) -> tuple[bytes, bool]:
    """(a body of so many bytes, whether more than that came)."""
    if said is None or not said.isdecimal():
        raise ValueError("the answer does not say how long it is")
    length = int(said)
    if len(rest) < length:
        data = bytearray(rest)
        while len(data) < length:
            data += _receive(opened)
        rest = bytes(data)
    return rest[:length], len(rest) > length


def _read_chunks(opened: socket.socket, rest: bytes, coding: str) -> tuple[bytes, bool]:
    """(a body that comes in chunks, whether more than that came)."""
    if coding.lower() != "chunked":
        raise ValueError(f"the answer is encoded as {coding}")
    data, body = bytearray(rest), bytearray()
    while size := int(_take_line(opened, data).partition(b";")[0], 16):
        while len(data) < size + 2:
            data += _receive(opened)
        if size < 0 or data[size : size + 2] != b"\r\n":
            raise ValueError("the answer's chunks are not as long as they say")
        body += data[:size]
        del data[: size + 2]
    # More headers may follow, and an empty line does.
    while _take_line(opened, data):
        pass
    return bytes(body), len(data) > 0


def _take_line(opened: socket.socket, data: bytearray) -> bytes:
    """The next line, which is taken out of what came so far."""
    while (end := data.find(b"\r\n")) < 0:
        if len(data) > _LONGEST_HEAD:
            raise ValueError("the answer's chunks are not as long as they say")
        data += _receive(opened)
    line = bytes(data[:end])
    del data[: end + 2]
    return line


def _receive(opened: socket.socket) -> bytes:
    piece = opened.recv(_PIECE)
    if not piece:
        raise ConnectionError("the connection was closed before the answer was complete")
    return piece


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"certificate verify failed: {error.verify_message.rstrip('.')} "
            "(--sslrootcert names the authorities to trust)"
        )
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
