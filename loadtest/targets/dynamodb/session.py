"""The hot path: one user's way to the items, over a connection of its own."""

import json
from collections.abc import Sequence
from math import isnan
from time import monotonic_ns
from typing import Any

from loadtest.targets.aws import clients
from loadtest.targets.aws.connection import Lost, NotSent, Wire
from loadtest.targets.aws.signing import Operation
from loadtest.targets.base.items import Change, Item, Refused
from loadtest.targets.base.target import ABSENT, Remote, StatementFailed
from loadtest.targets.dynamodb import errors, requests


class DynamoSession:
    """See `items.ItemSession` for the verbs and `base.Session` for the times.

    The write is the commit. After a read it is the COMMIT that is timed, and what lies between the two
    is the window. Where it is the only request there is no COMMIT to tell apart from the rest of the
    attempt, and no window: `commit_sent_ns` stays 0, as it does for a function.
    """

    def __init__(self, wire: Wire, *, optimistic: bool, prefix: str) -> None:
        self.optimistic = optimistic
        self.begin_answered_ns = self.first_answered_ns = 0
        self.commit_sent_ns = self.ended_ns = 0
        self.closed = False
        self.remote = ABSENT
        self._write_left = False
        self._wire = wire
        self._prefix = prefix
        try:
            wire.connect()
        except NotSent as why:
            raise StatementFailed(
                errors.CANNOT_CONNECT, str(why), commit_sent=False, connected=False
            ) from None

    def begin(self) -> None:
        """Forget the last attempt's times; nothing is sent."""
        self.begin_answered_ns = self.first_answered_ns = self.commit_sent_ns = 0
        self._write_left = False
        self.remote = ABSENT

    def read(self, table: str, keys: Sequence[bytes]) -> list[Item | None]:
        """Read items in one request, each consistently; None for one that is not there.

        Not `TransactGetItems`: it costs twice as much and fails where somebody writes. What is read
        here need not belong together, for a write on condition of all the versions finds out.
        """
        name = self._prefix + table
        # There is no BEGIN to wait for.
        self.begin_answered_ns = self.begin_answered_ns or monotonic_ns()
        status, body = self._send(requests.BATCH_GET, requests.batch_get(name, keys))
        self.first_answered_ns = self.first_answered_ns or self.ended_ns
        answer = self._understood(status, body)
        if status != 200:
            raise self._failed(errors.meaning_of(status, answer))
        units = requests.units_of(answer)
        self.remote = Remote(read_units=_plus(self.remote.read_units, units))
        if answer.get("UnprocessedKeys"):
            raise self._failed(errors.Meaning(errors.THROTTLED, "some items were not read"))
        try:
            return requests.items_of(answer, name, keys)
        except (KeyError, ValueError):
            raise self._failed(
                errors.Meaning(errors.WRONG_INPUT, "an item has no balance or no version")
            ) from None

    def write(self, changes: Sequence[Change]) -> None:
        """All changes or none; raises Refused, or StatementFailed for whatever else.

        There is no ClientRequestToken in it: a write whose answer was lost is not sent again, here or
        by anybody, so there is nothing for DynamoDB to recognise.
        """
        body = requests.transact_write(changes, self._prefix)
        self._write_left = True
        sent = monotonic_ns()
        if self.begin_answered_ns:
            self.commit_sent_ns = sent
        try:
            status, answered = self._send(requests.TRANSACT_WRITE, body)
        except StatementFailed:
            raise
        except BaseException:
            # Stopped while it waited: the write may have been done.
            self.commit_sent_ns = sent
            raise
        answer = self._understood(status, answered)
        if status == 200:
            units = requests.units_of(answer)
            self.remote = self.remote._replace(write_units=_plus(self.remote.write_units, units))
            return
        meaning = errors.meaning_of(status, answer, changes)
        if meaning.refused:
            raise Refused
        raise self._failed(meaning)

    def rollback(self) -> None:
        """There is nothing to take back."""

    def close(self) -> None:
        """Close the connection; never raises."""
        self.closed = True
        self._wire.close()

    def _send(self, operation: Operation, body: bytes) -> tuple[int, bytes]:
        try:
            status, _, answered = self._wire.post(operation, body)
        except NotSent as why:
            # Not even a part of it has left: nothing happened.
            self._nothing_left()
            raise self._broken(errors.CANNOT_CONNECT, str(why)) from None
        except Lost as why:
            raise self._broken(errors.LOST, str(why)) from None
        except clients.ERRORS as error:
            self._nothing_left()
            # As if there were no connection: who tries again at once would keep all others waiting.
            raise self._broken(errors.NOT_KNOWN, clients.explain(error)[0]) from None
        self.ended_ns = monotonic_ns()
        return status, answered

    def _nothing_left(self) -> None:
        """The write did not leave after all."""
        self.commit_sent_ns = 0
        self._write_left = False

    def _understood(self, status: int, body: bytes) -> Any:
        """The answer as an object; None where something else than DynamoDB failed in its place."""
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        if status == 200 and not isinstance(answer, dict):
            raise self._broken(errors.LOST, "the answer is not DynamoDB's")
        return answer

    def _failed(self, meaning: errors.Meaning) -> StatementFailed:
        self.ended_ns = monotonic_ns()
        return StatementFailed(
            meaning.sqlstate,
            meaning.text,
            commit_sent=self._write_left,
            # What became of the request nobody can say, as when the connection is lost.
            connected=not meaning.unknown,
        )

    def _broken(self, sqlstate: str, why: str) -> StatementFailed:
        self.ended_ns = monotonic_ns()
        return StatementFailed(sqlstate, why, commit_sent=self._write_left, connected=False)


def _plus(before: float, units: float | None) -> float:
    """The units so far, absent (NaN) until some are known."""
    if units is None:
        return before
    return units if isnan(before) else before + units
