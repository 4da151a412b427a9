"""Latency distribution, by target."""

from reports.charts import distribution
from reports.charts.draw import (
    Chart,
    Margins,
    canvas,
    finish,
    legend_for,
    place_legend,
    unit_label,
)
from reports.model import Model
from reports.style import milliseconds, shortened, target_look


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
    return finish(figure, "target-distribution", "Latency distribution, by target", _reading(model))


def _reading(model: Model) -> str:
    parts = []
    for name, f in model.targets.items():
        known = {"p50": f.latency.p50, "p99": f.latency.p99}
        said = [f"{mark} {milliseconds(value)}" for mark, value in known.items() if value is not None]
        parts.append(f"{name}: {', '.join(said) if said else 'too few to say'}")
    return f"{'; '.join(parts)}."
