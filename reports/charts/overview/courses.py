"""Throughput over time: a small drawing for each run, all on the same axes."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from reports.charts.figure import (
    Chart,
    ChartData,
    canvas,
    finish,
    legend,
    percent_axis,
    thousands_axis,
    unit_label,
)
from reports.charts.marks import largest, spread_over_time
from reports.charts.style import FAINT, INK, MUTED, SMALL_SIZE, look
from reports.statistics.overview import Line, Row, key_types, left_out
from reports.text.rounding import about, shortened

_WIDTH = 1160
_LEFT, _TOP, _BOTTOM, _RIGHT = 52, 36, 44, 8
_BETWEEN, _TITLE = 18, 20
_LETTER = 6.7
_MINUTES_FROM = 300.0
_TOO_FAR_APART = 4.0
"""Highest / lowest throughput from which runs are drawn against their own medians."""


def courses(rows: Sequence[Row]) -> Chart | None:
    """Every run's throughput over its measured time; None where no record has it."""
    shown = [row for row in rows if any(line.series is not None for line in row.lines)]
    if not shown:
        return None
    columns = min(len(shown), 3 if len(shown) <= 6 else 5)
    lines = math.ceil(len(shown) / columns)
    panel = 170 if lines == 1 else 120 if lines <= 3 else 84
    height = _TOP + lines * (panel + _TITLE) + _BOTTOM
    figure, first = canvas(width=_WIDTH, height=height)
    figure.delaxes(first)
    width = (_WIDTH - _LEFT - _RIGHT - (columns - 1) * _BETWEEN) / columns
    longest = max(row.run.measured_s for row in shown)
    scale, unit = (1 / 60, "min") if longest > _MINUTES_FROM else (1.0, "s")
    shares = _as_shares(shown)
    top = max(
        largest(_drawn(line, shares=shares)) for row in shown for line in row.lines if line.series
    )
    data: list[tuple[str, str, float, float]] = []
    for place, row in enumerate(shown):
        at, down = place % columns, place // columns
        axes = _panel(figure, (_LEFT + at * (width + _BETWEEN), down, width, panel), height)
        for line in row.lines:
            if line.series is None:
                continue
            style, values = look(line.key_type), _drawn(line, shares=shares)
            kept = np.isfinite(values)
            x, joined = line.series.middle_s * scale, line.series.joined
            axes.plot(
                *_with_gaps(x, values, joined), color=style.colour,
                linestyle=style.line if len(row.lines) > 1 else "-", linewidth=1.3,
            )  # fmt: skip
            alone = ~joined & np.append(~joined[1:], [True])
            axes.plot(x[alone], values[alone], ".", color=style.colour, markersize=3.5)
            tps = line.series.throughput_tps[kept]
            data += [
                (row.name, line.key_type, float(t), float(v))
                for t, v in zip(line.series.middle_s[kept], tps, strict=True)
            ]
        if shares:
            axes.axhline(1, color=FAINT.light, linewidth=0.9, zorder=1)
            percent_axis(axes.yaxis)
        else:
            thousands_axis(axes.yaxis)
        _dress(axes, top, longest * scale, first=at == 0, last=place + columns >= len(shown))
        axes.set_title(
            shortened(row.name, int(width / _LETTER)), loc="left", color=INK.light,
            fontsize=SMALL_SIZE, pad=4,
        )  # fmt: skip
    figure.text(
        0.5, 12 / height, f"time since measuring began ({unit})", ha="center", va="center",
        fontsize=SMALL_SIZE, color=MUTED.light,
    )  # fmt: skip
    unit_name = "committed transactions a second"
    unit_label(figure, f"{unit_name}, as % of the run's own median" if shares else unit_name)
    _legend(figure, shown)
    return finish(
        figure, "together-courses", "Throughput over time",
        f"{_reading(shown, shares=shares)} {left_out(rows)}".rstrip(),
        ChartData(("run", "key_type", "time_s", "throughput_tps"), data),
    )  # fmt: skip


def _panel(figure: Figure, place: tuple[float, int, float, int], height: int) -> Axes:
    """An empty plot: `place` is its left edge, its line from the top, its width and its height."""
    left, down, width, panel = place
    bottom = height - _TOP - (down + 1) * (panel + _TITLE)
    return figure.add_axes((left / _WIDTH, bottom / height, width / _WIDTH, panel / height))


def _dress(axes: Axes, top: float, longest: float, *, first: bool, last: bool) -> None:
    """The axes that all share, with labels only at the edges of the whole."""
    axes.set_ylim(0, top * 1.08 if top else 1)
    axes.set_xlim(0, longest)
    axes.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.grid(axis="y")
    axes.tick_params(labelleft=first, labelbottom=last)


def _legend(figure: Figure, rows: Sequence[Row]) -> None:
    keys = key_types(tuple(rows))
    if len(keys) > 1:
        samples = [Line2D([], [], color=look(k).colour, linestyle=look(k).line, label=k) for k in keys]
        legend(figure, figure.axes[0], samples)


def _as_shares(rows: Sequence[Row]) -> bool:
    """Whether the runs are too far apart for one scale to show how even each was."""
    found = [
        line.figures.throughput_tps for row in rows for line in row.lines if line.figures.throughput_tps
    ]
    return bool(found) and max(found) > _TOO_FAR_APART * min(found)


def _drawn(line: Line, *, shares: bool) -> NDArray[np.float64]:
    """A line's throughput, or that as a share of its own median."""
    if line.series is None:
        return np.empty(0)
    values = line.series.throughput_tps
    kept = values[np.isfinite(values)]
    middle = float(np.median(kept)) if len(kept) else 0.0
    return values / middle if shares and middle > 0 else values


def _with_gaps(
    x: NDArray[np.float64], values: NDArray[np.float64], joined: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same line, broken before every bin that does not follow the one before it."""
    breaks = np.flatnonzero(~joined)
    return np.insert(x, breaks, np.nan), np.insert(values, breaks, np.nan)


def _reading(rows: Sequence[Row], *, shares: bool) -> str:
    """Which run kept its throughput least evenly."""
    known = [
        (spread, row.name)
        for row in rows
        for line in row.lines
        if line.series is not None
        and (spread := spread_over_time(line.series.throughput_tps)) is not None
    ]
    if not known:
        return "All runs on the same axes; they were too short to say how even they were."
    most, name = max(known)
    axes = "Each run against its own median" if shares else "All runs on the same axes"
    return (
        f"{axes}. The least even is {name}: most of its time lies within {about(most)} of its median."
    )
