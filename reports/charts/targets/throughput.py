"""Throughput over time, by target."""

from reports.analysis.figures import Figures
from reports.charts.data import courses_as_rows
from reports.charts.figure import (
    Chart,
    ChartData,
    Margins,
    canvas,
    finish,
    from_zero,
    legend_for,
    place_legend,
    shade_gaps,
    thousands_axis,
    time_axis,
    unit_label,
)
from reports.charts.marks import largest, over_time
from reports.charts.readings import of_each
from reports.charts.style import target_look
from reports.statistics.certainty import throughput
from reports.statistics.model import Model
from reports.text.rounding import plural, seconds, shortened

_UNIT = "committed transactions / s"


def draw(model: Model) -> Chart | None:
    """Committed transactions a second of each target; the time that one did not answer is shaded."""
    if model.regions is None:
        return None
    names = [shortened(name, 32) for name in model.targets]
    where = legend_for(names, _UNIT)
    figure, axes = canvas(Margins(top=34 + where.height))
    scale = time_axis(axes, model, warmup=False)
    looks = [target_look(place) for place in range(len(names))]
    series = model.regions.series
    handles = [
        over_time(axes, label, s.middle_s * scale, s.throughput_tps, s.joined, drawn=style)
        for label, style, s in zip(names, looks, series.values(), strict=True)
    ]
    colours = {name: style.colour for name, style in zip(model.targets, looks, strict=True)}
    shade_gaps(axes, model, scale, colours)
    from_zero(axes, largest(*(s.throughput_tps for s in series.values())))
    thousands_axis(axes.yaxis)
    unit_label(figure, _UNIT, below=where.height)
    place_legend(figure, axes, where, handles)
    courses = {name: (s.middle_s, s.throughput_tps) for name, s in series.items()}
    data = ChartData(("target", "time_s", "throughput_tps"), courses_as_rows(courses))
    title = "Throughput over time, by target"
    return finish(figure, "target-throughput", title, _reading(model), data)


def _reading(model: Model) -> str:
    users = model.regions.users if model.regions else {}

    def say(name: str, f: Figures) -> str:
        text = f"{throughput(f)} transactions/s"
        if users.get(name):
            text += f" from {plural(users[name], 'user')}"
        silent = sum(gap.until_s - gap.from_s for gap in model.gaps if gap.target == name)
        return f"{text}, nothing for {seconds(silent)} in all" if silent else text

    return of_each(model.targets, say)
