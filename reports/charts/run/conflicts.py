"""Conflict rate over time, with the predicted band."""

from typing import Any

from reports.analysis.figures import Figures
from reports.charts.axes import from_zero, percent_axis, time_axis
from reports.charts.figure import Chart, ChartData, canvas, write_above
from reports.charts.marks import band_sample, courses_as_rows, largest, of_each, over_time
from reports.charts.style import FAINT, look
from reports.statistics.certainty import conflict_rate, unsure_conflict_rate
from reports.statistics.model import Model
from reports.statistics.prediction.band import side_of_band
from reports.text.rounding import between

_NONE = 0.01
"""End of the axis where nothing conflicted and nothing was predicted to."""
_SIDES = {
    "below": "below the", "inside": "within the", "edge": "at the edge of the", "above": "above the",
}  # fmt: skip
"""Where a rate lies, as the reading says it."""


def draw(model: Model) -> Chart:
    """Conflicts among attempts, by key type; the shaded band is the formula's prediction."""
    figure, axes = canvas()
    scale = time_axis(axes, model)
    top = largest(*(s.conflict_rate for s in model.series.values()))
    handles: list[Any] = []
    bands = {key: (f.predicted_low, f.predicted_high) for key, f in model.key_types.items()}
    for key, series in model.series.items():
        style, (low, high) = look(key), bands[key]
        if low is not None and high is not None:
            ends = 0, model.measured_s * scale
            axes.fill_between(ends, low, high, color=style.colour, alpha=0.09, linewidth=0, zorder=1)
            axes.hlines([low, high], *ends, color=style.colour, alpha=0.55, linewidth=0.8, zorder=1)
            top = max(top, high)
        x = series.middle_s * scale
        handles.append(over_time(axes, key, style, x, series.conflict_rate, series.joined))
    if any(high is not None for _, high in bands.values()):
        handles.append(band_sample("predicted"))
    before = model.warmup
    if before is not None:
        axes.plot(before.middle_s * scale, before.conflict_rate, color=FAINT, linewidth=1.5, zorder=2)
    from_zero(axes, top or _NONE)
    percent_axis(axes.yaxis)
    write_above(figure, "conflicts / attempts", handles)
    courses = {key: (s.middle_s, s.conflict_rate) for key, s in model.series.items()}
    warmup = None if before is None else (before.middle_s, before.conflict_rate)
    rows = courses_as_rows(courses, warmup)
    data = ChartData(
        ("key_type", "time_s", "conflict_rate", "predicted_low", "predicted_high"),
        [(*row, *bands.get(str(row[0]), (None, None))) for row in rows],
    )
    figures = model.key_types.values()
    rates, sides = map(conflict_rate, figures), map(_against_its_band, figures)
    reading = of_each(model.key_types, "{} of attempts conflicted{}", rates, sides)
    return Chart(figure, "conflicts", "Conflict rate over time", reading, data)


def _against_its_band(f: Figures) -> str:
    unsure = unsure_conflict_rate(f)
    text = f" (so few that all of {unsure} is possible)" if unsure else ""
    side = side_of_band(f)
    if side is not None and f.predicted_low is not None and f.predicted_high is not None:
        band = between(f.predicted_low, f.predicted_high)
        text += f", {_SIDES[side]} {band} that the formula predicts"
    return text
