"""Conflict rate by target, beside what the formula predicts for each."""

from reports.analysis.figures import Figures
from reports.charts.figure import Chart, ChartData, Margins, canvas, finish, percent_axis
from reports.charts.readings import of_each
from reports.charts.style import INK, WIDTH, target_look
from reports.statistics.certainty import conflict_rate
from reports.statistics.model import Model
from reports.text.rounding import between, shortened

_MOST_LETTERS = 26
_RIGHT, _LETTER = 16, 5.9


def draw(model: Model) -> Chart | None:
    """A point for each measured rate, a bar for each predicted band; by key type where there are
    several.
    """
    if model.regions is None:
        return None
    rows = _rows(model)
    if not any(f.conflict_rate or f.predicted_high for _, _, f in rows):
        return None
    names = [shortened(name, _MOST_LETTERS) for name, _, _ in rows]
    left = 20 + round(6.6 * max(map(len, names)))
    figure, axes = canvas(Margins(left=left, right=_RIGHT, top=12), height=58 + 34 * len(rows))
    top = max((max(f.conflict_rate or 0.0, f.predicted_high or 0.0) for _, _, f in rows), default=0.0)
    for y, (_, place, f) in enumerate(rows):
        style = target_look(place)
        low, high = f.predicted_low, f.predicted_high
        if low is not None and high is not None:
            axes.barh(
                y, high - low, 0.5, left=low, color=style.colour, alpha=0.28, linewidth=0, zorder=2
            )
            axes.vlines([low, high], y - 0.25, y + 0.25, color=style.colour, linewidth=1, zorder=2)
        if f.conflict_rate is None:
            continue
        axes.plot(
            [f.conflict_rate],
            [y],
            style.marker,
            color=style.colour,
            markersize=8,
            markeredgewidth=0,
            zorder=4,
        )
        axes.annotate(
            _written(f),
            (max(f.conflict_rate, high or 0.0), y),
            (9, 0),
            textcoords="offset points",
            va="center",
            fontsize=10.5,
        )
    axes.set_yticks(range(len(rows)), names)
    for label in axes.get_yticklabels():
        label.set_color(INK.light)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    # Room at the right for what is written beside the longest bar.
    plot = WIDTH - left - _RIGHT
    beside = 20 + _LETTER * max(len(_written(f)) for _, _, f in rows)
    axes.set_xlim(0, (top or 0.01) * plot / (plot - beside))
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x")
    percent_axis(axes.xaxis)
    banded = any(f.predicted_low is not None for _, _, f in rows)
    axes.set_xlabel(f"conflicts / attempts{' (bar: predicted)' if banded else ''}")
    return finish(figure, "target-conflicts", "Conflict rate by target", _reading(model), _data(model))


def _data(model: Model) -> ChartData:
    return ChartData(
        ("target", "key_type", "conflict_rate", "predicted_low", "predicted_high"),
        [
            (target, key, f.conflict_rate, f.predicted_low, f.predicted_high)
            for (target, key), f in model.by_target_and_key.items()
        ],
    )


def _written(f: Figures) -> str:
    """What stands beside a point."""
    text = conflict_rate(f)
    if f.predicted_low is not None and f.predicted_high is not None:
        text += f"  ({between(f.predicted_low, f.predicted_high)} predicted)"
    return text


def _rows(model: Model) -> list[tuple[str, int, Figures]]:
    """(label, the target's place, figures) of each point."""
    places = {name: place for place, name in enumerate(model.targets)}
    if len(model.key_types) < 2:
        return [(name, places[name], f) for name, f in model.targets.items()]
    return [
        (f"{shortened(target, _MOST_LETTERS - len(key) - 2)}, {key}", places[target], f)
        for (target, key), f in model.by_target_and_key.items()
    ]


def _reading(model: Model) -> str:
    def say(_: str, f: Figures) -> str:
        if f.predicted_low is None or f.predicted_high is None:
            return conflict_rate(f)
        return f"{conflict_rate(f)} ({between(f.predicted_low, f.predicted_high)})"

    predicted = any(f.predicted_low is not None for f in model.targets.values())
    band = ", and what the formula predicts from each target's own window" if predicted else ""
    return f"Attempts that conflicted{band}. {of_each(model.targets, say)}"
