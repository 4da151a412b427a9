"""Axes with their units: time, shares, milliseconds, ratios, names."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from reports.charts.style import FAINT, INK, MUTED, PAPER, SMALL_SIZE
from reports.statistics.model import Model
from reports.text.rounding import THIN, shortened

MINUTES_FROM_S = 300.0
"""Time axes that are longer count minutes."""
_ROOM_FOR_A_WORD, _ROOM_LEVEL = 0.03, 0.2
"""Shares of the width from which a shaded stretch is named: upright, and level."""
_FEWEST_TICKS = 3
_LOG_STEPS = ((1.0,), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0))
_RATIO_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25)
_QUANTILES = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999)


def from_zero(axes: Axes, top: float, *, room: float = 1.12) -> None:
    """A vertical axis from zero to a little above `top`."""
    axes.set_ylim(0, top * room if top > 0 else 1)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))


def percent_axis(axis: Any) -> None:
    """Ticks of shares as percentages."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:g}{THIN}%"))


def thousands_axis(axis: Any) -> None:
    """Ticks of large numbers with separators."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))


def log_milliseconds(axis: Any) -> None:
    """Round labels on a logarithmic axis of milliseconds, also where it spans less than a decade."""
    low, high = sorted(axis.get_view_interval())
    for steps in _LOG_STEPS:
        locator = LogLocator(base=10, subs=steps)
        axis.set_major_locator(locator)
        if sum(low <= tick <= high for tick in locator.tick_values(low, high)) >= _FEWEST_TICKS:
            break
    axis.set_minor_formatter(NullFormatter())
    thousands_axis(axis)


def quantile_ticks(top: float) -> tuple[list[float], list[str]]:
    """Where 0, 50, 90, 99 … % lie on an axis of −log10(1 − quantile) that ends at `top`, and the
    percentages as text: each step up is a tenth of the rest.
    """
    shown = [q for q in _QUANTILES if -math.log10(1 - q) <= top + 0.05]
    return [-math.log10(1 - q) for q in shown], [f"{q * 100:.10g}" for q in shown]


def ratio_ticks(reach: float) -> list[float]:
    """Round ratios on a logarithmic axis from −`reach` to `reach`: even steps near 1, halves and
    doubles or tenths and tenfolds farther out, where even steps would crowd.
    """
    if reach >= math.log(2):
        base = 2.0 if reach < math.log(20) else 10.0
        return [base**n for n in range(-6, 7) if abs(n) * math.log(base) <= reach]
    step = next((s for s in _RATIO_STEPS if math.expm1(reach) / s < 4.5), _RATIO_STEPS[-1])
    marks = [1 + n * step for n in range(-5, 6)]
    return [mark for mark in marks if mark > 0 and abs(math.log(mark)) <= reach]


def rows_of_names(axes: Axes, names: Sequence[str], rows: float | None = None) -> None:
    """A row for each name, from the top; values go to the right. `rows` is the room if not theirs."""
    axes.set_yticks(range(len(names)), list(names), color=INK)
    axes.set_ylim((rows or len(names)) - 0.4, -0.6)
    values_to_the_right(axes)


def values_to_the_right(axes: Axes) -> None:
    """Lines of the grid for the horizontal axis alone."""
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x")


def time_axis(axes: Axes, model: Model, *, warmup: bool = True) -> float:
    """Label the time axis, shade the warm-up; returns what to multiply seconds with.

    `warmup` is False where the chart has nothing to draw in it: the axis then begins with the
    measured time.
    """
    minutes = model.measured_s > MINUTES_FROM_S
    scale = 1 / 60 if minutes else 1.0
    begin = 0.0
    if warmup and model.warmup is not None:
        begin = -min(model.warmup_s, model.measured_s) * scale
        axes.axvspan(begin, 0, facecolor=FAINT, alpha=0.18, edgecolor="none", zorder=0)
        share = -begin / (model.measured_s * scale - begin)
        _name_stretch(axes, begin / 2, "warm-up", share, level=0.15, y=0.03, va="bottom")
    axes.set_xlim(begin, model.measured_s * scale)
    axes.set_xlabel(f"time since measuring began ({'min' if minutes else 's'})")
    axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    return scale


def shade_gaps(axes: Axes, model: Model, scale: float, colours: Mapping[str, str]) -> None:
    """Shade the time in which a target answered nothing, and name it where there is room."""
    from_s, until_s = (edge / scale for edge in axes.get_xlim())
    for gap in model.gaps:
        edges = gap.from_s * scale, gap.until_s * scale
        colour = colours.get(gap.target, FAINT)
        axes.axvspan(*edges, facecolor=colour, alpha=0.13, edgecolor="none", zorder=0)
        share = (gap.until_s - gap.from_s) / (until_s - from_s)
        text = "no answer"
        if model.regions is not None:
            text = shortened(gap.target, 16) + ("\n" if share > _ROOM_LEVEL else ": ") + text
        # Another target's line goes on behind it.
        ground = {"facecolor": PAPER, "alpha": 0.8, "edgecolor": "none", "pad": 1.5}
        _name_stretch(axes, sum(edges) / 2, text, share, y=0.97, va="top", bbox=ground, zorder=5)


def _name_stretch(
    axes: Axes, x: float, text: str, share: float, *, y: float, level: float = _ROOM_LEVEL, **how: Any
) -> None:
    """Write what a shaded stretch is into it, upright where it is narrow, not at all in a line."""
    if share < _ROOM_FOR_A_WORD:
        return
    how |= {"transform": axes.get_xaxis_transform(), "rotation": 0 if share > level else 90}
    axes.text(x, y, text, ha="center", fontsize=SMALL_SIZE - 1, color=MUTED, **how)
