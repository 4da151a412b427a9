"""What is quoted of others: short, without what a terminal obeys, without secrets."""

import sys

import pytest

from loadtest import cli
from loadtest.errors import InputError
from loadtest.interrupts import Interrupted
from loadtest.messages import HIDDEN, one_line, quoted, without, without_secrets
from loadtest.targets.base import StatementFailed

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
        "the security token included in the request is expired",
        "give token_expires_s=900",
        "check http://127.0.0.1:8000/ and me@example.org",
        "target h (postgresql://u@h:5432/db?application_name=a@b)",
    ],
)
def test_what_holds_none_stays_as_it_is(text: str) -> None:
    assert without_secrets(text) == text


def test_secrets_that_are_known_are_taken_out_as_they_are_and_as_they_are_quoted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert without(r"b'ab\ncd' ab x", ["ab\ncd", "x"]) == f"b'{HIDDEN}' ab {HIDDEN}"
    monkeypatch.setenv("AWS_SESSION_TOKEN", f"{SECRET}\n")
    assert without_secrets(f"Invalid header value b'{SECRET}\\n'") == f"Invalid header value b'{HIDDEN}'"


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
    assert cli._run(Interrupted()) == InputError.exit_code
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err
    assert len(said.err.splitlines()) == 1
