"""What a report says, whatever it is printed on: a page, a document, slides."""

from dataclasses import dataclass
from typing import Literal

from reports.charts.draw import Chart
from reports.text.table import Table

TRUST = "Can the figures be trusted?"
"""The heading of notes, where a publication has no other."""

State = Literal["good", "bad", "note"]


@dataclass(frozen=True, slots=True)
class Note:
    """A line that a reader must know before believing the figures; `state` says what kind of news.

    What stands between backticks is something to type.
    """

    state: State
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """A part with a heading of its own; it reads tables first, then notes, then charts."""

    heading: str
    lede: str = ""
    tables: tuple[Table, ...] = ()
    notes: tuple[Note, ...] = ()
    charts: tuple[Chart, ...] = ()


@dataclass(frozen=True, slots=True)
class Publication:
    """A report's content in reading order: the answer, the tables that back it, what to know before
    believing them, the charts, and then whatever sections there are.
    """

    title: str
    """What the report is of: a run's label, a sweep's."""
    kicker: tuple[str, ...]
    """The line above the headline, from the general to the particular: `occbench`, `transfer`, …"""
    headline: str
    """The answer in one sentence."""
    lede: str
    """The few sentences under it."""
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[Note, ...] = ()
    sections: tuple[Section, ...] = ()
    name: str = "report"
    """What its files are called: `report.pdf`, `report.md`."""
    about_notes: str = TRUST
    """The heading of `notes`."""

    @property
    def every_chart(self) -> tuple[Chart, ...]:
        """All charts in reading order."""
        return self.charts + tuple(chart for section in self.sections for chart in section.charts)
