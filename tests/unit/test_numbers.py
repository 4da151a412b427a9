"""Whole numbers as the commands' own options take them."""

import pytest
from typer.testing import CliRunner

from loadtest.cli.application import app


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
