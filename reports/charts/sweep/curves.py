"""The contention curves: each figure along the axis, one line a series, one plot a panel."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from reports.charts.axes import percent_axis
from reports.charts.figure import Chart, ChartData, Value, chart_settings, write_above
from reports.charts.marks import band_sample, marker
from reports.charts.style import INK, MUTED
from reports.charts.sweep.lines import (
    Position,
    draw_curve,
    knee_sample,
    look_of,
    own_bands,
    ring_knee,
    series_samples,
)
from reports.charts.sweep.panels import Grid, along, make_grid, same_height
from reports.statistics.sweep.cost import HURTS, OnsetState
from reports.statistics.sweep.curve_text import curve_name, tps
from reports.statistics.sweep.predicted import Predicted
from reports.statistics.sweep.study import Curve, Study, setting
from reports.text.rounding import about, milliseconds

_RUNS_AWAY = 1.3
"""A prediction that is so many times above what was measured does not stretch the axis."""
_DOTTED: dict[str, Any] = {"linestyle": (0, (1, 1.6)), "linewidth": 1.5}
_DASHED: dict[str, Any] = {"color": INK, "linewidth": 1, "linestyle": (0, (4, 3))}


@dataclass(frozen=True, slots=True)
class _Kind:
    """One of the curves' charts."""

    figure: str
    title: str
    unit: str
    share: bool = False
    time: bool = False
    knee: bool = False
    predicted: bool = False


_KINDS = (
    _Kind("throughput_tps", "Throughput", "committed transactions / s", knee=True, predicted=True),
    _Kind("cost", "Cost of contention", "share of the time that went into conflicts", share=True),
    _Kind("conflict_rate", "Conflict rate", "conflicts / attempts", share=True, predicted=True),
    _Kind("retry_rate", "Transactions retried", "retried / all transactions", share=True,
          predicted=True),
    _Kind("p50_ms", "Median latency", "ms", time=True, knee=True),
    _Kind("p99_ms", "p99 latency", "ms", time=True, knee=True),
)  # fmt: skip


@chart_settings()
def draw_curves(study: Study, predicted: Mapping[int, Predicted]) -> list[Chart]:
    """Every chart that the sweep has figures for."""
    drawn = (_draw(study, predicted if kind.predicted else {}, kind) for kind in _KINDS)
    return [chart for chart in drawn if chart is not None]


def _draw(study: Study, predicted: Mapping[int, Predicted], kind: _Kind) -> Chart | None:
    grid = make_grid(study)
    where = along(study, grid)
    values: list[float] = []
    extra: dict[str, Any] = {}
    for number, curve in enumerate(study.curves):
        axes = grid.axes.get(curve.panel)
        if axes is None:
            continue
        values += draw_curve(axes, study, curve, kind.figure, where)
        if kind.figure == "conflict_rate" and (tops := own_bands(axes, study, curve, where)):
            values += tops
            extra["band"] = band_sample("own band")
        if kind.knee and ring_knee(axes, curve, kind.figure, where):
            extra["knee"] = knee_sample()
        if number in predicted:
            best = _predicted_line(axes, study, curve, predicted[number], kind.figure, where)
            values += [top for top in best if top <= _RUNS_AWAY * max(values, default=top)]
            extra["line"] = Line2D([], [], color=MUTED, label="predicted", **_DOTTED)
    if not values:
        return None
    if kind.figure == "cost":
        values.append(HURTS)
        _hurts(study, grid, where)
        extra["hurts"] = Line2D([], [], **_DASHED, label=f"hurts ({about(HURTS)})")
    logarithmic = same_height(grid, values, times=kind.time, most=1.0 if kind.share else math.inf)
    if kind.share:
        for axes in grid.axes.values():
            percent_axis(axes.yaxis)
    unit = f"{kind.unit} (logarithmic)" if logarithmic else kind.unit
    write_above(grid.figure, unit, [*series_samples(study), *extra.values()])
    title = f"{kind.title} {'against' if study.numeric else 'by'} {study.axis.name.replace('_', ' ')}"
    reading, data = _reading(study, kind.figure, predicted), _data(study, predicted, kind)
    return Chart(grid.figure, f"sweep-{kind.figure}", title, reading, data)


