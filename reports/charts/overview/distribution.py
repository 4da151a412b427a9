"""Latency distributions of all runs overlaid, each with its name at its end.

Quantiles go to the right and latency upward, so that the curves end where there is room for names.
A panel has the runs of one group and one key type. Its few curves are told apart by dashes, its many
by going from faint to firm in the order of the table, which is that of the option that was varied.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from reports.charts.axes import log_milliseconds, quantile_ticks
from reports.charts.figure import (
    LETTER,
    PAGE_WIDTH,
    Chart,
    ChartData,
    small_multiples,
    write_above,
    write_below,
)
from reports.charts.marks import Floats, spread_out
from reports.charts.style import FAINT, INK, LINES, look
from reports.statistics.certainty import percentile
from reports.statistics.model import Curve
from reports.statistics.overview import Line, Row, left_out
from reports.text.rounding import number, shortened

_POINTS = 120
"""Points of a drawn curve: more are not seen."""
_LABEL, _LEADER = 14.0, 12
"""Pixels of a name's height, and of the line that leads to it."""
_MOST_LABELS = 34
"""Names that find room in a panel; of more curves only some are named."""
_NAME_ROOM = 24
_MOST_COLUMNS = 4
_LEFT, _PANEL = 52, 260
"""Pixels left of the panels, and of a panel's height unless its names need more."""
_FAINTEST = 0.35
_LOWEST = 0.02
"""Quantile at which the axis begins: the shortest time of all is often far below every other."""
_ALIKE = 1.005
"""Ratio below which two times print as 1.00 times each other."""


@dataclass(frozen=True, slots=True)
class _Panel:
    """What is drawn on one pair of axes; a curve is −log10(1 − quantile) and milliseconds."""

    title: str
    key_type: str
    lines: tuple[tuple[Row, Line], ...]
    curves: tuple[tuple[Floats, Floats], ...]

    @property
    def named(self) -> list[int]:
        """Which curves get a name: all where there is room, else evenly chosen, with both ends."""
        most = min(len(self.lines), _MOST_LABELS)
        return sorted({round(i) for i in np.linspace(0, len(self.lines) - 1, most).tolist()})

    def name(self, curve: int) -> str:
        """A curve's name; what the panel's title says is not said again."""
        return shortened(self.lines[curve][0].within, _NAME_ROOM)


def distributions(rows: Sequence[Row], keys: Sequence[str]) -> Chart | None:
    """All panels on the same axes; None where no run has enough transactions for a curve."""
    panels = _panels(rows, keys)
    if not panels:
        return None
    groups = len({row.group for row in rows})
    columns = min(_MOST_COLUMNS, len(panels), groups if groups > 1 else len(panels))
    room = max(len(p.name(i)) for p in panels for i in p.named) * LETTER + _LEADER + 26
    width = (PAGE_WIDTH - _LEFT) / columns - room
    height = max(_PANEL, round(_LABEL * max(len(panel.named) for panel in panels)))
    figure, plots = small_multiples(
        [panel.title for panel in panels], columns, width=width, height=height, left=_LEFT,
        right=room, gap=room, top=20,
    )  # fmt: skip
    curves = [curve for panel in panels for curve in panel.curves]
    top = max(float(nines[-1]) for nines, _ in curves)
    low = min(float(np.interp(-math.log10(1 - _LOWEST), nines, ms)) for nines, ms in curves)
    high = max(float(ms[-1]) for _, ms in curves)
    for axes, panel in zip(plots, panels, strict=True):
        axes.set_xlim(0, top)
        axes.set_xticks(*quantile_ticks(top))
        axes.set_yscale("log")
        axes.set_ylim(low / 1.15, high * 1.15)
        log_milliseconds(axes.yaxis)
        _draw(axes, panel)
        _label(axes, panel, width, height)
    write_above(figure, "latency of a transaction, with its retries (ms, log scale)")
    below = "% of transactions that took at most so long; each step is a tenth of the rest"
    write_below(figure, below, _LEFT)
    reading = f"{_reading(panels, several=len(keys) > 1)} {left_out(rows)}".rstrip()
    data = ChartData(
        ("run", "key_type", "share_of_transactions", "latency_ms"),
        [
            (row.name, panel.key_type, float(1 - 10**-n), float(m))
            for panel in panels
            for (row, _), curve in zip(panel.lines, panel.curves, strict=True)
            for n, m in zip(*curve, strict=True)
        ],
    )
    return Chart(figure, "together-distribution", "Latency distribution", reading, data)


