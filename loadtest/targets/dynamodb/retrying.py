"""Asking again, for requests that may be done twice: loading and scanning, never a transfer."""

import json
import random
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any

from botocore.exceptions import ClientError, HTTPClientError

from loadtest.targets.aws.connection import Lost, NotSent, Wire
from loadtest.targets.aws.signing import Operation
from loadtest.targets.dynamodb import errors

PATIENCE_S = 60.0
_FIRST_S, _LONGEST_S = 0.05, 5.0
_AGAIN = frozenset({errors.CONFLICT, errors.THROTTLED, errors.INTERNAL, errors.NOT_UNDERSTOOD})


class NotAnswered(HTTPClientError):  # type: ignore[misc]  # noqa: N818 - what happened
    """There was no answer to a request, as one of botocore's errors."""

    fmt = "no answer: {why}"


class Patience:
    """Repeats requests over one wire, waiting longer each time, until a minute brought nothing."""

    def __init__(self, wire: Wire, stopped: Callable[[], bool] = lambda: False) -> None:
        self._wire = wire
        self._stopped = stopped
        self._waits = 0
        self._since = monotonic()

    def request(self, operation: Operation, body: bytes) -> Any:
        """The answer to a request; raises botocore's errors for one that is not to be had."""
        while True:
            try:
                status, _, answered = self._wire.post(operation, body)
                answer = json.loads(answered) if status == 200 or answered[:1] == b"{" else None
            except (NotSent, Lost, ValueError) as why:
                self._pause(NotAnswered(why=why))
                continue
            if status == 200:
                return answer
            error = ClientError(_error_of(status, answer), operation.name)
            if errors.meaning_of(status, answer).sqlstate not in _AGAIN:
                raise error
            self._pause(error)

    def progress(self) -> None:
        """A part was done: the minute begins again, though not the waits."""
        self._since = monotonic()

    def done(self) -> None:
        """All was done: what follows is a matter of its own."""
        self._waits = 0
        self._since = monotonic()

    def pause(self, operation: Operation) -> None:
        """Wait because DynamoDB took only a part; raises ClientError after a minute of nothing."""
        self._pause(
            ClientError(
                {"Error": {"Code": "ThrottlingException", "Message": "nothing more is taken"}},
                operation.name,
            )
        )

    def _pause(self, error: Exception) -> None:
        """Wait a random part of a time that doubles, unless it has been too long."""
        if self._stopped() or monotonic() - self._since > PATIENCE_S:
            raise error
        longest = min(_LONGEST_S, _FIRST_S * 2.0 ** min(self._waits, 16))
        self._waits += 1
        sleep(longest * random.random())  # noqa: S311 - jitter


def _error_of(status: int, answer: Any) -> dict[str, dict[str, str]]:
    code, said = errors.code_of(answer)
    return {
        "Error": {
            "Code": code or f"HTTP status {status}",
            "Message": said.removeprefix(": ") or "no reason given",
        }
    }
