"""What a report says, whatever it is printed on: a page, a document, slides."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from reports.text.table import Facts, Table
from reports.text.verdict import State

if TYPE_CHECKING:
    # A document without charts is made without importing what draws.
    from reports.charts.figure import Chart

TRUST = "Can the figures be trusted?"
"""The heading of notes, where a document has no other."""


@dataclass(frozen=True, slots=True)
class Note:
    """A line that a reader must know before believing the figures; `state` says what kind of news.

    What stands between backticks is something to type.
    """

    state: State
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a document, in reading order; a text is a paragraph, a section a part of this one."""

    heading: str
    blocks: "tuple[Block, ...]"
    name: str = ""
    """What an address calls it: letters and hyphens."""
    side_by_side: bool = False
    """Whether its blocks stand beside one another where there is room."""


Block: TypeAlias = "str | Note | Table | Facts | Chart | Section"
_Kind = TypeVar("_Kind", Note, Table, Facts, "Chart", Section)


@dataclass(frozen=True, slots=True)
class Document:
    """A report before it is printed: the answer, and what backs it, in reading order."""

    title: str
    """What the report is of: a run's label, a sweep's."""
    kicker: tuple[str, ...]
    """The line above the headline, from the general to the particular: `occbench`, `transfer`, …"""
    headline: str
    """The answer in one sentence."""
    lede: str
    """The few sentences under it."""
    sections: tuple[Section, ...]
    footer: str = ""
    """Where more is to be read, for a page."""

    def every(self, kind: type[_Kind]) -> tuple[_Kind, ...]:
        """All blocks of that kind, in reading order."""
        return tuple(block for block in _flat(self.sections) if isinstance(block, kind))

    @property
    def charts(self) -> "tuple[Chart, ...]":
        """All charts in reading order."""
        from reports.charts.figure import Chart

        return self.every(Chart)


def _flat(blocks: "tuple[Block, ...]") -> Iterator[Block]:
    for block in blocks:
        yield block
        if isinstance(block, Section):
            yield from _flat(block.blocks)