def _panels(rows: Sequence[Row], keys: Sequence[str]) -> list[_Panel]:
    """One for each key type and group that has a curve."""
    panels = []
    for key in keys:
        for group in dict.fromkeys(row.group for row in rows):
            known = [
                (row, line, line.curve)
                for row in rows
                if row.group == group and (line := row.of(key)) is not None and line.curve is not None
            ]
            title = ", ".join(filter(None, (group, f"{key} keys" if len(keys) > 1 else "")))
            lines = tuple((row, line) for row, line, _ in known)
            if lines:
                panels.append(_Panel(title, key, lines, tuple(_thinned(c) for *_, c in known)))
    return panels


def _thinned(curve: Curve) -> tuple[Floats, Floats]:
    points = np.unique(np.linspace(0, len(curve.ms) - 1, _POINTS).round().astype(int))
    return -np.log10(1 - curve.quantiles[points]), np.maximum(curve.ms[points], 1e-4)


def _draw(axes: Axes, panel: _Panel) -> None:
    few, last = len(panel.curves) <= len(LINES), len(panel.curves) - 1
    for index, (nines, ms) in enumerate(panel.curves):
        axes.plot(
            nines, ms, color=look(panel.key_type).colour, linewidth=1.6,
            linestyle=LINES[index] if few else "-",
            alpha=1.0 if few else _FAINTEST + (1 - _FAINTEST) * index / last,
        )  # fmt: skip


def _label(axes: Axes, panel: _Panel, width: float, height: float) -> None:
    """Names beside the right edge, moved apart, each with a thin line to where its curve ends."""
    inside = axes.transAxes.inverted()
    ends = [
        inside.transform(axes.transData.transform((panel.curves[i][0][-1], panel.curves[i][1][-1])))
        for i in panel.named
    ]
    heights = spread_out([y * height for _, y in ends], _LABEL)
    # None above the plot, each still a name's height from its neighbours.
    ceiling = height
    for i in sorted(range(len(heights)), key=lambda i: -heights[i]):
        heights[i] = min(heights[i], ceiling)
        ceiling = heights[i] - _LABEL
    for i, (x, y), up in zip(panel.named, ends, heights, strict=True):
        axes.plot(
            [x, 1 + _LEADER / width], [y, up / height], color=FAINT, linewidth=0.8, zorder=1,
            transform=axes.transAxes, clip_on=False,
        )  # fmt: skip
        at = 1 + (_LEADER + 4) / width, up / height
        axes.text(*at, panel.name(i), transform=axes.transAxes, va="center", color=INK)


def _reading(panels: Sequence[_Panel], *, several: bool) -> str:
    """How far apart the curves are in the middle and in the tail."""
    lines = [
        (f"{row.name}, {panel.key_type}" if several else row.name, line.figures.latency)
        for panel in panels
        for row, line in panel.lines
    ]
    parts = []
    for words, quantile in (("The medians", "p50"), ("the p99", "p99")):
        known = [
            (value, name, percentile(latency, quantile))
            for name, latency in lines
            if (value := getattr(latency, quantile)) is not None
        ]
        if len(known) < 2:
            continue
        (least, shortest, low), (most, longest, high) = min(known), max(known)
        if low == high or most / least < _ALIKE:
            parts.append(f"{words} are alike, {low if low == high else f'{low} to {high}'}")
        else:
            parts.append(
                f"{words} lie between {low} ({shortest}) and {high} ({longest}), "
                f"{number(most / least)} times as long"
            )
    many = max(len(panel.lines) for panel in panels) > len(LINES)
    order = " Lines go from faint to firm in the table's order." if many else ""
    return f"{'; '.join(parts)}.{order}" if parts else "Too few transactions to compare percentiles."
