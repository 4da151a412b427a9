"""What DynamoDB's answers mean."""

from typing import Any

import pytest

from loadtest.record.outcome import Outcome, outcome_of
from loadtest.targets import dynamodb
from loadtest.targets.base.items import Change
from loadtest.targets.dynamodb.errors import Failure, failure_of

KEY = (1).to_bytes(8)
ATOMIC = (Change("accounts_int", KEY, -7, at_least=7), Change("accounts_int", KEY, 7))
VERSIONED = (
    Change("accounts_int", KEY, -7, version=3),
    Change("accounts_int", KEY, 7, version=5),
)
NAMESPACE = "com.amazonaws.dynamodb.v20120810#"

NONE: dict[str, Any] = {"Code": "None"}
CONFLICT = {"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"}
THROTTLED = {"Code": "ThrottlingError", "Message": "Throughput exceeds the current capacity"}
WRONG = {"Code": "ValidationError", "Message": "One or more parameter values were invalid."}
MISSING = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}


def failed(balance: int, version: int) -> dict[str, Any]:
    return MISSING | {"Item": {"balance": {"N": str(balance)}, "version": {"N": str(version)}}}


def canceled(*reasons: dict[str, Any], changes: tuple[Change, ...] = ATOMIC) -> Failure:
    answer = {
        "__type": NAMESPACE + "TransactionCanceledException",
        "message": "Transaction cancelled",
        "CancellationReasons": list(reasons),
    }
    return failure_of(400, answer, changes)


def outcome(failure: Failure, *, commit_sent: bool = True) -> Outcome:
    assert not failure.refused
    return outcome_of(
        failure.sqlstate, failure.text, commit_sent=commit_sent, connected=not failure.unknown
    )


@pytest.mark.parametrize(
    ("code", "sqlstate", "means"),
    [
        ("TransactionConflictException", "40001", Outcome.CONFLICT_DATA),
        ("ReplicatedWriteConflictException", "40001", Outcome.CONFLICT_DATA),
        ("TransactionInProgressException", "40001", Outcome.CONFLICT_SERIALIZATION),
        ("ThrottlingException", "53400", Outcome.REJECTED),
        ("ProvisionedThroughputExceededException", "53400", Outcome.REJECTED),
        ("RequestLimitExceeded", "53400", Outcome.REJECTED),
        ("ItemCollectionSizeLimitExceededException", "22023", Outcome.ERROR),
        ("ValidationException", "22023", Outcome.ERROR),
        ("AccessDeniedException", "42501", Outcome.ERROR),
        ("ResourceNotFoundException", "42P01", Outcome.ERROR),
        ("UnrecognizedClientException", "28000", Outcome.ERROR),
        ("ExpiredTokenException", "28000", Outcome.ERROR),
        ("InvalidSignatureException", "28000", Outcome.ERROR),
        ("NobodyKnowsThisException", "XX000", Outcome.ERROR),
    ],
)
def test_an_error_by_its_code(code: str, sqlstate: str, means: Outcome) -> None:
    failure = failure_of(400, {"__type": NAMESPACE + code, "Message": "so it is\nand more"})
    assert failure.sqlstate == sqlstate
    assert "\n" not in failure.text
    assert code in failure.text
    assert outcome(failure) is means


@pytest.mark.parametrize(
    ("code", "sqlstate", "means"),
    [
        ("TransactionConflict", "40001", Outcome.CONFLICT_DATA),
        ("ThrottlingError", "53400", Outcome.REJECTED),
        ("ProvisionedThroughputExceeded", "53400", Outcome.REJECTED),
        ("ItemCollectionSizeLimitExceeded", "22023", Outcome.ERROR),
        ("ValidationError", "22023", Outcome.ERROR),
    ],
)
def test_a_cancellation_by_its_reason(code: str, sqlstate: str, means: Outcome) -> None:
    for reasons in ([{"Code": code}, NONE], [NONE, {"Code": code, "Message": None}]):
        failure = canceled(*reasons)
        assert failure.sqlstate == sqlstate
        assert outcome(failure) is means


