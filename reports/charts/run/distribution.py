"""Latency distribution."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from reports.analysis import percentiles
from reports.analysis.figures import Figures
from reports.charts.data import courses_as_rows
from reports.charts.figure import Chart, ChartData, canvas, finish, legend, thousands_axis, unit_label
from reports.charts.readings import of_each, percentiles_of
from reports.charts.style import Look, look
from reports.statistics.model import Curve, Model

UNIT = "% of transactions"

_TICKS = {
    0.0: "0",
    0.5: "50",
    0.9: "90",
    0.99: "99",
    0.999: "99.9",
    0.9999: "99.99",
    0.99999: "99.999",
    0.999999: "99.9999",
}


def draw(model: Model) -> Chart | None:
    """Share of transactions that took at most x; each step up is a tenth of the rest."""
    if not model.curves:
        return None
    figure, axes = canvas()
    handles = plot(axes, [(name, look(name), curve) for name, curve in model.curves.items()])
    unit_label(figure, UNIT)
    legend(figure, axes, handles)
    data = data_of("key_type", model.curves)
    return finish(figure, "distribution", "Latency distribution", reading(model.key_types), data)


def data_of(what: str, curves: Mapping[str, Curve]) -> ChartData:
    """The curves as drawn; `what` they are by."""
    courses = {name: (curve.quantiles, curve.ms) for name, curve in curves.items()}
    return ChartData((what, "share_of_transactions", "latency_at_most_ms"), courses_as_rows(courses))


def plot(axes: Axes, curves: Sequence[tuple[str, Look, Curve]]) -> list[Line2D]:
    """Draw each (name, look, curve) and label both axes; returns the legend's handles."""
    top = 0.0
    handles = []
    for name, style, curve in curves:
        nines = -np.log10(1 - curve.quantiles)
        ms = np.maximum(curve.ms, 1e-4)
        top = max(top, float(nines[-1]))
        marks = [q for q in (0.5, 0.9, 0.99, 0.999) if -np.log10(1 - q) <= nines[-1] + 1e-9]
        places = [-np.log10(1 - q) for q in marks]
        axes.plot(ms, nines, color=style.colour, linestyle=style.line, linewidth=1.8, zorder=3)
        axes.plot(
            np.interp(places, nines, ms),
            places,
            style.marker,
            color=style.colour,
            markersize=5.5,
            markeredgewidth=0,
            zorder=4,
        )
        handles.append(
            Line2D(
                [],
                [],
                color=style.colour,
                linestyle=style.line,
                marker=style.marker,
                markersize=5,
                label=name,
            )
        )
    axes.set_xscale("log")
    shown = {q: text for q, text in _TICKS.items() if -np.log10(1 - q) <= top + 0.05}
    axes.set_yticks([-np.log10(1 - q) for q in shown], list(shown.values()))
    axes.set_ylim(0, top * 1.04)
    axes.grid(axis="x", which="major")
    axes.xaxis.set_minor_formatter(NullFormatter())
    low, high = axes.get_xlim()
    if high / low < 100:
        axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    thousands_axis(axes.xaxis)
    axes.set_xlabel("latency of a transaction, with its retries (ms, log scale)")
    return handles


def reading(slices: Mapping[str, Figures]) -> str:
    """The percentiles of each slice in a sentence."""
    marks = ("p50", "p90", "p99", "p99.9")
    text = of_each(slices, lambda _, f: percentiles_of(f.latency, marks))
    return f"{text} A percentile is shown when {percentiles.BEYOND} samples lie beyond it."
