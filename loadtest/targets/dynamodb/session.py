"""The hot path: one user's way to the items, over a connection of its own."""

import json
from collections.abc import Sequence
from math import isnan
from time import monotonic_ns
from typing import Any

from loadtest.targets.aws.connection import AnswerLost, HttpConnection, NotSent
from loadtest.targets.aws.errors import ERRORS, no_credentials
from loadtest.targets.aws.signing import RequestKind
from loadtest.targets.base.items import Change, Item, Refused
from loadtest.targets.base.target import ABSENT, Remote, StatementFailed
from loadtest.targets.dynamodb import errors, requests
from loadtest.targets.dynamodb.errors import Failure


class DynamoSession:
    """See `items.ItemSession` for the verbs and `base.Session` for the times.

    The write is the commit. After a read it is the COMMIT that is timed, and what lies between the two
    is the window. Where it is the only request there is no COMMIT to tell apart from the rest of the
    attempt, and no window: `commit_sent_ns` stays 0, as it does for a function.
    """

    def __init__(self, connection: HttpConnection, *, optimistic: bool, prefix: str) -> None:
        self.optimistic = optimistic
        self.begin_answered_ns = self.first_answered_ns = 0
        self.commit_sent_ns = self.ended_ns = 0
        self.closed = False
        self.remote = ABSENT
        self._connection = connection
        self._prefix = prefix

    def begin(self) -> None:
        """Forget the last attempt's times; nothing is sent."""
        self.begin_answered_ns = self.first_answered_ns = self.commit_sent_ns = 0
        self.remote = ABSENT

    def read(self, table: str, keys: Sequence[bytes]) -> list[Item | None]:
        """Read items in one request, each consistently; None for one that is not there.

        Not `TransactGetItems`: it costs twice as much and fails where another writes. What is read
        here need not be of one moment, for a write on condition of all the versions finds out.
        """
        name = self._prefix + table
        # There is no BEGIN to wait for.
        self.begin_answered_ns = self.begin_answered_ns or monotonic_ns()
        status, answer = self._send(requests.BATCH_GET, requests.batch_get(name, keys), writes=False)
        self.first_answered_ns = self.first_answered_ns or self.ended_ns
        if status != 200:
            raise _failed(errors.failure_of(status, answer), writes=False)
        units = requests.units_of(answer)
        self.remote = Remote(read_units=_plus(self.remote.read_units, units))
        if answer.get("UnprocessedKeys"):
            raise _failed(Failure(errors.THROTTLED, "some items were not read"), writes=False)
        try:
            return requests.items_of(answer, name, keys)
        except (KeyError, ValueError):
            malformed = Failure(errors.WRONG_INPUT, "an item has no balance or no version")
            raise _failed(malformed, writes=False) from None

    def write(self, changes: Sequence[Change]) -> None:
        """All changes or none; raises Refused, or StatementFailed for anything else.

        There is no ClientRequestToken in it: a write whose answer was lost is never sent again, so
        there is nothing for DynamoDB to recognise.
        """
        body = requests.transact_write(changes, self._prefix)
        sent = monotonic_ns()
        if self.begin_answered_ns:
            self.commit_sent_ns = sent
        try:
            status, answer = self._send(requests.TRANSACT_WRITE, body, writes=True)
        except StatementFailed:
            raise
        except BaseException:
            # Stopped while it waited: the write may have been done.
            self.commit_sent_ns = sent
            raise
        if status == 200:
            units = requests.units_of(answer)
            self.remote = self.remote._replace(write_units=_plus(self.remote.write_units, units))
            return
        failure = errors.failure_of(status, answer, changes)
        if failure.refused:
            raise Refused
        raise _failed(failure, writes=True)

    def rollback(self) -> None:
        """There is nothing to take back."""

    def close(self) -> None:
        """Close the connection; never raises."""
        self.closed = True
        self._connection.close()

    def _send(self, kind: RequestKind, body: bytes, *, writes: bool) -> tuple[int, Any]:
        """(status, answer), the answer being None where something in front of DynamoDB failed."""
        try:
            status, _, text = self._connection.post(kind, body)
            try:
                answer = json.loads(text)
            except ValueError:
                answer = None
            if status == 200 and not isinstance(answer, dict):
                raise AnswerLost("the answer is not DynamoDB's")
        except NotSent:
            self.commit_sent_ns = 0
            raise
        except AnswerLost as lost:
            lost.commit_sent = writes
            raise
        except ERRORS as error:
            self.commit_sent_ns = 0
            raise no_credentials(error) from None
        finally:
            self.ended_ns = monotonic_ns()
        return status, answer


def _failed(failure: Failure, *, writes: bool) -> StatementFailed:
    # What became of a request is unknown in the same way as when the connection is lost.
    return StatementFailed(
        failure.sqlstate, failure.text, commit_sent=writes, connected=not failure.unknown
    )


def _plus(before: float, units: float | None) -> float:
    """The units so far, absent (NaN) until some are known."""
    if units is None:
        return before
    return units if isnan(before) else before + units
