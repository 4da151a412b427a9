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
from matplotlib.figure import Figure
from numpy.typing import NDArray

from reports.charts.figure import Chart, ChartData, canvas, finish, spread_out, unit_label
from reports.charts.overview.axes import log_milliseconds
from reports.charts.style import FAINT, INK, MUTED, SMALL_SIZE, look
from reports.statistics.certainty import percentile
from reports.statistics.overview import Line, Row, left_out
from reports.text.rounding import number, shortened

WIDTH = 1160
"""A whole page's width in pixels."""

_TICKS = {0.0: "0", 0.5: "50", 0.9: "90", 0.99: "99", 0.999: "99.9", 0.9999: "99.99", 0.99999: "99.999"}
_POINTS = 120
"""Points of a drawn curve: more are not seen."""
_LABEL_PX, _LETTER, _LEADER_PX = 14.0, 6.6, 12
_MOST_LABELS = 34
"""Names that find room in a panel; of more curves only some are named."""
_NAME_ROOM = 24
_MOST_COLUMNS = 4
_LEFT, _TOP, _BOTTOM, _TITLE = 52, 30, 46, 22
_PANEL = 260
"""Pixels of a panel's height, unless its names need more."""
_FAINTEST = 0.35
_DASHES = ("-", "--", "-.", ":")


@dataclass(frozen=True, slots=True)
class _Panel:
    """What is drawn on one pair of axes."""

    title: str
    key_type: str
    found: tuple[tuple[Row, Line], ...]

    @property
    def named(self) -> list[int]:
        """Which curves get a name: all where there is room, else evenly chosen, with both ends."""
        curves = len(self.found)
        if curves <= _MOST_LABELS:
            return list(range(curves))
        return sorted({round(i) for i in np.linspace(0, curves - 1, _MOST_LABELS).tolist()})

    def name(self, place: int) -> str:
        """A curve's name; what the panel's title says is not said again."""
        return shortened(self.found[place][0].within, _NAME_ROOM)


