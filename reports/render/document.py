"""A publication as a PDF document: A4 pages with cover, tables, notes and charts."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib as mpl
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from loadtest.record.files import write_atomically
from reports.charts.draw import SETTINGS, Chart, any_letters
from reports.charts.style import BAD, GOOD, INK, MUTED, PAPER
from reports.documents.publication import Note, Publication, Section
from reports.render.grid import set_table
from reports.render.placed import Placed
from reports.render.typesetting import Type
from reports.text.table import Table

_SHORT, _LONG = 595.28, 841.89
"""Sides of A4 in points."""
_MARGIN, _FOOT = 50.0, 62.0
_KICKER = Type(9, MUTED)
_HEADLINE = Type(21, weight="bold")
_LEDE = Type(11, MUTED)
_H2 = Type(14, weight="bold")
_H3 = Type(11.5, weight="bold")
_READING = Type(9.5, MUTED)
_BODY = Type(9.5)
_FOOTER = Type(8, MUTED)
_SIGN = Type(8, PAPER, "bold")

_SCALE = 0.82
"""A chart's size on paper over that on the page, so that two stand on a page with their readings."""
_ROUNDING = 1.0
"""Points by which sums of heights may be out."""
_WIDE = 700.0
"""Points of a chart's natural width from which it is set on pages that lie on their side."""
_SIGNS = {"good": ("✓", GOOD), "bad": ("!", BAD), "note": ("i", MUTED)}


@dataclass
class _Document:
    """Pages in progress, filled from the top; a `grid.Paper`."""

    pages: list[Figure] = field(default_factory=list)
    left: float = _MARGIN
    top: float = 0.0
    lying: bool = False
    """Whether the page lies on its side."""

    def __post_init__(self) -> None:
        self.turn()

    @property
    def across(self) -> float:
        """The page's width, margins and all."""
        return _LONG if self.lying else _SHORT

    @property
    def up(self) -> float:
        """The page's height, likewise."""
        return _SHORT if self.lying else _LONG

    @property
    def width(self) -> float:
        """Between the margins."""
        return self.across - 2 * _MARGIN

    @property
    def sheet(self) -> Figure:
        """The last page."""
        return self.pages[-1]

    def turn(self) -> None:
        """Begin a new page."""
        size = self.across / 72, self.up / 72
        self.pages.append(Figure(figsize=size, dpi=72, facecolor="white"))
        self.top = self.up - _MARGIN

    def lay(self, lying: bool) -> None:
        """Go on on a page that lies so."""
        if lying == self.lying:
            return
        if self.fresh:
            self.pages.pop()
        self.lying = lying
        self.turn()

    @property
    def fresh(self) -> bool:
        """Whether nothing is on the page yet."""
        return self.top >= self.up - _MARGIN

    def room_for(self, height: float) -> bool:
        """Begin a new page if there is less room than that, and something on this one."""
        if self.top - height >= _FOOT or self.fresh:
            return False
        self.turn()
        return True

    def text(self, kind: Type, text: str, after: float = 0.0) -> None:
        """Set a paragraph; `after` is the space below it."""
        for line in kind.wrap(text, self.width):
            self.room_for(kind.line)
            kind.set(self.sheet, line, self.left, self.top)
            self.top -= kind.line
        self.top -= after


def write_document(publication: Publication, path: Path) -> None:
    """Write the publication as a PDF; the same publication gives the same bytes.

    Raises:
        OSError: if it cannot be written.
    """
    buffer = io.BytesIO()
    described = {"Title": publication.headline, "Subject": publication.lede, "Creator": "occbench"}
    with mpl.rc_context({**SETTINGS, "pdf.fonttype": 42}), any_letters():
        pages = _typeset(publication)
        with PdfPages(buffer, metadata={**described, "CreationDate": None}) as file:
            for page in pages:
                file.savefig(page)
    write_atomically(path, buffer.getvalue())


def _typeset(p: Publication) -> list[Figure]:
    document = _Document()
    document.text(_KICKER, " / ".join(p.kicker), 14)
    document.text(_HEADLINE, p.headline, 10)
    document.text(_LEDE, p.lede, 20)
    _tables(document, p.tables)
    if p.notes:
        _heading(document, p.about_notes, 40)
        _notes(document, p.notes)
    _charts(document, p.charts)
    for section in p.sections:
        _section(document, section)
    for number, page in enumerate(document.pages, 1):
        right = float(page.get_size_inches()[0]) * 72 - _MARGIN
        place = f"{number} of {len(document.pages)}"
        source = _FOOTER.cut(" / ".join(p.kicker), right - _MARGIN - 60)
        _FOOTER.set(page, source, _MARGIN, _FOOT - 22)
        _FOOTER.set(page, place, right, _FOOT - 22, "right")
    return document.pages


