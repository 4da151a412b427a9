"""How attempts ended."""

from loadtest.record.outcome import OUTCOMES
from reports.charts.figure import Chart, ChartData, Margins, canvas, finish, legend, percent_axis
from reports.charts.style import INK, PAPER, look
from reports.statistics.certainty import counted_share
from reports.statistics.model import Model
from reports.text.rounding import count, listed


def draw(model: Model) -> Chart:
    """Share of attempts by outcome and key type."""
    shown = [str(o) for o in OUTCOMES if str(o) in model.overall.outcomes]
    keys = list(model.key_types.items())
    bar = 18 if len(keys) * len(shown) < 14 else 14
    height = 34 + 46 + len(shown) * (bar * len(keys) + 12)
    figure, axes = canvas(Margins(left=150, right=16), height=max(height, 170))
    width = 0.8 / len(keys)
    for place, (key_type, f) in enumerate(keys):
        for row, outcome in enumerate(shown):
            number = f.outcomes.get(outcome, 0)
            share = number / f.attempts if f.attempts else 0.0
            y = row + (place - (len(keys) - 1) / 2) * width
            axes.barh(
                y,
                share,
                width * 0.88,
                color=look(key_type).colour,
                hatch=look(key_type).hatch,
                edgecolor=PAPER.light,
                linewidth=0,
                zorder=3,
                label=key_type if row == 0 else None,
            )
            axes.annotate(
                f"{counted_share(number, f.attempts)}  ({count(number)})",
                (share, y),
                (5, 0),
                textcoords="offset points",
                va="center",
                fontsize=10.5,
            )
    axes.set_yticks(range(len(shown)), [name.replace("_", " ") for name in shown])
    for label in axes.get_yticklabels():
        label.set_color(INK.light)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_xlim(0, 1.42)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.spines["bottom"].set_bounds(0, 1)
    percent_axis(axes.xaxis)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x")
    axes.set_xlabel("share of attempts", x=0.5 / 1.42)
    legend(figure, axes)
    rows = [
        (key_type, outcome, f.outcomes.get(outcome, 0), f.outcomes.get(outcome, 0) / f.attempts)
        for key_type, f in keys
        if f.attempts
        for outcome in shown
    ]
    data = ChartData(("key_type", "outcome", "attempts", "share_of_attempts"), rows)
    return finish(figure, "outcomes", "How attempts ended", _reading(model), data)


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
