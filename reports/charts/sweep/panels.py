"""Plots of a sweep that share their axes, one for each combination of the other axes' values."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FixedFormatter,
    FixedLocator,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullLocator,
)

from loadtest.record.sweep import Axis
from reports.charts.axes import thousands_axis
from reports.charts.figure import LETTER, PAGE_WIDTH, canvas, small_multiples, write_below
from reports.statistics.sweep.study import Study, Values, position
from reports.text.rounding import shortened

MOST_PANELS = 36
"""Of more combinations only the first are drawn; the tables have all."""
_MOST_COLUMNS = 6
_LEFT, _RIGHT, _BOTTOM, _GAP = 56, 16, 46, 18
_SECOND_LINE = 14
_ROOM_OF_TICK = 44
"""Pixels from one round tick to the next, at least."""
_INFINITE = "∞"
_LOG_FROM = 8.0
"""An axis whose ends are at least this many times apart is logarithmic."""
_LOG_TIMES_FROM = 30.0


@dataclass(frozen=True, slots=True)
class Grid:
    """A figure and its plots, by panel."""

    figure: Figure
    axes: dict[Values, Axes]

    @property
    def first(self) -> Axes:
        """The plot at the top left."""
        return next(iter(self.axes.values()))


def make_grid(study: Study) -> Grid:
    """A plot for each of the first MOST_PANELS combinations of the other axes' values.

    With two other axes that fit, the first goes along the columns and the second along the rows.
    """
    values = study.panel_values[:MOST_PANELS]
    bottom = _BOTTOM if study.numeric else _BOTTOM + _SECOND_LINE
    if len(values) == 1:
        figure, only = canvas(left=_LEFT, bottom=bottom)
        only.set_xlabel(axis_name(study.axis.name))
        return Grid(figure, {values[0]: only})
    columns = _columns(study, values)
    width = (PAGE_WIDTH - _LEFT - _RIGHT - (columns - 1) * _GAP) / columns
    names = [shortened(study.panel_name(one), int(width / LETTER)) for one in values]
    figure, plots = small_multiples(
        names, columns, width=width, height=190 if columns >= len(values) else 150, left=_LEFT,
        right=_RIGHT, bottom=bottom, gap=_GAP,
    )  # fmt: skip
    write_below(figure, axis_name(study.axis.name))
    return Grid(figure, dict(zip(values, plots, strict=True)))


def _columns(study: Study, values: Sequence[Values]) -> int:
    if len(study.panels) == 2:
        inner = len({one[1] for one in values})
        if inner <= _MOST_COLUMNS and len(values) % inner == 0:
            return inner
    # No more columns than needed for as many rows as there must be.
    rows = math.ceil(len(values) / _MOST_COLUMNS)
    return max(2, math.ceil(len(values) / rows))


def along(study: Study, grid: Grid, *, logarithmic: bool = True) -> Callable[[Any], float]:
    """Prepare every plot's horizontal axis; returns where a value of the axis lies on it.

    An axis of numbers is logarithmic where they lie far apart, and has its ticks at them. If
    `logarithmic` is False it begins at zero and its ticks are round numbers.
    """
    if study.numeric:
        return _numbers(study, grid, may_be_logarithmic=logarithmic)
    labels = [study.axis.label_of(value) for value in study.axis.values]
    for axes in grid.axes.values():
        room = max(5, int(axes.bbox.width / len(labels) / LETTER))
        axes.xaxis.set_major_locator(FixedLocator(list(range(len(labels)))))
        axes.xaxis.set_major_formatter(FixedFormatter([_wrapped(label, room) for label in labels]))
        axes.tick_params(axis="x", length=0)
        axes.set_xlim(-0.5, len(labels) - 0.5)
    return lambda value: float(study.axis.values.index(value))


def _wrapped(label: str, room: int) -> str:
    """A name on two lines if it has no room on one, broken where it has a joint."""
    if len(label) <= room:
        return label
    joints = [i + 1 for i, letter in enumerate(label) if letter in "-_ .:+/"]
    if not joints:
        return shortened(label, room)
    at = min(joints, key=lambda i: abs(i - len(label) / 2))
    return f"{shortened(label[:at], room)}\n{shortened(label[at:], room)}"


def _numbers(study: Study, grid: Grid, *, may_be_logarithmic: bool) -> Callable[[Any], float]:
    positions = sorted(
        {study.position(place.value) for curve in study.curves for place in curve.places}
    )
    finite = [value for value in positions if value < math.inf]
    # What is without end stands one doubling beyond the rest.
    beyond = 2 * finite[-1] if finite else 1.0

    def where(value: Any) -> float:
        return min(study.position(value), beyond)

    values = [min(value, beyond) for value in positions]
    labels = {min(v, beyond): _INFINITE if v == math.inf else compact(v) for v in positions}
    low, high = values[0], values[-1]
    logarithmic = may_be_logarithmic and low > 0 and high / low >= _LOG_FROM
    for axes in grid.axes.values():
        if logarithmic:
            axes.set_xscale("log")
            room = (high / low) ** 0.05
            ends = (low / room, high * room)
        else:
            room = (high - low) * 0.05 or 1.0
            ends = (low - room if may_be_logarithmic else 0.0, high + room)
        axes.set_xlim(*ends)
        axes.xaxis.set_minor_locator(NullLocator())
        if may_be_logarithmic:
            shown = _apart(labels, ends, logarithmic, axes.bbox.width)
            axes.xaxis.set_major_locator(FixedLocator(shown))
            axes.xaxis.set_major_formatter(FixedFormatter([labels[value] for value in shown]))
        else:
            most = max(2, int(axes.bbox.width / _ROOM_OF_TICK))
            axes.xaxis.set_major_locator(MaxNLocator(most, integer=True, steps=[1, 2, 5, 10]))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
        axes.tick_params(axis="x", length=4)
    return where


def _apart(
    labels: Mapping[float, str], ends: tuple[float, float], logarithmic: bool, pixels: float
) -> list[float]:
    """Those of the ascending values whose labels have room beside one another; the last always has."""

    def pixel(value: float) -> float:
        if logarithmic:
            return pixels * math.log(value / ends[0]) / math.log(ends[1] / ends[0])
        return pixels * (value - ends[0]) / (ends[1] - ends[0])

    shown: list[float] = []
    for value in reversed(list(labels)):
        room = LETTER * (len(labels[value]) + len(labels[shown[-1]] if shown else "")) / 2 + 7
        if not shown or pixel(shown[-1]) - pixel(value) >= room:
            shown.append(value)
    return shown[::-1]


def tick(axis: Axis, value: Any) -> str:
    """A value of an axis, as short as a tick must be."""
    if not isinstance(value, int | float):
        return axis.label_of(value)
    return _INFINITE if position(axis, value) == math.inf else compact(value)


def compact(value: float) -> str:
    """A number for a tick: from ten thousand on in thousands or millions."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= 10 * unit or (value >= unit and unit > 1e3 and value % (unit / 10) == 0):
            return f"{value / unit:,.4g}{name}"
    return f"{value:,.6g}"


