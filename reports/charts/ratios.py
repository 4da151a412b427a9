"""The comparison of key types, or of targets: each figure's ratio with its interval."""

import math
from collections.abc import Sequence
from dataclasses import replace

from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from reports.charts.axes import ratio_ticks, rows_of_names
from reports.charts.figure import Chart, ChartData, canvas, write_above
from reports.charts.marks import effect, sample
from reports.charts.style import INK, Look, look, target_looks
from reports.statistics.model import Model
from reports.statistics.paired.blocks import NO_DIFFERENCE, Comparison
from reports.text.rounding import capital, interval, listed, shortened

NAMES = {
    "conflict_rate": "conflict rate",
    "throughput_tps": "throughput",
    "latency_p50_ms": "latency p50",
    "latency_p99_ms": "latency p99",
}


def draw(model: Model) -> Chart | None:
    """Each key type against the first; where there are several targets, in the target's colour."""
    targets = target_looks(model.targets)
    looks = [
        look(c.other) if c.target is None else replace(look(c.other), colour=targets[c.target].colour)
        for c in model.comparisons
    ]
    return _draw(model.comparisons, looks, "ratios", "Difference between key types")


def draw_targets(model: Model) -> Chart | None:
    """Each target against the first."""
    comparisons = model.regions.comparisons if model.regions is not None else []
    targets = target_looks(model.targets)
    looks = [targets[c.other] for c in comparisons]
    return _draw(comparisons, looks, "target-ratios", "Difference between targets")


def _draw(
    comparisons: Sequence[Comparison], looks: Sequence[Look], name: str, title: str
) -> Chart | None:
    """Ratios on a logarithmic axis, so that half and double lie equally far from 1."""
    logs = [math.log(end) for c in comparisons for r in c.ratios for end in (r.low, r.high) if end]
    if not logs:
        return None
    count, labels = len(comparisons), [_label(c) for c in comparisons]
    top = 34 if count > 1 else 12
    height = top + 58 + len(NAMES) * (22 + 16 * count)
    figure, axes = canvas(left=100, right=140, top=top, height=height)
    for index, (comparison, style) in enumerate(zip(comparisons, looks, strict=True)):
        for row, metric in enumerate(NAMES):
            ratio = comparison.of(metric)
            if ratio.low is None or ratio.high is None or ratio.ratio is None:
                continue
            y = row + (index - (count - 1) / 2) * min(0.34, 0.8 / count)
            text = interval(ratio.ratio, ratio.low, ratio.high)
            ends = ratio.low, ratio.ratio, ratio.high
            effect(axes, y, ends, style, text, differs=ratio.differs)
    axes.axvline(1, color=INK, linewidth=1, zorder=2)
    reach = max(*(1.1 * abs(end) for end in logs), math.log(1.02))
    axes.set_xscale("log")
    axes.set_xlim(math.exp(-reach), math.exp(reach))
    axes.xaxis.set_major_locator(FixedLocator(ratio_ticks(reach)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:.3g}"))
    rows_of_names(axes, list(NAMES.values()))
    what = labels[0] if count == 1 else f"ratio to {shortened(comparisons[0].base, 24)}"
    axes.set_xlabel(f"{what}, with 95 % intervals")
    if count > 1:
        pairs = zip(labels, looks, strict=True)
        write_above(figure, "", [sample(text, style, linestyle="") for text, style in pairs])
    reading = " ".join(
        [*map(_reading, comparisons), "An interval that includes 1 shows no difference."]
    )
    return Chart(figure, name, title, reading, _data(comparisons))


def _data(comparisons: Sequence[Comparison]) -> ChartData:
    columns = (
        "target", "base", "other", "metric", "base_value", "other_value", "ratio", "low", "high",
        "verdict",
    )  # fmt: skip
    rows = [
        (c.target, c.base, c.other, r.metric, r.base, r.other, r.ratio, r.low, r.high, r.verdict)
        for c in comparisons
        for r in c.ratios
    ]
    return ChartData(columns, rows)


def _label(c: Comparison) -> str:
    names = f"{shortened(c.other, 24)} / {shortened(c.base, 24)}"
    return names if c.target is None else f"{shortened(c.target, 24)}, {names}"


def _reading(c: Comparison) -> str:
    """Which figures differ, and of which there is no interval."""
    where = f"On {c.target}, " if c.target is not None else ""
    differ = [NAMES[r.metric] for r in c.ratios if r.differs]
    text = f"{listed(differ)} differ{'s' if len(differ) == 1 else ''}" if differ else NO_DIFFERENCE
    judged = any(r.judged for r in c.ratios)
    sentences = [f"{where}{c.other} as a multiple of {c.base}: {text}."] if judged else []
    sentences += [capital(f"{NAMES[r.metric]}: {r.verdict}.") for r in c.ratios if not r.judged]
    return " ".join(sentences)
