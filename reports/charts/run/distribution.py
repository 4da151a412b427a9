"""Latency distribution, by key type or by target."""

from collections.abc import Mapping

import numpy as np
from matplotlib.ticker import LogLocator, NullFormatter

from reports.analysis import percentiles
from reports.charts.axes import quantile_ticks, thousands_axis
from reports.charts.figure import Chart, ChartData, canvas, write_above
from reports.charts.marks import courses_as_rows, percentiles_of_each, sample
from reports.charts.style import Look, look, target_looks
from reports.statistics.model import Curve, Model
from reports.text.rounding import shortened

_MARKED = np.array([0.5, 0.9, 0.99, 0.999])
"""Quantiles that have a marker."""


def draw(model: Model) -> Chart | None:
    """Share of each key type's transactions that took at most x."""
    marks = {"p50": "p50", "p90": "p90", "p99": "p99", "p999": "p99.9"}
    text = percentiles_of_each(model.key_types, marks)
    reading = f"{text} A percentile is shown when {percentiles.BEYOND} samples lie beyond it."
    looks = {name: look(name) for name in model.curves}
    return _draw(model.curves, looks, "key_type", "distribution", "Latency distribution", reading)


def draw_targets(model: Model) -> Chart | None:
    """Share of each target's transactions that took at most x."""
    if model.regions is None:
        return None
    reading = percentiles_of_each(model.targets, {"p50": "p50", "p99": "p99"})
    title, looks = "Latency distribution, by target", target_looks(model.targets)
    return _draw(model.regions.curves, looks, "target", "target-distribution", title, reading)


def _draw(
    curves: Mapping[str, Curve], looks: Mapping[str, Look], by: str, name: str, title: str, reading: str
) -> Chart | None:
    if not curves:
        return None
    figure, axes = canvas()
    handles, top = [], 0.0
    for key, curve in curves.items():
        style, nines, ms = looks[key], -np.log10(1 - curve.quantiles), np.maximum(curve.ms, 1e-4)
        top = max(top, float(nines[-1]))
        axes.plot(ms, nines, color=style.colour, linestyle=style.line, linewidth=1.8, zorder=3)
        marked = -np.log10(1 - _MARKED)
        marked = marked[marked <= nines[-1] + 1e-9]
        axes.plot(
            np.interp(marked, nines, ms), marked, style.marker, color=style.colour, markersize=5.5,
            markeredgewidth=0, zorder=4,
        )  # fmt: skip
        handles.append(sample(shortened(key, 32), style))
    axes.set_xscale("log")
    axes.set_yticks(*quantile_ticks(top))
    axes.set_ylim(0, top * 1.04)
    axes.grid(axis="x", which="major")
    axes.xaxis.set_minor_formatter(NullFormatter())
    low, high = axes.get_xlim()
    if high / low < 100:
        axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    thousands_axis(axes.xaxis)
    axes.set_xlabel("latency of a transaction, with its retries (ms, log scale)")
    write_above(figure, "% of transactions", handles)
    courses = {key: (curve.quantiles, curve.ms) for key, curve in curves.items()}
    data = ChartData((by, "share_of_transactions", "latency_at_most_ms"), courses_as_rows(courses))
    return Chart(figure, name, title, reading, data)