_AXIS_NAMES = {
    "users": "users",
    "rate": "rate (transactions asked for a second)",
    "accounts": "accounts",
    "think_time": "think time of a user (s)",
    "max_attempts": "attempts allowed (∞: without end)",
    "skew": "skew of the accesses",
    "retry": "retry policy",
    "target": "target",
}


def axis_name(name: str) -> str:
    """What stands under the horizontal axis."""
    return _AXIS_NAMES.get(name, name.replace("_", " "))


def same_height(
    grid: Grid, values: Sequence[float], *, times: bool = False, most: float = math.inf
) -> bool:
    """Give every plot the same vertical axis: from zero, or, for times far apart, logarithmic.

    It ends a little above the highest value, but not above `most`. Returns whether it is logarithmic.
    """
    above = [value for value in values if value > 0]
    top = min(max(above, default=1.0), most)
    logarithmic = times and bool(above) and top / min(above) >= _LOG_TIMES_FROM
    for axes in grid.axes.values():
        if logarithmic:
            axes.set_yscale("log")
            axes.set_ylim(min(above) / 1.4, top * 1.5)
            axes.yaxis.set_major_locator(
                LogLocator(subs=(1.0,) if top / min(above) > 300 else (1, 2, 5))
            )
            axes.yaxis.set_minor_locator(NullLocator())
        else:
            axes.set_ylim(0, min(top * 1.12, most * 1.01))
        thousands_axis(axes.yaxis)
    return logarithmic
