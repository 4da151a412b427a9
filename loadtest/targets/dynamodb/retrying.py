"""Asking again, for requests that may be done twice: loading and scanning, never a transfer."""

import json
import random
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any

from botocore.exceptions import ClientError

from loadtest.errors.messages import one_line
from loadtest.targets.aws.connection import AnswerLost, HttpConnection, NotSent
from loadtest.targets.aws.errors import CHECK_NETWORK, AwsError
from loadtest.targets.aws.signing import RequestKind
from loadtest.targets.dynamodb import errors

PATIENCE_S = 60.0
_FIRST_S, _LONGEST_S = 0.05, 5.0
_RETRYABLE = frozenset({errors.CONFLICT, errors.THROTTLED, errors.INTERNAL, errors.NOT_UNDERSTOOD})


class RetryingConnection:
    """Repeats requests, waiting longer each time, until a minute brought nothing."""

    def __init__(self, connection: HttpConnection, stopped: Callable[[], bool] = lambda: False) -> None:
        self._connection = connection
        self._stopped = stopped
        self.done()

    def request(self, kind: RequestKind, body: bytes) -> Any:
        """The answer to a request; raises one of `aws.errors.ERRORS` where there is none to be had."""
        while True:
            try:
                status, _, text = self._connection.post(kind, body)
                answer = json.loads(text) if status == 200 or text[:1] == b"{" else None
            except (NotSent, AnswerLost, ValueError) as error:
                why = error if isinstance(error, ValueError) else error.message
                self._wait(AwsError(cause=f"no answer: {why}", remedy=CHECK_NETWORK))
                continue
            if status == 200:
                return answer
            code, message = errors.code_and_message(answer)
            failed = _client_error(
                kind, code or f"HTTP status {status}", one_line(message or "no reason given")
            )
            if errors.failure_of(status, answer).sqlstate not in _RETRYABLE:
                raise failed
            self._wait(failed)

    def progress(self) -> None:
        """A part was done: the minute begins again, though not the waits."""
        self._since = monotonic()

    def done(self) -> None:
        """All was done: what follows is a matter of its own."""
        self._waits = 0
        self._since = monotonic()

    def pause(self, kind: RequestKind) -> None:
        """Wait because DynamoDB took only a part; raises ClientError after a minute of nothing."""
        self._wait(_client_error(kind, "ThrottlingException", "nothing more is taken"))

    def _wait(self, error: Exception) -> None:
        """Wait a random part of a time that doubles, unless it has been too long."""
        if self._stopped() or monotonic() - self._since > PATIENCE_S:
            raise error
        longest = min(_LONGEST_S, _FIRST_S * 2.0 ** min(self._waits, 16))
        self._waits += 1
        sleep(longest * random.random())  # noqa: S311 - jitter


def _client_error(kind: RequestKind, code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, kind.name)
