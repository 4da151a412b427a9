"""What people type: durations, and whole numbers as the commands' own options take them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from loadtest.cli.application import app
from loadtest.errors.typed import parse_duration


@pytest.mark.parametrize(
    "words",
    [
        ["ui", "--port", "80_80"],
        ["ui", "--port", "65536"],
        ["demo", "--users", "+1"],
        ["demo", "--accounts", "1"],
        ["demo", "--accounts", "１００"],
        ["sweep", "--users", "1,2", "--repeats", " 3"],
        ["sweep", "--users", "1,2", "--repeats", "0"],
    ],
)
def test_digits_alone_are_a_number(words: list[str]) -> None:
    done = CliRunner().invoke(app, words, standalone_mode=False)
    assert "is no whole number from" in str(done.exception)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90), ("90s", 90), ("1m30s", 90), ("250ms", 0.25), ("2h", 7200), ("1.5h", 5400),
        ("0.5", 0.5), ("1h1m1s1ms", 3661.001), (" 5S ", 5), ("0s", 0), ("10M", 600),
    ],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", " ", "s", "5 s", "-5s", "5d", "1e3", "nan", "5s5", "1,5s", "5ss", "1m-30s", ".5s"]
)
def test_what_is_no_duration(text: str) -> None:
    try:
        found = parse_duration(text)
    except ValueError as error:
        assert repr(text) in str(error)  # noqa: PT017 - one text may also be read
    else:
        pytest.fail(f"{text!r} was read as {found}")


@given(st.integers(0, 100), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_parts_of_a_duration_add_up(hours: int, minutes: int, seconds: int, ms: int) -> None:
    found = parse_duration(f"{hours}h{minutes}m{seconds}s{ms}ms")
    assert found == pytest.approx(hours * 3600 + minutes * 60 + seconds + ms / 1000)


@given(st.one_of(st.floats(), st.integers(), st.none()))
def test_numbers_are_seconds_already(value: object) -> None:
    assert parse_duration(value) is value
