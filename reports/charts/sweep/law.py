"""The universal scalability law beside the measured throughput."""

import numpy as np
from matplotlib.lines import Line2D

from reports.charts.figure import Chart, ChartData, Value, chart_settings, write_above
from reports.charts.style import MUTED
from reports.charts.sweep.lines import draw_curve, look_of, series_samples
from reports.charts.sweep.panels import along, make_grid, same_height
from reports.statistics.sweep.curve_text import curve_name, left_out_of_law
from reports.statistics.sweep.scalability import Fit, NoFit
from reports.statistics.sweep.study import Study
from reports.text.rounding import about, number

_POINTS = 60
_MOST_CURVES = 3


@chart_settings()
def draw_law(study: Study) -> Chart | None:
    """The fitted law of every curve that has one; None where none has."""
    fitted = [(c, c.law) for c in study.curves if isinstance(c.law, Fit)]
    if not fitted:
        return None
    grid = make_grid(study)
    where = along(study, grid, logarithmic=False)
    tops: list[float] = []
    rows: list[tuple[Value, ...]] = []
    for curve, fit in fitted:
        loads = [float(place.value) for place in curve.places if not place.limited]
        users = np.linspace(max(loads[0], 1.0), loads[-1], _POINTS)
        (low, high), law = fit.band(users), fit.law.at(users)
        points = np.column_stack((users, law, low, high)).tolist()
        rows += [(curve_name(study, curve), *point) for point in points]
        if (axes := grid.axes.get(curve.panel)) is None:
            continue
        style = look_of(study, curve.series)
        tops += draw_curve(axes, study, curve, "throughput_tps", where, joined=False)
        axes.plot(users, law, color=style.colour, linewidth=1.6, linestyle=style.line, zorder=3)
        axes.fill_between(users, low, high, color=style.colour, alpha=0.15, linewidth=0, zorder=1)
        axes.plot(users, fit.law.lam * users, color=MUTED, linewidth=1, linestyle=":", zorder=1)
        tops.append(float(law.max()))
    same_height(grid, tops)
    linear = Line2D([], [], color=MUTED, linewidth=1, linestyle=":", label="λ · users")
    write_above(grid.figure, "committed transactions / s", [*series_samples(study), linear])
    columns = ("line", "users", "law_tps", "law_low_tps", "law_high_tps")
    title = "Throughput and the universal scalability law"
    return Chart(grid.figure, "scalability", title, _reading(study), ChartData(columns, rows))


def _reading(study: Study) -> str:
    laws = [(c, c.law) for c in study.curves if c.law is not None]
    limited = any(place.limited for curve in study.curves for place in curve.places)
    left_out = " Left out: where the generator was the limit." if limited else ""
    if len(laws) > _MOST_CURVES:
        count = sum(isinstance(law, Fit) for _, law in laws)
        return f"The law fits {count} of {len(laws)} lines; the table has their parameters.{left_out}"
    texts = [f"{curve_name(study, c)}: {_law(law)}{left_out_of_law(c)}." for c, law in laws]
    return " ".join(texts) + left_out


def _law(law: Fit | NoFit) -> str:
    """What a fit shows, as a clause."""
    if isinstance(law, NoFit):
        return law.why
    causes = {"contention (σ)": law.sigma, "coherency (κ)": law.kappa}
    shown = [name for name, one in causes.items() if one.low > 0]
    text = f"the law fits within {about(law.misfit)}"
    if shown:
        text += f"; it shows {' and '.join(shown)}"
    elif any(one.value for one in causes.values()):
        text += f"; the data cannot tell {' from '.join(causes)}"
    if law.peak is not None:
        text += f"; its peak is at {number(law.peak.value)} users "
        text += f"({number(law.peak.low)} to {number(law.peak.high)})"
    return text
