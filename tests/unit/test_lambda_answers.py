"""Lambda targets: what answers mean, Lambda's own and the function's."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.record.outcome import Outcome, outcome_of
from loadtest.targets import StatementFailed, open_target, parse_target
from loadtest.targets.aws_lambda import answers
from loadtest.targets.aws_lambda.answers import (
    answered_error,
    function_failed,
    remote_of,
    service_failed,
)
from loadtest.targets.base.calls import INSUFFICIENT_FUNDS
from loadtest.targets.base.target import ABSENT

SECRET = "hunter2"


def outcome(failure: StatementFailed) -> Outcome:
    return outcome_of(
        failure.sqlstate,
        failure.message,
        commit_sent=failure.commit_sent,
        connected=failure.connected,
    )


@pytest.mark.parametrize(
    ("status", "kind", "sqlstate", "meaning"),
    [
        (429, "TooManyRequestsException", "53400", Outcome.REJECTED),
        (429, "", "53400", Outcome.REJECTED),
        (502, "EC2ThrottledException", "53400", Outcome.REJECTED),
        (404, "ResourceNotFoundException", "42883", Outcome.ERROR),
        (403, "AccessDeniedException", "42501", Outcome.ERROR),
        (403, "UnrecognizedClientException", "28000", Outcome.CONNECT_FAILED),
        (409, "ResourceConflictException", "57P03", Outcome.CONNECTION_LOST),
        (502, "ResourceNotReadyException", "57P03", Outcome.CONNECTION_LOST),
        (502, "KMSDisabledException", "39000", Outcome.ERROR),
        (400, "InvalidRequestContentException", "39000", Outcome.ERROR),
        (413, "RequestTooLargeException:http://internal.example/", "39000", Outcome.ERROR),
        (500, "ServiceException", "08006", Outcome.AMBIGUOUS),
        (503, "", "08006", Outcome.AMBIGUOUS),
        (504, "", "08006", Outcome.AMBIGUOUS),
    ],
)
def test_what_lambda_itself_answers(status: int, kind: str, sqlstate: str, meaning: Outcome) -> None:
    failure = service_failed(status, kind, b'{"message": "words", "Reason": "why"}')
    assert failure.sqlstate == sqlstate
    assert outcome(failure) is meaning
    assert not failure.final
    assert failure.message.endswith("words (why)")


@pytest.mark.parametrize(
    ("kind", "message", "meaning"),
    [
        ("KeyError", "'x'", Outcome.ERROR),
        ("Runtime.ImportModuleError", "No module named 'psycopg'", Outcome.ERROR),
        (
            "Sandbox.Timedout",
            "RequestId: 1 Error: Task timed out after 3.00 seconds",
            Outcome.AMBIGUOUS,
        ),
        ("", "2025-01-01T00:00:00Z 1 Task timed out after 3.00 seconds", Outcome.AMBIGUOUS),
        ("Runtime.ExitError", "Runtime exited with error: signal: killed", Outcome.AMBIGUOUS),
        ("Runtime.OutOfMemory", "Runtime exited with error: signal: killed", Outcome.AMBIGUOUS),
        # It had done its work, and what it returned could not be passed on.
        ("Runtime.MarshalError", "Unable to marshal response: set", Outcome.AMBIGUOUS),
        ("Function.ResponseSizeTooLarge", "Response payload size exceeded", Outcome.AMBIGUOUS),
        ("Runtime.TruncatedResponse", "Response is truncated", Outcome.AMBIGUOUS),
        ("Runtime.JSONStringifyError", "Unable to stringify response body", Outcome.AMBIGUOUS),
        ("Error", "Unable to stringify response body", Outcome.AMBIGUOUS),
        (
            "java.lang.RuntimeException",
            "An error occurred during JSON serialization of response",
            Outcome.AMBIGUOUS,
        ),
        (
            "JsonSerializerException",
            "Error converting the response object of type X from the Lambda function to JSON",
            Outcome.AMBIGUOUS,
        ),
        ("UnsupportedTypeError", "json: unsupported type: chan int", Outcome.AMBIGUOUS),
        # It went away, or something around it did.
        ("Sandbox.Timeout", "Timed out", Outcome.AMBIGUOUS),
        ("Sandbox.Failure", "Internal failure", Outcome.AMBIGUOUS),
        ("Extension.Crash", "exit code 1", Outcome.AMBIGUOUS),
        ("Extension.ExitError", "exit code 1", Outcome.AMBIGUOUS),
        ("Runtime.Unknown", "Runtime exited without providing a reason", Outcome.AMBIGUOUS),
        ("Runtime.NodeJsExit", "Runtime exited", Outcome.AMBIGUOUS),
        ("Runtime.UnhandledPromiseRejection", "rejected", Outcome.AMBIGUOUS),
        ("Runtime.OfTomorrow", "a kind that nobody knows", Outcome.AMBIGUOUS),
        # It was never called.
        ("Runtime.HandlerNotFound", "Handler 'h' missing", Outcome.ERROR),
        ("Runtime.UserCodeSyntaxError", "invalid syntax", Outcome.ERROR),
        ("Runtime.UnmarshalError", "Unable to unmarshal input", Outcome.ERROR),
        ("Runtime.InvalidEntrypoint", "no such file", Outcome.ERROR),
        ("Extension.InitError", "exit code 1", Outcome.ERROR),
        # The function's own errors may have names like those.
        ("RuntimeError", "x", Outcome.ERROR),
        ("Function", "x", Outcome.ERROR),
    ],
)
def test_what_goes_wrong_in_a_function(kind: str, message: str, meaning: Outcome) -> None:
    failure = function_failed(json.dumps({"errorType": kind, "errorMessage": message}).encode())
    assert failure.sqlstate == "38000"
    assert failure.final
    assert outcome(failure) is meaning


@pytest.mark.parametrize(
    ("answer", "sqlstate", "meaning"),
    [
        ({"error": "conflict (OC000)", "errorCode": "40001"}, "40001", Outcome.CONFLICT_DATA),
        ({"error": "schema (OC001)", "errorCode": "40001"}, "40001", Outcome.CONFLICT_SCHEMA),
        ({"error": "deadlock", "errorCode": "40P01"}, "40P01", Outcome.DEADLOCK),
        ({"error": "no table", "errorCode": "42P01"}, "42P01", Outcome.ERROR),
        ({"error": "not reached", "errorCode": "08001"}, "08001", Outcome.CONNECTION_LOST),
        ({"error": "lost before", "errorCode": "08003"}, "08003", Outcome.CONNECTION_LOST),
        ({"error": "lost after", "errorCode": "08007"}, "08007", Outcome.AMBIGUOUS),
        ({"error": "lost", "errorCode": "57P01"}, "57P01", Outcome.AMBIGUOUS),
        ({"error": "reset", "errorCode": "ECONNRESET"}, "38000", Outcome.ERROR),
        ({"error": "pipe", "errorCode": "EPIPE"}, "38000", Outcome.ERROR),
        ({"error": "no code"}, "38000", Outcome.ERROR),
        ({"errorCode": 40001}, "40001", Outcome.CONFLICT_SERIALIZATION),
        ({"statusCode": 200, "body": "Hello"}, "38000", Outcome.ERROR),
        ({}, "38000", Outcome.ERROR),
    ],
)
def test_errors_that_a_function_answers(
    answer: dict[str, Any], sqlstate: str, meaning: Outcome
) -> None:
    for final in (True, False):
        failure = answered_error(answer, final=final)
        assert failure is not None
        assert failure.sqlstate == sqlstate
        assert outcome(failure) is meaning
        assert failure.final or not final


@pytest.mark.parametrize(
    "answer",
    [
        {"statusCode": 200, "body": '{"balance": 1}'},
        {"statusCode": 500},
        {"body": "x", "headers": {}},
    ],
)
def test_the_envelope_of_an_api_gateway_is_named(answer: dict[str, Any]) -> None:
    failure = answered_error(answer, final=True)
    assert failure is not None
    target = open_target(parse_target("lambda://us-east-1/f?accounts=10"))
    line = str(target.explain(failure))
    assert "in the envelope of an API gateway" in line
    assert "it must return what is in body" in line


def test_what_a_function_says_does_not_reach_a_terminal_as_it_is() -> None:
    text = "\x1b]0;owned\x07\x1b[2J" + 500 * "x"
    for failure in (
        answered_error({"error": text}, final=True),
        function_failed(json.dumps({"errorType": text, "errorMessage": text}).encode()),
        service_failed(400, "", json.dumps({"message": text}).encode()),
    ):
        assert failure is not None
        assert failure.message.isprintable()
        assert len(failure.message) <= 300


def test_answers_that_are_no_errors() -> None:
    assert answered_error({"balance": 0, "duration": 1.5, "retries": 0}, final=True) is None
    assert answered_error({"error": "no", "errorCode": INSUFFICIENT_FUNDS}, final=True) is None


@pytest.mark.parametrize("code", ["(OC000)", "(OC001)", ""])
def test_the_words_of_a_conflict_are_not_read(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are many, and all that counts of them is the code, wherever it stands."""
    monkeypatch.setattr(answers, "one_line", None)
    text = f"{400 * 'word '}\n{code}"
    failure = answered_error({"error": text, "errorCode": "40001"}, final=False)
    assert failure is not None
    means = outcome_of("40001", failure.message, commit_sent=False, connected=True)
    assert means is outcome_of("40001", text, commit_sent=False, connected=True)
    assert answered_error({"error": text, "errorCode": "40P01"}, final=False) is not None


