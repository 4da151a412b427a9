"""How attempts ended."""

import numpy as np

from loadtest.record.outcome import OUTCOMES
from reports.charts.axes import percent_axis, rows_of_names
from reports.charts.figure import Chart, ChartData, canvas, write_above
from reports.charts.style import PAPER, look
from reports.statistics.certainty import counted_share
from reports.statistics.model import Model
from reports.text.rounding import count, listed

_ROOM = 1.42
"""End of the axis, for the words beside a bar of all attempts."""


def draw(model: Model) -> Chart:
    """Share of attempts by outcome and key type."""
    shown = [str(o) for o in OUTCOMES if str(o) in model.overall.outcomes]
    keys = model.key_types
    bar, width = (18 if len(keys) * len(shown) < 14 else 14), 0.8 / len(keys)
    height = max(170, 80 + len(shown) * (bar * len(keys) + 12))
    figure, axes = canvas(left=150, height=height)
    rows = []
    for number, (key, f) in enumerate(keys.items()):
        counts = [f.outcomes.get(outcome, 0) for outcome in shown]
        shares = [n / f.attempts if f.attempts else 0.0 for n in counts]
        bars = axes.barh(
            np.arange(len(shown)) + (number - (len(keys) - 1) / 2) * width, shares, width * 0.88,
            color=look(key).colour, hatch=look(key).hatch, edgecolor=PAPER, linewidth=0, zorder=3,
            label=key,
        )  # fmt: skip
        texts = [f"{counted_share(n, f.attempts)}  ({count(n)})" for n in counts]
        axes.bar_label(bars, texts, padding=5, fontsize=10.5)
        if f.attempts:
            rows += list(zip([key] * len(shown), shown, counts, shares, strict=True))
    rows_of_names(axes, [name.replace("_", " ") for name in shown])
    axes.set_xlim(0, _ROOM)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.spines["bottom"].set_bounds(0, 1)
    percent_axis(axes.xaxis)
    axes.set_xlabel("share of attempts", x=0.5 / _ROOM)
    write_above(figure, "", axes.get_legend_handles_labels()[0])
    data = ChartData(("key_type", "outcome", "attempts", "share_of_attempts"), rows)
    return Chart(figure, "outcomes", "How attempts ended", _reading(model), data)


def _reading(model: Model) -> str:
    o = model.overall
    shares = {
        "committed": o.committed,
        "conflicted": o.conflicts,
        "were refused by the scenario's own rule": o.refused,
        "failed otherwise": sum(o.errors_by_outcome.values()),
    }
    texts = [f"{counted_share(n, o.attempts)} {what}" for what, n in shares.items() if n]
    return f"Of {count(o.attempts)} attempts, {listed(texts)}."
