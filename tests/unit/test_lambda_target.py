"""Lambda targets: what stands behind `--target`, and what answers mean."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loadtest.config.run import RunConfig
from loadtest.errors import InputError
from loadtest.record.attempt import Outcome, outcome_of
from loadtest.targets import Dialect, StatementFailed, open_target, parse_target
from loadtest.targets.aws_lambda import answers
from loadtest.targets.aws_lambda.address import LambdaAddress
from loadtest.targets.aws_lambda.answers import (
    answered_error,
    function_failed,
    remote_of,
    service_failed,
)
from loadtest.targets.base.calls import INSUFFICIENT_FUNDS
from loadtest.targets.base.target import ABSENT
from loadtest.targets.registry import shown_target
from loadtest.workload.builtin import find_scenario
from loadtest.workload.keyspace import KeyType
from tests.rigs.lambda_endpoint import EXAMPLE, PACKAGED, package

SECRET = "hunter2"


def address(text: str) -> LambdaAddress:
    return LambdaAddress.of(parse_target(text))


def outcome(failure: StatementFailed) -> Outcome:
    return outcome_of(
        failure.sqlstate,
        failure.message,
        commit_sent=failure.commit_sent,
        connected=failure.connected,
    )


# What stands behind --target


@pytest.mark.parametrize(
    ("path", "function"),
    [
        ("transfer", "transfer"),
        ("transfer:live", "transfer:live"),
        ("transfer:$LATEST", "transfer:$LATEST"),
        ("transfer%3A7", "transfer:7"),
        (
            "arn:aws:lambda:us-east-1:123456789012:function:transfer:live",
            "arn:aws:lambda:us-east-1:123456789012:function:transfer:live",
        ),
        ("123456789012:function:transfer", "123456789012:function:transfer"),
    ],
)
def test_functions(path: str, function: str) -> None:
    found = address(f"lambda://us-east-1/{path}?accounts=10")
    assert (found.region, found.function, found.retry) == ("us-east-1", function, "function")
    assert found.declared is not None
    assert (found.declared.accounts, found.declared.key_seed, found.declared.balance) == (10, 1, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lambda://us-east-1?accounts=10", "a Region and a function's name are needed"),
        ("lambda:///transfer?accounts=10", "a Region and a function's name are needed"),
        ("lambda://us-east-1/a/b?accounts=10", "a Region and a function's name are needed"),
        ("lambda://us-east-1/f", "say what is behind the function"),
        ("lambda://us-east-1/f?database=embedded&accounts=10", "say what is behind the function"),
        ("lambda://us-east-1/f?accounts=1", "accounts=1 is not a whole number from 2 on"),
        ("lambda://us-east-1/f?accounts=many", "accounts=many is not"),
        ("lambda://us-east-1/f?accounts=99999999999999999999999", "is not a whole number"),
        ("lambda://us-east-1/f?accounts=10&key_seed=-1", "key_seed=-1 is not"),
        ("lambda://us-east-1/f?database=embedded&balance=5", "go with accounts= only"),
        ("lambda://us-east-1/f?accounts=10&retry=never", "neither function nor caller"),
        ("lambda://us-east-1/f?accounts=10&qualifier=x", "no option 'qualifier'"),
        ("lambda://us-east-1/f?database=mysql%3A%2F%2Fh", "in database=: .*no known family"),
        ("lambda://us-east-1/f?database=lambda%3A%2F%2Fr%2Fg", "database= names a function"),
    ],
)
def test_what_cannot_be(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        address(text)
    assert "\n" not in str(caught.value)


def test_the_database_behind_it() -> None:
    target = open_target(
        parse_target("eu=lambda://us-east-1/f?database=embedded%3Fdata%3D%2Fsrv%2Fa&retry=caller")
    )
    database = target.database  # type: ignore[attr-defined]
    assert database.spec.url == "embedded?data=/srv/a"
    assert database.called == "target eu's database (embedded?data=/srv/a)"
    assert target.place() == "us-east-1/f"


PASSWORDS = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="*"), min_size=4, max_size=12
).map(lambda text: f"*{text}*")


@example("*%40%2540*", 1)
@example("*a&b=c*", 1)
@example("*a:b@c*", 2)
@given(PASSWORDS, st.integers(1, 3))
def test_no_password_of_the_database_is_shown(password: str, times: int) -> None:
    inner = f"postgresql://me:{quote(password, safe='')}@db.example/x?connect_timeout=5"
    other = f"postgresql://me@db.example/x?password={quote(password, safe='')}"
    for database in (inner, other):
        value = database
        for _ in range(times):
            value = quote(value, safe="")
        text = f"lambda://us-east-1/f?profile=p&database={value}&retry=caller"
        spec = parse_target(text)
        said = [spec.shown, repr(spec), shown_target(f"nobody=takes {text}")]
        try:
            assert address(text).database is not None
            assert times == 1
            target = open_target(spec)
            said.append(target.called)
            said.append(target.database.called)  # type: ignore[attr-defined]
        except InputError as error:
            assert times > 1
            said.append(str(error))
        for words in said:
            shown = words.replace("***", "")
            for encoded in _encodings(password):
                assert encoded not in shown
        assert spec.shown.startswith("lambda://us-east-1/f?profile=p&database=")
        assert spec.shown.endswith("&retry=caller")


def _encodings(password: str) -> Iterator[str]:
    for _ in range(5):
        yield password
        password = quote(password, safe="")


SAFE = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30)


@given(SAFE)
def test_what_is_no_secret_stays_as_it_is(text: str) -> None:
    """A folder of the database behind the function, whatever it is called."""
    folder = f"/srv/{quote(text, safe='')}"
    spec = parse_target(f"lambda://us-east-1/f?database={quote(f'embedded?data={folder}', safe='')}")
    found = LambdaAddress.of(spec).database
    assert found is not None
    assert found.options["data"] == f"/srv/{text}"
    if "password" not in text.lower() and ":" not in text and "token" not in text.lower():
        assert spec.shown == spec.url


# What answers mean


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
    line = str(target.explain_failed(failure))  # type: ignore[attr-defined]
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


# The example


@pytest.fixture(scope="module")
def example_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("example_handler", EXAMPLE / "handler.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["example_handler"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("key_type", list(KeyType))
def test_the_example_sends_the_statements_of_the_scenario(
    example_module: ModuleType, key_type: KeyType
) -> None:
    scenario = find_scenario("transfer")
    table = scenario.table(key_type).name
    wanted = [statement.sql for statement in scenario.statements(Dialect(), [key_type])]
    assert wanted == [s.format(table=table) for s in (example_module.DEBIT, example_module.CREDIT)]
    assert Dialect.begin == example_module.BEGIN
    assert example_module.INSUFFICIENT_FUNDS == INSUFFICIENT_FUNDS


def test_the_example_has_the_defaults_of_a_run(example_module: ModuleType) -> None:
    config = RunConfig.read()
    policy = example_module._policy({})
    assert policy == config.retry_policy()
    assert example_module._policy({"max_attempts": 1}).max_attempts == 1


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"payer_id": 1, "payee_id": 2},
        {"payer_id": 1, "payee_id": "no key", "amount": 1},
        {"payer_id": 1, "payee_id": "6f1c1f4e-0000-4000-8000-000000000000", "amount": 1},
        {"payer_id": 1, "payee_id": 2, "amount": -1},
        {"payer_id": 1, "payee_id": 2, "amount": "NaN"},
        {"payer_id": 1, "payee_id": 2, "amount": "much"},
        {"payer_id": True, "payee_id": 2, "amount": 1},
        {"payer_id": None, "payee_id": 2, "amount": 1},
    ],
)
def test_the_example_says_what_is_wrong_with_a_payload(
    example_module: ModuleType, event: dict[str, Any]
) -> None:
    answer = example_module.handler(event)
    assert answer["errorCode"] == "22023"
    assert answer["retries"] == 0


def test_the_example_shows_no_password(
    example_module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in (
        f"postgresql://u:{SECRET}%zz@h/db",
        f"host=h {SECRET}",
        f"host=/nowhere user=u password={SECRET}",
        "",
    ):
        monkeypatch.setenv("OCC_DATABASE", text)
        answer = example_module.handler({"payer_id": 1, "payee_id": 2, "amount": 1})
        assert answer["errorCode"] in ("22023", "08001")
        assert SECRET not in json.dumps(answer)


@pytest.mark.parametrize(
    ("text", "user", "action"),
    [
        ("abc123.dsql.eu-west-2.on.aws", "admin", "DbConnectAdmin"),
        ("dsql://abc123.dsql.eu-west-2.on.aws?user=teller", "teller", "DbConnect&"),
    ],
)
def test_the_example_signs_for_aurora_dsql(
    example_module: ModuleType, monkeypatch: pytest.MonkeyPatch, text: str, user: str, action: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    conninfo = example_module.conninfo(text)
    assert f"user={user}" in conninfo
    assert f"Action={action}" in conninfo
    assert "eu-west-2%2Fdsql%2Faws4_request" in conninfo
    assert "sslmode=verify-full" in conninfo
    assert example_module.conninfo("host=h dbname=x") == "host=h dbname=x"


def test_the_package_of_the_example_is_small(tmp_path: Path) -> None:
    """What its README has one copy is all it needs, and brings nothing heavy along."""
    readme = (EXAMPLE / "README.md").read_text()
    for name in PACKAGED:
        assert f"loadtest/{name} " in readme
    package(tmp_path)
    code = (
        f"import sys; sys.path[0] = {str(tmp_path)!r}; import handler, loadtest.workload.retry; "
        "print(loadtest.workload.retry.__file__, *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    file, *modules = done.stdout.split()
    assert Path(file).is_relative_to(tmp_path)
    assert not {"numpy", "pyarrow", "pydantic", "gevent", "locust", "boto3"} & set(modules)
