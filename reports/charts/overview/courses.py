"""Throughput over time: a small plot for each run, all on the same axes."""

from collections.abc import Sequence

import numpy as np
from matplotlib.ticker import MaxNLocator

from reports.charts.axes import MINUTES_FROM_S, percent_axis, thousands_axis
from reports.charts.figure import (
    LETTER,
    PAGE_WIDTH,
    Chart,
    ChartData,
    Value,
    small_multiples,
    write_above,
    write_below,
)
from reports.charts.marks import Floats, broken, largest, sample, unevenness
from reports.charts.style import FAINT, look
from reports.statistics.overview import Line, Row, key_types, left_out
from reports.text.rounding import about, shortened

_LEFT, _RIGHT, _GAP = 52, 8, 18
_TOO_FAR_APART = 4.0
"""Highest / lowest throughput from which runs are drawn against their own medians."""
_UNIT = "committed transactions a second"


def courses(rows: Sequence[Row]) -> Chart | None:
    """Every run's throughput over its measured time; None where no record has it."""
    shown = [row for row in rows if any(line.series is not None for line in row.lines)]
    if not shown:
        return None
    columns = min(len(shown), 3 if len(shown) <= 6 else 5)
    down = -(-len(shown) // columns)
    width = (PAGE_WIDTH - _LEFT - _RIGHT - (columns - 1) * _GAP) / columns
    figure, plots = small_multiples(
        [shortened(row.name, int(width / LETTER)) for row in shown], columns, width=width,
        height=170 if down == 1 else 120 if down <= 3 else 84, left=_LEFT, right=_RIGHT, gap=_GAP,
        top=20,
    )  # fmt: skip
    longest = max(row.run.measured_s for row in shown)
    scale, unit = (1 / 60, "min") if longest > MINUTES_FROM_S else (1.0, "s")
    shares = _as_shares(shown)
    data: list[tuple[Value, ...]] = []
    for axes, row in zip(plots, shown, strict=True):
        for line in row.lines:
            if line.series is None:
                continue
            style, values = look(line.key_type), _drawn(line, shares=shares)
            x, joined = line.series.middle_s * scale, line.series.joined
            several = style.line if len(row.lines) > 1 else "-"
            axes.plot(*broken(x, values, joined), color=style.colour, linestyle=several, linewidth=1.3)
            alone = ~joined & np.append(~joined[1:], [True])
            axes.plot(x[alone], values[alone], ".", color=style.colour, markersize=3.5)
            course = zip(line.series.middle_s, line.series.throughput_tps, strict=True)
            data += [(row.name, line.key_type, float(t), float(v)) for t, v in course if v == v]
        if shares:
            axes.axhline(1, color=FAINT, linewidth=0.9, zorder=1)
        (percent_axis if shares else thousands_axis)(axes.yaxis)
        axes.set_xlim(0, longest * scale)
        axes.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    top = largest(*(_drawn(line, shares=shares) for row in shown for line in row.lines))
    for axes in plots:
        axes.set_ylim(0, top * 1.08 if top else 1)
    write_below(figure, f"time since measuring began ({unit})")
    keys = key_types(tuple(shown))
    samples = [sample(key, look(key), marker="") for key in keys] if len(keys) > 1 else []
    write_above(figure, f"{_UNIT}, as % of the run's own median" if shares else _UNIT, samples)
    columns_of_data = ("run", "key_type", "time_s", "throughput_tps")
    reading = f"{_reading(shown, shares=shares)} {left_out(rows)}".rstrip()
    table = ChartData(columns_of_data, data)
    return Chart(figure, "together-courses", "Throughput over time", reading, table)


def _as_shares(rows: Sequence[Row]) -> bool:
    """Whether the runs are too far apart for one scale to show how even each was."""
    known = [tps for row in rows for line in row.lines if (tps := line.figures.throughput_tps)]
    return bool(known) and max(known) > _TOO_FAR_APART * min(known)


def _drawn(line: Line, *, shares: bool) -> Floats:
    """A line's throughput, or that as a share of its own median."""
    if line.series is None:
        return np.empty(0)
    values = line.series.throughput_tps
    kept = values[np.isfinite(values)]
    middle = float(np.median(kept)) if len(kept) else 0.0
    return values / middle if shares and middle > 0 else values


def _reading(rows: Sequence[Row], *, shares: bool) -> str:
    """Which run kept its throughput least evenly."""
    known = [
        (uneven, row.name)
        for row in rows
        for line in row.lines
        if line.series is not None and (uneven := unevenness(line.series.throughput_tps)) is not None
    ]
    axes = "Each run against its own median" if shares else "All runs on the same axes"
    if not known:
        return f"{axes}; they were too short to say how even they were."
    most, name = max(known)
    return f"{axes}. The least even is {name}: most of its time within {about(most)} of its median."
