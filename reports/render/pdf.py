"""A document as PDF: A4 pages of text, tables and charts that stay drawings."""

import io
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl
from fpdf import FPDF, FontFace
from matplotlib.colors import to_rgb

from reports.charts.figure import Chart
from reports.charts.style import BAD, GOOD, GRID, INK, MUTED, PAPER, PART_2, Colour
from reports.documents.document import Block, Document, Note, Section
from reports.render.svg_for_pdf import svg_for_pdf
from reports.text.rounding import shortened
from reports.text.table import Cell, Facts, Table

_FAMILY = "DejaVu Sans"
_MARGIN, _FOOT = 50.0, 62.0
"""Points around what is printed, and below it."""
_LEADING = 1.42
"""Distance of two lines of text, in sizes of their type."""
_SCALE = 0.82
"""A chart's size on paper over that on the page, so that two stand on a page with their readings."""
_LYING = 1000
"""Pixels of a chart's width on the page from which it is printed on pages that lie on their side."""
_SIGNS = {"good": ("✓", GOOD), "bad": ("!", BAD), "note": ("i", MUTED)}
_SIZES = (9.0, 8.0, 7.0)
"""Sizes of a table's type that are tried until its columns fit beside one another."""
_GAP = 10.0
"""Points between two columns."""
_SENTENCE = 30
"""Letters of a cell's text from which it is broken into lines."""
_HEAD_SHARE = 0.34
"""The most of the width that the rows' heads may take."""
_NO_GLYPH = str.maketrans("", "", "\N{WORD JOINER}\N{ZERO WIDTH SPACE}")
"""What only says where a line must not break."""


@dataclass(frozen=True, slots=True)
class _Type:
    size: float
    colour: Colour = INK
    bold: bool = False


_KICKER, _LEDE, _FOOTER = _Type(9, MUTED), _Type(11, MUTED), _Type(8, MUTED)
_HEADLINE, _H2, _H3 = _Type(21, bold=True), _Type(14, bold=True), _Type(11.5, bold=True)
_READING, _BODY, _SIGN = _Type(9.5, MUTED), _Type(9.5), _Type(8, PAPER, bold=True)


def to_pdf(document: Document) -> bytes:
    """The document as a PDF file; the same document gives the same bytes."""
    # A letter that the font has not is drawn as a box, and the terminal is no place to say so.
    logging.getLogger("fpdf").setLevel(logging.ERROR)
    paper = _Paper(document)
    paper.say(_KICKER, " / ".join(document.kicker), 14)
    paper.say(_HEADLINE, document.headline, 10)
    paper.say(_LEDE, document.lede, 16)
    for section in document.sections:
        paper.section(section)
    return bytes(paper.output())