def _predicted_line(
    axes: Axes, study: Study, curve: Curve, predicted: Predicted, figure: str, where: Position
) -> list[float]:
    """Draw the predicted line with its band; returns the line's values."""
    colour = look_of(study, curve.series).colour
    x = [where(one.value) for one in predicted.places]
    ends = [one.figures[figure] for one in predicted.places]
    best = [end.best for end in ends]
    axes.plot(x, best, color=colour, zorder=2, **_DOTTED)
    low, high = [end.low for end in ends], [end.high for end in ends]
    axes.fill_between(x, low, high, color=colour, alpha=0.08, linewidth=0, zorder=1)
    return best


def _hurts(study: Study, grid: Grid, where: Position) -> None:
    """The line from which contention is said to hurt, and where each curve crosses it."""
    for axes in grid.axes.values():
        axes.axhline(HURTS, **_DASHED, zorder=2)
    for curve in study.curves:
        if curve.panel not in grid.axes or curve.onset is None:
            continue
        if curve.onset.state is OnsetState.FOUND:
            axes, at, style = (
                grid.axes[curve.panel],
                where(curve.onset.at),
                look_of(study, curve.series),
            )
            axes.plot([at, at], [0, HURTS], color=style.colour, linewidth=1.2, ls=":", zorder=2)
            marker(axes, at, 0, style, marker="^", clip_on=False, zorder=5)


def _data(study: Study, predicted: Mapping[int, Predicted], kind: _Kind) -> ChartData:
    columns = (
        *(axis.name for axis in study.panels), "series", study.axis.name, "repeats",
        f"{kind.figure}_median", f"{kind.figure}_min", f"{kind.figure}_max",
        "predicted_low", "predicted", "predicted_high",
    )  # fmt: skip
    return ChartData(columns, list(_rows(study, predicted, kind.figure)))


def _rows(study: Study, predicted: Mapping[int, Predicted], figure: str) -> Iterator[tuple[Value, ...]]:
    for number, curve in enumerate(study.curves):
        panel = [axis.label_of(v) for axis, v in zip(study.panels, curve.panel, strict=True)]
        line = predicted.get(number)
        by_value = {one.value: one.figures[figure] for one in line.places} if line else {}
        for place in curve.places:
            values, one = place.all(figure), by_value.get(place.value)
            yield (
                *panel,
                curve.series.name,
                place.value if study.numeric else place.label,
                len(place.runs),
                place.middle(figure),
                min(values, default=None),
                max(values, default=None),
                *((one.low, one.best, one.high) if one else (None, None, None)),
            )


# ------------------------------------------------------------------ in words


def _reading(study: Study, figure: str, predicted: Mapping[int, Predicted]) -> str:
    """The least and the most, and what a dotted line is made from."""
    known = {
        number: curve
        for number, curve in enumerate(study.curves)
        if any(place.middle(figure) is not None for place in curve.places)
    }
    text = extremes(study, figure, list(known.values()))
    made_from = list(dict.fromkeys(predicted[n].calibrated_at for n in known if n in predicted))
    if made_from:
        where = made_from[0] if len(made_from) == 1 else "the calmest setting of each panel"
        text += f" Dotted: predicted from the run at {where}, with attempts as long as there."
    return text


def extremes(study: Study, figure: str, curves: Sequence[Curve]) -> str:
    """The least and the most of a figure, and where they are."""

    def text(value: float) -> str:
        if figure == "throughput_tps":
            return f"{tps(value)} /s"
        return milliseconds(value) if figure.endswith("_ms") else about(value)

    values = [
        (value, f"{curve_name(study, curve)} at {setting(study.axis, place.value)}")
        for curve in curves
        for place in curve.places
        if (value := place.middle(figure)) is not None
    ]
    ends = [pick(values, key=lambda one: one[0]) for pick in (min, max)]
    if len(values) == 1:
        return f"{text(ends[0][0])} ({ends[0][1]}), the only known point."
    return f"From {' to '.join(f'{text(value)} ({where})' for value, where in ends)}."
