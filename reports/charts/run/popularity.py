"""What popularity does to an account's conflict rate."""

from reports.charts.data import courses_as_rows
from reports.charts.figure import (
    Chart,
    ChartData,
    canvas,
    finish,
    from_zero,
    legend,
    percent_axis,
    thousands_axis,
    unit_label,
)
from reports.charts.marks import largest
from reports.charts.style import look
from reports.statistics.model import Model
from reports.text.rounding import about, number


def draw(model: Model) -> Chart | None:
    """Conflict rate against transactions a second; None when accesses were spread evenly."""
    curves = model.hot_rows.popularity
    if model.run.config.skew == "uniform" or not curves:
        return None
    figure, axes = canvas()
    for key_type, curve in curves.items():
        style = look(key_type)
        axes.plot(
            curve.transactions_per_s,
            curve.conflict_rate,
            color=style.colour,
            linestyle=style.line,
            marker=style.marker,
            markersize=5,
            linewidth=1.6,
            label=key_type,
            zorder=3,
        )
    axes.set_xscale("log")
    thousands_axis(axes.xaxis)
    from_zero(axes, largest(*(c.conflict_rate for c in curves.values())))
    percent_axis(axes.yaxis)
    axes.set_xlabel("transactions that touch an account (1/s, log scale)")
    unit_label(figure, "conflicts / attempts")
    legend(figure, axes)
    courses = {key: (c.transactions_per_s, c.conflict_rate) for key, c in curves.items()}
    data = ChartData(("key_type", "transactions_per_s", "conflict_rate"), courses_as_rows(courses))
    return finish(figure, "popularity", "Conflict rate by popularity", _reading(model), data)


def _reading(model: Model) -> str:
    texts = []
    for key_type, curve in model.hot_rows.popularity.items():
        ends = [
            f"{about(float(curve.conflict_rate[end]))} of attempts on accounts wanted "
            f"{number(float(curve.transactions_per_s[end]))} times a second"
            for end in (0, -1)
        ]
        texts.append(f"{key_type}: conflicts in {' and '.join(ends)}.")
    return " ".join(texts)
