"""What all charts share: canvas, axes, legend, and the way from matplotlib to themed inline SVG."""

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from reports.charts.data import ChartData
from reports.charts.style import FAINT, FONT_SIZE, GRID, HEIGHT, INK, MUTED, PAPER, SMALL_SIZE, WIDTH
from reports.statistics.model import Model
from reports.text import rounding

# Any: the stubs want each name as a literal.
SETTINGS: Any = {
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": SMALL_SIZE,
    "text.color": INK.light,
    "axes.edgecolor": FAINT.light,
    "axes.labelcolor": MUTED.light,
    "axes.labelsize": SMALL_SIZE,
    "axes.titlesize": SMALL_SIZE,
    "axes.titlecolor": MUTED.light,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "grid.color": GRID.light,
    "grid.linewidth": 0.8,
    "xtick.color": FAINT.light,
    "ytick.color": FAINT.light,
    "xtick.labelcolor": MUTED.light,
    "ytick.labelcolor": MUTED.light,
    "xtick.labelsize": SMALL_SIZE,
    "ytick.labelsize": SMALL_SIZE,
    "ytick.major.size": 0,
    # Names from outside may hold dollars, which mean themselves.
    "text.parse_math": False,
    "legend.frameon": False,
    "legend.fontsize": SMALL_SIZE,
    "legend.labelcolor": INK.light,
    "lines.solid_capstyle": "round",
    "hatch.linewidth": 0.6,
}


_WIDE = 1.25
"""From so many times the usual width a chart has a page's width to itself."""
_ROOM_FOR_A_WORD, _ROOM_LEVEL = 0.03, 0.2
"""Shares of the width from which a shaded stretch is named: upright, and level."""
_LETTER = 7.0
_HANDLE = 46
_ROW = 19
"""Pixels of a letter, of a legend's sample with its gaps, and of a legend's row."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A finished chart: heading and sentence are the page's, the drawing is inline SVG.

    `figure` is what was drawn, for the other formats; `data` what it shows, for taking away.
    """

    name: str
    title: str
    reading: str
    svg: str
    figure: Figure
    data: ChartData | None = None

    @property
    def width(self) -> int:
        """How many pixels wide it is drawn where nothing stretches it."""
        return round(float(self.figure.get_figwidth()) * 72)

    @property
    def wide(self) -> bool:
        """Whether it needs the whole width of a page."""
        return self.width > _WIDE * WIDTH


@dataclass(frozen=True, slots=True)
class Margins:
    """Pixels between the plot and the edges of the drawing."""

    left: int = 56
    right: int = 16
    top: int = 34
    bottom: int = 46


def canvas(
    margins: Margins | None = None, *, width: int = WIDTH, height: int = HEIGHT
) -> tuple[Figure, Axes]:
    """A figure whose unit is the CSS pixel, with one plot inside the margins."""
    m = margins or Margins()
    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    FigureCanvasSVG(figure)
    axes = figure.add_axes(
        (
            m.left / width,
            m.bottom / height,
            (width - m.left - m.right) / width,
            (height - m.top - m.bottom) / height,
        )
    )
    axes.grid(axis="y")
    return figure, axes


def unit_label(figure: Figure, text: str, *, below: int = 0) -> None:
    """What the vertical axis measures, written level above it, `below` pixels from the usual place."""
    height = figure.get_figheight() * 72
    figure.text(
        0.004,
        1 - (14 + below) / height,
        text,
        ha="left",
        va="center",
        color=MUTED.light,
        fontsize=SMALL_SIZE,
    )


def legend(figure: Figure, axes: Axes, handles: Sequence[Any] | None = None) -> None:
    """The legend, in one row above the plot at the right."""
    if handles is None:
        handles, _ = axes.get_legend_handles_labels()
    if not handles:
        return
    height = figure.get_figheight() * 72
    where: dict[str, Any] = {"loc": "center right", "bbox_to_anchor": (1.0, 1 - 14 / height)}
    _draw_legend(figure, handles, ncols=len(handles), borderaxespad=0.2, **where)


def _draw_legend(figure: Figure, handles: Sequence[Any], **where: Any) -> None:
    made = figure.legend(
        handles=list(handles),
        frameon=False,
        fontsize=SMALL_SIZE,
        handlelength=1.9,
        handletextpad=0.5,
        columnspacing=1.3,
        **where,
    )
    for text in made.get_texts():
        text.set_color(INK.light)


@dataclass(frozen=True, slots=True)
class Legend:
    """Where a legend of names from outside goes, which may be long: `rows` of `columns` each."""

    columns: int
    rows: int

    @property
    def height(self) -> int:
        """Pixels that the legend needs above everything else; none where it fits beside the unit."""
        return _ROW * self.rows


