"""Tables as text, ready for a page, a document or a terminal."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Cell:
    """A table's cell, with a note in small type under its text."""

    text: str
    note: str = ""
    differs: bool = False
    """Whether it is marked as showing a difference."""
    state: Literal["", "good", "bad"] = ""
    """What kind of news it is."""
    shade: float | None = None
    """How dark its ground is, from 0 to 1; None in a table that has no shades."""


Row = tuple[str, tuple[Cell, ...]]
"""A head and its cells."""


@dataclass(frozen=True, slots=True)
class Table:
    """Column heads, and rows of a head and cells.

    `columns` name the cells of each row, without the row's head. A row with fewer cells than columns
    has words in place of figures: its last cell goes on to the end. A row with none is the heading of
    those below it. A head that begins with … belongs to the row above.
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    title: str = ""
    reading: str = ""
    corner: str = ""
    """The head of the rows' heads."""
    over: str = ""
    """What all column heads have over them."""
    words: bool = False
    """Whether the cells are words, and no figures that stand under one another."""
    colours: Mapping[str, str] = field(default_factory=dict)
    """The page's variable of the colour that a column has in charts, by column."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Address of the page that a row is about, by the row's head."""


def of_texts(
    columns: tuple[str, ...],
    rows: tuple[tuple[str, ...], ...],
    *,
    title: str = "",
    corner: str = "",
    words: bool = False,
) -> Table:
    """A table from rows of plain texts, the first of which is the row's head."""
    made = tuple((head, tuple(Cell(text) for text in cells)) for head, *cells in rows)
    return Table(columns, made, title, corner=corner, words=words)


@dataclass(frozen=True, slots=True)
class Facts:
    """A list of names and what they stand for, with its title."""

    title: str
    pairs: tuple[tuple[str, str], ...]

    @property
    def table(self) -> Table:
        """The same as a table, which has no column heads."""
        return of_texts(("",), self.pairs, words=True)
