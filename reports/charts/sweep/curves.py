"""The contention curves: each figure along the axis, one line a series, one plot a panel."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.lines import Line2D

from reports.charts.data import ChartData, Value
from reports.charts.figure import SETTINGS, Chart, finish, percent_axis
from reports.charts.style import INK, MUTED
from reports.charts.sweep import readings
from reports.charts.sweep.lines import (
    any_limited,
    band_handle,
    draw_curve,
    hollow_handle,
    knee_handle,
    look_of,
    mark_knee,
    own_bands,
    series_handles,
)
from reports.charts.sweep.panels import Grid, along, furnish, make_grid, same_height
from reports.statistics.sweep.cost import HURTS, OnsetState
from reports.statistics.sweep.predicted import Predicted
from reports.statistics.sweep.study import Study
from reports.text.rounding import about


@dataclass(frozen=True, slots=True)
class _Kind:
    """One of the curves' charts."""

    figure: str
    title: str
    unit: str
    share: bool = False
    time: bool = False
    knee: bool = False
    bands: bool = False


_KINDS = (
    _Kind("throughput_tps", "Throughput", "committed transactions / s", knee=True),
    _Kind("cost", "Cost of contention", "share of the time that went into conflicts", share=True),
    _Kind("conflict_rate", "Conflict rate", "conflicts / attempts", share=True, bands=True),
    _Kind("retry_rate", "Transactions retried", "retried / all transactions", share=True),
    _Kind("p50_ms", "Median latency", "ms", time=True, knee=True),
    _Kind("p99_ms", "p99 latency", "ms", time=True, knee=True),
)


def draw_curves(study: Study, predicted: Mapping[int, Predicted]) -> list[Chart]:
    """Every chart that the sweep has figures for."""
    with mpl.rc_context(SETTINGS):
        drawn = [_draw(study, predicted, kind) for kind in _KINDS]
    return [chart for chart in drawn if chart is not None]


def _draw(study: Study, predicted: Mapping[int, Predicted], kind: _Kind) -> Chart | None:
    grid = make_grid(study)
    where = along(study, grid)
    values: list[float] = []
    ringed = banded = lined = False
    for place, curve in enumerate(study.curves):
        axes = grid.axes.get(curve.panel)
        if axes is None:
            continue
        values += draw_curve(axes, study, curve, kind.figure, where)
        if kind.bands:
            tops = own_bands(axes, study, curve, where)
            values += tops
            banded = banded or bool(tops)
        if kind.knee:
            ringed = mark_knee(axes, curve, kind.figure, where) or ringed
        if place in predicted and kind.figure in _PREDICTED:
            tops = _predicted_line(axes, study, place, predicted[place], kind.figure, where)
            # A prediction that runs away must not flatten what was measured.
            values += [top for top in tops if top <= 1.3 * max(values, default=top)]
            lined = True
    if not values:
        return None
    if kind.figure == "cost":
        values.append(HURTS)
    most = 1.0 if kind.share else math.inf
    logarithmic = same_height(grid, values, times=kind.time, most=most)
    if kind.share:
        for axes in grid.axes.values():
            percent_axis(axes.yaxis)
    if kind.figure == "cost":
        _hurts(study, grid, where)
    unit = f"{kind.unit} (logarithmic)" if logarithmic else kind.unit
    hurting = kind.figure == "cost"
    furnish(grid, unit, _handles(study, ringed=ringed, banded=banded, lined=lined, hurting=hurting))
    title = f"{kind.title} {'against' if study.numeric else 'by'} {study.axis.name.replace('_', ' ')}"
    reading = readings.of_figure(study, kind.figure, predicted)
    return finish(grid.figure, f"sweep-{kind.figure}", title, reading, _data(study, predicted, kind))


_LINE_OF_HURT: dict[str, Any] = {"color": INK.light, "linewidth": 1, "linestyle": (0, (4, 3))}
_PREDICTED = ("throughput_tps", "conflict_rate", "retry_rate")


def _predicted_line(
    axes: Any, study: Study, place: int, predicted: Predicted, figure: str, where: Any
) -> list[float]:
    style = look_of(study, study.curves[place].series)
    x = [where(one.value) for one in predicted.places]
    found = [one.figures[figure] for one in predicted.places]
    axes.plot(
        x,
        [one.best for one in found],
        color=style.colour,
        linestyle=(0, (1, 1.6)),
        linewidth=1.5,
        zorder=2,
    )
    axes.fill_between(
        x,
        [one.low for one in found],
        [one.high for one in found],
        color=style.colour,
        alpha=0.08,
        linewidth=0,
        zorder=1,
    )
    return [one.best for one in found]


def _hurts(study: Study, grid: Grid, where: Any) -> None:
    """The line from which contention is said to hurt, and where each curve crosses it."""
    for axes in grid.axes.values():
        axes.axhline(HURTS, **_LINE_OF_HURT, zorder=2)
    for curve in study.curves:
        axes = grid.axes.get(curve.panel)  # type: ignore[assignment]
        if axes is None or curve.onset is None or curve.onset.state is not OnsetState.FOUND:
            continue
        at = where(curve.onset.at)
        style = look_of(study, curve.series)
        axes.plot([at, at], [0, HURTS], color=style.colour, linewidth=1.2, linestyle=":", zorder=2)
        axes.plot(
            [at], [0], "^", color=style.colour, markersize=7, markeredgewidth=0, clip_on=False, zorder=5
        )


def _handles(study: Study, *, ringed: bool, banded: bool, lined: bool, hurting: bool) -> list[Any]:
    handles = series_handles(study)
    if hurting:
        # Its name stands here, for beside the line it would sooner or later lie on a marker.
        handles.append(Line2D([], [], **_LINE_OF_HURT, label=f"hurts ({about(HURTS)})"))
    if lined:
        handles.append(
            Line2D([], [], color=MUTED.light, linestyle=(0, (1, 1.6)), linewidth=1.5, label="predicted")
        )
    if banded:
        handles.append(band_handle("own band"))
    if ringed:
        handles.append(knee_handle())
    if any_limited(study.curves):
        handles.append(hollow_handle())
    return handles


def _data(study: Study, predicted: Mapping[int, Predicted], kind: _Kind) -> ChartData:
    columns = (
        *(axis.name for axis in study.panels), "series", study.axis.name, "repeats",
        f"{kind.figure}_median", f"{kind.figure}_min", f"{kind.figure}_max",
        "predicted_low", "predicted", "predicted_high",
    )  # fmt: skip
    return ChartData(columns, list(_rows(study, predicted, kind)))


def _rows(study: Study, predicted: Mapping[int, Predicted], kind: _Kind) -> Iterator[tuple[Value, ...]]:
    for number, curve in enumerate(study.curves):
        panel = [axis.label_of(v) for axis, v in zip(study.panels, curve.panel, strict=True)]
        said = predicted.get(number)
        by_value = {one.value: one.figures.get(kind.figure) for one in said.places} if said else {}
        for place in curve.places:
            values = place.all(kind.figure)
            one = by_value.get(place.value)
            yield (
                *panel,
                curve.series.name,
                place.value if study.numeric else place.label,
                len(place.runs),
                place.middle(kind.figure),
                min(values, default=None),
                max(values, default=None),
                *((one.low, one.best, one.high) if one else (None, None, None)),
            )
