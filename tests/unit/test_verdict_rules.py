"""The table of rules: how conditions, states and words come together."""

from collections.abc import Iterator
from typing import Any

import pytest

from reports.verdicts.rule import Case, Rule, apply, bad, good, note, where
from reports.verdicts.rules import RUN, SERVICE, SWEEP


def _sizes(numbers: list[int]) -> Iterator[Case]:
    for number in numbers:
        yield "large" if number > 10 else "small", {"number": f"{number}{{}}", "name": f"n{number}"}


RULES: tuple[Rule[list[int]], ...] = (
    Rule("empty", lambda numbers: where(not numbers), then=note("Nothing.")),
    Rule("size, {name}", _sizes, small=good("{number} is small."), large=bad("{number} is large.")),
)


def test_a_rule_has_a_line_for_each_case_that_holds_and_bad_news_first() -> None:
    lines = [(one.about, one.state, one.text) for one in apply(RULES, [3, 20, 4])]
    assert lines == [
        ("size, n20", "bad", "20{} is large."),
        ("size, n3", "good", "3{} is small."),
        ("size, n4", "good", "4{} is small."),
    ]
    assert [one.text for one in apply(RULES, [])] == ["Nothing."]


def test_a_case_without_a_line_is_an_error() -> None:
    with pytest.raises(KeyError):
        apply([Rule("size", _sizes, small=good("small"))], [20])


def test_every_line_of_the_tables_is_a_sentence() -> None:
    tables: list[Rule[Any]] = [*RUN, *SERVICE, *SWEEP]
    for text in (text for rule in tables for _, text in rule.lines.values()):
        assert text == "{text}" or text.endswith((".", ".{share}", ".{stalls}")), text
