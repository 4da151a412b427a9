"""The universal scalability law beside the measured throughput."""

import matplotlib as mpl
import numpy as np
from matplotlib.lines import Line2D

from reports.charts.data import ChartData, Value
from reports.charts.figure import SETTINGS, Chart, finish
from reports.charts.style import MUTED
from reports.charts.sweep.lines import any_limited, draw_curve, hollow_handle, look_of, series_handles
from reports.charts.sweep.panels import Grid, along, furnish, make_grid, same_height
from reports.statistics.sweep.curve_text import curve_name, left_out_of_law
from reports.statistics.sweep.scalability import Fit, NoFit
from reports.statistics.sweep.study import Curve, Study
from reports.text.rounding import about, number

_POINTS = 60
_MOST_CURVES = 3


def draw_law(study: Study) -> Chart | None:
    """The fitted law of every curve that has one; None where none has."""
    fitted = [(c, c.law) for c in study.curves if isinstance(c.law, Fit)]
    if not fitted:
        return None
    with mpl.rc_context(SETTINGS):
        return _draw(study, fitted)


def _draw(study: Study, fitted: list[tuple[Curve, Fit]]) -> Chart:
    grid = make_grid(study)
    where = along(study, grid, logarithmic=False)
    tops: list[float] = []
    rows: list[tuple[Value, ...]] = []
    for curve, fit in fitted:
        axes = grid.axes.get(curve.panel)
        loads = [float(place.value) for place in curve.places if not place.limited]
        users = np.linspace(max(loads[0], 1.0), loads[-1], _POINTS)
        low, high = fit.band(users)
        law = fit.law.at(users)
        rows += [
            (curve_name(study, curve), float(n), float(x), float(a), float(b))
            for n, x, a, b in zip(users, law, low, high, strict=True)
        ]
        if axes is None:
            continue
        style = look_of(study, curve.series)
        tops += draw_curve(axes, study, curve, "throughput_tps", where, joined=False)
        axes.plot(users, law, color=style.colour, linewidth=1.6, linestyle=style.line, zorder=3)
        axes.fill_between(users, low, high, color=style.colour, alpha=0.15, linewidth=0, zorder=1)
        axes.plot(users, fit.law.lam * users, color=MUTED.light, linewidth=1, linestyle=":", zorder=1)
        tops.append(float(law.max()))
    same_height(grid, tops)
    _legend(study, grid)
    columns = ("line", "users", "law_tps", "law_low_tps", "law_high_tps")
    title = "Throughput and the universal scalability law"
    return finish(grid.figure, "scalability", title, _reading(study), ChartData(columns, rows))


def _legend(study: Study, grid: Grid) -> None:
    linear = Line2D([], [], color=MUTED.light, linewidth=1, linestyle=":", label="λ · users")
    handles = [*series_handles(study), linear]
    if any_limited(study.curves):
        handles.append(hollow_handle())
    furnish(grid, "committed transactions / s", handles)


def _reading(study: Study) -> str:
    fitted = [(c, c.law) for c in study.curves if c.law is not None]
    if len(fitted) > _MOST_CURVES:
        count = sum(isinstance(law, Fit) for _, law in fitted)
        text = f"The law fits {count} of {len(fitted)} lines; the table has their parameters."
        return text + _why_left_out(study)
    text = " ".join(
        f"{curve_name(study, c)}: {law_text(law)}{left_out_of_law(c)}." for c, law in fitted
    )
    return text + _why_left_out(study)


def _why_left_out(study: Study) -> str:
    return " Left out: where the generator was the limit." if any_limited(study.curves) else ""


def law_text(law: Fit | NoFit) -> str:
    """What a fit says of contention and coherency, as a clause."""
    if isinstance(law, NoFit):
        return law.why
    contention, coherency = law.sigma.low > 0, law.kappa.low > 0
    text = f"the law fits within {about(law.misfit)}"
    if contention and coherency:
        text += "; both contention (σ) and coherency (κ) are shown"
    elif contention:
        text += "; contention (σ) is shown, coherency (κ) is not"
    elif coherency:
        text += "; coherency (κ) is shown, contention (σ) is not"
    elif law.sigma.value or law.kappa.value:
        text += "; the data cannot tell contention (σ) from coherency (κ)"
    if law.peak is not None:
        text += (
            f"; its throughput is highest at {number(law.peak.value)} users "
            f"({number(law.peak.low)} to {number(law.peak.high)})"
        )
    return text
