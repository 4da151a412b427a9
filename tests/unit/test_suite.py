"""The two steps of `make test`: one status and one account of both."""

from pathlib import Path

import pytest

from tests import suite

REPORT = """<?xml version="1.0"?><testsuites><testsuite name="pytest" time="12.4">
<testcase file="tests/a.py" name="test_fine"/>
<testcase file="tests/a.py" name="test_left"><skipped/></testcase>
{more}</testsuite></testsuites>"""
FAILED = '<testcase file="tests/b.py" name="test_it[x]"><failure/></testcase>'
ERROR = '<testcase file="tests/b.py" name="test_made"><error/></testcase>'


class Pytest:
    """Stands in for it: writes a report for each step and ends as told."""

    def __init__(self, *steps: tuple[int, str | None]) -> None:
        self._steps = list(steps)
        self.words: list[list[str]] = []

    def __call__(self, words: list[str]) -> int:
        self.words.append(words)
        status, more = self._steps.pop(0)
        if more is not None:
            (path,) = (word.partition("=")[2] for word in words if word.startswith("--junit-xml="))
            Path(path).write_text(REPORT.format(more=more))
        return status


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        (((0, ""), (0, "")), 0),
        (((1, FAILED), (0, "")), 1),
        (((0, ""), (1, FAILED)), 1),
        (((0, ""), (5, "")), 0),
        (((3, None), (0, "")), 3),
        (((1, ""), (3, None)), 1),
    ],
)
def test_the_status_is_that_of_both(steps: tuple[tuple[int, str | None], ...], status: int) -> None:
    run = Pytest(*steps)
    assert suite.main(run) == status
    assert ["-n" in words for words in run.words] == [True, False]


def test_an_interrupt_ends_it() -> None:
    run = Pytest((2, ""))
    assert suite.main(run) == 2


def test_the_account_names_what_failed(capsys: pytest.CaptureFixture[str]) -> None:
    suite.main(Pytest((1, FAILED + ERROR), (3, None)))
    assert capsys.readouterr().out.splitlines()[-5:] == [
        "All tests",
        "  side by side: 1 passed, 1 skipped, 2 failed in 12 s, exit status 1",
        "    tests/b.py::test_it[x]",
        "    tests/b.py::test_made",
        "  one by one: 0 passed, 0 skipped, 0 failed in 0 s, exit status 3",
    ]


def test_each_test_is_in_one_step() -> None:
    marks = [words[words.index("-m") + 1] for words in suite.STEPS.values()]
    assert marks == ["not timed and not long", "timed and not long"]