def distributions(rows: Sequence[Row], keys: Sequence[str]) -> Chart | None:
    """All panels on the same axes; None where no run has enough transactions for a curve."""
    panels = _panels(rows, keys)
    if not panels:
        return None
    groups = len({row.group for row in rows})
    columns = min(_MOST_COLUMNS, len(panels), groups if groups > 1 else len(panels))
    lines = math.ceil(len(panels) / columns)
    names = [panel.name(i) for panel in panels for i in panel.named]
    room = max(map(len, names)) * _LETTER + _LEADER_PX + 26
    width = (WIDTH - _LEFT) / columns - room
    tall = max(_PANEL, round(_LABEL_PX * max(len(panel.named) for panel in panels)))
    height = _TOP + lines * (tall + _TITLE) + (lines - 1) * 14 + _BOTTOM
    figure, first = canvas(width=WIDTH, height=height)
    figure.delaxes(first)
    drawn = []
    for place, panel in enumerate(panels):
        left = _LEFT + place % columns * (width + room)
        bottom = height - _TOP - (place // columns + 1) * (tall + _TITLE) - place // columns * 14
        drawn.append(_axes(figure, (left, bottom, width, tall), height))
        drawn[-1].set_title(panel.title, loc="left", color=INK.light, pad=6)
    curves = [[_thinned(line) for _, line in panel.found] for panel in panels]
    _same_axes(drawn, [curve for panel in curves for curve in panel])
    for place, (axes, panel) in enumerate(zip(drawn, panels, strict=True)):
        axes.tick_params(labelleft=place % columns == 0, labelbottom=place + columns >= len(panels))
        _curves(axes, panel, curves[place])
        _label(axes, panel, curves[place], (width, tall))
    unit_label(figure, "latency of a transaction, with its retries (ms, log scale)")
    figure.text(
        _LEFT / WIDTH, 12 / height, "% of transactions that took at most so long; each step is a tenth "
        "of the rest", va="center", fontsize=SMALL_SIZE, color=MUTED.light,
    )  # fmt: skip
    return finish(
        figure,
        "together-distribution",
        "Latency distribution",
        f"{_reading(panels, several=len(keys) > 1)} {left_out(rows)}".rstrip(),
        _data(panels, curves),
    )


_Curve = tuple[NDArray[np.float64], NDArray[np.float64]]
"""(−log10(1 − quantile), milliseconds) of the points that are drawn."""


def _panels(rows: Sequence[Row], keys: Sequence[str]) -> list[_Panel]:
    """One for each key type and group that has a curve."""
    found = []
    for key in keys:
        for group in dict.fromkeys(row.group for row in rows):
            lines = tuple(
                (row, line)
                for row in rows
                if row.group == group and (line := row.of(key)) is not None and line.curve is not None
            )
            words = [word for word in (group, f"{key} keys" if len(keys) > 1 else "") if word]
            if lines:
                found.append(_Panel(", ".join(words), key, lines))
    return found


def _thinned(line: Line) -> _Curve:
    curve = line.curve
    if curve is None:
        return np.empty(0), np.empty(0)
    places = np.unique(np.linspace(0, len(curve.ms) - 1, _POINTS).round().astype(int))
    return -np.log10(1 - curve.quantiles[places]), np.maximum(curve.ms[places], 1e-4)


def _axes(figure: Figure, place: tuple[float, float, float, float], height: int) -> Axes:
    left, bottom, width, tall = place
    axes = figure.add_axes((left / WIDTH, bottom / height, width / WIDTH, tall / height))
    axes.grid(axis="y")
    return axes


def _same_axes(drawn: Sequence[Axes], curves: Sequence[_Curve]) -> None:
    """From the first quantile to the last, and over all latencies."""
    top = max(float(nines[-1]) for nines, _ in curves)
    # The very first point is the shortest time of all, often far below every other.
    low = min(float(np.interp(_LOWEST, nines, ms)) for nines, ms in curves)
    high = max(float(ms[-1]) for _, ms in curves)
    shown = {q: text for q, text in _TICKS.items() if -math.log10(1 - q) <= top + 0.02}
    for axes in drawn:
        axes.set_xlim(0, top)
        axes.set_xticks([-math.log10(1 - q) for q in shown], list(shown.values()))
        axes.set_yscale("log")
        axes.set_ylim(low / 1.15, high * 1.15)
        log_milliseconds(axes.yaxis)


_LOWEST = -math.log10(1 - 0.02)


def _curves(axes: Axes, panel: _Panel, curves: Sequence[_Curve]) -> None:
    few = len(curves) <= len(_DASHES)
    for place, (nines, ms) in enumerate(curves):
        axes.plot(
            nines, ms, color=look(panel.key_type).colour, linewidth=1.6,
            linestyle=_DASHES[place] if few else "-",
            alpha=1.0 if few else _FAINTEST + (1 - _FAINTEST) * place / (len(curves) - 1),
        )  # fmt: skip


def _label(axes: Axes, panel: _Panel, curves: Sequence[_Curve], pixels: tuple[float, float]) -> None:
    """Names beside the right edge, moved apart, each with a thin line to where its curve ends."""
    width, height = pixels
    low, high = (math.log10(edge) for edge in axes.get_ylim())
    right = axes.get_xlim()[1]
    ends = [(float(nines[-1]) / right, math.log10(float(ms[-1]))) for nines, ms in curves]
    at = {i: (ends[i][1] - low) / (high - low) * height for i in panel.named}
    moved = _within(spread_out(list(at.values()), _LABEL_PX), height)
    for (i, own), y in zip(at.items(), moved, strict=True):
        axes.plot(
            [ends[i][0], 1 + _LEADER_PX / width], [own / height, y / height], color=FAINT.light,
            linewidth=0.8, transform=axes.transAxes, clip_on=False, zorder=1,
        )  # fmt: skip
        axes.text(
            1 + (_LEADER_PX + 4) / width, y / height, panel.name(i), transform=axes.transAxes,
            va="center", fontsize=SMALL_SIZE, color=INK.light,
        )  # fmt: skip


def _within(places: Sequence[float], top: float) -> list[float]:
    """The same places with none above `top`, each still a label's height from its neighbours."""
    moved, ceiling = list(places), top
    for i in sorted(range(len(places)), key=lambda i: -places[i]):
        moved[i] = min(moved[i], ceiling)
        ceiling = moved[i] - _LABEL_PX
    return moved


def _data(panels: Sequence[_Panel], curves: Sequence[Sequence[_Curve]]) -> ChartData:
    rows = [
        (row.name, panel.key_type, float(1 - 10**-n), float(m))
        for panel, drawn in zip(panels, curves, strict=True)
        for (row, _), (nines, ms) in zip(panel.found, drawn, strict=True)
        for n, m in zip(nines, ms, strict=True)
    ]
    return ChartData(("run", "key_type", "share_of_transactions", "latency_ms"), rows)


_ALIKE = 1.005
"""Ratio below which two times print as 1.00 times each other."""


def _reading(panels: Sequence[_Panel], *, several: bool) -> str:
    """How far apart the curves are in the middle and in the tail."""
    found = [
        (f"{row.name}, {panel.key_type}" if several else row.name, line.figures.latency)
        for panel in panels
        for row, line in panel.found
    ]
    parts = []
    for words, quantile in (("The medians", "p50"), ("the p99", "p99")):
        known = [
            (value, name, percentile(latency, quantile))
            for name, latency in found
            if (value := getattr(latency, quantile)) is not None
        ]
        if len(known) > 1:
            low, high = min(known), max(known)
            if low[2] == high[2] or high[0] / low[0] < _ALIKE:
                said = low[2] if low[2] == high[2] else f"{low[2]} to {high[2]}"
                parts.append(f"{words} are alike, {said}")
                continue
            parts.append(
                f"{words} lie between {low[2]} ({low[1]}) and {high[2]} ({high[1]}), "
                f"{number(high[0] / low[0])} times as long"
            )
    many = max(len(panel.found) for panel in panels) > len(_DASHES)
    order = " Lines go from faint to firm in the table's order." if many else ""
    return f"{'; '.join(parts)}.{order}" if parts else "Too few transactions to compare percentiles."
