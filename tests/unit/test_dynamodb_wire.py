"""The connection to DynamoDB's endpoint, against servers that are small enough to be seen through."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from loadtest.targets.dynamodb.wire import Endpoint, Lost, NotSent, Wire
from tests.rigs.certificates import Authority

BODY = b'{"a":1}'
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n" + BODY
REQUEST = b"POST / HTTP/1.1\r\n\r\nbody"


class Heads:
    """Makes heads that are always the same."""

    def head(self, operation: str, body: bytes) -> bytes:
        return b"POST / HTTP/1.1\r\n\r\n"


Serve = Callable[[socket.socket, int], None]
"""What is done with a connection: the socket, and how many there were before."""


@contextmanager
def server(serve: Serve, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        number = 0
        while True:
            try:
                connection, _ = listener.accept()
                if tls is not None:
                    connection = tls.wrap_socket(connection, server_side=True)
            except ssl.SSLError:
                continue
            except OSError:
                return
            with connection:
                serve(connection, number)
            number += 1

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def wire(port: int, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Wire:
    return Wire(Endpoint(host, port, tls, Heads()))


def take(connection: socket.socket) -> bool:
    """Read one request; False at the end of the connection."""
    data = b""
    while len(data) < len(REQUEST):
        piece = connection.recv(100)
        if not piece:
            return False
        data += piece
    assert data == REQUEST
    return True


def answering(*pieces: bytes) -> Serve:
    def serve(connection: socket.socket, number: int) -> None:
        while take(connection):
            for piece in pieces:
                connection.sendall(piece)

    return serve


@pytest.mark.parametrize(
    "answer",
    [
        PLAIN,
        b"HTTP/1.1 200 OK\r\ncontent-length:7\r\nServer: x\r\n\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\n"
        + BODY[:3]
        + b"\r\n4\r\n"
        + BODY[3:]
        + b"\r\n0\r\n\r\n",
    ],
)
@pytest.mark.parametrize("size", [1, 5, 1_000])
def test_an_answer_in_whatever_pieces_it_comes(answer: bytes, size: int) -> None:
    pieces = [answer[at : at + size] for at in range(0, len(answer), size)]
    accepted: list[int] = []
    inner = answering(*pieces)

    def serve(connection: socket.socket, number: int) -> None:
        accepted.append(number)
        inner(connection, number)

    with server(serve) as port:
        opened = wire(port)
        for _ in range(3):
            assert opened.request("Scan", b"body") == (200, BODY)
        opened.close()
    assert accepted == [0]


@pytest.mark.parametrize("where", [0, 10, 30, 45, 50])
def test_a_connection_that_ends_within_the_answer_is_lost(where: int) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n" + BODY

    def serve(connection: socket.socket, number: int) -> None:
        assert take(connection)
        connection.sendall(answer[:where])

    with server(serve) as port, pytest.raises(Lost, match="closed before the answer was complete"):
        wire(port).request("Scan", b"body")


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ],
)
def test_what_is_no_answer_is_lost(answer: bytes) -> None:
    with server(answering(answer)) as port, pytest.raises(Lost):
        wire(port).request("Scan", b"body")


def test_a_connection_closed_while_idle_is_replaced_before_anything_is_sent() -> None:
    closed = threading.Event()

    def serve(connection: socket.socket, number: int) -> None:
        assert take(connection)
        connection.sendall(PLAIN)
        connection.close()
        closed.set()

    with server(serve) as port:
        opened = wire(port)
        for _ in range(3):
            assert opened.request("Scan", b"body") == (200, BODY)
            assert closed.wait(5)
            closed.clear()


def test_a_request_is_sent_once() -> None:
    """The connection breaks after the request was read: it is never sent again by itself."""
    taken: list[int] = []

    def serve(connection: socket.socket, number: int) -> None:
        if take(connection):
            taken.append(number)

    with server(serve) as port:
        opened = wire(port)
        with pytest.raises(Lost):
            opened.request("Scan", b"body")
    assert taken == [0]


def test_a_connection_that_is_to_be_closed_is() -> None:
    accepted: list[int] = []
    answer = b"HTTP/1.1 500 No\r\nConnection: Close\r\nContent-Length: 7\r\n\r\n" + BODY

    def serve(connection: socket.socket, number: int) -> None:
        accepted.append(number)
        assert take(connection)
        connection.sendall(answer)

    with server(serve) as port:
        opened = wire(port)
        for _ in range(2):
            assert opened.request("Scan", b"body") == (500, BODY)
    assert accepted == [0, 1]


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(NotSent, match="Connection refused"):
        wire(port).request("Scan", b"body")


def test_no_answer_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadtest.targets.dynamodb.wire.ANSWER_TIMEOUT_S", 0.05)
    gone = threading.Event()

    def serve(connection: socket.socket, number: int) -> None:
        take(connection)
        gone.wait(5)

    with server(serve) as port:
        with pytest.raises(Lost, match="no answer in time"):
            wire(port).request("Scan", b"body")
        gone.set()


def test_tls_and_whom_it_trusts(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    issued = authority.issue("localhost")
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(issued.certificate, issued.key)
    trusting = ssl.create_default_context(cafile=str(authority.root))
    with server(answering(PLAIN), shown) as port:
        opened = wire(port, trusting, "localhost")
        for _ in range(3):
            assert opened.request("Scan", b"body") == (200, BODY)
        opened.close()
        with pytest.raises(NotSent, match="certificate verify failed: IP address mismatch"):
            wire(port, trusting, "127.0.0.1").connect()
        with pytest.raises(NotSent, match="certificate verify failed"):
            wire(port, ssl.create_default_context(), "localhost").connect()
