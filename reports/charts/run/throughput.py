"""Throughput over time, by key type or by target."""

from reports.charts.axes import from_zero, shade_gaps, thousands_axis, time_axis
from reports.charts.figure import Chart, ChartData, canvas, write_above
from reports.charts.marks import courses_as_rows, largest, of_each, over_time, unevenness
from reports.charts.style import FAINT, look, target_looks
from reports.statistics.certainty import throughput
from reports.statistics.model import Model
from reports.text.rounding import about, plural, seconds, shortened

_UNIT = "committed transactions / s"


def draw(model: Model) -> Chart:
    """Committed transactions a second, by key type, warm-up in grey."""
    figure, axes = canvas()
    scale = time_axis(axes, model)
    handles = [
        over_time(axes, key, look(key), s.middle_s * scale, s.throughput_tps, s.joined)
        for key, s in model.series.items()
    ]
    before = model.warmup
    if before is not None:
        axes.plot(before.middle_s * scale, before.throughput_tps, color=FAINT, linewidth=1.5, zorder=2)
    shade_gaps(axes, model, scale, {})
    from_zero(axes, largest(*(s.throughput_tps for s in model.series.values())))
    thousands_axis(axes.yaxis)
    write_above(figure, _UNIT, handles)
    courses = {key: (s.middle_s, s.throughput_tps) for key, s in model.series.items()}
    warmup = None if before is None else (before.middle_s, before.throughput_tps)
    data = ChartData(("key_type", "time_s", "throughput_tps"), courses_as_rows(courses, warmup))
    uneven = [unevenness(model.series[name].throughput_tps) for name in model.key_types]
    reading = of_each(
        model.key_types, "{} transactions/s{}", map(throughput, model.key_types.values()),
        ["" if one is None else f", most of the time within {about(one)} of it" for one in uneven],
    )  # fmt: skip
    return Chart(figure, "throughput", "Throughput over time", reading, data)


def draw_targets(model: Model) -> Chart | None:
    """Committed transactions a second of each target; the time that one did not answer is shaded."""
    if model.regions is None:
        return None
    figure, axes = canvas()
    scale = time_axis(axes, model, warmup=False)
    looks, users, series = target_looks(model.targets), model.regions.users, model.regions.series
    handles = [
        over_time(
            axes, shortened(name, 32), looks[name], s.middle_s * scale, s.throughput_tps, s.joined
        )
        for name, s in series.items()
    ]
    shade_gaps(axes, model, scale, {name: style.colour for name, style in looks.items()})
    from_zero(axes, largest(*(s.throughput_tps for s in series.values())))
    thousands_axis(axes.yaxis)
    write_above(figure, _UNIT, handles)
    courses = {name: (s.middle_s, s.throughput_tps) for name, s in series.items()}
    data = ChartData(("target", "time_s", "throughput_tps"), courses_as_rows(courses))
    silent = [
        sum(gap.until_s - gap.from_s for gap in model.gaps if gap.target == name)
        for name in model.targets
    ]
    reading = of_each(
        model.targets, "{} transactions/s{}{}", map(throughput, model.targets.values()),
        [f" from {plural(users[name], 'user')}" if users.get(name) else "" for name in model.targets],
        [f", nothing for {seconds(one)} in all" if one else "" for one in silent],
    )  # fmt: skip
    title = "Throughput over time, by target"
    return Chart(figure, "target-throughput", title, reading, data)
