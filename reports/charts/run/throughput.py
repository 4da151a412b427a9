"""Throughput over time."""

from reports.analysis.figures import Figures
from reports.charts.data import courses_as_rows
from reports.charts.figure import (
    Chart,
    ChartData,
    canvas,
    finish,
    from_zero,
    legend,
    shade_gaps,
    thousands_axis,
    time_axis,
    unit_label,
)
from reports.charts.marks import largest, over_time, spread_over_time, warmup_line
from reports.charts.readings import of_each
from reports.statistics.certainty import throughput
from reports.statistics.model import Model
from reports.text.rounding import about


def draw(model: Model) -> Chart:
    """Committed transactions a second, by key type, warm-up in grey."""
    figure, axes = canvas()
    scale = time_axis(axes, model)
    handles = [
        over_time(axes, key_type, series.middle_s * scale, series.throughput_tps, series.joined)
        for key_type, series in model.series.items()
    ]
    tops = [s.throughput_tps for s in model.series.values()]
    if model.warmup is not None:
        warmup_line(axes, model, model.warmup.throughput_tps, scale)
    shade_gaps(axes, model, scale, {})
    from_zero(axes, largest(*tops))
    thousands_axis(axes.yaxis)
    unit_label(figure, "committed transactions / s")
    legend(figure, axes, handles)
    return finish(figure, "throughput", "Throughput over time", _reading(model), _data(model))


def _data(model: Model) -> ChartData:
    courses = {key: (s.middle_s, s.throughput_tps) for key, s in model.series.items()}
    before = model.warmup
    warmup = None if before is None else (before.middle_s, before.throughput_tps)
    return ChartData(("key_type", "time_s", "throughput_tps"), courses_as_rows(courses, warmup))


def _reading(model: Model) -> str:
    def say(name: str, f: Figures) -> str:
        spread = spread_over_time(model.series[name].throughput_tps) if f.committed else None
        even = "" if spread is None else f", most of the time within {about(spread)} of it"
        return f"{throughput(f)} transactions/s{even}" if f.committed else "nothing was committed"

    return of_each(model.key_types, say)
