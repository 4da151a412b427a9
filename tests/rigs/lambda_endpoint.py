"""Lambda's Invoke operation on this machine, running real functions in processes of their own.

Each function has execution environments as it has in Lambda: started when a call comes and none is
idle, kept for the next call, one call at a time in each, and turned away with 429 beyond the reserved
concurrency. One that runs out of time is killed. Requests must be signed by somebody it knows; the
signature is checked here from the rules of Signature Version 4, and not with the library that made it.
"""

import hashlib
import hmac
import json
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from http.client import HTTPConnection, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext, create_default_context
from threading import Lock, Thread
from typing import Any, ClassVar
from urllib.parse import quote, unquote

from tests.rigs import Rig
from tests.rigs.certificates import ServerCertificate

REGION = "us-east-1"
KEY, NOT_ALLOWED = "AKIAOCCBENCHMAYINVOKE", "AKIAOCCBENCHMAYNOTHING"
SECRET = "made-up-secret-of-the-rig"
REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "examples" / "lambda"
PACKAGED = (
    "__init__.py", "errors/__init__.py", "record/__init__.py", "record/outcome.py",
    "workload/__init__.py", "workload/retry.py",
)  # fmt: skip
"""What the example takes along of `loadtest`."""

_ENVIRONMENT = Path(__file__).with_name("lambda_environment.py")
_COLD_START_S = 30.0
_PATH = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")


@dataclass(frozen=True, slots=True)
class Function:
    """A function as it is deployed, and what is to go wrong with it."""

    environment: Mapping[str, str] = field(default_factory=dict)
    concurrency: int = 100
    """Reserved: so many calls at once."""
    timeout_s: float = 10.0
    handler: str = "handler.handler"
    fault: str = ""
    """`raise`, `hang` or `exit` after the transfer, `drop` the connection after it, `service` error."""
    every: int = 1
    """The fault happens at every so many calls."""
    healthy: int = 0
    """But not at the first so many."""
    answer: Mapping[str, Any] | None = None
    """Answer this, and run nothing."""


@dataclass(frozen=True, slots=True)
class LambdaRig(Rig):
    """The endpoint; `target` is its first function, without what is behind it."""

    url: str = ""
    root: str = ""
    """The authority's certificate, where the endpoint speaks TLS."""

    def function(self, name: str, **options: object) -> str:
        """What to give to `--target` for a function."""
        said = "".join(f"&{key}={quote(str(value), safe='')}" for key, value in options.items())
        return f"{name}=lambda://{REGION}/{name}?endpoint_url={self.url}{said}"

    def counts(self, name: str) -> dict[str, int]:
        """How many calls of a function there were: `called`, `throttled`, `at_once` at most."""
        host = self.url.partition("://")[2]
        connection: HTTPConnection = HTTPConnection(host, timeout=20)
        if self.root:
            connection = HTTPSConnection(
                host, timeout=20, context=create_default_context(cafile=self.root)
            )
        connection.request("GET", f"/counts/{name}")
        found: dict[str, int] = json.loads(connection.getresponse().read())
        connection.close()
        return found


