"""A chart that stands alone: with its title, its reading and where it comes from, as a file."""

import io
from pathlib import Path
from typing import Literal

import matplotlib as mpl
from matplotlib.figure import Figure

from loadtest.record.files import write_atomically
from reports.charts import style
from reports.charts.draw import SETTINGS, Chart, any_letters
from reports.render.placed import Placed
from reports.render.typesetting import Type

_PAD = 28
_BETWEEN = 10
_TITLE = Type(19, weight="bold")
_READING = Type(12.5, style.MUTED)
_SOURCE = Type(10, style.MUTED)
_PIXELS_A_POINT = 3
"""So a chart of the usual width is some 1,850 pixels wide: enough for a projector."""


def sheet_of(chart: Chart, source: str) -> Figure:
    """The chart on a white sheet that is as large as all of it needs; `source` names the report."""
    width, height = (side * 72 for side in chart.figure.get_size_inches())
    title = _TITLE.wrap(chart.title, width)
    reading = _READING.wrap(chart.reading, width)
    above = len(title) * _TITLE.line + 4 + len(reading) * _READING.line + _BETWEEN
    below = _BETWEEN + _SOURCE.line
    total = 2 * _PAD + above + height + below
    sheet = Figure(figsize=((width + 2 * _PAD) / 72, total / 72), dpi=72, facecolor="white")
    top = _TITLE.set_lines(sheet, title, _PAD, total - _PAD)
    _READING.set_lines(sheet, reading, _PAD, top - 4)
    sheet.add_artist(Placed(chart.figure, _PAD, _PAD + below))
    _SOURCE.set(sheet, _SOURCE.cut(source, width), _PAD, _PAD + _SOURCE.line)
    return sheet


def write_slide(chart: Chart, source: str, kind: Literal["png", "svg"], path: Path) -> None:
    """Write the chart as a file of that kind; the same chart gives the same bytes.

    Raises:
        OSError: if it cannot be written.
    """
    buffer = io.BytesIO()
    described = {"Title": chart.title, "Description": chart.reading}
    with mpl.rc_context({**SETTINGS, "svg.hashsalt": chart.name}), any_letters():
        sheet = sheet_of(chart, source)
        if kind == "png":
            sheet.savefig(
                buffer, format="png", dpi=72 * _PIXELS_A_POINT, metadata={**described, "Software": None}
            )
        else:
            sheet.savefig(buffer, format="svg", metadata={**described, "Date": None, "Creator": None})
    write_atomically(path, buffer.getvalue())