def legend_for(labels: Sequence[str], unit: str, width: int = WIDTH) -> Legend:
    """A row beside the unit's label if the labels fit there, otherwise rows of their own."""
    widest = max((len(label) for label in labels), default=0) * _LETTER + _HANDLE
    if len(labels) * widest + len(unit) * _LETTER <= width:
        return Legend(len(labels), 0)
    columns = max(1, min(len(labels), int(width // widest)))
    return Legend(columns, -(-len(labels) // columns))


def place_legend(figure: Figure, axes: Axes, where: Legend, handles: Sequence[Any]) -> None:
    """Draw the legend where `legend_for` found room for it."""
    if not where.rows:
        legend(figure, axes, handles)
        return
    # matplotlib fills column by column; the names are to be read row by row.
    by_row = [h for column in range(where.columns) for h in list(handles)[column :: where.columns]]
    _draw_legend(
        figure,
        by_row,
        loc="upper left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=where.columns,
        borderaxespad=0.1,
        labelspacing=0.3,
    )


def time_axis(axes: Axes, model: Model, *, warmup: bool = True) -> float:
    """Label the time axis, shade the warm-up; returns what to multiply seconds with.

    `warmup` is False where the chart has nothing to draw in it: the axis then begins with the
    measured time.
    """
    minutes = model.measured_s > 300
    scale = 1 / 60 if minutes else 1.0
    begin = 0.0
    if warmup and model.warmup is not None:
        begin = -min(model.warmup_s, model.measured_s) * scale
        axes.axvspan(begin, 0, facecolor=FAINT.light, alpha=0.18, edgecolor="none", zorder=0)
        share = -begin / (model.measured_s * scale - begin)
        if share > 0.03:
            axes.text(
                begin / 2,
                0.03,
                "warm-up",
                transform=axes.get_xaxis_transform(),
                ha="center",
                va="bottom",
                fontsize=SMALL_SIZE - 1,
                color=MUTED.light,
                rotation=90 if share < 0.15 else 0,
            )
    axes.set_xlim(begin, model.measured_s * scale)
    axes.set_xlabel(f"time since measuring began ({'min' if minutes else 's'})")
    axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    return scale


def shade_gaps(axes: Axes, model: Model, scale: float, colours: Mapping[str, str]) -> None:
    """Shade the time in which a target answered nothing, and name it where there is room."""
    from_s, until_s = (edge / scale for edge in axes.get_xlim())
    for gap in model.gaps:
        edges = gap.from_s * scale, gap.until_s * scale
        colour = colours.get(gap.target, FAINT.light)
        axes.axvspan(*edges, facecolor=colour, alpha=0.13, edgecolor="none", zorder=0)
        share = (gap.until_s - gap.from_s) / (until_s - from_s)
        if share < _ROOM_FOR_A_WORD:
            continue
        text = "no answer"
        if model.regions is not None:
            text = rounding.shortened(gap.target, 16) + ("\n" if share > _ROOM_LEVEL else ": ") + text
        axes.text(
            sum(edges) / 2,
            0.97,
            text,
            transform=axes.get_xaxis_transform(),
            ha="center",
            va="top",
            fontsize=SMALL_SIZE - 1,
            color=MUTED.light,
            rotation=0 if share > _ROOM_LEVEL else 90,
            # Another target's line goes on behind it.
            bbox={"facecolor": PAPER.light, "alpha": 0.8, "edgecolor": "none", "pad": 1.5},
            zorder=5,
        )


def from_zero(axes: Axes, top: float, *, room: float = 1.12) -> None:
    """A vertical axis from zero to a little above `top`."""
    axes.set_ylim(0, top * room if top > 0 else 1)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))


def percent_axis(axis: Any) -> None:
    """Ticks of shares as percentages."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:g}{rounding.THIN}%"))


def thousands_axis(axis: Any) -> None:
    """Ticks of large numbers with separators."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))


def spread_out(places: Sequence[float], gap: float) -> list[float]:
    """Move label positions apart, as little as is needed for `gap` between neighbours."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    moved = list(places)
    for before, after in pairwise(order):
        moved[after] = max(moved[after], moved[before] + gap)
    return moved


@contextmanager
def any_letters() -> Iterator[None]:
    """Names from outside may have letters that the type has not; they are drawn as boxes, and the
    terminal is no place to say so.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from font", UserWarning)
        yield


def to_svg(figure: Figure, name: str, label: str) -> str:
    """The figure as inline SVG with own ids and an accessible label.

    Colours and lines are attributes, in the light page's colours, and hold where a page may have no
    style of its own; where it may, its style sheet exchanges them (`style.exchanges`).
    """
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}), any_letters():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = buffer.getvalue()
    body = text[text.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    body = body.replace("xlink:href", "href")
    # Ids must be unique in the page, which holds many drawings.
    body = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', body)
    body = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", body)
    # The drawing's own style sheet is of the whole page, and says no more than this.
    body = re.sub(r"<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r' style="([^"]*)"', _as_attributes, body)
    width, height = (round(float(size) * 72) for size in figure.get_size_inches())
    opening = (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{escape(label, quote=True)}" class="chart" stroke-linejoin="round">'
    )
    body = re.sub(r"<svg[^>]*>", lambda _: opening, body, count=1)
    body = re.sub(r"\n\s*", "\n", body)
    return _shorter(body).strip()


def _as_attributes(found: re.Match[str]) -> str:
    """Declarations of a `style` as attributes, which mean the same to whoever draws it."""
    declared = (one.split(":", 1) for one in found[1].split(";") if one.strip())
    return "".join(f' {name.strip()}="{value.strip()}"' for name, value in declared)


def _shorter(svg: str) -> str:
    """Coordinates to two decimals: a hundredth of a pixel is not seen, and makes half the file."""
    return re.sub(r' (?:d|x|y)="[^"]*"', lambda found: re.sub(r"(\d+\.\d{2})\d+", r"\1", found[0]), svg)


def finish(figure: Figure, name: str, title: str, reading: str, data: ChartData | None = None) -> Chart:
    """A chart from its figure; the reading is also what a screen reader hears."""
    svg = to_svg(figure, name, f"{title}. {reading}")
    return Chart(name, title, reading, svg, figure, data)


__all__ = [
    "FONT_SIZE",
    "SETTINGS",
    "SMALL_SIZE",
    "Chart",
    "ChartData",
    "Legend",
    "Margins",
    "any_letters",
    "canvas",
    "finish",
    "from_zero",
    "legend",
    "legend_for",
    "percent_axis",
    "place_legend",
    "shade_gaps",
    "spread_out",
    "thousands_axis",
    "time_axis",
    "to_svg",
    "unit_label",
]