class _Paper(FPDF):
    """Pages, filled from the top."""

    def __init__(self, document: Document) -> None:
        super().__init__(unit="pt", format="A4")
        fonts = Path(mpl.get_data_path()) / "fonts" / "ttf"
        self.add_font(_FAMILY, "", fonts / "DejaVuSans.ttf")
        self.add_font(_FAMILY, "B", fonts / "DejaVuSans-Bold.ttf")
        self.set_title(document.headline)
        self.set_subject(document.lede)
        self.set_creator("occbench")
        # A file has to have a date, and the same document is to be the same file.
        self.set_creation_date(datetime.fromtimestamp(0, UTC))
        self.set_lang("en")
        self.set_margins(_MARGIN, _MARGIN)
        self.set_auto_page_break(True, _FOOT)
        self._source = " / ".join(document.kicker)
        self.add_page()

    def footer(self) -> None:
        """Where it comes from, and the page's number."""
        self._set(_FOOTER)
        self.set_y(20 - _FOOT)
        letters = int((self.epw - 60) / (0.55 * _FOOTER.size))
        self.cell(self.epw - 60, 10, _printed(shortened(self._source, letters)))
        self.cell(60, 10, f"{self.page_no()} of {{nb}}", align="R")

    def _set(self, kind: _Type) -> None:
        self.set_font(_FAMILY, "B" if kind.bold else "", kind.size)
        self.set_text_color(kind.colour)

    def say(self, kind: _Type, text: str, after: float = 0.0) -> None:
        """Print a paragraph; `after` is the space below it, in points."""
        if text:
            self._set(kind)
            self.multi_cell(
                0, kind.size * _LEADING, _printed(text), align="L", new_x="LMARGIN", new_y="NEXT"
            )
            self.ln(after)

    def _height(self, kind: _Type, text: str, indent: float = 0.0) -> float:
        self._set(kind)
        height: Any = self.multi_cell(
            self.epw - indent, kind.size * _LEADING, _printed(text), dry_run=True, output="HEIGHT"
        )
        return float(height)

    def _room_for(self, height: float) -> None:
        """Begin a new page if there is less room than that, and something on this one."""
        if self.y > _MARGIN and self.will_page_break(height):
            self.add_page(same=True)

    def _lay(self, block: Block) -> None:
        """Begin a page on its side for a chart of many panels, and an upright one after it."""
        lying = isinstance(block, Chart) and block.width > _LYING
        if lying != (self.w > self.h):
            self.add_page(orientation="L" if lying else "P")

    def section(self, section: Section, level: int = 2) -> None:
        """Print a section, its heading never alone at the end of a page."""
        first = section.blocks[0]
        if section.heading:
            self._lay(first)
            kind = _H2 if level == 2 else _H3
            below = self._chart_height(first) if isinstance(first, Chart) else 110.0
            self.ln(18 if self.y > _MARGIN else 0)
            self._room_for(kind.size * _LEADING + 8 + below)
            self.start_section(section.heading, level=level - 2, strict=False)
            self.say(kind, section.heading, 8)
        for block in section.blocks:
            self._lay(block)
            self._block(block, level)

    def _block(self, block: Block, level: int) -> None:
        if isinstance(block, Section):
            self.section(block, level + 1)
        elif isinstance(block, Note):
            self._note(block)
        elif isinstance(block, Chart):
            self._chart(block)
        elif isinstance(block, Table):
            self._titled(block.title)
            self.say(_READING, block.reading, 6)
            for part, size, widths in self._parts(block):
                self._table(part, size, widths)
        elif isinstance(block, Facts):
            self._titled(block.title)
            self._table(block.table, 8.5, (_HEAD_SHARE * self.epw, (1 - _HEAD_SHARE) * self.epw))
        else:
            self.say(_READING, block, 8)

    def _titled(self, title: str) -> None:
        self._room_for(90)
        self.say(_H3, title, 4)

    def _note(self, note: Note) -> None:
        indent, text = 22.0, note.text.replace("`", "")
        kind = replace(_BODY, bold=note.state == "bad")
        line = kind.size * _LEADING
        self._room_for(self._height(kind, text, indent))
        sign, colour = _SIGNS[note.state]
        self.set_fill_color(colour)
        self.circle(self.l_margin + 6, self.y + line / 2, 6, style="F")
        self._set(_SIGN)
        self.cell(12, line, sign, align="C")
        self.set_x(self.l_margin + indent)
        self._set(kind)
        self.multi_cell(0, line, _printed(text), align="L", new_x="LMARGIN", new_y="NEXT")
        self.ln(5)

    def _chart(self, chart: Chart) -> None:
        self._room_for(self._chart_height(chart))
        self.say(_H3, chart.title, 2)
        self.say(_READING, chart.reading, 8)
        width, height = self._chart_size(chart)
        self.image(io.BytesIO(svg_for_pdf(chart.figure)), self.l_margin, self.y, width, height)
        self.set_y(self.y + height + 14)

    def _chart_height(self, chart: Chart) -> float:
        return self._words_height(chart) + self._chart_size(chart)[1]

    def _words_height(self, chart: Chart) -> float:
        return self._height(_H3, chart.title) + self._height(_READING, chart.reading) + 11

    def _chart_size(self, chart: Chart) -> tuple[float, float]:
        """Width and height; one that is as tall as a page still leaves room for its words."""
        width, height = (side * 72 for side in chart.figure.get_size_inches())
        room = self.h - _MARGIN - _FOOT - self._words_height(chart)
        scale = min(_SCALE, self.epw / width, room / height)
        return width * scale, height * scale

    def _parts(self, table: Table) -> Iterator[tuple[Table, float, list[float]]]:
        """(table, size of type, widths): if its columns do not fit, parts to go below one another."""
        for size in _SIZES:
            widths = self._widths(table, size)
            if sum(widths) <= self.epw:
                break
        begin = 0
        while begin < len(table.columns):
            end = begin + 1
            while end < len(table.columns) and widths[0] + sum(widths[begin + 1 : end + 2]) <= self.epw:
                end += 1
            rows = tuple((head, cells[begin:end]) for head, cells in table.rows)
            part = replace(table, columns=table.columns[begin:end], rows=rows)
            yield part, size, [widths[0], *widths[begin + 1 : end + 1]]
            begin = end

    def _widths(self, table: Table, size: float) -> list[float]:
        """What the heads and each column need, in points, the gap before it included."""
        self._set(_Type(size, bold=True))
        whole = [(head, cells) for head, cells in table.rows if len(cells) == len(table.columns)]
        heads = max((self._across(head) for head, cells in table.rows if cells), default=0.0)
        widths = [min(max(heads, self._across(table.corner)) + _GAP, _HEAD_SHARE * self.epw)]
        for index, column in enumerate(table.columns):
            texts = [text for _, cells in whole for text in _texts(cells[index]).split("\n")]
            needs = [*map(self._across, texts), *(self.get_string_width(w) for w in column.split())]
            widths.append(min(max(needs, default=0.0) + _GAP, self.epw * (1 - _HEAD_SHARE)))
        return widths

    def _across(self, text: str) -> float:
        """The width that a text asks for: all of it, or its share where it is a sentence."""
        lines = max(1, -(-len(text) // _SENTENCE))
        whole = self.get_string_width(_printed(text)) / lines * (1.1 if lines > 1 else 1)
        return float(max([whole, *(self.get_string_width(word) for word in text.split())]))

    def _table(self, table: Table, size: float, widths: Sequence[float]) -> None:
        self._set(_Type(size))
        # Tables take the colour that is set for their cells' ground, unless it is the first of all.
        self.set_fill_color(0)
        self.set_draw_color(GRID)
        self.set_line_width(0.6)
        heads = [f"{table.over} {column}" if table.over else column for column in table.columns]
        aligned = "LEFT" if table.words else "RIGHT"
        with self.table(
            align="LEFT", width=sum(widths), col_widths=list(widths), line_height=size * _LEADING,
            text_align=("LEFT", *(aligned for _ in heads)), padding=(3, 0, 3, 0), v_align="TOP",
            borders_layout="HORIZONTAL_LINES", headings_style=FontFace(emphasis="BOLD"),
            first_row_as_headings=any(heads),
        ) as grid:  # fmt: skip
            if any(heads):
                grid.row([_printed(text) for text in (table.corner, *heads)])
            for head, cells in table.rows:
                row = grid.row()
                if not cells:
                    row.cell(_printed(head), colspan=len(widths), style=FontFace(emphasis="BOLD"))
                    continue
                row.cell(_printed(head), style=FontFace(color=MUTED))
                for index, cell in enumerate(cells):
                    rest = len(table.columns) - index if index == len(cells) - 1 else 1
                    align = "LEFT" if rest > 1 else None
                    row.cell(_printed(_texts(cell)), colspan=rest, align=align, style=_style(cell))
        self.ln(12)


def _texts(cell: Cell) -> str:
    return f"{cell.text}\n{cell.note}" if cell.note else cell.text


def _style(cell: Cell) -> FontFace | None:
    """Bold where it differs, in the colour of its news, on its ground."""
    ground = None
    if cell.shade:
        share = 0.6 * cell.shade
        ground = tuple(round(255 * (1 - share + share * part)) for part in to_rgb(PART_2))
    colour = {"good": GOOD, "bad": BAD, "": INK}[cell.state]
    return FontFace(emphasis="BOLD" if cell.differs else None, color=colour, fill_color=ground)


def _printed(text: str) -> str:
    return text.translate(_NO_GLYPH)
