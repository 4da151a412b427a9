"""Conflict rate over time, with the predicted band."""

from typing import Any

from matplotlib.patches import Patch

from reports.analysis.figures import Figures
from reports.charts.data import courses_as_rows
from reports.charts.figure import (
    Chart,
    ChartData,
    canvas,
    finish,
    from_zero,
    legend,
    percent_axis,
    time_axis,
    unit_label,
)
from reports.charts.marks import largest, over_time, warmup_line
from reports.charts.readings import of_each
from reports.charts.style import MUTED, look
from reports.statistics.certainty import conflict_rate, unsure_conflict_rate
from reports.statistics.model import Model
from reports.statistics.prediction.band import side_of_band
from reports.text.rounding import between

_NONE = 0.01
"""End of the axis where nothing conflicted and nothing was predicted to."""
_SIDES = {
    "below": "below the",
    "inside": "within the",
    "edge": "at the edge of the",
    "above": "above the",
}
"""Where a rate lies, as the reading says it."""


def draw(model: Model) -> Chart:
    """Conflicts among attempts, by key type; the shaded band is the formula's prediction."""
    figure, axes = canvas()
    scale = time_axis(axes, model)
    top = largest(*(s.conflict_rate for s in model.series.values()))
    handles: list[Any] = []
    banded = False
    for key_type, series in model.series.items():
        figures = model.key_types[key_type]
        if figures.predicted_low is not None and figures.predicted_high is not None:
            low, high = figures.predicted_low, figures.predicted_high
            colour = look(key_type).colour
            edges = [0, model.measured_s * scale]
            axes.fill_between(edges, low, high, color=colour, alpha=0.09, linewidth=0, zorder=1)
            axes.plot(
                edges,
                [low, low],
                edges,
                [high, high],
                color=colour,
                alpha=0.55,
                linewidth=0.8,
                zorder=1,
            )
            top = max(top, high)
            banded = True
        handles.append(
            over_time(axes, key_type, series.middle_s * scale, series.conflict_rate, series.joined)
        )
    if model.warmup is not None:
        warmup_line(axes, model, model.warmup.conflict_rate, scale)
    if banded:
        handles.append(Patch(facecolor=MUTED.light, alpha=0.3, label="predicted"))
    from_zero(axes, top or _NONE)
    percent_axis(axes.yaxis)
    unit_label(figure, "conflicts / attempts")
    legend(figure, axes, handles)
    return finish(figure, "conflicts", "Conflict rate over time", _reading(model), _data(model))


def _data(model: Model) -> ChartData:
    courses = {key: (s.middle_s, s.conflict_rate) for key, s in model.series.items()}
    before = model.warmup
    warmup = None if before is None else (before.middle_s, before.conflict_rate)
    bands = {key: (f.predicted_low, f.predicted_high) for key, f in model.key_types.items()}
    return ChartData(
        ("key_type", "time_s", "conflict_rate", "predicted_low", "predicted_high"),
        [(*row, *bands.get(str(row[0]), (None, None))) for row in courses_as_rows(courses, warmup)],
    )


def _reading(model: Model) -> str:
    def say(_: str, f: Figures) -> str:
        text = f"{conflict_rate(f)} of attempts conflicted"
        if unsure := unsure_conflict_rate(f):
            text += f" (so few that all of {unsure} is possible)"
        side = side_of_band(f)
        if side is not None and f.predicted_low is not None and f.predicted_high is not None:
            band = between(f.predicted_low, f.predicted_high)
            text += f", {_SIDES[side]} {band} that the formula predicts"
        return text

    return of_each(model.key_types, say)