def _section(document: _Document, section: Section) -> None:
    only_charts = bool(section.charts and not section.tables and not section.notes)
    document.lay(only_charts and _is_wide(section.charts[0]))
    first = _chart_height(document, section.charts[0]) if section.charts else 120.0
    lede = len(_LEDE.wrap(section.lede, document.width)) * _LEDE.line if section.lede else 0.0
    _heading(document, section.heading, lede + (120.0 if section.tables or section.notes else first))
    if section.lede:
        document.text(_READING, section.lede, 12)
    _tables(document, section.tables, section.heading)
    _notes(document, section.notes)
    _charts(document, section.charts)


def _heading(document: _Document, text: str, below: float) -> None:
    """A heading that is never the last thing on a page: `below` points must fit under it."""
    if not document.fresh:
        document.top -= 18
    document.room_for(_H2.line + 6 + below)
    document.text(_H2, text, 8)


def _tables(document: _Document, tables: Sequence[Table], above: str = "") -> None:
    """Tables with their titles, where those are not the heading `above` them."""
    for table in tables:
        if table.title not in ("", above):
            document.room_for(_H3.line + 70)
            document.text(_H3, table.title, 2)
        if table.reading:
            document.text(_READING, table.reading, 4)
        set_table(table, document)
        document.top -= 14


def _notes(document: _Document, notes: Sequence[Note]) -> None:
    indent = 22.0
    kinds = [Type(_BODY.size, INK, "bold" if note.state == "bad" else "normal") for note in notes]
    broken = [
        kind.wrap(note.text.replace("`", ""), document.width - indent)
        for kind, note in zip(kinds, notes, strict=True)
    ]
    for place, (note, kind, lines) in enumerate(zip(notes, kinds, broken, strict=True)):
        # The last note never stands alone on a page.
        together = broken[place:] if place == len(notes) - 2 else [lines]
        document.room_for(sum(len(part) * kind.line + 5 for part in together) - 5)
        sign, colour = _SIGNS[note.state]
        middle = document.top - kind.line / 2 + 0.4
        sheet = document.sheet
        sheet.add_artist(
            Line2D(
                [(document.left + 6) / document.across],
                [middle / document.up],
                marker="o",
                markersize=12,
                markeredgewidth=0,
                color=colour.light,
                transform=sheet.transFigure,
            )
        )
        _SIGN.set(sheet, sign, document.left + 6, middle + _SIGN.size * 0.58, "center")
        kind.set_lines(sheet, lines, document.left + indent, document.top)
        document.top -= len(lines) * kind.line + 5


def _scale(document: _Document, chart: Chart) -> float:
    width, height = (side * 72 for side in chart.figure.get_size_inches())
    # A chart that is as tall as a page still has to leave room for its title and reading.
    room = document.up - _MARGIN - _FOOT - _words_height(document, chart)
    return float(min(_SCALE, document.width / width, room / height))


def _is_wide(chart: Chart) -> bool:
    return bool(chart.figure.get_size_inches()[0] * 72 >= _WIDE)


def _chart_height(document: _Document, chart: Chart) -> float:
    """Points that the chart needs with its title and its reading."""
    drawing = chart.figure.get_size_inches()[1] * 72 * _scale(document, chart)
    return _words_height(document, chart) + float(drawing)


def _words_height(document: _Document, chart: Chart) -> float:
    reading = len(_READING.wrap(chart.reading, document.width)) * _READING.line
    title = len(_H3.wrap(chart.title, document.width)) * _H3.line
    return title + 2 + reading + 8 + _ROUNDING


def _charts(document: _Document, charts: Sequence[Chart]) -> None:
    for chart in charts:
        document.lay(_is_wide(chart))
        document.top -= 0 if document.fresh else 14
        document.room_for(_chart_height(document, chart))
        document.text(_H3, chart.title, 2)
        document.text(_READING, chart.reading, 8)
        scale = _scale(document, chart)
        document.top -= chart.figure.get_size_inches()[1] * 72 * scale
        document.sheet.add_artist(Placed(chart.figure, document.left, document.top, scale))
