"""The forest chart of a comparison: every change with its interval, beside the line of no change."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from reports.charts.axes import ratio_ticks, values_to_the_right
from reports.charts.figure import Chart, ChartData, canvas, chart_settings
from reports.charts.marks import effect, note
from reports.charts.style import FAINT, INK, MUTED, Look, look, target_looks
from reports.statistics.comparison import changes
from reports.statistics.comparison.comparison import RunComparison
from reports.statistics.comparison.effect import Effect, Verdict
from reports.statistics.comparison.metrics import JUDGED
from reports.text.rounding import MINUS, THIN, listed, plural, shortened

_WIDTH, _ROW, _GROUP_GAP = 900, 24, 0.55
_MOST_ROWS = 60
_MARKS = {Verdict.WORSE: "worse", Verdict.BETTER: "better", Verdict.DIFFERS: "different"}
_FARTHEST = math.log(4)
"""Intervals that reach farther than to a quarter or four times leave the drawing, with an arrow."""


@chart_settings()
def draw_ratios(comparison: RunComparison) -> Chart | None:
    """Throughput and latency: NEW over BASE."""
    effects = [e for e in comparison.effects if e.metric.kind != "share" and e.change is not None]
    title = "Throughput and latency: change from BASE to NEW"
    return _draw(comparison, effects, "changes", title)


@chart_settings()
def draw_shares(comparison: RunComparison) -> Chart | None:
    """Shares of attempts and transactions: NEW − BASE, in percentage points."""
    effects = [e for e in comparison.effects if e.metric.kind == "share" and e.change is not None]
    title = "Conflicts, retries, give-ups: change from BASE to NEW"
    return _draw(comparison, effects, "share-changes", title)


def _draw(comparison: RunComparison, effects: Sequence[Effect], name: str, title: str) -> Chart | None:
    if not effects:
        return None
    # Of too many, those that are farthest from no change, measured by their intervals.
    drawn = sorted(effects, key=_certainty, reverse=True)[:_MOST_ROWS]
    drawn.sort(key=lambda e: (JUDGED.index(e.metric), effects.index(e)))
    shares, rows = drawn[0].metric.kind == "share", [0.0]
    for before, after in pairwise(drawn):
        rows.append(rows[-1] + (1 if before.metric == after.metric else 1 + _GROUP_GAP))
    height = round(64 + (rows[-1] + 1) * _ROW)
    figure, axes = canvas(left=210, right=250, top=14, bottom=50, width=_WIDTH, height=height)
    values_to_the_right(axes)
    axes.axvline(0, color=MUTED, linewidth=1.4, zorder=2)
    reach = _reach(drawn, shares)
    for e, y in zip(drawn, rows, strict=True):
        _row(axes, comparison, e, y, shares, reach)
    _metric_names(axes, drawn, rows)
    axes.set_ylim(rows[-1] + 0.7, -0.7)
    axes.set_xlim(-reach, reach)
    axes.set_yticks([])
    if shares:
        axes.xaxis.set_major_locator(MaxNLocator(5, symmetric=True, steps=[1, 2, 2.5, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: _sign(v * 100)))
        axes.set_xlabel("difference, NEW − BASE (percentage points)")
    else:
        axes.set_xticks([math.log(ratio) for ratio in ratio_ticks(reach)])
        percent = FuncFormatter(lambda v, _: f"{_sign(math.expm1(v) * 100)}{THIN}%")
        axes.xaxis.set_major_formatter(percent)
        axes.set_xlabel("change, NEW against BASE (logarithmic)")
    return Chart(figure, name, title, _reading(drawn, len(effects)), _data(drawn))


def _certainty(e: Effect) -> float:
    """How many widths of its interval a change is away from none."""
    width = (e.high or 0.0) - (e.low or 0.0)
    return abs(e.change or 0.0) / width if width else 0.0


def _position(value: float | None, shares: bool) -> float:
    """Where a change lies on the axis: ratios by logarithm, so half and double are equally far."""
    return (value or 0.0) if shares else math.log1p(max(value or 0.0, -0.999))


def _reach(drawn: Sequence[Effect], shares: bool) -> float:
    reach = 1.06 * max(abs(_position(end, shares)) for e in drawn for end in (e.low, e.high))
    return max(reach, 1e-4) if shares else min(max(reach, math.log(1.05)), _FARTHEST)


def _look(comparison: RunComparison, e: Effect) -> Look:
    own = look(e.slice.key_type)
    if not comparison.several_targets:
        return own
    targets = target_looks(where.target for where in comparison.slices)
    return replace(own, colour=targets[e.slice.target].colour)


def _row(
    axes: Axes, comparison: RunComparison, e: Effect, y: float, shares: bool, reach: float
) -> None:
    style, verdict = _look(comparison, e), f"  {_MARKS[e.verdict]}" if e.differs else ""
    text = f"{changes.change(e)}  ({changes.interval(e)}){verdict}"
    low, middle, high = (_position(v, shares) for v in (e.low, e.change, e.high))
    effect(axes, y, (low, middle, high), style, text, differs=e.differs, reach=reach)
    slice_name = shortened(changes.slice_name(comparison, e.slice), 16)
    of_row = {"xycoords": ("axes fraction", "data"), "fontsize": 11}
    note(axes, slice_name, (0.0, y), -10, ha="right", color=style.colour, **of_row)


def _metric_names(axes: Axes, drawn: Sequence[Effect], rows: Sequence[float]) -> None:
    """The figure's name at the left, once for the rows that are of it."""
    for metric in dict.fromkeys(e.metric for e in drawn):
        mine = [y for e, y in zip(drawn, rows, strict=True) if e.metric == metric]
        better = f"{'more' if metric.more_is_better else 'less'} is better"
        down = 14 if len(mine) > 1 else 11
        for text, up, type_size, colour in ((metric.name, 2, 12, INK), (better, -down, 10, MUTED)):
            axes.annotate(
                text, (0.0, sum(mine) / len(mine)), (-205, up), xycoords=("axes fraction", "data"),
                textcoords="offset points", va="center", fontsize=type_size, color=colour,
            )  # fmt: skip
    for (first, above), (second, below) in pairwise(zip(drawn, rows, strict=True)):
        if first.metric != second.metric:
            axes.axhline((above + below) / 2, color=FAINT, linewidth=0.6, alpha=0.6)


def _sign(value: float) -> str:
    text = f"{abs(value):.3g}"
    return text if text == "0" else ("+" if value > 0 else MINUS) + text


def _reading(drawn: Sequence[Effect], of: int) -> str:
    """How many figures became worse, better, or neither."""
    verdicts = [e.verdict for e in drawn if e.differs]
    counts = [f"{n} {'is' if n == 1 else 'are'} {v}" for v in _MARKS if (n := verdicts.count(v))]
    text = f"Of {plural(len(drawn), 'figure')} {listed(counts)}." if counts else ""
    if len(verdicts) < len(drawn):
        which = "Of the others, no" if counts else "No"
        text += f" {which} difference is shown: their intervals hold zero."
    if of > len(drawn):
        text += f" The {len(drawn)} of {of} figures that are farthest from no change are drawn."
    return text.strip()


def _data(drawn: Sequence[Effect]) -> ChartData:
    columns = (
        "key_type", "target", "figure", "base", "new", "change_share", "low_share", "high_share",
        "verdict",
    )  # fmt: skip
    rows = [
        (
            e.slice.key_type, e.slice.target, e.metric.key, e.base, e.new, e.change, e.low, e.high,
            str(e.verdict),
        )
        for e in drawn
    ]  # fmt: skip
    return ChartData(columns, rows)
