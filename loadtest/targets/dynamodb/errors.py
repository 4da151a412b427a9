"""What DynamoDB's errors mean: from its codes to the SQLSTATE that means the same.

Pure: everything is decided from the answer's status, its codes and what was asked for.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from loadtest.errors.messages import one_line
from loadtest.targets.base.items import Change

CONFLICT = "40001"
THROTTLED = "53400"
WRONG_INPUT = "22023"
NO_DATA = "P0002"
NOT_ALLOWED = "42501"
NO_TABLE = "42P01"
NOT_KNOWN = "28000"
NOT_SUPPORTED = "0A000"
INTERNAL = "XX000"
NOT_UNDERSTOOD = "08P01"
CANNOT_CONNECT = "08001"
LOST = "08006"

SQLSTATES: Mapping[str, str] = {
    "TransactionConflict": CONFLICT,
    "TransactionConflictException": CONFLICT,
    "ReplicatedWriteConflictException": CONFLICT,
    "TransactionInProgressException": CONFLICT,
    "ThrottlingError": THROTTLED,
    "ThrottlingException": THROTTLED,
    "Throttling": THROTTLED,
    "ProvisionedThroughputExceeded": THROTTLED,
    "ProvisionedThroughputExceededException": THROTTLED,
    "RequestLimitExceeded": THROTTLED,
    "ItemCollectionSizeLimitExceeded": WRONG_INPUT,
    "ItemCollectionSizeLimitExceededException": WRONG_INPUT,
    "ValidationError": WRONG_INPUT,
    "ValidationException": WRONG_INPUT,
    "SerializationException": WRONG_INPUT,
    "IdempotentParameterMismatchException": WRONG_INPUT,
    "AccessDenied": NOT_ALLOWED,
    "AccessDeniedException": NOT_ALLOWED,
    "ResourceNotFoundException": NO_TABLE,
    "TableNotFoundException": NO_TABLE,
    "UnrecognizedClientException": NOT_KNOWN,
    "InvalidClientTokenId": NOT_KNOWN,
    "MissingAuthenticationToken": NOT_KNOWN,
    "MissingAuthenticationTokenException": NOT_KNOWN,
    "ExpiredToken": NOT_KNOWN,
    "ExpiredTokenException": NOT_KNOWN,
    "InvalidSignature": NOT_KNOWN,
    "InvalidSignatureException": NOT_KNOWN,
    "IncompleteSignature": NOT_KNOWN,
    "IncompleteSignatureException": NOT_KNOWN,
    "UnknownOperationException": NOT_SUPPORTED,
    "InternalServerError": INTERNAL,
    "ServiceUnavailable": INTERNAL,
    "ServiceUnavailableException": INTERNAL,
}
"""DynamoDB's code, of an error or of a cancellation reason → SQLSTATE."""

CANCELED = "TransactionCanceledException"
_UNCONDITIONAL = frozenset({"TransactionInProgressException"})
_CHECK_FAILED = "ConditionalCheckFailed"


class Meaning(NamedTuple):
    """What a failed request comes down to."""

    sqlstate: str
    """"" where nothing failed but the scenario's own rule."""
    text: str
    unknown: bool = False
    """Whether DynamoDB may have done what was asked for all the same."""

    @property
    def refused(self) -> bool:
        """Whether it was the scenario's own rule that said no."""
        return not self.sqlstate


REFUSED = Meaning("", "a change would have taken its item below what it must keep")

# Which of several reasons counts, the first of these that there is. A conflict and a throttle come
# before a condition that does not hold, because what it was held against was changing or was not
# looked at; a version that moved comes before the scenario's rule, which is to be asked again then.
_PRECEDENCE = (
    CONFLICT,
    THROTTLED,
    NOT_KNOWN,
    NOT_ALLOWED,
    NO_TABLE,
    NOT_SUPPORTED,
    WRONG_INPUT,
    INTERNAL,
    NO_DATA,
)


def meaning_of(status: int, answer: Any, changes: Sequence[Change] = ()) -> Meaning:
    """What an answer other than 200 means; `changes` are what was asked for, in their order."""
    code, said = _parts(answer)
    if status >= 500:
        return Meaning(INTERNAL, f"{code or f'HTTP status {status}'}{_behind(said)}", unknown=True)
    if not code:
        return Meaning(NOT_UNDERSTOOD, f"HTTP status {status} from something else", unknown=True)
    if code == CANCELED:
        return _cancellation(answer.get("CancellationReasons") or (), changes, said)
    return _plain(code, said)


def code_of(answer: Any) -> tuple[str, str]:
    """The code of an error without its namespace, and its first line behind a colon, or "" twice."""
    code, said = _parts(answer)
    return code, _behind(said)


def _parts(answer: Any) -> tuple[str, str]:
    """The code of an error, and all that is said with it as it is."""
    if not isinstance(answer, dict):
        return "", ""
    code = str(answer.get("__type", "")).rpartition("#")[2]
    return code, str(answer.get("message") or answer.get("Message") or "").strip()


def _behind(said: str) -> str:
    return f": {one_line(said)}" if said else ""


def _plain(code: str, said: str) -> Meaning:
    sqlstate = SQLSTATES.get(code, INTERNAL)
    if sqlstate == CONFLICT:
        # Nobody is told its words, and there are many.
        return Meaning(CONFLICT, code if code in _UNCONDITIONAL else f"{code} (OC000)")
    if sqlstate == NOT_KNOWN:
        # What AWS says to a wrong signature quotes the request, the session's token in it.
        return Meaning(NOT_KNOWN, f"the credentials are not accepted ({code})")
    return Meaning(sqlstate, f"{code}{_behind(said)}")


def _cancellation(
    reasons: Sequence[Mapping[str, Any]], changes: Sequence[Change], said: str
) -> Meaning:
    """The reason that counts among those of a cancelled transaction, one for each change."""
    found = [
        _of_reason(reason, changes[place] if place < len(changes) else None)
        for place, reason in enumerate(reasons)
        if reason.get("Code") not in (None, "None")
    ]
    if not found:
        return Meaning(INTERNAL, f"{CANCELED}{_behind(said)}")
    return min(found, key=_rank)


def _rank(meaning: Meaning) -> int:
    # The two kinds of conflict are told apart by where they come from: a version that is not the
    # same any more is found by a condition, and must not hide that another item was missing.
    if meaning is _VERSION_MOVED:
        return len(_PRECEDENCE)
    if meaning.refused:
        return len(_PRECEDENCE) + 1
    return _PRECEDENCE.index(meaning.sqlstate)


_VERSION_MOVED = Meaning(CONFLICT, "the item's version is not the one that was read (OC000)")


def _of_reason(reason: Mapping[str, Any], change: Change | None) -> Meaning:
    code, said = str(reason["Code"]), reason.get("Message")
    if code != _CHECK_FAILED:
        return _plain(code, str(said or ""))
    item = reason.get("Item")
    if not item:
        return Meaning(NO_DATA, "an item of the transaction is not in its table")
    if change is not None:
        if change.version is not None and _number(item, "version") != change.version:
            return _VERSION_MOVED
        balance = _number(item, "balance")
        if change.at_least is not None and balance is not None and balance < change.at_least:
            return REFUSED
    return Meaning(INTERNAL, "a condition failed that the item fulfils")


def _number(item: Mapping[str, Any], name: str) -> int | None:
    value = item.get(name, {}).get("N")
    return None if value is None else int(value)
