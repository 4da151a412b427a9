"""Heat maps of a sweep over two axes: darker is more, and each cell says how much."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from reports.charts.figure import (
    LETTER,
    PAGE_WIDTH,
    Chart,
    ChartData,
    chart_settings,
    small_multiples,
    write_below,
)
from reports.charts.style import GRID, INK, MUTED, PAPER, PART_1, SMALL_SIZE
from reports.charts.sweep.curves import extremes
from reports.charts.sweep.panels import axis_name, compact, tick
from reports.statistics.sweep.measured import Series
from reports.statistics.sweep.study import Curve, Study, Values
from reports.text.rounding import THIN, about, number, shortened

MOST_MAPS = 12
"""Of more combinations of series and further axes only the first have a map; the table has all."""
_LEAST_CELL, _CELL, _MOST_HEIGHT = 24, 34, 340
_NARROWEST, _WIDEST = 52, 92
"""Pixels of a cell's height, of all of them, and of a cell's width."""
_LEFT, _GAP = 110, 44
_SMALL = 0.001
"""Shares below this are written as less than it."""
_DARKEST = 0.92
_INK_TURNS = 0.6
"""From this darkness on the writing is in the paper's colour."""


@dataclass(frozen=True, slots=True)
class _Kind:
    figure: str
    title: str
    share: bool


_KINDS = (
    _Kind("conflict_rate", "Conflict rate", share=True),
    _Kind("cost", "Cost of contention", share=True),
    _Kind("throughput_tps", "Throughput (committed transactions / s)", share=False),
)
_Map = tuple[Series, Values]
"""A series, with a value for each further axis."""
_Maps = dict[_Map, dict[object, Curve]]
"""The rows of each map, by the value of the second axis."""


@chart_settings()
def draw_maps(study: Study) -> list[Chart]:
    """A chart for each figure if a second axis was swept; none otherwise."""
    if not study.panels:
        return []
    maps: _Maps = {}
    for curve in study.curves:
        maps.setdefault((curve.series, curve.panel[1:]), {})[curve.panel[0]] = curve
    maps = dict(list(maps.items())[:MOST_MAPS])
    return [chart for kind in _KINDS if (chart := _draw(study, maps, kind)) is not None]


def _draw(study: Study, maps: _Maps, kind: _Kind) -> Chart | None:
    curves = [curve for rows in maps.values() for curve in rows.values()]
    cells = [
        value
        for curve in curves
        for place in curve.places
        if (value := place.middle(kind.figure)) is not None
    ]
    if not cells:
        return None
    columns, rows = len(study.axis.values), len(study.panels[0].values)
    fit = (PAGE_WIDTH - _LEFT + _GAP) // (columns * _NARROWEST + _GAP)
    across = max(1, min(len(maps), fit))
    width = min(columns * _WIDEST, (PAGE_WIDTH - _LEFT - (across - 1) * _GAP) / across)
    height = rows * max(_LEAST_CELL, min(_CELL, _MOST_HEIGHT // rows))
    names = [shortened(_name(study, one), int(width / LETTER)) for one in maps]
    figure, plots = small_multiples(
        names, across, width=width, height=height, left=_LEFT, right=0, top=20, bottom=48, gap=_GAP
    )
    for axes, drawn in zip(plots, maps.values(), strict=True):
        _frame(study, axes, width / columns)
        _paint(study, axes, drawn, kind, max(cells), width / columns)
    write_below(figure, axis_name(study.axis.name))
    title = f"{kind.title} by {study.axis.name} and {study.panels[0].name}".replace("_", " ")
    reading = f"{extremes(study, kind.figure, curves)} Darker is more."
    if any(len(curve.places) < columns for curve in curves):
        reading += " Hatched: not measured."
    return Chart(figure, f"map-{kind.figure}", title, reading, _data(study, kind))


def _name(study: Study, one: _Map) -> str:
    series, rest = one
    further = zip(study.panels[1:], rest, strict=True)
    values = [f"{axis.name.replace('_', ' ')} {axis.label_of(value)}" for axis, value in further]
    return ", ".join([series.name, *values])


def _values(study: Study) -> Sequence[object]:
    return sorted(study.axis.values, key=study.position) if study.numeric else study.axis.values


def _frame(study: Study, axes: Axes, wide: float) -> None:
    columns, second = _values(study), study.panels[0]
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="both", length=0)
    room = max(4, int(wide / LETTER))
    labels = [shortened(tick(study.axis, value), room) for value in columns]
    axes.set_xticks([i + 0.5 for i in range(len(columns))], labels)
    names = [shortened(tick(second, value), 15) for value in second.values]
    axes.set_yticks([i + 0.5 for i in range(len(names))], names)
    axes.set_xlim(0, len(columns))
    axes.set_ylim(len(names), 0)
    if axes.yaxis.get_tick_params()["labelleft"]:
        axes.annotate(
            second.name.replace("_", " "), (0, 1), (-8, 7), xycoords="axes fraction",
            textcoords="offset points", ha="right", color=MUTED,
        )  # fmt: skip


def _paint(
    study: Study, axes: Axes, rows: dict[object, Curve], kind: _Kind, top: float, wide: float
) -> None:
    """Fill each cell by how large its figure is beside the largest, `top`, and write it in."""
    for row, value in enumerate(study.panels[0].values):
        curve = rows.get(value)
        for column, along in enumerate(_values(study)):
            place = curve.at(along) if curve else None
            figure = place.middle(kind.figure) if place else None
            if figure is None:
                how = {"facecolor": "none", "edgecolor": GRID, "hatch": "////"}
                axes.add_patch(Rectangle((column, row), 1, 1, **how))  # type: ignore[arg-type]
                continue
            dark = _DARKEST * math.sqrt(figure / top) if top > 0 else 0.0
            cell = Rectangle((column, row), 1, 1, facecolor=PART_1, alpha=dark, linewidth=0)
            axes.add_patch(cell)
            axes.text(
                column + 0.5, row + 0.5, _text(figure, kind, wide), ha="center", va="center",
                fontsize=SMALL_SIZE if wide >= 46 else 9.5, color=PAPER if dark >= _INK_TURNS else INK,
            )  # fmt: skip


def _text(value: float, kind: _Kind, wide: float) -> str:
    if not kind.share:
        return compact(round(value)) if value >= 10_000 else number(value)
    if 0 < value < _SMALL:
        return f"<{_SMALL * 100:g}{THIN}%"
    text = about(value)
    return text if len(text) * LETTER < wide else f"{value * 100:.0f}%"


def _data(study: Study, kind: _Kind) -> ChartData:
    columns = (*(axis.name for axis in study.panels), "series", study.axis.name, kind.figure)
    rows = [
        (
            *(axis.label_of(v) for axis, v in zip(study.panels, curve.panel, strict=True)),
            curve.series.name,
            place.label,
            place.middle(kind.figure),
        )
        for curve in study.curves
        for place in curve.places
    ]
    return ChartData(columns, rows)
