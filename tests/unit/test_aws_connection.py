"""The kept connection, against servers that are small enough to be seen through."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import gevent
import pytest
from botocore.credentials import Credentials
from gevent import socket as cooperative

from loadtest.targets.aws.connection import AnswerLost, HttpConnection, HttpResponse, NotSent
from loadtest.targets.aws.endpoint import HttpEndpoint
from loadtest.targets.aws.signing import RequestKind, Signer
from tests.rigs.certificates import Authority

BODY = b'{"a":1}'
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n" + BODY
SCAN = RequestKind("Scan", "/scan", {"Content-Type": "text/plain"})
SIGNER = Signer(Credentials("KEY", "secret"), service="s", region="us-east-1", host="x")

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
            with connection, suppress(ConnectionError):
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


def connection_to(
    port: int, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", timeout_s: float = 20
) -> HttpConnection:
    return HttpConnection(HttpEndpoint(host, port, tls, SIGNER, timeout_s))


def ask(opened: HttpConnection) -> tuple[int, bytes]:
    status, _, body = opened.post(SCAN, b"body")
    return status, body


def take(connection: socket.socket) -> bool:
    """Read one request; False at the end of the connection."""
    data = b""
    while not data.endswith(b"\r\n\r\nbody"):
        piece = connection.recv(1_000)
        if not piece:
            return False
        data += piece
    assert data.startswith(b"POST /scan HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n")
    assert data.count(b"POST") == 1
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
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n7\r\n"
        + BODY
        + b"\r\n0\r\nTrailer: x\r\nAnother: y\r\n\r\n",
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
        opened = connection_to(port)
        for _ in range(3):
            assert ask(opened) == (200, BODY)
        opened.close()
    assert accepted == [0]


@pytest.mark.parametrize("where", [0, 10, 30, 45, 50])
def test_a_connection_that_ends_within_the_answer_is_lost(where: int) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n" + BODY

    def serve(connection: socket.socket, number: int) -> None:
        assert take(connection)
        connection.sendall(answer[:where])

    with (
        server(serve) as port,
        pytest.raises(AnswerLost, match="closed before the answer was complete"),
    ):
        ask(connection_to(port))


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-7\r\nab\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"x" * 400_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 400_000,
    ],
)
def test_what_is_no_answer_is_lost(answer: bytes) -> None:
    with server(answering(answer)) as port, pytest.raises(AnswerLost):
        ask(connection_to(port))


def test_a_connection_closed_while_idle_is_replaced_before_anything_is_sent() -> None:
    closed = threading.Event()

    def serve(connection: socket.socket, number: int) -> None:
        assert take(connection)
        connection.sendall(PLAIN)
        connection.close()
        closed.set()

    with server(serve) as port:
        opened = connection_to(port)
        for _ in range(3):
            assert ask(opened) == (200, BODY)
            assert closed.wait(60)
            closed.clear()


def test_a_request_is_sent_once() -> None:
    """The connection breaks after the request was read: it is never sent again by itself."""
    taken: list[int] = []

    def serve(connection: socket.socket, number: int) -> None:
        if take(connection):
            taken.append(number)

    with server(serve) as port:
        opened = connection_to(port)
        with pytest.raises(AnswerLost):
            ask(opened)
    assert taken == [0]


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 500 No\r\nConnection: Keep-Alive, Close", b"HTTP/1.0 500 No\r\nServer: x"]
)
def test_a_connection_that_is_to_be_closed_is(head: bytes) -> None:
    """From this side, too: the other one may take its time, and reads nothing more meanwhile."""
    accepted: list[int] = []

    def serve(connection: socket.socket, number: int) -> None:
        accepted.append(number)
        assert take(connection)
        connection.sendall(head + b"\r\nContent-Length: 7\r\n\r\n" + BODY)
        assert not take(connection)

    with server(serve) as port:
        opened = connection_to(port)
        for _ in range(2):
            assert ask(opened) == (500, BODY)
    assert accepted == [0, 1]


def test_headers_and_an_answer_without_a_body() -> None:
    """Names in lower case, values as they are; and the connection is kept."""
    accepted: list[int] = []
    head = b"HTTP/1.1 204 No Content\r\nX-Amz-Executed-Version: $LATEST\r\nX-Other:a: B \r\n\r\n"

    def serve(connection: socket.socket, number: int) -> None:
        accepted.append(number)
        answering(head)(connection, number)

    headers = {"x-amz-executed-version": "$LATEST", "x-other": "a: B"}
    with server(serve) as port:
        opened = connection_to(port)
        for _ in range(3):
            assert opened.post(SCAN, b"body") == HttpResponse(204, headers, b"")
        opened.close()
    assert accepted == [0]


@pytest.mark.parametrize(
    "answer",
    [
        PLAIN,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n" + BODY + b"\r\n0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_what_comes_unasked_answers_nothing(answer: bytes, together: bool) -> None:
    """A second answer is never taken for that to the next request."""
    wrong = b"HTTP/1.1 500 No\r\nContent-Length: 5\r\n\r\nwrong"
    sent = threading.Event()

    def serve(connection: socket.socket, number: int) -> None:
        while take(connection):
            if together:
                connection.sendall(answer + wrong)
            else:
                connection.sendall(answer)
                connection.sendall(wrong)
            sent.set()

    with server(serve) as port:
        opened = connection_to(port)
        for _ in range(3):
            assert ask(opened) in ((200, BODY), (204, b""))
            assert sent.wait(60)
            sent.clear()
        opened.close()


def test_one_who_stops_waiting_leaves_no_answer_to_the_next() -> None:
    """A user is stopped while it waits; its connection is closed, and the answer with it."""
    ended = threading.Event()
    waiting = threading.Event()

    def serve(connection: socket.socket, number: int) -> None:
        assert take(connection)
        if number == 0:
            waiting.set()
            assert not take(connection), "it is closed from the other side"
            ended.set()
        else:
            connection.sendall(PLAIN)

    with server(serve) as port, pytest.MonkeyPatch.context() as patched:
        # What the patch of gevent does to the whole of a process that runs load.
        patched.setattr("loadtest.targets.aws.connection.socket", cooperative)
        opened = connection_to(port)
        user = gevent.spawn(ask, opened)
        while not waiting.is_set():
            gevent.sleep(0.01)
        user.kill(block=True)
        assert isinstance(user.value, gevent.GreenletExit)
        assert ended.wait(60)
        assert ask(opened) == (200, BODY)
        opened.close()


def test_a_body_that_is_large() -> None:
    body = bytes(range(256)) * 4_096
    length = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(body)
    for answer in (length + body, chunked + body + b"\r\n0\r\n\r\n"):
        with server(answering(answer)) as port:
            opened = connection_to(port)
            for _ in range(2):
                assert ask(opened) == (200, body)
            opened.close()


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(NotSent, match="Connection refused"):
        ask(connection_to(port))


def test_no_answer_in_time() -> None:
    gone = threading.Event()

    def serve(connection: socket.socket, number: int) -> None:
        take(connection)
        gone.wait(60)

    with server(serve) as port:
        with pytest.raises(AnswerLost, match="no answer in time"):
            ask(connection_to(port, timeout_s=0.05))
        gone.set()


def test_tls_and_whom_it_trusts(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    issued = authority.issue("localhost")
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(issued.certificate, issued.key)
    trusting = ssl.create_default_context(cafile=str(authority.root))
    with server(answering(PLAIN), shown) as port:
        opened = connection_to(port, trusting, "localhost")
        for _ in range(3):
            assert ask(opened) == (200, BODY)
        opened.close()
        with pytest.raises(NotSent, match="certificate verify failed: IP address mismatch"):
            connection_to(port, trusting, "127.0.0.1").connect()
        with pytest.raises(NotSent, match="certificate verify failed"):
            connection_to(port, ssl.create_default_context(), "localhost").connect()
