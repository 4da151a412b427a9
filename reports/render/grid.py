"""A table on paper: columns as wide as they need, rows that break over pages."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.charts.style import FAINT, GRID, INK, MUTED, Colour
from reports.render.typesetting import Type
from reports.text.table import Cell, Table

_SIZES: tuple[float, ...] = (9.5, 9.0, 8.5, 8.0, 7.5, 7.0, 6.5)
"""Sizes of type that are tried until the columns fit beside one another."""
_GAP = 12
"""Points between two columns."""
_PAD = 3.2
"""Points above and below a row's text."""
_NOTE = 0.82
"""Size of a cell's note over that of its text."""
_SENTENCE = 30
"""Letters of a cell's text from which it is broken into lines."""
_HEAD_SHARE = 0.34
"""The most of the width that the rows' heads may take."""


class Paper(Protocol):
    """Where rows go: the page in progress, and how far down it is filled."""

    left: float
    top: float
    """Points from the page's lower edge to where the next thing begins."""

    @property
    def width(self) -> float:
        """Points between the margins."""

    @property
    def sheet(self) -> Figure:
        """The page in progress."""

    def room_for(self, height: float) -> bool:
        """Begin a new page if there is less room than `height` points; says whether it did."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A row, broken into lines: of its head, and of each cell's text and note."""

    head: list[str]
    cells: list[list[str]]
    notes: list[list[str]]
    bold: list[bool] = field(default_factory=list)

    def height(self, size: Type) -> float:
        """Points with the padding."""
        deepest = max(
            len(text) * size.line + len(note) * size.line * _NOTE
            for text, note in zip([self.head, *self.cells], [[], *self.notes], strict=True)
        )
        return deepest + 2 * _PAD


def set_table(table: Table, paper: Paper) -> None:
    """Set a table; if its columns do not fit in the smallest type, in parts below one another."""
    if _is_list(table):
        _set_list(table, paper)
        return
    rest, sizes = table, _SIZES
    while rest.columns:
        size, widths, fitting = _fit(rest, paper.width, sizes)
        # What goes on below is set in the type of what it goes on from.
        sizes = (size.size,)
        _set_part(_columns(rest, 0, fitting), paper, size, widths)
        rest = _columns(rest, fitting, len(rest.columns))
        paper.top -= 8


def _is_list(table: Table) -> bool:
    """Whether it is a list of names and what they stand for, with nothing to be aligned."""
    return table.columns == ("",)


def _columns(table: Table, begin: int, end: int) -> Table:
    rows = tuple((head, cells[begin:end]) for head, cells in table.rows)
    return replace(table, columns=table.columns[begin:end], rows=rows)


def _fit(table: Table, width: float, sizes: Sequence[float]) -> tuple[Type, list[float], int]:
    """(type, the width of the heads and of each column, how many columns fit)."""
    for points in sizes:
        widths = _widths(table, Type(points), width)
        if sum(widths) <= width:
            return Type(points), widths, len(table.columns)
    size = Type(sizes[-1])
    widths = _widths(table, size, width)
    fitting = 1
    while sum(widths[: fitting + 2]) <= width:
        fitting += 1
    return size, widths[: fitting + 1], fitting


def _widths(table: Table, size: Type, width: float) -> list[float]:
    """What each column needs, the gap before it included; a column's own head may break at spaces."""
    bold, small = replace(size, weight="bold"), replace(size, size=size.size * _NOTE)
    heads = max((size.width(head) for head, _ in table.rows), default=0.0)
    found = [min(max(heads, size.width(table.corner)) + 0.5, _HEAD_SHARE * width)]
    for place, column in enumerate(table.columns):
        cells = [cells[place] for _, cells in table.rows]
        needs = [bold.width(word) for word in column.split()]
        needs += [bold.width(column)] if len(column) < 14 else []
        needs += [_across(bold if c.differs else size, c.text) for c in cells]
        needs += [small.width(c.note) for c in cells if len(c.note) < 24]
        needs += [small.width(word) for c in cells for word in c.note.split()]
        found.append(min(max(needs, default=0.0) + 0.5, width * (1 - _HEAD_SHARE) - _GAP) + _GAP)
    return found


