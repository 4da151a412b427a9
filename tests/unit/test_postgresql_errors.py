"""What PostgreSQL's errors mean, and that no password is in what is said of them."""

import os
from collections.abc import Iterator
from unittest.mock import patch
from urllib.parse import quote

import psycopg
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st

from loadtest.engine.users.user import _without_session
from loadtest.errors import OccbenchError
from loadtest.record.outcome import Outcome
from loadtest.targets import StatementFailed, open_target, parse_target
from loadtest.targets.postgresql.errors import (
    REFUSES,
    REMEDIES,
    UNREACHABLE,
    cause_of,
    reason,
    refused_sqlstate,
)
from loadtest.targets.postgresql.target import PostgresTarget
from tests.examples import at_most

AT = 'connection failed: connection to server at "db.example" (192.0.2.1), port 5432 failed: '


@pytest.mark.parametrize(
    ("message", "sqlstate", "verb", "cause", "remedy"),
    [
        (
            AT + 'FATAL:  password authentication failed for user "me"\n'
            'connection to server at "db.example", port 5432 failed: FATAL:  no pg_hba.conf entry',
            "28P01", REFUSES, 'password authentication failed for user "me"', REMEDIES["28P01"],
        ),
        (
            AT + "fe_sendauth: no password supplied",
            "", REFUSES, "fe_sendauth: no password supplied", REMEDIES["no password"],
        ),
        (
            AT + 'FATAL:  no pg_hba.conf entry for host "192.0.2.9", user "me", database "db"',
            "28000", REFUSES, "no pg_hba.conf entry for host", REMEDIES["not admitted"],
        ),
        (
            AT + 'FATAL:  role "me" does not exist',
            "28000", REFUSES, 'role "me" does not exist', REMEDIES["no such user"],
        ),
        (
            AT + 'FATAL:  database "db" does not exist',
            "3D000", REFUSES, 'database "db" does not exist', REMEDIES["3D000"],
        ),
        (
            AT + "FATAL:  sorry, too many clients already",
            "53300", REFUSES, "sorry, too many clients already", REMEDIES["53300"],
        ),
        (
            AT + 'FATAL:  too many connections for role "me"',
            "53300", REFUSES, 'too many connections for role "me"', REMEDIES["53300"],
        ),
        (
            AT + "FATAL:  Unable to accept connection, rate exceeded.",
            "53400", REFUSES, "Unable to accept connection, rate exceeded.", REMEDIES["53400"],
        ),
        (
            AT + "FATAL:  the database system is starting up",
            "57P03", REFUSES, "the database system is starting up", REMEDIES["57P03"],
        ),
        (
            AT + "session is read-only",
            "25006", REFUSES, "session is read-only", REMEDIES["25006"],
        ),
        (
            AT + "Connection refused\n\tIs the server running on that host?",
            "", UNREACHABLE, "port 5432 failed: Connection refused", REMEDIES["nothing listens"],
        ),
        (
            'connection is bad: connection to server on socket "/s" failed: No such file or directory',
            "", UNREACHABLE, "No such file or directory", REMEDIES["nothing listens"],
        ),
        ("connection timeout expired", "", UNREACHABLE, "expired", REMEDIES["no answer"]),
        (
            "failed to resolve host 'db.example': [Errno -2] Name or service not known",
            "", UNREACHABLE, "failed to resolve host 'db.example'", REMEDIES["no such host"],
        ),
        (
            AT + "SSL error: certificate verify failed",
            "", UNREACHABLE, "certificate verify failed", REMEDIES["unknown authority"],
        ),
        (
            AT + 'server certificate for "a" (and 1 other name) does not match host name "b"',
            "", UNREACHABLE, 'does not match host name "b"', REMEDIES["another name"],
        ),
        (
            AT + 'root certificate file "/x" does not exist\nEither provide the file, …',
            "", UNREACHABLE, 'root certificate file "/x" does not exist', REMEDIES["no authority"],
        ),
        (
            AT + "server does not support SSL, but SSL was required",
            "", UNREACHABLE, "server does not support SSL", REMEDIES["no TLS"],
        ),
        (
            AT + "received invalid response to SSL negotiation: H",
            "", UNREACHABLE, "invalid response", REMEDIES["another protocol"],
        ),
        # In other words than those that are known: passed on, with what is never wrong.
        (
            AT + "ВАЖНО:  пользователь не прошёл проверку подлинности",
            "", UNREACHABLE, "пользователь не прошёл", "check the host, the port, the user",
        ),
    ],
)  # fmt: skip
def test_a_connection_that_did_not_come_about(
    message: str, sqlstate: str, verb: str, cause: str, remedy: str
) -> None:
    assert refused_sqlstate(message) == sqlstate
    told = reason("", message)
    assert (told.verb, told.remedy[: len(remedy)]) == (verb, remedy)
    assert cause in told.cause
    assert "\n" not in told.cause
    assert "FATAL" not in told.cause
    if verb == REFUSES:
        assert told.cause.startswith(cause)
        assert "db.example" in reason("", message, address=True).cause


