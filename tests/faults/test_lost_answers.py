"""A function that has done its work, and whose answer does not arrive."""

import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.commands import occbench, results_in
from tests.faults.conftest import Measured

REHEARSALS, USERS = 1, 2
EVERY = 5


@contextmanager
def function(kind: str, words: str) -> Iterator[tuple[str, list[int]]]:
    """An endpoint that answers some calls with this error; gives its URL and which calls those were."""
    calls, lost = itertools.count(1), list[int]()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("X-Amz-Invocation-Type") == "DryRun":
                self.send_response(204)
                self.end_headers()
                return
            number = next(calls)
            bad = number > REHEARSALS and number % EVERY == 0
            answer = {"errorType": kind, "errorMessage": words} if bad else {"balance": 1}
            body = json.dumps(answer).encode()
            self.send_response(200)
            if bad:
                lost.append(number)
                self.send_header("X-Amz-Function-Error", "Unhandled")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", lost
        server.shutdown()


@pytest.mark.parametrize(
    "kind",
    [
        "Runtime.MarshalError",
        pytest.param("Function.ResponseSizeTooLarge", marks=pytest.mark.long),
    ],
)
def test_an_answer_that_is_lost_is_ambiguous(kind: str, tmp_path: Path, measured: Measured) -> None:
    """A transfer whose function did its work and lost the answer is ambiguous, never an error or a
    commit, is not tried again, and what the function said reaches the terminal as plain text.
    """
    with function(kind, "\x1b]0;owned\x07 password=hunter2") as (url, lost):
        done = occbench(
            "run", "--target", f"lambda://us-east-1/f?accounts=10&endpoint_url={url}", "--users", USERS,
            "--keys", "uuid", "--duration", "2s", "--warmup", "0s", "--out", tmp_path / "results",
            cwd=tmp_path, AWS_ACCESS_KEY_ID="AKIAEXAMPLE", AWS_SECRET_ACCESS_KEY="geheim",
            AWS_EC2_METADATA_DISABLED="true",
        )  # fmt: skip
    (result,) = results_in(tmp_path / "results")
    assert "\x1b" not in done.stdout + done.stderr
    outcomes = {row["outcome"] for row in result.rows}
    assert outcomes <= {"committed", "ambiguous"}
    ambiguous = [row for row in result.of_outcome("ambiguous") if row["sqlstate"] == "38000"]
    assert ambiguous
    assert all(row["final"] for row in ambiguous)
    # A user that is stopped while it waits does not hear what became of its last call.
    assert len(lost) - USERS <= len(ambiguous) <= len(lost)
    measured(f"{len(lost)} answers lost, {len(ambiguous)} ambiguous")
