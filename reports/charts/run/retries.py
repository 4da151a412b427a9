"""Retries a transaction."""

import numpy as np

from reports.analysis.figures import Figures
from reports.charts.figure import (
    Chart,
    ChartData,
    canvas,
    finish,
    from_zero,
    legend,
    percent_axis,
    unit_label,
)
from reports.charts.readings import of_each
from reports.charts.style import PAPER, look
from reports.statistics.certainty import counted_share
from reports.statistics.model import Model
from reports.text.rounding import about, number, plural

_MOST = 6


def draw(model: Model) -> Chart | None:
    """Share of transactions by number of retries, those without one left to the sentence."""
    known = {k: f for k, f in model.key_types.items() if f.counted}
    most = max((f.retries_max or 0 for f in known.values()), default=0)
    if not most:
        return None
    figure, axes = canvas()
    last = min(most, _MOST)
    width = 0.8 / len(known)
    top = 0.0
    for place, (key_type, f) in enumerate(known.items()):
        histogram = np.zeros(last + 1)
        histogram[: min(last + 1, len(f.retries_histogram))] = f.retries_histogram[: last + 1]
        histogram[last] += f.retries_histogram[last + 1 :].sum()
        shares = histogram[1:] / f.counted
        x = np.arange(1, last + 1) + (place - (len(known) - 1) / 2) * width
        style = look(key_type)
        axes.bar(
            x,
            shares,
            width * 0.9,
            color=style.colour,
            hatch=style.hatch,
            edgecolor=PAPER.light,
            linewidth=0,
            label=key_type,
            zorder=3,
        )
        top = max(top, float(shares.max()))
        if last * len(known) <= 8:
            for at, share in zip(x, shares, strict=True):
                axes.annotate(
                    about(float(share)),
                    (at, share),
                    (0, 4),
                    textcoords="offset points",
                    ha="center",
                    fontsize=10.5,
                )
    ticks = [str(n) for n in range(1, last + 1)]
    if most > last:
        ticks[-1] = f"{last}+"
    axes.set_xticks(range(1, last + 1), ticks)
    axes.set_xlim(0.4, max(last, 2) + 0.6)
    axes.tick_params(axis="x", length=0)
    from_zero(axes, top, room=1.18)
    percent_axis(axes.yaxis)
    axes.set_xlabel("retries a transaction needed")
    unit_label(figure, "share of transactions")
    legend(figure, axes)
    return finish(figure, "retries", "Retries", _reading(model), _data(known))


def _data(known: dict[str, Figures]) -> ChartData:
    """Every number of retries by itself, also those that are drawn together."""
    rows = [
        (key_type, retries, int(transactions), float(transactions) / f.counted)
        for key_type, f in known.items()
        for retries, transactions in enumerate(f.retries_histogram)
    ]
    return ChartData(("key_type", "retries", "transactions", "share_of_transactions"), rows)


def _reading(model: Model) -> str:
    def say(_: str, f: Figures) -> str:
        if f.retry_rate is None:
            return ""
        at_once = counted_share(f.counted - f.retried, f.counted)
        gave_up = f"; {plural(f.give_ups, 'transaction')} gave up" if f.give_ups else ""
        mean = f"the mean is {number(f.retries_mean)}, the most {f.retries_max}"
        return f"{at_once} of transactions needed no retry, {mean}{gave_up}"

    return of_each(model.key_types, say)
