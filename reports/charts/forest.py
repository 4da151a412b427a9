"""The forest chart of a comparison: every change with its interval, beside the line of no change."""

import math
from collections.abc import Sequence
from itertools import pairwise

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from reports.charts.figure import SETTINGS, Chart, ChartData, Margins, canvas, finish
from reports.charts.style import FAINT, INK, MUTED, PAPER, look, target_look
from reports.statistics.comparison import changes
from reports.statistics.comparison.comparison import RunComparison
from reports.statistics.comparison.effect import Effect, Verdict
from reports.statistics.comparison.metrics import JUDGED
from reports.text.rounding import THIN, listed, plural, shortened

_WIDTH, _ROW, _GROUP_GAP = 900, 24, 0.55
_MOST_ROWS = 60
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_MARKS = {Verdict.WORSE: "worse", Verdict.BETTER: "better", Verdict.DIFFERS: "different"}
_FARTHEST = math.log(4)
"""Intervals that reach farther than to a quarter or four times leave the drawing, with an arrow."""


def draw_ratios(comparison: RunComparison) -> Chart | None:
    """Throughput and latency: NEW over BASE."""
    found = [e for e in comparison.effects if e.metric.kind != "share" and e.change is not None]
    title = "Throughput and latency: change from BASE to NEW"
    return _draw(comparison, found, "changes", title)


def draw_shares(comparison: RunComparison) -> Chart | None:
    """Shares of attempts and transactions: NEW − BASE, in percentage points."""
    found = [e for e in comparison.effects if e.metric.kind == "share" and e.change is not None]
    title = "Conflicts, retries, give-ups: change from BASE to NEW"
    return _draw(comparison, found, "share-changes", title)


def _draw(comparison: RunComparison, effects: Sequence[Effect], name: str, title: str) -> Chart | None:
    if not effects:
        return None
    drawn = _chosen(effects)
    order = {metric.key: place for place, metric in enumerate(JUDGED)}
    drawn.sort(key=lambda e: order[e.metric.key])
    shares = drawn[0].metric.kind == "share"
    places, y, before = [], 0.0, None
    for e in drawn:
        if before is not None:
            y += 1 if e.metric == before else 1 + _GROUP_GAP
        places.append(y)
        before = e.metric
    height = round(64 + (y + 1) * _ROW)
    with mpl.rc_context(SETTINGS):
        figure, axes = canvas(
            Margins(left=210, right=250, top=14, bottom=50), width=_WIDTH, height=height
        )
        axes.grid(axis="y", visible=False)
        axes.grid(axis="x")
        axes.axvline(0, color=MUTED.light, linewidth=1.4, zorder=2)
        reach = _reach(drawn, shares)
        looks = _looks(comparison)
        for e, y in zip(drawn, places, strict=True):
            _row(axes, comparison, e, y, shares, reach, looks)
        _metric_names(axes, drawn, places)
        axes.set_ylim(places[-1] + 0.7, -0.7)
        axes.set_xlim(-reach, reach)
        axes.set_yticks([])
        _ticks(axes, shares, reach)
        return finish(figure, name, title, _reading(drawn, len(effects)), _data(drawn))


def _chosen(effects: Sequence[Effect]) -> list[Effect]:
    """All, or of too many those that are farthest from no change, measured by their intervals."""
    if len(effects) <= _MOST_ROWS:
        return list(effects)

    def certainty(e: Effect) -> float:
        width = (e.high or 0.0) - (e.low or 0.0)
        return abs(e.change or 0.0) / width if width else 0.0

    return sorted(effects, key=certainty, reverse=True)[:_MOST_ROWS]


def _looks(comparison: RunComparison) -> dict[tuple[str, str], tuple[str, str]]:
    """(key type, target) → (colour, marker)."""
    targets = list(dict.fromkeys(where.target for where in comparison.slices))
    found = {}
    for where in comparison.slices:
        own = look(where.key_type)
        colour = own.colour
        if comparison.several_targets:
            colour = target_look(targets.index(where.target)).colour
        found[where.key_type, where.target] = (colour, own.marker)
    return found


def _place(value: float, shares: bool) -> float:
    """Where a change lies on the axis: ratios by logarithm, so half and double are equally far."""
    return value if shares else math.log1p(max(value, -0.999))


