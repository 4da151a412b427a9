"""Retries a transaction."""

import numpy as np

from reports.charts.axes import from_zero, percent_axis
from reports.charts.figure import Chart, ChartData, canvas, write_above
from reports.charts.marks import of_each
from reports.charts.style import PAPER, look
from reports.statistics.certainty import counted_share
from reports.statistics.model import Model
from reports.text.rounding import about, number, plural

_MOST = 6
"""Bars of a key type; more retries are drawn together."""
_MOST_LABELS = 8


def draw(model: Model) -> Chart | None:
    """Share of transactions by number of retries, those without one left to the sentence."""
    known = {k: f for k, f in model.key_types.items() if f.counted}
    most = max((f.retries_max or 0 for f in known.values()), default=0)
    if not most:
        return None
    figure, axes = canvas()
    last, width, top = min(most, _MOST), 0.8 / len(known), 0.0
    for index, (key, f) in enumerate(known.items()):
        histogram = np.zeros(max(last + 1, len(f.retries_histogram)))
        histogram[: len(f.retries_histogram)] = f.retries_histogram
        histogram[last] = histogram[last:].sum()
        shares = histogram[1 : last + 1] / f.counted
        top = max(top, float(shares.max()))
        x = np.arange(1, last + 1) + (index - (len(known) - 1) / 2) * width
        bars = axes.bar(
            x, shares, width * 0.9, color=look(key).colour, hatch=look(key).hatch, edgecolor=PAPER,
            linewidth=0, label=key, zorder=3,
        )  # fmt: skip
        if last * len(known) <= _MOST_LABELS:
            axes.bar_label(bars, fmt=lambda share: about(float(share)), padding=4, fontsize=10.5)
    ticks = [str(n) for n in range(1, last)] + [f"{last}+" if most > last else str(last)]
    axes.set_xticks(range(1, last + 1), ticks)
    axes.set_xlim(0.4, max(last, 2) + 0.6)
    axes.tick_params(axis="x", length=0)
    from_zero(axes, top, room=1.18)
    percent_axis(axes.yaxis)
    axes.set_xlabel("retries a transaction needed")
    write_above(figure, "share of transactions", axes.get_legend_handles_labels()[0])
    rows = [
        (key, retries, int(transactions), float(transactions) / f.counted)
        for key, f in known.items()
        for retries, transactions in enumerate(f.retries_histogram)
    ]
    data = ChartData(("key_type", "retries", "transactions", "share_of_transactions"), rows)
    figures = known.values()
    reading = of_each(
        known, "{} of transactions needed no retry, the mean is {}, the most {}{}",
        [counted_share(f.counted - f.retried, f.counted) for f in figures],
        [number(f.retries_mean) for f in figures],
        [str(f.retries_max) for f in figures],
        [f"; {plural(f.give_ups, 'transaction')} gave up" if f.give_ups else "" for f in figures],
    )  # fmt: skip
    return Chart(figure, "retries", "Retries", reading, data)
