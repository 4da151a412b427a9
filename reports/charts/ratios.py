"""The comparison of key types, or of targets: each figure's ratio with its interval."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from reports.charts.figure import Chart, ChartData, Margins, canvas, finish, legend_for, place_legend
from reports.charts.style import INK, MUTED, Look, look, target_look
from reports.statistics.model import Model
from reports.statistics.paired.blocks import Comparison
from reports.text.rounding import capital, interval, listed, shortened

NAMES = {
    "conflict_rate": "conflict rate",
    "throughput_tps": "throughput",
    "latency_p50_ms": "latency p50",
    "latency_p99_ms": "latency p99",
}
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25)


def draw(model: Model) -> Chart | None:
    """Each key type against the first."""
    reading = " ".join(_reading(c) for c in model.comparisons)
    places = {name: place for place, name in enumerate(model.targets)}

    def of_key_type(c: Comparison) -> Look:
        """By key type; where there are several targets, in the target's colour."""
        own = look(c.other)
        return own if c.target is None else replace(own, colour=target_look(places[c.target]).colour)

    return _draw(model.comparisons, of_key_type, "ratios", "Difference between key types", reading)


def draw_targets(model: Model) -> Chart | None:
    """Each target against the first."""
    if model.regions is None:
        return None
    looks = {name: target_look(place) for place, name in enumerate(model.targets)}
    title = "Difference between targets"
    comparisons = model.regions.comparisons
    reading = " ".join(_reading(c) for c in comparisons)
    return _draw(comparisons, lambda c: looks[c.other], "target-ratios", title, reading)


def _draw(
    comparisons: Sequence[Comparison],
    look_of: Callable[[Comparison], Look],
    name: str,
    title: str,
    reading: str,
) -> Chart | None:
    """Ratios on a logarithmic axis, so that half and double lie equally far from 1."""
    drawn = [(c, r) for c in comparisons for r in c.ratios if r.low is not None and r.high is not None]
    if not drawn:
        return None
    count = len(comparisons)
    labels = [_label(c) for c in comparisons]
    where = legend_for(labels, "")
    figure, axes = canvas(
        Margins(left=100, right=140, top=34 + where.height if count > 1 else 12),
        height=(92 + where.height if count > 1 else 70) + 4 * (22 + 16 * count),
    )
    reach = max(max(abs(math.log(r.low or 1)), abs(math.log(r.high or 1))) for _, r in drawn)
    reach = max(reach * 1.1, math.log(1.02))
    handles = []
    for place, comparison in enumerate(comparisons):
        style = look_of(comparison)
        handles.append(
            Line2D(
                [],
                [],
                color=style.colour,
                marker=style.marker,
                markersize=8,
                markeredgewidth=0,
                linestyle="",
                label=labels[place],
            )
        )
        for row, metric in enumerate(NAMES):
            ratio = comparison.of(metric)
            if ratio.low is None or ratio.high is None or ratio.ratio is None:
                continue
            y = row + (place - (count - 1) / 2) * min(0.34, 0.8 / count)
            axes.plot(
                [ratio.low, ratio.high],
                [y, y],
                color=style.colour,
                linewidth=3,
                zorder=3,
                alpha=1 if ratio.differs else 0.55,
            )
            axes.plot(
                [ratio.ratio],
                [y],
                style.marker,
                color=style.colour,
                markersize=8,
                markeredgewidth=0,
                zorder=4,
            )
            axes.annotate(
                interval(ratio.ratio, ratio.low, ratio.high),
                (1, y),
                (10, 0),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                va="center",
                fontsize=11,
                color=INK.light if ratio.differs else MUTED.light,
            )
    axes.axvline(1, color=INK.light, linewidth=1, zorder=2)
    axes.set_xscale("log")
    axes.set_xlim(math.exp(-reach), math.exp(reach))
    _ticks(axes, reach)
    axes.set_yticks(range(len(NAMES)), list(NAMES.values()))
    for label in axes.get_yticklabels():
        label.set_color(INK.light)
    axes.set_ylim(len(NAMES) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x")
    first = comparisons[0]
    axes.set_xlabel(
        f"{labels[0]}, with 95 % intervals"
        if count == 1
        else f"ratio to {shortened(first.base, 24)}, with 95 % intervals"
    )
    if count > 1:
        place_legend(figure, axes, where, handles)
    reading += " An interval that includes 1 shows no difference."
    return finish(figure, name, title, reading, _data(comparisons))


def _data(comparisons: Sequence[Comparison]) -> ChartData:
    columns = (
        *("target", "base", "other", "metric", "base_value", "other_value"),
        *("ratio", "low", "high", "verdict"),
    )
    return ChartData(
        columns,
        [
            (c.target, c.base, c.other, r.metric, r.base, r.other, r.ratio, r.low, r.high, r.verdict)
            for c in comparisons
            for r in c.ratios
        ],
    )


def _label(c: Comparison) -> str:
    names = f"{shortened(c.other, 24)} / {shortened(c.base, 24)}"
    return names if c.target is None else f"{shortened(c.target, 24)}, {names}"


def _ticks(axes: Axes, reach: float) -> None:
    """Round ratios, evenly spaced near 1, powers of two farther out."""
    if reach > math.log(2):
        base = 2.0 if reach < math.log(24) else 10.0
        places = [base**n for n in range(-4, 5) if abs(n) * math.log(base) <= reach]
    else:
        step = next(s for s in _STEPS if math.expm1(reach) / s < 4)
        places = [1 + n * step for n in range(-3, 4) if 1 + n * step > 0]
        places = [p for p in places if abs(math.log(p)) <= reach]
    axes.xaxis.set_major_locator(FixedLocator(places))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:.3g}"))


def _reading(c: Comparison) -> str:
    """Each ratio with its interval, and why there is none."""
    where = f"On {c.target}: " if c.target is not None else ""
    ratios = [
        f"{NAMES[r.metric]} {interval(r.ratio or 1.0, r.low or 0.0, r.high or 0.0)}"
        for r in c.ratios
        if r.judged
    ]
    sentences = [capital(f"{NAMES[r.metric]}: {r.verdict}.") for r in c.ratios if not r.judged]
    if ratios:
        sentences.insert(0, f"{where}{c.other} as a multiple of {c.base}: {listed(ratios)}.")
    return " ".join(sentences)
