"""What popularity does to an account's conflict rate."""

from reports.charts.axes import from_zero, percent_axis, thousands_axis
from reports.charts.figure import Chart, ChartData, canvas, write_above
from reports.charts.marks import courses_as_rows, largest, styled
from reports.charts.style import look
from reports.statistics.model import Model
from reports.text.rounding import about, number


def draw(model: Model) -> Chart | None:
    """Conflict rate against transactions a second; None when accesses were spread evenly."""
    curves = model.hot_rows.popularity
    if model.run.config.skew == "uniform" or not curves:
        return None
    figure, axes = canvas()
    texts = []
    for key, curve in curves.items():
        style = styled(look(key), label=key, zorder=3)
        axes.plot(curve.transactions_per_s, curve.conflict_rate, **style)
        ends = [
            f"{about(float(curve.conflict_rate[end]))} of attempts on accounts wanted "
            f"{number(float(curve.transactions_per_s[end]))} times a second"
            for end in (0, -1)
        ]
        texts.append(f"{key}: conflicts in {' and '.join(ends)}.")
    axes.set_xscale("log")
    thousands_axis(axes.xaxis)
    from_zero(axes, largest(*(c.conflict_rate for c in curves.values())))
    percent_axis(axes.yaxis)
    axes.set_xlabel("transactions that touch an account (1/s, log scale)")
    write_above(figure, "conflicts / attempts", axes.get_legend_handles_labels()[0])
    courses = {key: (c.transactions_per_s, c.conflict_rate) for key, c in curves.items()}
    data = ChartData(("key_type", "transactions_per_s", "conflict_rate"), courses_as_rows(courses))
    return Chart(figure, "popularity", "Conflict rate by popularity", " ".join(texts), data)
