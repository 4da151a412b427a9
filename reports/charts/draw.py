"""What all charts share: canvas, axes, legend, and the way from matplotlib to themed inline SVG."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from reports import style
from reports.model import Model
from reports.style import FAINT, FONT_SIZE, GRID, HEIGHT, INK, MUTED, SMALL_SIZE, WIDTH

# Any: the stubs want each name as a literal.
SETTINGS: Any = {
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": SMALL_SIZE,
    "text.color": INK.sentinel,
    "axes.edgecolor": FAINT.sentinel,
    "axes.labelcolor": MUTED.sentinel,
    "axes.labelsize": SMALL_SIZE,
    "axes.titlesize": SMALL_SIZE,
    "axes.titlecolor": MUTED.sentinel,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "grid.color": GRID.sentinel,
    "grid.linewidth": 0.8,
    "xtick.color": FAINT.sentinel,
    "ytick.color": FAINT.sentinel,
    "xtick.labelcolor": MUTED.sentinel,
    "ytick.labelcolor": MUTED.sentinel,
    "xtick.labelsize": SMALL_SIZE,
    "ytick.labelsize": SMALL_SIZE,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": SMALL_SIZE,
    "legend.labelcolor": INK.sentinel,
    "lines.solid_capstyle": "round",
    "hatch.linewidth": 0.6,
}


@dataclass(frozen=True, slots=True)
class Chart:
    """A finished chart: heading and sentence are the page's, the drawing is inline SVG."""

    name: str
    title: str
    reading: str
    svg: str


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


def unit_label(figure: Figure, text: str) -> None:
    """What the vertical axis measures, written level above it."""
    height = figure.get_figheight() * 72
    figure.text(
        0.004,
        1 - 14 / height,
        text,
        ha="left",
        va="center",
        color=MUTED.sentinel,
        fontsize=SMALL_SIZE,
    )


def legend(figure: Figure, axes: Axes, handles: Sequence[Any] | None = None) -> None:
    """The legend, in one row above the plot at the right."""
    if handles is None:
        handles, _ = axes.get_legend_handles_labels()
    if not handles:
        return
    height = figure.get_figheight() * 72
    made = figure.legend(
        handles=list(handles),
        loc="center right",
        bbox_to_anchor=(1.0, 1 - 14 / height),
        ncols=len(handles),
        frameon=False,
        fontsize=SMALL_SIZE,
        handlelength=1.9,
        handletextpad=0.5,
        columnspacing=1.3,
        borderaxespad=0.2,
    )
    for text in made.get_texts():
        text.set_color(INK.sentinel)


def time_axis(axes: Axes, model: Model) -> float:
    """Label the time axis, shade the warm-up; returns what to multiply seconds with."""
    minutes = model.measured_s > 300
    scale = 1 / 60 if minutes else 1.0
    begin = 0.0
    if model.warmup is not None:
        begin = -min(model.warmup_s, model.measured_s) * scale
        axes.axvspan(begin, 0, facecolor=FAINT.sentinel, alpha=0.18, edgecolor="none", zorder=0)
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
                color=MUTED.sentinel,
                rotation=90 if share < 0.15 else 0,
            )
    axes.set_xlim(begin, model.measured_s * scale)
    axes.set_xlabel(f"time since measuring began ({'min' if minutes else 's'})")
    axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    return scale


def from_zero(axes: Axes, top: float, *, room: float = 1.12) -> None:
    """A vertical axis from zero to a little above `top`."""
    axes.set_ylim(0, top * room if top > 0 else 1)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))


def percent_axis(axis: Any) -> None:
    """Ticks of shares as percentages."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:g}{style.THIN}%"))


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


def to_svg(figure: Figure, name: str, label: str) -> str:
    """The figure as inline SVG: colours by CSS variable, own ids, an accessible label."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):
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
    for colour in style.COLOURS:
        body = body.replace(colour.sentinel, f"var({colour.variable})")
    view = re.search(r'viewBox="[^"]+"', body)
    opening = (
        f'<svg {view[0] if view else ""} role="img" aria-label="{escape(label, quote=True)}" '
        f'class="chart">'
    )
    body = re.sub(r"<svg[^>]*>", lambda _: opening, body, count=1)
    body = re.sub(r"\n\s*", "\n", body)
    return _shorter(body).strip()


def _shorter(svg: str) -> str:
    """Coordinates to two decimals: a hundredth of a pixel is not seen, and makes half the file."""
    return re.sub(r' (?:d|x|y)="[^"]*"', lambda found: re.sub(r"(\d+\.\d{2})\d+", r"\1", found[0]), svg)


def finish(figure: Figure, name: str, title: str, reading: str) -> Chart:
    """A chart from its figure; the reading is also what a screen reader hears."""
    return Chart(name, title, reading, to_svg(figure, name, f"{title}. {reading}"))


__all__ = [
    "FONT_SIZE",
    "SETTINGS",
    "SMALL_SIZE",
    "Chart",
    "Margins",
    "canvas",
    "finish",
    "from_zero",
    "legend",
    "percent_axis",
    "spread_out",
    "thousands_axis",
    "time_axis",
    "to_svg",
    "unit_label",
]