def _reach(drawn: Sequence[Effect], shares: bool) -> float:
    ends = [abs(_place(v, shares)) for e in drawn for v in (e.low or 0.0, e.high or 0.0)]
    reach = 1.06 * max(ends)
    return max(reach, 1e-4) if shares else min(max(reach, math.log(1.05)), _FARTHEST)


def _row(
    axes: Axes,
    comparison: RunComparison,
    e: Effect,
    y: float,
    shares: bool,
    reach: float,
    looks: dict[tuple[str, str], tuple[str, str]],
) -> None:
    colour, marker = looks[e.slice.key_type, e.slice.target]
    low, high, middle = (_place(v or 0.0, shares) for v in (e.low, e.high, e.change))
    strength = 1.0 if e.differs else 0.5
    axes.plot(
        [max(low, -reach), min(high, reach)],
        [y, y],
        color=colour,
        linewidth=3,
        alpha=strength,
        zorder=3,
        solid_capstyle="butt",
    )
    for end, mark in ((low, "<"), (high, ">")):
        if abs(end) > reach:
            axes.plot([math.copysign(reach * 0.985, end)], [y], mark, color=colour, markersize=7)
    if abs(middle) <= reach:
        axes.plot(
            [middle],
            [y],
            marker,
            markeredgecolor=colour,
            markeredgewidth=1.6,
            markersize=8,
            zorder=4,
            markerfacecolor=colour if e.differs else PAPER.light,
        )
    verdict = f"  {_MARKS[e.verdict]}" if e.differs else ""
    axes.annotate(
        f"{changes.change(e)}  ({changes.interval(e)}){verdict}",
        (1.0, y),
        (10, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        va="center",
        fontsize=11,
        fontweight="bold" if e.differs else "normal",
        color=INK.light if e.differs else MUTED.light,
    )
    axes.annotate(
        shortened(changes.slice_name(comparison, e.slice), 16),
        (0.0, y),
        (-10, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        va="center",
        fontsize=11,
        color=colour,
    )


def _metric_names(axes: Axes, drawn: Sequence[Effect], places: Sequence[float]) -> None:
    """The figure's name at the left, once for the rows that are of it."""
    for metric in dict.fromkeys(e.metric for e in drawn):
        rows = [y for e, y in zip(drawn, places, strict=True) if e.metric == metric]
        axes.annotate(
            metric.name,
            (0.0, sum(rows) / len(rows)),
            (-205, 2),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize=12,
            color=INK.light,
        )
        axes.annotate(
            f"{'more' if metric.more_is_better else 'less'} is better",
            (0.0, sum(rows) / len(rows)),
            (-205, -14 if len(rows) > 1 else -11),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize=10,
            color=MUTED.light,
        )
    for (first, above), (second, below) in pairwise(zip(drawn, places, strict=True)):
        if first.metric != second.metric:
            axes.axhline((above + below) / 2, color=FAINT.light, linewidth=0.6, alpha=0.6)


def _ticks(axes: Axes, shares: bool, reach: float) -> None:
    if shares:
        axes.xaxis.set_major_locator(MaxNLocator(5, symmetric=True, steps=[1, 2, 2.5, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: _sign(v * 100)))
        axes.set_xlabel("difference, NEW − BASE (percentage points)")
        return
    axes.set_xticks([math.log(ratio) for ratio in _round_ratios(reach)])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{_sign(math.expm1(v) * 100)}{THIN}%"))
    axes.set_xlabel("change, NEW against BASE (logarithmic)")


def _round_ratios(reach: float) -> list[float]:
    """Ratios to mark on a logarithmic axis from −reach to reach: even steps of the change where it is
    small, halves and doubles or tenths and tenfolds farther out, for even steps would crowd there.
    """
    if reach >= math.log(1.5):
        base = 1.5 if reach < math.log(2) else 2.0 if reach < math.log(20) else 10.0
        return [base**n for n in range(-6, 7) if abs(n) * math.log(base) <= reach]
    step = next((s for s in _STEPS if math.expm1(reach) / s < 4.5), _STEPS[-1])
    marks = [1 + n * step for n in range(-5, 6)]
    return [mark for mark in marks if mark > 0 and abs(math.log(mark)) <= reach]


def _sign(value: float) -> str:
    text = f"{abs(value):.3g}"
    return text if text == "0" else ("+" if value > 0 else "−") + text


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