def test_a_balance_too_small_is_the_scenarios_own_rule() -> None:
    assert canceled(failed(6, 0), NONE).refused


def test_an_item_that_is_not_there_is_no_refusal() -> None:
    for reasons in ([MISSING, NONE], [NONE, MISSING]):
        failure = canceled(*reasons)
        assert failure.sqlstate == "P0002"
        assert outcome(failure) is Outcome.ERROR


def test_a_version_that_moved_is_a_conflict() -> None:
    for reasons in ([failed(100, 4), NONE], [NONE, failed(100, 6)], [failed(0, 4), failed(0, 9)]):
        failure = canceled(*reasons, changes=VERSIONED)
        assert failure.sqlstate == "40001"
        assert outcome(failure) is Outcome.CONFLICT_DATA


def test_a_condition_that_holds_did_not_fail() -> None:
    assert canceled(failed(7, 0), NONE).sqlstate == "XX000"
    assert canceled(failed(100, 3), NONE, changes=VERSIONED).sqlstate == "XX000"


@pytest.mark.parametrize(
    ("reasons", "sqlstate"),
    [
        ([failed(0, 0), CONFLICT], "40001"),
        ([MISSING, CONFLICT], "40001"),
        ([failed(0, 0), THROTTLED], "53400"),
        ([THROTTLED, CONFLICT], "40001"),
        ([WRONG, THROTTLED], "53400"),
        ([WRONG, MISSING], "22023"),
        ([failed(0, 0), MISSING], "P0002"),
        ([failed(0, 0), WRONG], "22023"),
    ],
)
def test_of_several_reasons_one_counts(reasons: list[dict[str, Any]], sqlstate: str) -> None:
    assert canceled(*reasons).sqlstate == sqlstate
    turned = tuple(reversed(ATOMIC))
    assert canceled(*reversed(reasons), changes=turned).sqlstate == sqlstate


def test_a_version_that_moved_comes_before_a_refusal_and_after_a_missing_item() -> None:
    both = (Change("t", KEY, -7, at_least=7), Change("t", KEY, 7, version=5))
    assert canceled(failed(0, 0), failed(0, 6), changes=both).sqlstate == "40001"
    assert canceled(MISSING, failed(0, 6), changes=both).sqlstate == "P0002"


def test_a_server_that_broke_may_have_done_it() -> None:
    answers: list[Any] = [{"__type": NAMESPACE + "InternalServerError"}, None, {}]
    for answer in answers:
        for status in (500, 503):
            failure = failure_of(status, answer)
            assert failure.sqlstate == "XX000"
            assert outcome(failure) is Outcome.AMBIGUOUS
            assert outcome(failure, commit_sent=False) is Outcome.CONNECTION_LOST


def test_an_answer_of_something_else_is_not_understood() -> None:
    answers: list[Any] = [None, {}, [], {"error": "no"}]
    for answer in answers:
        failure = failure_of(403, answer)
        assert failure.sqlstate == "08P01"
        assert outcome(failure) is Outcome.AMBIGUOUS


def test_what_is_said_to_a_wrong_signature_is_not_repeated() -> None:
    said = "The Canonical String should have been x-amz-security-token:SECRETTOKEN"
    failure = failure_of(400, {"__type": "x#InvalidSignatureException", "message": said})
    assert "SECRET" not in failure.text


def test_a_cancellation_without_reasons() -> None:
    assert canceled().sqlstate == "XX000"
    assert canceled(NONE, NONE).sqlstate == "XX000"


@pytest.mark.parametrize("code", ["TransactionConflict", "TransactionInProgressException"])
def test_the_words_of_a_conflict_are_not_read(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are many, and nobody is told them."""
    monkeypatch.setattr(dynamodb.errors, "one_line", None)
    assert failure_of(400, {"__type": NAMESPACE + code, "message": "words"}).sqlstate == "40001"
    why = [{"Code": code, "Message": "words"}]
    answer = {
        "__type": NAMESPACE + dynamodb.errors.CANCELED,
        "message": "words",
        "CancellationReasons": why,
    }
    assert failure_of(400, answer).sqlstate == "40001"