@pytest.mark.parametrize(
    ("sqlstate", "message", "remedy"),
    [
        ("42501", "permission denied for table accounts_int", REMEDIES["42501"]),
        ("42P01", 'relation "accounts_int" does not exist', REMEDIES["42P01"]),
        ("25006", "cannot execute UPDATE in a read-only transaction", REMEDIES["25006"]),
        ("57P01", "terminating connection due to administrator command", REMEDIES["57P01"]),
        ("57P05", "terminating connection due to idle-session timeout", REMEDIES["57P05"]),
        ("28P01", 'password authentication failed for user "me"', REMEDIES["28P01"]),
        ("28000", "PAM authentication failed for user", REMEDIES["token refused"]),
        ("28000", "some other authentication failed", REMEDIES["28"]),
        ("53100", "could not extend file: No space left on device", REMEDIES["53"]),
        ("08006", "connection failure", REMEDIES["08"]),
        ("XX000", "Connection refused by the planner", "check the server's log"),
    ],
)
def test_what_a_server_answers(sqlstate: str, message: str, remedy: str) -> None:
    """The SQLSTATE decides, whatever the words are."""
    told = reason(sqlstate, message)
    assert (told.verb, told.cause) == (REFUSES, message)
    assert told.remedy.startswith(remedy)


def test_a_family_may_know_better() -> None:
    told = reason("42501", "permission denied", {**REMEDIES, "42501": "ask the clerk"})
    assert told.remedy == "ask the clerk"


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("", "no reason given"),
        ("\n\n  first\nsecond", "first"),
        ("FATAL:  \x1b[31mred\x07", r"\x1b[31mred\x07"),
        ('relation "a" does not exist\nLINE 1: …', 'relation "a" does not exist'),
    ],
)
def test_a_cause_is_one_printable_line(said: str, cause: str) -> None:
    assert cause_of(said) == cause


@given(st.text(max_size=200), st.sampled_from(["", "42501", "28P01", "00000", "?"]))
def test_whatever_is_said_is_one_line(said: str, sqlstate: str) -> None:
    told = reason(sqlstate, said)
    assert told.cause.isprintable()
    assert told.remedy
    assert refused_sqlstate(said) in {"", "28P01", "28000", "53300", "53400", "57P03", "25006", "3D000"}


def test_a_session_that_is_turned_away_for_now_is_told_apart() -> None:
    """libpq keeps the SQLSTATE of a refused connection to itself; what it means must not be lost."""
    for message, outcome in (
        (AT + "FATAL:  sorry, too many clients already", Outcome.REJECTED),
        (AT + "FATAL:  the database system is shutting down", Outcome.CONNECT_FAILED),
        (AT + "Connection refused", Outcome.CONNECT_FAILED),
        (AT + 'FATAL:  password authentication failed for user "me"', Outcome.CONNECT_FAILED),
    ):
        failure = StatementFailed(
            refused_sqlstate(message), message, commit_sent=False, connected=False
        )
        assert _without_session(failure) is outcome


def test_what_a_session_is_told_while_it_prepares_means_what_it_means_elsewhere() -> None:
    for sqlstate, message, outcome in (
        ("40001", "schema has been updated (OC001)", Outcome.CONFLICT_SCHEMA),
        ("42P01", "no such table", Outcome.ERROR),
        ("53400", "too fast", Outcome.REJECTED),
    ):
        failure = StatementFailed(sqlstate, message, commit_sent=False, connected=True)
        assert _without_session(failure) is outcome


# Secrets


def lines_about(url: str, environment: dict[str, str]) -> Iterator[str]:
    """All that is said of a target: that nobody answers there, and what a server might answer."""
    with patch.dict(os.environ, environment):
        try:
            target = open_target(parse_target(url))
            assert isinstance(target, PostgresTarget)
            yield repr(target.spec)
            for message in (
                AT + 'FATAL:  password authentication failed for user "me"',
                f'unexpected character "x" in URI (expected ":" or "/"): "{url}"',
            ):
                yield str(target.explain(psycopg.OperationalError(message)))
                failure = StatementFailed("42501", message, commit_sent=False, connected=True)
                yield str(target.explain(failure))
            target.connect().close()
        except OccbenchError as error:
            yield str(error)


# Nothing else that is said has these characters in this order.
PASSWORDS = st.text(st.sampled_from("QZ7%@:/?#&=+;' \"\\$"), min_size=3, max_size=12).map(
    lambda text: f"qZ{text}Zq"
)


@example(password="qZ%40Zq", place=0)
@at_most(60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(password=PASSWORDS, place=st.integers(0, 4))
def test_no_password_is_in_any_line(password: str, place: int, closed_port: int) -> None:
    written = quote(password, safe="")
    at = f"127.0.0.1:{closed_port}/db"
    url, environment = [
        (f"postgresql://me:{written}@{at}", {}),
        (f"postgresql://me@{at}?password={written}", {}),
        (f"postgresql://me@{at}?sslpassword={written}&sslmode=disable", {}),
        (f"cockroachdb://me:{written}@{at}?sslmode=disable", {}),
        (f"postgresql://me@{at}", {"PGPASSWORD": password}),
    ][place]
    for line in lines_about(url, environment):
        assert password not in line
        assert written not in line
        assert len(line.splitlines()) == 1
