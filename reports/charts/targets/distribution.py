"""Latency distribution, by target."""

from reports.charts.figure import Chart, Margins, canvas, finish, legend_for, place_legend, unit_label
from reports.charts.readings import of_each, percentiles_of
from reports.charts.run import distribution
from reports.charts.style import target_look
from reports.statistics.model import Model
from reports.text.rounding import shortened


def draw(model: Model) -> Chart | None:
    """Share of each target's transactions that took at most x."""
    if model.regions is None or not model.regions.curves:
        return None
    curves = [
        (shortened(name, 32), target_look(place), model.regions.curves[name])
        for place, name in enumerate(model.targets)
        if name in model.regions.curves
    ]
    where = legend_for([name for name, _, _ in curves], distribution.UNIT)
    figure, axes = canvas(Margins(top=34 + where.height))
    handles = distribution.plot(axes, curves)
    unit_label(figure, distribution.UNIT, below=where.height)
    place_legend(figure, axes, where, handles)
    data = distribution.data_of("target", model.regions.curves)
    title = "Latency distribution, by target"
    return finish(figure, "target-distribution", title, _reading(model), data)


def _reading(model: Model) -> str:
    return of_each(
        model.targets, lambda _, f: percentiles_of(f.latency, ("p50", "p99")) or "too few to say"
    )
