"""A rule: when a reader must know something, what kind of news it is, and the words."""

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from reports.text.verdict import State, Verdict

Subject = TypeVar("Subject")
Case = tuple[str, dict[str, str]]
"""Which of a rule's lines holds, and what stands in the gaps of its text."""


class Rule(Generic[Subject]):
    """What a verdict is about, the condition that yields the cases that hold, and the line of each."""

    def __init__(
        self,
        about: str,
        when: Callable[[Subject], Iterable[Case]],
        **lines: tuple[State, str],
    ) -> None:
        """`lines` are state and text by the case's name."""
        self._about, self._when, self.lines = about, when, lines

    def verdicts(self, subject: Subject) -> list[Verdict]:
        """A verdict for each case that holds."""
        return [
            Verdict(self._about.format(**words), state, text.format(**words))
            for case, words in self._when(subject)
            for state, text in (self.lines[case],)
        ]


def good(text: str) -> tuple[State, str]:
    """A line of good news."""
    return "good", text


def note(text: str) -> tuple[State, str]:
    """A line that is worth knowing."""
    return "note", text


def bad(text: str) -> tuple[State, str]:
    """A line of bad news."""
    return "bad", text


def where(holds: object, case: str = "then", /, **words: str) -> list[Case]:
    """One case with its words, if it holds."""
    return [(case, words)] if holds else []


def apply(rules: Sequence[Rule[Subject]], subject: Subject) -> list[Verdict]:
    """Every verdict that the rules give: what is bad comes first, else in the rules' order."""
    lines = [verdict for rule in rules for verdict in rule.verdicts(subject)]
    return sorted(lines, key=lambda one: one.state != "bad")
