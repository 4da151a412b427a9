"""One kept HTTP connection to a service, for one user or one loading thread.

Nothing here asks twice: a request that was sent and not answered may have been done.
"""

import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from loadtest.targets.aws.endpoint import HttpEndpoint
from loadtest.targets.aws.signing import RequestKind
from loadtest.targets.base.target import StatementFailed

CONNECT_TIMEOUT_S = 10.0
_PIECE = 1 << 16
_LONGEST_HEAD = 1 << 17
_WITHOUT_BODY = frozenset({204, 304})
_NOT_HTTP = "the answer is not HTTP/1.1"
_WRONG_CHUNKS = "the answer's chunks are not as long as they say"


class NotSent(StatementFailed):
    """There was no connection to be had: nothing of the request has left."""

    __slots__ = ()

    def __init__(self, why: str) -> None:
        super().__init__("08001", why, commit_sent=False, connected=False)


class AnswerLost(StatementFailed):
    """The request was sent, in whole or in part, and no answer to it came that can be read."""

    __slots__ = ()

    def __init__(self, why: str) -> None:
        super().__init__("08006", why, commit_sent=True, connected=False)


class HttpResponse(NamedTuple):
    """What came back; the names of the headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpConnection:
    """A connection that is opened when it is needed and kept."""

    def __init__(self, endpoint: HttpEndpoint) -> None:
        self._endpoint = endpoint
        self._head = endpoint.signer.head
        self._socket: socket.socket | None = None

    def connect(self) -> None:
        """Open the connection now, if it is not open; raises NotSent."""
        if self._socket is None:
            self._socket = self._open()

    def post(self, kind: RequestKind, body: bytes) -> HttpResponse:
        """Send a request and wait for its answer; never sends it twice.

        Raises NotSent or AnswerLost, and one of `errors.ERRORS` where there are no credentials to sign
        with.
        """
        message = self._head(kind, body) + body
        opened = self._socket
        if opened is not None and self._is_stale(opened):
            self.close()
            opened = None
        if opened is None:
            opened = self._socket = self._open()
        keep = False
        try:
            opened.sendall(message)
            response, keep = _read_response(opened)
        except (OSError, ValueError) as error:
            raise AnswerLost(_why(error)) from None
        finally:
            # What comes on it later would be taken for the answer to another request. The same holds
            # for a user who is stopped while it waits.
            if not keep:
                self.close()
        return response

    def close(self) -> None:
        """Close it; never raises. The next request opens another one."""
        opened, self._socket = self._socket, None
        if opened is not None:
            with suppress(OSError):
                opened.close()

    def _open(self) -> socket.socket:
        endpoint = self._endpoint
        try:
            plain = socket.create_connection((endpoint.host, endpoint.port), CONNECT_TIMEOUT_S)
            try:
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                opened = plain
                if endpoint.tls is not None:
                    opened = endpoint.tls.wrap_socket(plain, server_hostname=endpoint.host)
                opened.settimeout(endpoint.timeout_s)
            except BaseException:
                plain.close()
                raise
        except (OSError, ValueError) as error:
            raise NotSent(_why(error)) from None
        return opened

    def _is_stale(self, opened: socket.socket) -> bool:
        """Whether the other side has closed a connection on which nothing was under way.

        Seen before sending: afterwards it is unknown whether the request was done.
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


class _Incoming:
    """What has come on a connection and is not read yet; its methods wait for what is missing."""

    __slots__ = ("_receive", "data")

    def __init__(self, opened: socket.socket) -> None:
        self._receive = opened.recv
        self.data = b""

    def _more(self) -> bytes:
        piece = self._receive(_PIECE)
        if not piece:
            raise ConnectionError("the connection was closed before the answer was complete")
        return piece

    def until(self, mark: bytes, wrong: str) -> bytes:
        """What comes before this mark; raises ValueError with `wrong` where it is too long."""
        while (end := self.data.find(mark)) < 0:
            if len(self.data) > _LONGEST_HEAD:
                raise ValueError(wrong)
            self.data += self._more()
        before, self.data = self.data[:end], self.data[end + len(mark) :]
        return before

    def take(self, size: int) -> bytes:
        """So many bytes."""
        if len(self.data) < size:
            data = bytearray(self.data)
            while len(data) < size:
                data += self._more()
            self.data = bytes(data)
        taken, self.data = self.data[:size], self.data[size:]
        return taken


def _read_response(opened: socket.socket) -> tuple[HttpResponse, bool]:
    """(the response, whether the connection may be used again); raises ValueError, OSError."""
    incoming = _Incoming(opened)
    first, *lines = incoming.until(b"\r\n\r\n", _NOT_HTTP).decode("latin-1").split("\r\n")
    if not first.startswith("HTTP/1."):
        raise ValueError(_NOT_HTTP)
    status = int(first[9:12])
    headers = {
        name.lower(): value.strip() for name, _, value in [line.partition(":") for line in lines]
    }
    if status in _WITHOUT_BODY:
        body = b""
    elif "transfer-encoding" in headers:
        body = _read_chunks(incoming, headers["transfer-encoding"])
    else:
        length = headers.get("content-length", "")
        if not length.isdecimal():
            raise ValueError("the answer does not say how long it is")
        body = incoming.take(int(length))
    # What came without having been asked for may be the beginning of anything.
    ends = "close" in headers.get("connection", "").lower() or not first.startswith("HTTP/1.1")
    return HttpResponse(status, headers, body), not (ends or incoming.data)


def _read_chunks(incoming: _Incoming, coding: str) -> bytes:
    if coding.lower() != "chunked":
        raise ValueError(f"the answer is encoded as {coding}")
    body = bytearray()
    while size := int(incoming.until(b"\r\n", _WRONG_CHUNKS).partition(b";")[0], 16):
        chunk = incoming.take(size + 2) if size > 0 else b""
        if not chunk.endswith(b"\r\n"):
            raise ValueError(_WRONG_CHUNKS)
        body += chunk[:-2]
    # More headers may follow, and an empty line does.
    while incoming.until(b"\r\n", _WRONG_CHUNKS):
        pass
    return bytes(body)


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
