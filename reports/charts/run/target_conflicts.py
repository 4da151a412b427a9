"""Conflict rate by target, beside what the formula predicts for each."""

from collections.abc import Sequence

from reports.analysis.figures import Figures
from reports.charts.axes import percent_axis, rows_of_names
from reports.charts.figure import Chart, ChartData, canvas
from reports.charts.marks import marker, note, of_each
from reports.charts.style import WIDTH, Look, target_looks
from reports.statistics.certainty import conflict_rate, one_rounding
from reports.statistics.model import Model
from reports.text.rounding import between, shortened

_MOST_LETTERS = 26
_RIGHT, _LETTER = 16, 5.9


def draw(model: Model) -> Chart | None:
    """A point for each measured rate, a bar for each predicted band; by key type where there are
    several.
    """
    rows = _rows(model)
    if not any(f.conflict_rate or f.predicted_high for _, _, f in rows):
        return None
    names, texts = [name for name, _, _ in rows], _texts([f for _, _, f in rows])
    left = 20 + round(6.6 * max(map(len, names)))
    figure, axes = canvas(left=left, right=_RIGHT, top=12, height=58 + 34 * len(rows))
    for y, ((_, look, f), text) in enumerate(zip(rows, texts, strict=True)):
        low, high = f.predicted_low, f.predicted_high
        if low is not None and high is not None:
            axes.barh(y, high - low, 0.5, left=low, color=look.colour, alpha=0.28, linewidth=0)
            axes.vlines([low, high], y - 0.25, y + 0.25, color=look.colour, linewidth=1, zorder=2)
        if f.conflict_rate is not None:
            marker(axes, f.conflict_rate, y, look, markersize=8)
            note(axes, text, (max(f.conflict_rate, high or 0.0), y), 9)
    rows_of_names(axes, names)
    # Room at the right for what is written beside the longest bar.
    top = max(max(f.conflict_rate or 0.0, f.predicted_high or 0.0) for _, _, f in rows)
    plot, words = WIDTH - left - _RIGHT, 20 + _LETTER * max(map(len, texts))
    axes.set_xlim(0, top * plot / (plot - words))
    percent_axis(axes.xaxis)
    predicted = any(f.predicted_low is not None for _, _, f in rows)
    axes.set_xlabel(f"conflicts / attempts{' (bar: predicted)' if predicted else ''}")
    data = ChartData(
        ("target", "key_type", "conflict_rate", "predicted_low", "predicted_high"),
        [
            (target, key, f.conflict_rate, f.predicted_low, f.predicted_high)
            for (target, key), f in model.by_target_and_key.items()
        ],
    )
    each = of_each(model.targets, "{}", _texts(list(model.targets.values())))
    reading = f"Attempts that conflicted. {each}"
    return Chart(figure, "target-conflicts", "Conflict rate by target", reading, data)


def _texts(figures: Sequence[Figures]) -> list[str]:
    """What is written beside each point: the rate, and the predicted band where there is one."""
    rates = one_rounding([conflict_rate(f) for f in figures])
    return [
        f"{rate} ({between(f.predicted_low, f.predicted_high)} predicted)"
        if f.predicted_low is not None and f.predicted_high is not None
        else rate
        for rate, f in zip(rates, figures, strict=True)
    ]


def _rows(model: Model) -> list[tuple[str, Look, Figures]]:
    """(label, look of the target, figures) of each point."""
    looks = target_looks(model.targets)
    if len(model.key_types) < 2:
        return [(shortened(name, _MOST_LETTERS), looks[name], f) for name, f in model.targets.items()]
    return [
        (f"{shortened(target, _MOST_LETTERS - len(key) - 2)}, {key}", looks[target], f)
        for (target, key), f in model.by_target_and_key.items()
    ]
