"""Conflict rate over time, with the predicted band."""

from typing import Any

from matplotlib.patches import Patch

from reports.charts.draw import (
    Chart,
    canvas,
    finish,
    from_zero,
    legend,
    percent_axis,
    time_axis,
    unit_label,
)
from reports.charts.lines import largest, over_time, warmup_line
from reports.model import Model
from reports.style import MUTED, look, percent


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
        handles.append(Patch(facecolor=MUTED.sentinel, alpha=0.3, label="predicted"))
    from_zero(axes, top)
    percent_axis(axes.yaxis)
    unit_label(figure, "conflicts / attempts")
    legend(figure, axes, handles)
    return finish(figure, "conflicts", "Conflict rate over time", _reading(model))


def _reading(model: Model) -> str:
    sentences = []
    for key_type, f in model.key_types.items():
        text = f"{key_type}: {percent(f.conflict_rate or 0.0)} of attempts conflicted"
        if f.predicted_low is not None:
            text += f"; the formula predicts {percent(f.predicted_low)} to {percent(f.predicted_high)}"
        sentences.append(f"{text}.")
    return " ".join(sentences)
