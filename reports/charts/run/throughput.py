"""Throughput over time."""

from reports.charts.data import courses_as_rows
from reports.charts.draw import (
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
from reports.charts.lines import largest, over_time, spread_over_time, warmup_line
from reports.statistics.model import Model
from reports.text.rounding import about, number


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
    sentences = []
    for key_type, figures in model.key_types.items():
        if not figures.committed:
            sentences.append(f"{key_type}: nothing was committed.")
            continue
        text = f"{key_type}: {number(figures.throughput_tps)} transactions/s"
        spread = spread_over_time(model.series[key_type].throughput_tps)
        if spread is not None:
            steadiness = "steady" if spread < 0.1 else "uneven" if spread < 0.3 else "very uneven"
            text += f", {steadiness} (most of the time within {about(spread)} of it)"
        sentences.append(f"{text}.")
    return " ".join(sentences)