def _across(size: Type, text: str) -> float:
    """The width that a cell's text asks for: all of it, or its share where it is a sentence."""
    lines = max(1, -(-len(text) // _SENTENCE))
    return max(size.width(text) / lines * (1.1 if lines > 1 else 1), *map(size.width, text.split(" ")))


def _set_part(table: Table, paper: Paper, size: Type, widths: Sequence[float]) -> None:
    # Heads share what is left over only as far as they can use it.
    bold = replace(size, weight="bold")
    small = replace(size, size=size.size * _NOTE)
    top = _Line(
        size.wrap(table.corner, widths[0]),
        [bold.wrap(c, w - _GAP) for c, w in zip(table.columns, widths[1:], strict=True)],
        [[] for _ in table.columns],
        [True for _ in table.columns],
    )
    rows = [_broken(head, cells, size, small, widths) for head, cells in table.rows]
    paper.room_for(top.height(size) + sum(row.height(size) for row in rows[:2]))
    _set_row(top, paper, size, widths, FAINT)
    for row in rows:
        if paper.room_for(row.height(size)):
            _set_row(top, paper, size, widths, FAINT)
        _set_row(row, paper, size, widths, GRID)


def _broken(
    head: str, cells: Sequence[Cell], size: Type, small: Type, widths: Sequence[float]
) -> _Line:
    rooms = [width - _GAP for width in widths[1:]]
    bold = replace(size, weight="bold")
    return _Line(
        size.wrap(head, widths[0]),
        [
            (bold if cell.differs else size).wrap(cell.text, room)
            for cell, room in zip(cells, rooms, strict=True)
        ],
        [
            small.wrap(cell.note, room) if cell.note else []
            for cell, room in zip(cells, rooms, strict=True)
        ],
        [cell.differs for cell in cells],
    )


def _set_row(row: _Line, paper: Paper, size: Type, widths: Sequence[float], rule: Colour) -> None:
    sheet, top = paper.sheet, paper.top - _PAD
    replace(size, colour=MUTED).set_lines(sheet, row.head, paper.left, top)
    right = paper.left + widths[0]
    for cell, note, bold, width in zip(row.cells, row.notes, row.bold, widths[1:], strict=True):
        right += width
        kind = replace(size, weight="bold") if bold else size
        below = top
        for line in cell:
            kind.set(sheet, line, right, below, "right")
            below -= size.line
        small = replace(size, size=size.size * _NOTE, colour=INK if bold else MUTED)
        for line in note:
            small.set(sheet, line, right, below, "right")
            below -= small.line
    paper.top -= row.height(size)
    _rule(paper, right - paper.left, rule)


def _set_list(table: Table, paper: Paper) -> None:
    """Names at the left, what they stand for beside them, broken where it is long."""
    size = Type(8.5)
    indent = _HEAD_SHARE * paper.width
    for head, text in _texts(table):
        heads, lines = size.wrap(head, indent - _GAP), size.wrap(text, paper.width - indent)
        height = max(len(heads), len(lines)) * size.line + 2 * _PAD
        paper.room_for(height)
        top = paper.top - _PAD
        replace(size, colour=MUTED).set_lines(paper.sheet, heads, paper.left, top)
        size.set_lines(paper.sheet, lines, paper.left + indent, top)
        paper.top -= height
        _rule(paper, paper.width, GRID)


def _texts(table: Table) -> Iterator[tuple[str, str]]:
    for head, cells in table.rows:
        yield head, " ".join(filter(None, (cells[0].text, cells[0].note)))


def _rule(paper: Paper, width: float, colour: Colour) -> None:
    """A thin line below what has been set."""
    sheet = paper.sheet
    across, up = (side * 72 for side in sheet.get_size_inches())
    ends = [paper.left / across, (paper.left + width) / across]
    height = paper.top / up
    sheet.add_artist(
        Line2D(ends, [height, height], color=colour.light, linewidth=0.6, transform=sheet.transFigure)
    )
