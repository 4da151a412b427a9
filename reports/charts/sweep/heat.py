"""The heat map of a sweep over two axes: darker is more, and each cell says how much."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from reports.charts.data import ChartData
from reports.charts.figure import SETTINGS, Chart, finish
from reports.charts.style import GRID, INK, MUTED, PAPER, PART_1, SMALL_SIZE
from reports.charts.sweep.panels import ACROSS, axis_name, compact, head, tick
from reports.charts.sweep.readings import extremes
from reports.statistics.sweep.measured import Series
from reports.statistics.sweep.study import Curve, Study, Values
from reports.text.rounding import THIN, about, number, shortened

MOST_MAPS = 12
"""Of more combinations of series and further axes only the first have a map; the table has all."""
_CELL, _LEAST_CELL = 34, 24
_LEFT, _GAP, _TOP, _BOTTOM = 110, 44, 44, 48
_LETTER = 6.9
_SMALL = 0.001
"""Shares below this are only said to be."""
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


@dataclass(frozen=True, slots=True)
class _Map:
    """One map: a series, with a value for each further axis; its rows are curves."""

    series: Series
    rest: Values
    rows: dict[object, Curve]
    """By the value of the second axis."""


def draw_maps(study: Study) -> list[Chart]:
    """A chart for each figure if a second axis was swept; none otherwise."""
    if not study.panels:
        return []
    maps = _maps(study)[:MOST_MAPS]
    with mpl.rc_context(SETTINGS):
        return [chart for kind in _KINDS if (chart := _draw(study, maps, kind)) is not None]


def _maps(study: Study) -> list[_Map]:
    found: dict[tuple[Series, Values], dict[object, Curve]] = {}
    for curve in study.curves:
        found.setdefault((curve.series, curve.panel[1:]), {})[curve.panel[0]] = curve
    return [_Map(series, rest, rows) for (series, rest), rows in found.items()]


def _draw(study: Study, maps: Sequence[_Map], kind: _Kind) -> Chart | None:
    cells = [
        value
        for one in maps
        for curve in one.rows.values()
        for place in curve.places
        if (value := place.middle(kind.figure)) is not None
    ]
    if not cells:
        return None
    columns, rows = len(study.axis.values), len(study.panels[0].values)
    beside = max(1, min(len(maps), (ACROSS - _LEFT + _GAP) // (columns * 52 + _GAP)))
    width_of_one = min(columns * 92, (ACROSS - _LEFT - (beside - 1) * _GAP) / beside)
    cell = max(_LEAST_CELL, min(_CELL, 340 // rows))
    down = math.ceil(len(maps) / beside)
    height = down * (_TOP + cell * rows) + _BOTTOM
    width = round(_LEFT + beside * width_of_one + (beside - 1) * _GAP)
    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    FigureCanvasSVG(figure)
    top = max(cells)
    for place, one in enumerate(maps):
        column, row = place % beside, place // beside
        axes = figure.add_axes(
            (
                (_LEFT + column * (width_of_one + _GAP)) / width,
                1 - ((row + 1) * (_TOP + cell * rows)) / height,
                width_of_one / width,
                cell * rows / height,
            )
        )
        _paint(study, axes, one, kind, top, width_of_one / columns)
        last = place + beside >= len(maps)
        _frame(study, axes, one, width_of_one / columns, left=column == 0, below=last)
    figure.text(
        0.5,
        12 / height,
        axis_name(study.axis.name),
        ha="center",
        va="center",
        color=MUTED.light,
        fontsize=SMALL_SIZE,
    )
    title = f"{kind.title} by {study.axis.name} and {study.panels[0].name}".replace("_", " ")
    curves = [curve for one in maps for curve in one.rows.values()]
    reading = f"{extremes(study, kind.figure, curves)} Darker is more."
    if any(len(curve.places) < columns for curve in curves):
        reading += " Hatched: not measured."
    return finish(figure, f"map-{kind.figure}", title, reading, _data(study, kind))


def _paint(study: Study, axes: Axes, one: _Map, kind: _Kind, top: float, wide: float) -> None:
    for row, value in enumerate(study.panels[0].values):
        curve = one.rows.get(value)
        for column, along in enumerate(_columns(study)):
            place = curve.at(along) if curve else None
            found = place.middle(kind.figure) if place else None
            box = (column, row)
            if found is None:
                axes.add_patch(
                    Rectangle(box, 1, 1, facecolor="none", edgecolor=GRID.light, hatch="////")
                )
                continue
            dark = _DARKEST * math.sqrt(found / top) if top > 0 else 0.0
            axes.add_patch(Rectangle(box, 1, 1, facecolor=PART_1.light, alpha=dark, linewidth=0))
            axes.text(
                column + 0.5,
                row + 0.5,
                _text(found, kind, wide),
                ha="center",
                va="center",
                fontsize=SMALL_SIZE if wide >= 46 else 9.5,
                color=(PAPER if dark >= _INK_TURNS else INK).light,
            )


def _text(value: float, kind: _Kind, wide: float) -> str:
    if not kind.share:
        return compact(round(value)) if value >= 10_000 else number(value)
    if 0 < value < _SMALL:
        return f"<{_SMALL * 100:g}{THIN}%"
    text = about(value)
    return text if len(text) * _LETTER < wide else f"{value * 100:.0f}%"


def _columns(study: Study) -> list[object]:
    return sorted(study.axis.values, key=study.position) if study.numeric else list(study.axis.values)


def _frame(study: Study, axes: Axes, one: _Map, wide: float, *, left: bool, below: bool) -> None:
    columns, second = _columns(study), study.panels[0]
    axes.set_xlim(0, len(columns))
    axes.set_ylim(len(second.values), 0)
    axes.grid(visible=False)
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="both", length=0)
    labels = [tick(study.axis, value) for value in columns]
    room = max(4, int(wide / _LETTER))
    axes.set_xticks(
        [i + 0.5 for i in range(len(columns))], [shortened(label, room) for label in labels]
    )
    names = [tick(second, value) for value in second.values]
    axes.set_yticks([i + 0.5 for i in range(len(names))], [shortened(name, 15) for name in names])
    axes.tick_params(labelleft=left, labelbottom=below)
    if left:
        axes.annotate(
            second.name.replace("_", " "),
            (0, 1),
            (-8, 7),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="right",
            color=MUTED.light,
        )
    rest = ", ".join(
        f"{axis.name.replace('_', ' ')} {axis.label_of(value)}"
        for axis, value in zip(study.panels[1:], one.rest, strict=True)
    )
    name = f"{one.series.name}, {rest}" if rest else one.series.name
    head(axes, shortened(name, int(wide * len(columns) / _LETTER)), 7)


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


__all__ = ["MOST_MAPS", "draw_maps"]
