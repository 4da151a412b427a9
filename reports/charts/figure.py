"""What all charts share: a canvas of pixels, unit and legend, and the way to inline SVG."""

import csv
import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from reports.charts.style import FAINT, GRID, HEIGHT, INK, MUTED, SMALL_SIZE, WIDTH

# Any: the stubs want each name as a literal.
SETTINGS: Any = {
    "font.family": "DejaVu Sans",
    "font.size": SMALL_SIZE,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": MUTED,
    "axes.labelsize": SMALL_SIZE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": SMALL_SIZE,
    "ytick.labelsize": SMALL_SIZE,
    "ytick.major.size": 0,
    # Names from outside may hold dollars, which mean themselves.
    "text.parse_math": False,
    "legend.frameon": False,
    "legend.fontsize": SMALL_SIZE,
    "legend.labelcolor": INK,
    "lines.solid_capstyle": "round",
    "hatch.linewidth": 0.6,
}
PAGE_WIDTH = 1160
"""Pixels of a chart that takes the page's whole width."""
LETTER = 6.9
"""Pixels of a letter, on average."""
_WIDE = 1.25
"""From so many times the usual width a chart has a page's width to itself."""
_HANDLE, _LEGEND_ROW, _NAME_ROW = 46, 19, 24
"""Pixels of a legend's sample with its gaps, of a legend's row, and of the name above a plot."""

Value = str | int | float | None


@dataclass(frozen=True, slots=True)
class ChartData:
    """The figures that a chart draws, as a table that a reader can take away.

    `columns` name what they hold with its unit (`latency_ms`, `time_s`, `conflict_rate` as a share);
    each row has one value a column, None where there is none.
    """

    columns: tuple[str, ...]
    rows: Sequence[Sequence[Value]]

    def to_csv(self) -> str:
        """The table as CSV with a header; numbers to six significant digits, nothing for None."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([[_text(value) for value in row] for row in self.rows])
        return text.getvalue()


def _text(value: Value) -> str:
    if value is None or value != value:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: what is drawn, and its name, heading, sentence and figures. `to_svg` draws it."""

    figure: Figure
    name: str
    title: str
    reading: str
    """What it shows; a screen reader hears it as well."""
    data: ChartData

    @property
    def width(self) -> int:
        """How many pixels wide it is drawn where nothing stretches it."""
        return round(size(self.figure)[0])

    @property
    def wide(self) -> bool:
        """Whether it needs the whole width of a page."""
        return self.width > _WIDE * WIDTH


# ------------------------------------------------------------------ the canvas


@contextmanager
def chart_settings() -> Iterator[None]:
    """Draw with the charts' own settings; also a decorator."""
    with mpl.rc_context(SETTINGS):
        yield


