"""Latency percentiles over time."""

import numpy as np

from reports.analysis.over_time.series import DRAWN
from reports.charts.axes import from_zero, thousands_axis, time_axis
from reports.charts.figure import Chart, ChartData, canvas, write_above
from reports.charts.marks import (
    courses_as_rows,
    largest,
    note,
    over_time,
    percentiles_of_each,
    spread_out,
)
from reports.charts.style import MUTED, SMALL_SIZE, look
from reports.statistics.model import Model

_WIDTHS = {"p50": 2.1, "p95": 1.4, "p99": 0.9}
"""Of the lines."""
_LOG_FROM = 25.0


def draw(model: Model) -> Chart | None:
    """p50, p95 and p99 of transactions' latency, by key type; None when too few ended."""
    highest = largest(*(s.latency_ms for s in model.series.values()))
    if not highest:
        return None
    lowest = -largest(*(-s.latency_ms for s in model.series.values()))
    figure, axes = canvas(right=40)
    scale = time_axis(axes, model, warmup=False)
    handles, ends = [], {name: list[float]() for name in DRAWN}
    for key, series in model.series.items():
        x = series.latency_middle_s * scale
        for name, values in zip(DRAWN, series.latency_ms.T, strict=True):
            handle = over_time(axes, key, look(key), x, values, series.latency_joined, _WIDTHS[name])
            shown = values[np.isfinite(values)]
            ends[name] += [float(shown[-3:].mean())] if shown.size else []
        handles.append(handle)
    unit = "latency (ms)"
    if highest / max(lowest, 1e-9) > _LOG_FROM:
        unit = "latency (ms, log scale)"
        axes.set_yscale("log")
        axes.set_ylim(lowest / 1.3, highest * 1.3)
    else:
        from_zero(axes, highest)
    thousands_axis(axes.yaxis)
    write_above(figure, unit, handles)
    # The percentiles' names beside the ends of their lines.
    named = {name: float(np.mean(y)) for name, y in ends.items() if y}
    heights = [axes.transAxes.inverted().transform(axes.transData.transform((0, y)))[1]
               for y in named.values()]  # fmt: skip
    for name, height in zip(named, spread_out(heights, 14 / axes.bbox.height), strict=True):
        note(axes, name, (1, height), 6, xycoords="axes fraction", color=MUTED, fontsize=SMALL_SIZE)
    courses = {key: (s.latency_middle_s, *s.latency_ms.T) for key, s in model.series.items()}
    columns = ("key_type", "time_s", *(f"{name}_ms" for name in DRAWN))
    data = ChartData(columns, courses_as_rows(courses))
    reading = percentiles_of_each(model.key_types, {"p50": "p50", "p99": "p99"})
    return Chart(figure, "latency", "Latency over time", reading, data)
