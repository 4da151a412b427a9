"""What DynamoDB's errors mean: from its codes to the SQLSTATE that means the same.

Pure: everything is decided from the answer's status, its codes and what was asked for.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from loadtest.errors.messages import one_line
from loadtest.targets.aws import errors as aws
from loadtest.targets.base.items import Change

CONFLICT = "40001"
THROTTLED = "53400"
WRONG_CREDENTIALS = "28000"
NOT_ALLOWED = "42501"
NO_TABLE = "42P01"
NOT_SUPPORTED = "0A000"
WRONG_INPUT = "22023"
INTERNAL = "XX000"
NO_ITEM = "P0002"
NOT_UNDERSTOOD = "08P01"

_CODES = {
    CONFLICT: "TransactionConflict ReplicatedWriteConflict TransactionInProgress",
    WRONG_INPUT: "ItemCollectionSizeLimitExceeded Validation Serialization IdempotentParameterMismatch",
    NO_TABLE: "ResourceNotFound TableNotFound",
    NOT_SUPPORTED: "UnknownOperation",
    INTERNAL: "InternalServer ServiceUnavailable",
}
SQLSTATES: Mapping[str, str] = {
    **aws.SQLSTATES,
    **{code: sqlstate for sqlstate, codes in _CODES.items() for code in codes.split()},
}
"""DynamoDB's code, of an error or of a cancellation reason, as `bare_code` gives it → SQLSTATE."""

CANCELED = "TransactionCanceledException"
_CHECK_FAILED = "ConditionalCheckFailed"


class Failure(NamedTuple):
    """What a failed request comes down to."""

    sqlstate: str
    """"" where nothing failed but the workload's own rule."""
    text: str
    unknown: bool = False
    """Whether DynamoDB may have done what was asked for all the same."""

    @property
    def refused(self) -> bool:
        """Whether the workload's own rule refused it."""
        return not self.sqlstate


_REFUSED = Failure("", "a change would have taken its item below what it must keep")
_VERSION_MOVED = Failure(CONFLICT, "the item's version is not the one that was read (OC000)")

# Which of several reasons counts: the first of these. A conflict and a throttle come before a condition
# that does not hold, because what it was checked against was changing or was not looked at. Behind all
# of them come a version that moved, which is a conflict that a condition shows and must not hide that
# another item was missing, and the workload's own rule, which is to be asked again after a conflict.
_PRECEDENCE = (
    CONFLICT, THROTTLED, WRONG_CREDENTIALS, NOT_ALLOWED, NO_TABLE, NOT_SUPPORTED, WRONG_INPUT, INTERNAL,
    NO_ITEM,
)  # fmt: skip


def failure_of(status: int, answer: Any, changes: Sequence[Change] = ()) -> Failure:
    """What an answer other than 200 means; `changes` are what was asked for, in their order."""
    code, message = code_and_message(answer)
    if status >= 500:
        return Failure(INTERNAL, _joined(code or f"HTTP status {status}", message), unknown=True)
    if not code:
        return Failure(NOT_UNDERSTOOD, f"HTTP status {status} from something else", unknown=True)
    if code != CANCELED:
        return _by_code(code, message)
    # One reason for each change.
    reasons = answer.get("CancellationReasons") or ()
    failures = [
        _of_reason(reason, changes[number] if number < len(changes) else None)
        for number, reason in enumerate(reasons)
        if reason.get("Code") not in (None, "None")
    ]
    if not failures:
        return Failure(INTERNAL, _joined(CANCELED, message))
    return min(failures, key=_rank)


def code_and_message(answer: Any) -> tuple[str, str]:
    """The code of an error without its namespace, and its message; each "" where there is none."""
    if not isinstance(answer, dict):
        return "", ""
    code = str(answer.get("__type", "")).rpartition("#")[2]
    return code, str(answer.get("message") or answer.get("Message") or "").strip()


def _joined(code: str, message: str) -> str:
    return f"{code}: {one_line(message)}" if message else code


def _by_code(code: str, message: str) -> Failure:
    sqlstate = SQLSTATES.get(aws.bare_code(code), INTERNAL)
    if sqlstate == CONFLICT:
        # Its words are shown nowhere, and there are many conflicts.
        return Failure(CONFLICT, code if "InProgress" in code else f"{code} (OC000)")
    if sqlstate == WRONG_CREDENTIALS:
        # What AWS says to a wrong signature quotes the request, the session's token in it.
        return Failure(sqlstate, f"the credentials are not accepted ({code})")
    return Failure(sqlstate, _joined(code, message))


def _rank(failure: Failure) -> int:
    if failure is _VERSION_MOVED or failure.refused:
        return len(_PRECEDENCE) + failure.refused
    return _PRECEDENCE.index(failure.sqlstate)


def _of_reason(reason: Mapping[str, Any], change: Change | None) -> Failure:
    code, message = str(reason["Code"]), reason.get("Message")
    if code != _CHECK_FAILED:
        return _by_code(code, str(message or ""))
    item = reason.get("Item")
    if not item:
        return Failure(NO_ITEM, "an item of the transaction is not in its table")
    if change is not None:
        if change.version is not None and _number(item, "version") != change.version:
            return _VERSION_MOVED
        balance = _number(item, "balance")
        if change.at_least is not None and balance is not None and balance < change.at_least:
            return _REFUSED
    return Failure(INTERNAL, "a condition failed that the item fulfils")


def _number(item: Mapping[str, Any], name: str) -> int | None:
    value = item.get(name, {}).get("N")
    return None if value is None else int(value)
