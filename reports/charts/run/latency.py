"""Latency percentiles over time."""

import numpy as np
from matplotlib.axes import Axes

from reports.analysis.series import DRAWN
from reports.charts.data import courses_as_rows
from reports.charts.figure import (
    Chart,
    ChartData,
    Margins,
    canvas,
    finish,
    from_zero,
    legend,
    spread_out,
    thousands_axis,
    time_axis,
    unit_label,
)
from reports.charts.marks import largest, over_time
from reports.charts.readings import of_each, percentiles_of
from reports.charts.style import MUTED
from reports.statistics.model import Model

_WEIGHT = {"p50": 2.1, "p95": 1.4, "p99": 0.9}
_LOG_FROM = 25.0


def draw(model: Model) -> Chart | None:
    """p50, p95 and p99 of transactions' latency, by key type; None when too few ended."""
    highest = largest(*(s.latency_ms for s in model.series.values()))
    if not highest:
        return None
    figure, axes = canvas(Margins(right=40))
    scale = time_axis(axes, model, warmup=False)
    handles = []
    ends: dict[str, list[float]] = {name: [] for name in DRAWN}
    for key_type, series in model.series.items():
        x = series.latency_middle_s * scale
        for column, name in enumerate(DRAWN):
            values = series.latency_ms[:, column]
            handle = over_time(
                axes, key_type, x, values, series.latency_joined, linewidth=_WEIGHT[name]
            )
            shown = values[np.isfinite(values)]
            if shown.size:
                ends[name].append(float(shown[-3:].mean()))
        handles.append(handle)
    lows = [
        float(v.min())
        for s in model.series.values()
        if (v := s.latency_ms[np.isfinite(s.latency_ms)]).size
    ]
    if highest / max(min(lows), 1e-9) > _LOG_FROM:
        axes.set_yscale("log")
        axes.set_ylim(min(lows) / 1.3, highest * 1.3)
    else:
        from_zero(axes, highest)
    thousands_axis(axes.yaxis)
    _label_ends(axes, {name: float(np.mean(y)) for name, y in ends.items() if y})
    unit_label(figure, f"latency (ms{', log scale' if axes.get_yscale() == 'log' else ''})")
    legend(figure, axes, handles)
    return finish(figure, "latency", "Latency over time", _reading(model), _data(model))


def _data(model: Model) -> ChartData:
    courses = {
        key: (s.latency_middle_s, *(s.latency_ms[:, column] for column in range(len(DRAWN))))
        for key, s in model.series.items()
    }
    columns = ("key_type", "time_s", *(f"{name}_ms" for name in DRAWN))
    return ChartData(columns, courses_as_rows(courses))


def _label_ends(axes: Axes, ends: dict[str, float]) -> None:
    """Name the percentiles beside the ends of their lines."""
    heights = [float(axes.transData.transform((0, y))[1]) for y in ends.values()]
    for name, y in zip(ends, spread_out(heights, 14), strict=True):
        x = axes.transAxes.transform((1, 0))[0] + 6
        right, up = axes.transAxes.inverted().transform((x, y))
        axes.text(right, up, name, transform=axes.transAxes, va="center", color=MUTED.light)


def _reading(model: Model) -> str:
    return of_each(model.key_types, lambda _, f: percentiles_of(f.latency, ("p50", "p99")))
