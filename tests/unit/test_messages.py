"""What is quoted of others: short, without what a terminal obeys, without secrets."""

import re
import sys
from time import process_time

import pytest

from loadtest.cli import main
from loadtest.errors import InputError
from loadtest.errors.messages import _ASSIGNED, _KEY, HIDDEN, one_line, quoted, without, without_secrets
from loadtest.process.interrupts import Interrupted
from loadtest.targets.base.target import StatementFailed

SECRET = "hunter2"


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://u:{SECRET}@h/d", f"u:{SECRET}@h", f"host=h password={SECRET}",
        f"Password = {SECRET};", f"pwd:{SECRET}", f"aws_session_token={SECRET}",
        f"AWS_SECRET_ACCESS_KEY={SECRET}", "AKIAABCDEFGHIJKLMNOP", 40 * "aB3",
    ],
)  # fmt: skip
def test_what_may_be_a_secret_is_not_quoted(text: str) -> None:
    assert quoted(text) == f"'{HIDDEN}'"


@pytest.mark.parametrize("text", ["colour", "us-east-1", "a b", "zipf:0.9", "east/west=62", "1.5%"])
def test_what_is_harmless_is_quoted(text: str) -> None:
    assert quoted(text) == f"'{text}'"


def test_a_value_is_shortened_and_its_control_characters_are_shown() -> None:
    assert quoted("a\n\x1b[2J\u202e") == r"'a\n\x1b[2J\u202e'"
    assert len(quoted(99 * "ab ")) <= 82
    assert one_line("first \x1b]0;title\x07\r\nsecond") == r"first \x1b]0;title\x07"
    assert str(InputError("a\nb")) == r"a\nb"
    failure = StatementFailed("P0001", "\x1b[31mred", commit_sent=False, connected=True)
    assert failure.message == r"\x1b[31mred"
    assert str(failure) == r"P0001: \x1b[31mred"


@pytest.mark.parametrize(
    "text",
    [
        f"cannot connect to postgresql://u:{SECRET}@h/d: refused",
        f"cannot connect to postgresql://u:a@{SECRET}@h/d: refused",
        f"postgresql:/u:{SECRET}@h/d is not a folder",
        f'connection "host=h user=u password={SECRET}" failed',
        f"{{'password': '{SECRET} {SECRET}'}}",
        f'{{"SecretString":"{SECRET}"}}',
        f"https://h/?X-Amz-Security-Token={SECRET}&x=1",
    ],
)
def test_what_others_quote_of_secrets_is_taken_out(text: str) -> None:
    assert SECRET not in without_secrets(text)


@pytest.mark.parametrize(
    "text",
    [
        'password authentication failed for user "u"',
        "the bearer token is expired; bearer authentication failed",
        "Unexpected token: }; cannot get credentials: nobody is there",
        "the security token included in the request is expired",
        "give token_expires_s=900",
        "check http://127.0.0.1:8000/ and me@example.org",
        "target h (postgresql://u@h:5432/db?application_name=a@b)",
    ],
)
def test_what_holds_none_stays_as_it_is(text: str) -> None:
    assert without_secrets(text) == text


@pytest.mark.parametrize(
    "text",
    [
        f"ALTER ROLE u PASSWORD '{SECRET} it''s {SECRET}'",
        f"password: {SECRET}",
        f"db_password: '{SECRET} {SECRET}'",
        f"Authorization: Basic {SECRET}",
        f"{{'Authorization': 'Bearer {SECRET}'}}",
        f"was sent Bearer {SECRET}",
        f"password='begun and cut off {SECRET}",
    ],
)
def test_secrets_in_prose_are_taken_out(text: str) -> None:
    assert SECRET not in without_secrets(text)


EVIL = [
    "secret_",
    "a",
    "a-",
    "aB3",
    "pass ",
    "://:",
    ":a",
    "a:/b:",
    "password: ",
    "password='\\\\",
    "AKIA",
    "=",
]


@pytest.mark.parametrize("part", EVIL)
def test_a_long_text_takes_no_long_time(part: str) -> None:
    """What a server or a function answers is read while all others wait."""
    text = part * (100_000 // len(part))
    before = process_time()
    said = one_line(text)
    assert process_time() - before < 1
    assert len(said) <= 300


@pytest.mark.parametrize("pattern", [_KEY, _ASSIGNED])
def test_a_long_word_is_searched_once(pattern: re.Pattern[str]) -> None:
    before = process_time()
    pattern.sub("", "a" * 100_000)
    assert process_time() - before < 1


@pytest.mark.parametrize("begin", range(1_150, 1_201))
def test_no_half_of_a_secret_is_left_where_a_text_is_cut(begin: int) -> None:
    """What is hidden before it would bring it into sight."""
    for secret in (
        f"postgresql://u:{SECRET}@h",
        f"'password': '{SECRET} {SECRET}'",
        f"password: {SECRET}",
    ):
        hidden = 40 * "aB3"
        text = f"{hidden} {'password=' + (begin - 140) * 'x'} {secret} {400 * 'more '}"
        assert SECRET[:3] not in one_line(text)


def test_secrets_that_are_known_are_taken_out_as_they_are_and_as_they_are_quoted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert without(r"b'ab\ncd' ab x", ["ab\ncd", "x"]) == f"b'{HIDDEN}' ab {HIDDEN}"
    monkeypatch.setenv("AWS_SESSION_TOKEN", f"{SECRET}\n")
    assert (
        without_secrets(f"Invalid header value b'{SECRET}\\n'") == f"Invalid header value b'{HIDDEN}'"
    )


@pytest.mark.parametrize(
    "words",
    [
        ["run", f"postgresql://u:{SECRET}@h/d"],
        [f"postgresql://u:{SECRET}@h/d"],
        ["run", f"host=h password={SECRET}"],
        ["compare", f"postgresql://u:{SECRET}@h/d", "x"],
        ["report", f"postgresql://u:{SECRET}@h/d"],
        ["list", f"postgresql://u:{SECRET}@h/d"],
        ["run", f"--targt=postgresql://u:{SECRET}@h/d"],
        ["run", "--target", f"Server=h;Password={SECRET}"],
        ["seed", "--keys", "int", "--keys-from", f"postgresql://u:{SECRET}@h/d"],
        ["ui", "--port", f"postgresql://u:{SECRET}@h/d"],
        ["cluster", "list", "--region", f"postgresql://u:{SECRET}@h/d"],
        ["predict", "--from", f"postgresql://u:{SECRET}@h/d"],
        ["sweep", "--users", "1,2", "--target", f"a=postgresql://u:{SECRET}@h/d?passwd={SECRET}"],
    ],
)
def test_a_command_does_not_echo_a_target_wherever_it_stands(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["occbench", *words])
    assert main._run(Interrupted()) == InputError.exit_code
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err
    assert len(said.err.splitlines()) == 1