def test_a_password_in_a_functions_error_is_not_passed_on() -> None:
    text = f"cannot connect to postgresql://u:{SECRET}@h/db\nTraceback: {SECRET}"
    failure = answered_error({"error": text}, final=True)
    assert failure is not None
    assert SECRET not in failure.message
    assert SECRET not in function_failed(json.dumps({"errorMessage": text}).encode()).message


@pytest.mark.parametrize(
    ("duration", "retries", "expected"),
    [
        (12.5, 3, (12_500_000, 3)),
        ("12.5", 0, (12_500_000, 0)),
        ("12.5ms", 0, (12_500_000, 0)),
        (0, 70_000, (0, 32_767)),
        (None, None, (-1, -1)),
        (-1, -1, (-1, -1)),
        (True, True, (-1, -1)),
        ("soon", "twice", (-1, -1)),
        (float("nan"), 1.5, (-1, -1)),
        (1e300, 1, (-1, 1)),
    ],
)
def test_what_a_function_says_of_itself(
    duration: object, retries: object, expected: tuple[int, int]
) -> None:
    found = remote_of({"duration": duration, "retries": retries})
    assert (found.duration_ns, found.retries) == expected


def test_what_it_does_not_say_is_absent() -> None:
    assert str(remote_of({"balance": 1})) == str(ABSENT)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
ANSWERS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("balance", "duration", "retries", "error", "errorCode"), JSON)
)


@given(ANSWERS)
def test_whatever_a_function_answers_is_read(answer: dict[str, Any]) -> None:
    remote = remote_of(answer)
    assert -1 <= remote.duration_ns < 2**63
    assert -1 <= remote.retries < 2**15
    failure = answered_error(answer, final=True)
    if failure is not None:
        assert len(failure.sqlstate) == 5
        assert len(failure.message.splitlines()) == 1


@given(st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_lambda_answers_is_read(body: bytes) -> None:
    for status in (400, 429, 500):
        assert service_failed(status, "", body).message
    assert function_failed(body).sqlstate == "38000"