@contextmanager
def any_letters() -> Iterator[None]:
    """Draw letters that the font lacks as boxes, with no warning on the terminal."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from font", UserWarning)
        yield


def size(figure: Figure) -> tuple[float, float]:
    """Width and height in CSS pixels."""
    return float(figure.get_figwidth()) * 72, float(figure.get_figheight()) * 72


def _blank(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    FigureCanvasSVG(figure)
    return figure


def _plot(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    across, down = size(figure)
    axes = figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))
    axes.grid(axis="y")
    return axes


def canvas(
    *,
    left: float = 56,
    right: float = 16,
    top: float = 34,
    bottom: float = 46,
    width: float = WIDTH,
    height: float = HEIGHT,
) -> tuple[Figure, Axes]:
    """A figure with one plot inside these margins, all in CSS pixels."""
    figure = _blank(width, height)
    return figure, _plot(figure, left, top, width - left - right, height - top - bottom)


def small_multiples(
    names: Sequence[str],
    columns: int,
    *,
    width: float,
    height: float,
    left: float = 56,
    right: float = 16,
    top: float = 34,
    bottom: float = 46,
    gap: float = 18,
) -> tuple[Figure, list[Axes]]:
    """A figure of plots of that width and height, each under its name and with labels at the edges
    only; `gap` is between columns.
    """
    rows = -(-len(names) // columns)
    whole = left + columns * width + (columns - 1) * gap + right
    figure = _blank(whole, top + rows * (height + _NAME_ROW) + bottom)
    plots = []
    for number, name in enumerate(names):
        row, column = divmod(number, columns)
        down = top + row * (height + _NAME_ROW) + _NAME_ROW
        axes = _plot(figure, left + column * (width + gap), down, width, height)
        axes.tick_params(labelleft=column == 0, labelbottom=number + columns >= len(names))
        axes.set_label(name)
        # As the axes' own title it would take matplotlib longer than all else.
        axes.annotate(
            name, (0, 1), (0, 6), xycoords="axes fraction", textcoords="offset points", color=INK
        )
        plots.append(axes)
    return figure, plots


def write_below(figure: Figure, text: str, left: float | None = None) -> None:
    """What the horizontal axes of several plots measure: centred, or from `left` pixels on."""
    width, height = size(figure)
    x, side = (0.5, "center") if left is None else (left / width, "left")
    figure.text(x, 12 / height, text, ha=side, va="center", color=MUTED)


def write_above(figure: Figure, unit: str, handles: Sequence[Any] = ()) -> None:
    """Write what the vertical axis measures, and the legend: beside it, or in rows above it for which
    the figure grows.
    """
    labels = [str(handle.get_label()) for handle in handles]
    width, height = size(figure)
    columns, rows = len(labels), 0
    if sum(map(len, (unit, *labels))) * LETTER + _HANDLE * len(labels) > width:
        widest = max(map(len, labels), default=0) * LETTER + _HANDLE
        columns = max(1, min(len(labels), int(width // widest)))
        rows = -(-len(labels) // columns)
        _grow(figure, rows * _LEGEND_ROW)
        height += rows * _LEGEND_ROW
    figure.text(0.004, 1 - (14 + rows * _LEGEND_ROW) / height, unit, va="center", color=MUTED)
    if not labels:
        return
    where: dict[str, Any] = {"loc": "center right", "bbox_to_anchor": (1.0, 1 - 14 / height)}
    if rows:
        where = {"loc": "upper left", "bbox_to_anchor": (0.0, 1.0), "labelspacing": 0.3}
    figure.legend(
        # matplotlib fills column by column; the names are to be read row by row.
        handles=[h for column in range(columns) for h in list(handles)[column::columns]],
        ncols=columns,
        borderaxespad=0.2,
        handlelength=1.9,
        handletextpad=0.5,
        columnspacing=1.3,
        **where,
    )


def _grow(figure: Figure, pixels: float) -> None:
    """Add to the figure's height at its top; everything else stays where it is."""
    height = size(figure)[1]
    share = height / (height + pixels)
    figure.set_figheight((height + pixels) / 72)
    for axes in figure.axes:
        at = axes.get_position()
        axes.set_position((at.x0, at.y0 * share, at.width, at.height * share))
    for text in figure.texts:
        x, y = text.get_position()
        text.set_position((x, y * share))


# ------------------------------------------------------------------ the drawing


def drawn_as_svg(figure: Figure, salt: str, text: Literal["path", "none"] = "path") -> bytes:
    """matplotlib's own SVG of a figure, without ground, what is written as paths or as text; the same
    figure and `salt` give the same.
    """
    buffer = io.BytesIO()
    with mpl.rc_context({**SETTINGS, "svg.hashsalt": salt, "svg.fonttype": text}), any_letters():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    return buffer.getvalue()


def to_svg(chart: Chart) -> str:
    """The chart as inline SVG with own ids and an accessible label.

    Colours and lines are attributes, in the light page's colours, and hold where a page may have no
    style of its own; where it may, its style sheet exchanges them (`style.exchanges`).
    """
    text = drawn_as_svg(chart.figure, chart.name).decode()
    body = text[text.index("<svg") :].replace("xlink:href", "href")
    # The drawing's own style sheet would be of the whole page, and says no more than this.
    body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", "", body, flags=re.DOTALL)
    # Ids must be unique in the page, which holds many drawings.
    body = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{chart.name}-", body)
    body = re.sub(r' style="([^"]*)"', _as_attributes, body)
    width, height = map(round, size(chart.figure))
    opening = (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{escape(f"{chart.title}. {chart.reading}", quote=True)}" class="chart" '
        'stroke-linejoin="round">'
    )
    body = re.sub(r"<svg[^>]*>", lambda _: opening, body, count=1)
    # A hundredth of a pixel is not seen, and makes half the file.
    body = re.sub(
        r' (?:d|x|y)="[^"]*"', lambda found: re.sub(r"(\d+\.\d{2})\d+", r"\1", found[0]), body
    )
    return re.sub(r"\n\s*", "\n", body).strip()


def _as_attributes(found: re.Match[str]) -> str:
    """Declarations of a `style` as attributes, which no page's policy refuses."""
    declared = (one.split(":", 1) for one in found[1].split(";") if one.strip())
    return "".join(f' {name.strip()}="{value.strip()}"' for name, value in declared)