@contextmanager
def lambda_endpoint(
    functions: Mapping[str, Function], certificate: ServerCertificate | None = None, root: str = ""
) -> Iterator[LambdaRig]:
    """A running endpoint with these functions, all of them the example's handler.

    With a certificate it speaks TLS; `root` is then what clients trust.
    """
    folder = Path(tempfile.mkdtemp(prefix="occ-lambda-"))
    try:
        package(folder)
        settings = {name: asdict(function) for name, function in functions.items()}
        tls = [] if certificate is None else [str(certificate.certificate), str(certificate.key)]
        words = ["-m", "tests.rigs.lambda_endpoint", str(folder), json.dumps(settings), *tls]
        process = subprocess.Popen(
            [sys.executable, *words],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            port = int(process.stdout.readline())
            url = f"http://127.0.0.1:{port}" if certificate is None else f"https://localhost:{port}"
            environment = {
                "AWS_ACCESS_KEY_ID": KEY,
                "AWS_SECRET_ACCESS_KEY": SECRET,
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_CONFIG_FILE": os.devnull,
                "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            }
            target = f"lambda://{REGION}/{next(iter(functions))}?endpoint_url={url}"
            yield LambdaRig(target=target, environment=environment, url=url, root=root)
        finally:
            process.stdin.close()
            process.wait(timeout=20)
            process.stdout.close()
    finally:
        shutil.rmtree(folder)


def package(folder: Path) -> None:
    """What the example's README has one put into the package."""
    shutil.copy(EXAMPLE / "handler.py", folder)
    for name in PACKAGED:
        copy = folder / "loadtest" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / "loadtest" / name, copy)


# The endpoint's own process


class _Gone(Exception):  # noqa: N818
    """The environment has ended, or was killed; says how."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class _Environment:
    """One execution environment."""

    def __init__(self, package: str, function: Function) -> None:
        passed = ("PATH", "LANG", "TMPDIR")
        self._process = subprocess.Popen(
            [sys.executable, str(_ENVIRONMENT), package, function.handler],
            cwd=package,
            env={k: os.environ[k] for k in passed if k in os.environ} | dict(function.environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        self._data = b""
        self.broken = self._line(_COLD_START_S).get("raised")
        """Why the function could not be loaded, if it could not."""

    def call(self, event: object, fault: str, timeout_s: float) -> dict[str, Any]:
        """What the function answered or raised; raises _Gone."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"event": event, "fault": fault}).encode() + b"\n")
        return self._line(timeout_s)

    def _line(self, timeout_s: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        output = self._process.stdout
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._data:
            readable, _, _ = select.select([output], [], [], max(0.0, deadline - time.monotonic()))
            if not readable:
                self.end()
                raise _Gone("Sandbox.Timedout", f"Error: Task timed out after {timeout_s:.2f} seconds")
            piece = output.read(1 << 16)
            if not piece:
                status = self._process.wait()
                raise _Gone(
                    "Runtime.ExitError", f"Error: Runtime exited with error: exit status {status}"
                )
            self._data += piece
        line, _, self._data = self._data.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


class _Deployed:
    """A function with its environments."""

    def __init__(self, package: str, function: Function) -> None:
        self._package = package
        self.function = function
        self._all: list[_Environment] = []
        self._idle: list[_Environment] = []
        self._busy = 0
        self._lock = Lock()
        self.counts: Counter[str] = Counter(called=0, throttled=0, at_once=0)

    @contextmanager
    def admitted(self) -> Iterator[str | None]:
        """A place within the concurrency; gives the fault that is due, None where there is no place."""
        with self._lock:
            admitted = self._busy < self.function.concurrency
            self.counts["called" if admitted else "throttled"] += 1
            self._busy += admitted
            self.counts["at_once"] = max(self.counts["at_once"], self._busy)
            number = self.counts["called"] - self.function.healthy
            due = number > 0 and number % self.function.every == 0
        try:
            yield (self.function.fault if due else "") if admitted else None
        finally:
            with self._lock:
                self._busy -= admitted

    def run(self, event: object, fault: str) -> dict[str, Any]:
        """`{"answer"}` or `{"raised"}`."""
        with self._lock:
            environment = self._idle.pop() if self._idle else None
        try:
            if environment is None:
                environment = _Environment(self._package, self.function)
                self._all.append(environment)
            if environment.broken is not None:
                return {"raised": environment.broken}
            found = environment.call(event, fault, self.function.timeout_s)
        except _Gone as gone:
            message = f"RequestId: {uuid.uuid4()} {gone}"
            return {"raised": {"errorMessage": message, "errorType": gone.kind}}
        with self._lock:
            self._idle.append(environment)
        return found

    def end(self) -> None:
        for environment in self._all:
            environment.end()


class _Handler(BaseHTTPRequestHandler):
    """Invoke, as its reference describes it."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    deployed: ClassVar[dict[str, _Deployed]] = {}

    def do_GET(self) -> None:
        found = self.deployed[self.path.rpartition("/")[2]].counts
        self._answer(200, json.dumps(found).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if refusal := self._refusal(body):
            self._refuse(403, refusal, "The request is not allowed to perform: lambda:InvokeFunction")
            return
        wanted = _PATH.fullmatch(self.path)
        name, _, qualifier = unquote(wanted[1]).partition(":") if wanted else ("", "", "")
        deployed = self.deployed.get(name)
        if deployed is None or qualifier not in ("", "$LATEST", "live"):
            self._refuse(404, "ResourceNotFoundException", f"Function not found: {name}")
            return
        executed = {"X-Amz-Executed-Version": "7" if qualifier == "live" else "$LATEST"}
        if self.headers.get("X-Amz-Invocation-Type") == "DryRun":
            self._answer(204, b"", executed)
            return
        with deployed.admitted() as fault:
            if fault is None:
                reason = {"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded"}
                self._refuse(429, "TooManyRequestsException", "Rate Exceeded.", reason)
            elif deployed.function.answer is not None:
                self._answer(200, json.dumps(deployed.function.answer).encode(), executed)
            else:
                self._run(deployed, json.loads(body), fault, executed)

    def _run(self, deployed: _Deployed, event: object, fault: str, executed: dict[str, str]) -> None:
        found = deployed.run(event, fault)
        if fault == "drop":
            self.close_connection = True
        elif fault == "service":
            self._refuse(500, "ServiceException", "The service failed")
        elif "raised" in found:
            unhandled = {**executed, "X-Amz-Function-Error": "Unhandled"}
            self._answer(200, json.dumps(found["raised"]).encode(), unhandled)
        else:
            self._answer(200, json.dumps(found["answer"]).encode(), executed)

    def _refuse(
        self, status: int, kind: str, message: str, more: Mapping[str, str] | None = None
    ) -> None:
        body = {"Type": "User", "message": message, **(more or {})}
        self._answer(status, json.dumps(body).encode(), {"x-amzn-errortype": kind})

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"x-amzn-RequestId": str(uuid.uuid4()), **(headers or {})}.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _refusal(self, body: bytes) -> str:
        """Why whoever asks is not let in, as the name of an error; "" where they are."""
        said = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=(\w+)/([^,]+), SignedHeaders=([^,]+), Signature=(\w+)",
            self.headers.get("Authorization", ""),
        )
        if said is None:
            return "MissingAuthenticationTokenException"
        key, scope, names, signature = said.groups()
        if key not in (KEY, NOT_ALLOWED):
            return "UnrecognizedClientException"
        signed = "".join(f"{name}:{self.headers[name].strip()}\n" for name in names.split(";"))
        if not hmac.compare_digest(_signature(self.path, signed, names, body, scope), signature):
            return "InvalidSignatureException"
        return "AccessDeniedException" if key == NOT_ALLOWED else ""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def _signature(path: str, signed: str, names: str, body: bytes, scope: str) -> str:
    """What the signature of a POST must be."""
    request = "\n".join(
        ("POST", quote(path, safe="/-_.~"), "", signed, names, hashlib.sha256(body).hexdigest())
    )
    found = re.search(r"^x-amz-date:(.*)$", signed, re.MULTILINE)
    stamp = found[1] if found else ""
    to_sign = "\n".join(
        ("AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(request.encode()).hexdigest())
    )
    secret = f"AWS4{SECRET}".encode()
    for part in (stamp[:8], REGION, "lambda", "aws4_request"):
        secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
    return hmac.new(secret, to_sign.encode(), hashlib.sha256).hexdigest()


class _Server(ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that went away is no news."""


def main(package: str, settings: str, *tls: str) -> None:
    """Serve until standard input ends, which it does when whoever started this is gone."""
    _Handler.deployed = {
        name: _Deployed(package, Function(**function))
        for name, function in json.loads(settings).items()
    }
    server = _Server(("127.0.0.1", 0), _Handler)
    if tls:
        context = SSLContext(PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_port, flush=True)
    Thread(target=server.serve_forever, daemon=True).start()
    with suppress(KeyboardInterrupt):
        sys.stdin.read()
    for deployed in _Handler.deployed.values():
        deployed.end()


if __name__ == "__main__":
    main(*sys.argv[1:])
