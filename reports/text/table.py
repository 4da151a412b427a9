"""A table as text, ready for a page, a document or a terminal."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cell:
    """A table's cell; `differs` marks a ratio whose interval leaves 1 out."""

    text: str
    note: str = ""
    differs: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Column heads, and rows of a head and cells.

    `columns` name the cells of each row, without the row's head, so a row has as many cells as there
    are columns. `title` and `reading` are what a chart's are; a page that has a heading for the table
    already leaves them empty.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    title: str = ""
    reading: str = ""
    corner: str = ""
    """The head of the rows' heads."""


def of_texts(
    columns: tuple[str, ...],
    rows: tuple[tuple[str, ...], ...],
    *,
    title: str = "",
    reading: str = "",
    corner: str = "",
) -> Table:
    """A table from rows of plain texts, the first of which is the row's head."""
    made = tuple((head, tuple(Cell(text) for text in cells)) for head, *cells in rows)
    return Table(columns, made, title, reading, corner)
