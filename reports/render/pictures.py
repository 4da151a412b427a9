"""A chart that stands alone: with its title, its reading and where it comes from, as a file."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import matplotlib as mpl
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.transforms import Bbox

from reports.charts.figure import SETTINGS, Chart, any_letters
from reports.charts.style import INK, MUTED, Colour
from reports.text.rounding import shortened

_PAD, _BETWEEN = 28, 10
_LEADING = 1.42
"""Distance of two lines of text, in sizes of their type."""
_TITLE, _READING, _SOURCE = 19.0, 12.5, 10.0
_PIXELS_A_POINT = 3
"""So a chart of the usual width is some 1,850 pixels wide: enough for a projector."""


def picture(chart: Chart, source: str, kind: Literal["png", "svg"]) -> bytes:
    """The chart on white ground that is as large as all of it needs; `source` names the report.

    The same chart gives the same bytes.
    """
    described: dict[str, str | None] = {"Title": chart.title, "Description": chart.reading}
    described |= {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    buffer = io.BytesIO()
    with (
        mpl.rc_context({**SETTINGS, "svg.hashsalt": chart.name}),
        any_letters(),
        _words_around(chart, source) as sheet,
    ):
        chart.figure.savefig(
            buffer, format=kind, dpi=72 * _PIXELS_A_POINT, metadata=described, facecolor="white",
            bbox_inches=sheet,
        )  # fmt: skip
    return buffer.getvalue()


@contextmanager
def _words_around(chart: Chart, source: str) -> Iterator[Bbox]:
    """Put title, reading and source around the chart while it is written; yields all in inches."""
    width, height = (side * 72 for side in chart.figure.get_size_inches())
    texts = []

    def line(text: str, size: float, colour: Colour, top: float, bold: bool = False) -> float:
        weight = "bold" if bold else "normal"
        texts.append(
            chart.figure.text(
                0, top / height, text, fontsize=size, color=colour, weight=weight, va="top"
            )
        )
        return top - size * _LEADING

    title = _lines(chart.title, width, FontProperties(size=_TITLE, weight="bold"))
    reading = _lines(chart.reading, width, FontProperties(size=_READING))
    above = (len(title) * _TITLE + len(reading) * _READING) * _LEADING + 4 + _BETWEEN
    top = height + above
    for part in title:
        top = line(part, _TITLE, INK, top, bold=True)
    for part in reading:
        top = line(part, _READING, MUTED, top - 4 if part is reading[0] else top)
    small = FontProperties(size=_SOURCE)
    most = len(source)
    while most > 2 and _width(shortened(source, most), small) > width:
        most -= 1
    line(shortened(source, most), _SOURCE, MUTED, -_BETWEEN)
    below = _BETWEEN + _SOURCE * _LEADING
    try:
        yield Bbox.from_extents(
            -_PAD / 72, -(below + _PAD) / 72, (width + _PAD) / 72, (height + above + _PAD) / 72
        )
    finally:
        for text in texts:
            text.remove()


def _lines(text: str, width: float, font: FontProperties) -> list[str]:
    """Break the text at spaces into lines of at most `width` points."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _width(longer, font) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _width(text: str, font: FontProperties) -> float:
    """How wide the text is, in points."""
    return float(text_to_path.get_text_width_height_descent(text, font, False)[0])
