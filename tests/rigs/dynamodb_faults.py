"""What DynamoDB answers on a bad day, before a DynamoDB Local that has none.

An HTTP server that passes requests on, but for those that a test wants to go otherwise: answered with
an error, taken in part, or done and then not answered.
"""

import http.client
import json
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.rigs.certificates import ServerCertificate

_NAMESPACE = "com.amazonaws.dynamodb.v20120810#"


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer this, and do nothing."""

    status: int
    code: str
    more: dict[str, Any] = field(default_factory=dict)

    def body(self) -> bytes:
        facts = {"__type": _NAMESPACE + self.code, "message": f"made up: {self.code}"}
        return json.dumps(facts | self.more).encode()


@dataclass(frozen=True, slots=True)
class Plain:
    """Answer as something that is not DynamoDB would."""

    status: int
    text: bytes


@dataclass(frozen=True, slots=True)
class Drop:
    """Close the connection without an answer, before or after the request was done."""

    after: bool


@dataclass(frozen=True, slots=True)
class Part:
    """Take only the first so many items of a batch."""

    items: int


@dataclass(frozen=True, slots=True)
class Page:
    """Give at most so many items of a scan, and where to go on: a table that is too large for one."""

    items: int


Fault = Answer | Plain | Drop | Part | Page
Choose = Callable[[str, int], Fault | None]
"""(operation, how many of them there were before) → what happens to this one."""


def canceled(*codes: str, item: dict[str, Any] | None = None) -> Answer:
    """A cancelled transaction with these reasons, `item` being in each failed condition's."""
    reasons: list[dict[str, Any]] = []
    for code in codes:
        reason: dict[str, Any] = {"Code": code}
        if code != "None":
            reason["Message"] = f"made up: {code}"
        if code == "ConditionalCheckFailed" and item is not None:
            reason["Item"] = item
        reasons.append(reason)
    return Answer(400, "TransactionCanceledException", {"CancellationReasons": reasons})


class Faults:
    """The server in front; `choose` may be replaced at any time."""

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self.upstream = (parts.hostname or "", parts.port or 80)
        self.choose: Choose = lambda operation, number: None
        self.seen: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.url = ""

    def next(self, operation: str) -> Fault | None:
        """What happens to the next request of this operation."""
        with self._lock:
            number = self.seen[operation]
            self.seen[operation] += 1
        # Outside of the lock: a test may want to keep one request waiting and let others pass.
        fault = self.choose(operation, number)
        if fault is not None:
            with self._lock:
                self.faults[operation] += 1
        return fault


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    faults: Faults

    def log_message(self, *_: Any) -> None:
        return

    def setup(self) -> None:
        super().setup()
        self.upstream = http.client.HTTPConnection(*self.faults.upstream)

    def finish(self) -> None:
        self.upstream.close()
        super().finish()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        match self.faults.next(operation):
            case Answer() as made_up:
                self._reply(made_up.status, made_up.body())
            case Plain(status, text):
                self._reply(status, text)
            case Drop(after):
                if after:
                    self._pass_on(body)
                self.close_connection = True
            case Part(items):
                self._take_part(body, items)
            case Page(items):
                self._reply(*self._pass_on(json.dumps(json.loads(body) | {"Limit": items}).encode()))
            case _:
                self._reply(*self._pass_on(body))

    def _take_part(self, body: bytes, items: int) -> None:
        request = json.loads(body)
        [(table, writes)] = request["RequestItems"].items()
        request["RequestItems"] = {table: writes[:items]}
        if items:
            status, answered = self._pass_on(json.dumps(request).encode())
            assert status == 200, answered
        left = {table: writes[items:]} if writes[items:] else {}
        self._reply(200, json.dumps({"UnprocessedItems": left}).encode())

    def _pass_on(self, body: bytes) -> tuple[int, bytes]:
        headers = {n: v for n, v in self.headers.items() if n.lower() != "content-length"}
        self.upstream.request("POST", "/", body, headers)
        answer = self.upstream.getresponse()
        return answer.status, answer.read()

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


@contextmanager
def faults_before(upstream: str, shown: ServerCertificate | None = None) -> Iterator[Faults]:
    """A server in front of the one at this URL, with TLS where it has a certificate to show."""
    faults = Faults(upstream)
    handler = type("Handler", (_Handler,), {"faults": faults})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        faults.url = f"http://127.0.0.1:{server.server_port}"
        if shown is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(shown.certificate, shown.key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
            faults.url = f"https://localhost:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield faults
        finally:
            server.shutdown()
            thread.join()
