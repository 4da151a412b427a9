"""The hot path: one user's calls of a function, over a connection of its own."""

import json
from collections.abc import Mapping
from time import monotonic_ns
from typing import Any
from urllib.parse import quote

from loadtest.targets.aws.connection import HttpConnection, HttpResponse
from loadtest.targets.aws.errors import ERRORS, no_credentials
from loadtest.targets.aws.signing import RequestKind
from loadtest.targets.aws_lambda.answers import (
    answered_error,
    function_failed,
    object_of,
    remote_of,
    service_failed,
)
from loadtest.targets.base.target import ABSENT, StatementFailed


def invoke_request(function: str, headers: Mapping[str, str] | None = None) -> RequestKind:
    """Lambda's Invoke of this function, with these headers besides its own."""
    # Every character that is not plain: a version's colon, an ARN's, the $ of $LATEST.
    path = f"/2015-03-31/functions/{quote(function, safe='')}/invocations"
    return RequestKind("Invoke", path, {"Content-Type": "application/json", **(headers or {})})


def invoke(connection: HttpConnection, request: RequestKind, body: bytes) -> HttpResponse:
    """One request; returns the function's answer, or that to a dry run. Raises StatementFailed."""
    try:
        response = connection.post(request, body)
    except ERRORS as error:
        raise no_credentials(error) from None
    if response.status >= 300:
        kind = response.headers.get("x-amzn-errortype", "")
        raise service_failed(response.status, kind, response.body)
    if "x-amz-function-error" in response.headers:
        raise function_failed(response.body)
    return response


class LambdaSession:
    """See `calls.CallSession`.

    Nothing of its transaction is to be seen from outside: all moments but the end stay 0.
    """

    def __init__(self, connection: HttpConnection, request: RequestKind, *, retry_here: bool) -> None:
        self.begin_answered_ns = self.first_answered_ns = 0
        self.commit_sent_ns = self.ended_ns = 0
        self.closed = False
        self.remote = ABSENT
        self._connection, self._request = connection, request
        self._retry_here = retry_here

    def call(self, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call the function and return its answer; raises StatementFailed where it failed."""
        self.remote = ABSENT
        if self._retry_here:
            payload = {**payload, "max_attempts": 1}
        body = json.dumps(payload).encode()
        sent_ns = monotonic_ns()
        try:
            answer = object_of(invoke(self._connection, self._request, body).body)
        except StatementFailed:
            raise
        except BaseException:
            # Stopped while it waited: the function may have done it.
            self.commit_sent_ns = sent_ns
            raise
        finally:
            self.ended_ns = monotonic_ns()
        self.remote = remote_of(answer)
        failure = answered_error(answer, final=not self._retry_here)
        if failure is not None:
            raise failure
        return answer

    def rollback(self) -> None:
        """There is nothing to take back: the function has ended its transaction."""

    def close(self) -> None:
        """Close the connection; never raises."""
        self.closed = True
        self._connection.close()
