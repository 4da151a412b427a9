"""Throughput, conflict rate and latency of every run, row by row."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, NullFormatter

from reports.analysis.figures import Figures
from reports.charts.figure import Chart, ChartData, finish, percent_axis, thousands_axis
from reports.charts.overview.axes import log_milliseconds
from reports.charts.overview.lanes import Lanes, lanes
from reports.charts.style import FAINT, MUTED, look
from reports.statistics.certainty import conflict_rate, percentile, retry_rate
from reports.statistics.overview import Row, key_types
from reports.statistics.prediction.band import side_of_band
from reports.text.rounding import number

Value = Callable[[Figures], float | None]
Said = Callable[[Figures], str]

_LOG_FROM = 30.0
"""Largest / smallest from which rates are drawn on a logarithmic axis."""


def throughput(rows: Sequence[Row]) -> Chart:
    """Committed transactions a second, and how much that changed within the run."""
    spread = Line2D([], [], color=MUTED.light, linewidth=2, label="10–90 % of its time")
    drawn = lanes(rows, "committed transactions a second", more=[spread])
    data, top = [], 0.0
    for place, row in enumerate(rows):
        for line in row.lines:
            y, style = drawn.at(place, line.key_type), look(line.key_type)
            value = line.figures.throughput_tps or 0.0
            low = high = None
            if line.series is not None:
                kept = line.series.throughput_tps[np.isfinite(line.series.throughput_tps)]
                if len(kept) >= _ENOUGH_BINS:
                    low, high = (float(v) for v in np.percentile(kept, [10, 90]))
                    drawn.axes.plot([low, high], [y, y], color=style.colour, linewidth=2.2, alpha=0.45)
            _mark(drawn.axes, value, y, line.key_type)
            top = max(top, value, high or 0.0)
            data.append((row.name, line.key_type, value, low, high))
    drawn.axes.set_xlim(0, top * 1.05 if top else 1)
    drawn.axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    thousands_axis(drawn.axes.xaxis)
    columns = ("run", "key_type", "throughput_tps", "bins_p10_tps", "bins_p90_tps")
    reading = (
        f"{_extremes(rows, lambda f: f.throughput_tps, _tps, ('Most', 'least'))} The bar behind a "
        "marker shows how the rate changed within the run; it says nothing of how the run would come "
        "out if it were made again."
    )
    return finish(drawn.figure, "together-throughput", "Throughput", reading, ChartData(columns, data))


_ENOUGH_BINS = 5
"""Pieces of a run's time from which their spread is drawn."""


def conflicts(rows: Sequence[Row]) -> Chart:
    """The conflict rate with its interval, over the band in which it should lie."""
    band = Patch(facecolor=FAINT.light, alpha=0.55, edgecolor="none", label="predicted")
    ends = Line2D([], [], color=MUTED.light, linewidth=2, label="95 % interval")
    log = _far_apart(rows)
    # Nothing is zero on a logarithmic axis.
    zeros = log and any(line.figures.conflict_rate == 0 for row in rows for line in row.lines)
    none = Line2D(
        [], [], color=MUTED.light, marker="<", linestyle="", markersize=7, markerfacecolor="none",
        label="no conflict",
    )  # fmt: skip
    samples = [band, ends, none] if zeros else [band, ends]
    drawn = lanes(rows, "share of attempts that conflicted", more=samples)
    data = []
    for place, row in enumerate(rows):
        for line in row.lines:
            f, y = line.figures, drawn.at(place, line.key_type)
            if f.conflict_rate is None:
                continue
            style = look(line.key_type)
            if f.predicted_low is not None and f.predicted_high is not None:
                drawn.axes.plot(
                    [f.predicted_low, f.predicted_high], [y, y], color=FAINT.light, alpha=0.55,
                    linewidth=9, solid_capstyle="butt", zorder=2,
                )  # fmt: skip
            low, high = f.conflict_rate_interval or (f.conflict_rate, f.conflict_rate)
            drawn.axes.plot([low, high], [y, y], color=style.colour, linewidth=2, zorder=3)
            if log and f.conflict_rate == 0:
                drawn.axes.plot(
                    [0.012], [y], "<", color=style.colour, markersize=7, markerfacecolor="none",
                    transform=drawn.axes.get_yaxis_transform(), clip_on=False, zorder=5,
                )  # fmt: skip
            else:
                _mark(drawn.axes, f.conflict_rate, y, line.key_type)
            data.append(
                (row.name, line.key_type, f.conflict_rate, low, high, f.predicted_low, f.predicted_high)
            )
    _rate_axis(drawn, data, log=log)
    reading = _of_bands(rows)
    if zeros:
        reading += " A hollow triangle at the left edge is a run in which no attempt conflicted."
    columns = (
        "run", "key_type", "conflict_rate", "interval_low", "interval_high", "predicted_low",
        "predicted_high",
    )  # fmt: skip
    return finish(
        drawn.figure, "together-conflicts", "Conflict rate and prediction", reading,
        ChartData(columns, data),
    )  # fmt: skip


def _far_apart(rows: Sequence[Row]) -> bool:
    """Whether the rates that are not zero are orders of magnitude apart."""
    rates = [line.figures.conflict_rate for row in rows for line in row.lines]
    measured = [rate for rate in rates if rate]
    return bool(measured) and max(measured) > _LOG_FROM * min(measured)


def _rate_axis(drawn: Lanes, data: Sequence[tuple[object, ...]], *, log: bool) -> None:
    """Linear from zero, unless the rates are orders of magnitude apart."""
    rates = [float(v) for row in data for v in row[2:] if isinstance(v, float) and v > 0]
    measured = [float(row[2]) for row in data if isinstance(row[2], float) and row[2] > 0]
    if log:
        drawn.axes.set_xscale("log")
        drawn.axes.set_xlim(min(measured) / 3, min(1.0, max(rates) * 1.5))
        drawn.axes.set_xlabel("share of attempts that conflicted (log scale)")
        drawn.axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        # A band that holds everything must not press the rates together.
        top = min(max(rates, default=0.0), 4 * max(measured, default=1.0))
        drawn.axes.set_xlim(0, top * 1.06 if top else 0.01)
    percent_axis(drawn.axes.xaxis)


def _of_bands(rows: Sequence[Row]) -> str:
    """How many rates lie where the formula says."""
    known = [
        (row, line)
        for row in rows
        for line in row.lines
        if line.figures.predicted_low is not None and line.figures.conflict_rate is not None
    ]
    text = _extremes(rows, lambda f: f.conflict_rate, conflict_rate, ("Highest", "lowest"))
    if not known:
        return f"{text} No band could be predicted."
    inside = sum(side_of_band(line.figures) == "inside" for _, line in known)
    which = "All" if inside == len(known) else f"{inside:,} of {len(known):,}"
    return f"{text} {which} measured rates lie inside the band that the formula predicts for them."


def latency(rows: Sequence[Row]) -> Chart:
    """Median, p95 and p99 of every run."""
    samples = [
        Line2D([], [], color=MUTED.light, marker="o", linestyle="", markersize=6.5, label="p50"),
        Line2D([], [], color=MUTED.light, marker="|", linestyle="", markersize=9, label="p95"),
        Line2D(
            [], [], color=MUTED.light, marker="o", linestyle="", markersize=6, label="p99",
            markerfacecolor="none",
        ),
    ]  # fmt: skip
    drawn = lanes(rows, "latency of a transaction, with its retries (ms, log scale)", more=samples)
    data = []
    for place, row in enumerate(rows):
        for line in row.lines:
            times, y, style = line.figures.latency, drawn.at(place, line.key_type), look(line.key_type)
            known = [v for v in (times.p50, times.p95, times.p99) if v is not None]
            data.append((row.name, line.key_type, times.p50, times.p95, times.p99))
            if not known:
                continue
            drawn.axes.plot(
                [known[0], known[-1]], [y, y], color=style.colour, linewidth=1.6, alpha=0.6, zorder=2
            )
            _mark(drawn.axes, known[0], y, line.key_type)
            if times.p95 is not None:
                drawn.axes.plot([times.p95], [y], "|", color=style.colour, markersize=9, zorder=4)
            if times.p99 is not None:
                drawn.axes.plot(
                    [times.p99], [y], style.marker, color=style.colour, markersize=6.5,
                    markerfacecolor="none", markeredgewidth=1.4, zorder=4,
                )  # fmt: skip
    drawn.axes.set_xscale("log")
    log_milliseconds(drawn.axes.xaxis)
    reading = _extremes(rows, lambda f: f.latency.p99, _p99, ("Longest p99", "shortest"))
    reading += " A percentile is shown when ten samples lie beyond it."
    columns = ("run", "key_type", "latency_p50_ms", "latency_p95_ms", "latency_p99_ms")
    return finish(
        drawn.figure, "together-latency", "Latency percentiles", reading, ChartData(columns, data)
    )


def retries(rows: Sequence[Row]) -> Chart:
    """Transactions that needed more than one attempt, and those that were given up."""
    gave_up = Line2D(
        [], [], color=MUTED.light, marker="x", linestyle="", markersize=6.5, label="gave up"
    )
    drawn = lanes(rows, "share of transactions that were retried", more=[gave_up])
    data, top, given_up = [], 0.0, 0
    for place, row in enumerate(rows):
        for line in row.lines:
            f, y = line.figures, drawn.at(place, line.key_type)
            if f.retry_rate is None or not f.counted:
                continue
            lost = f.give_ups / f.counted
            if f.give_ups:
                drawn.axes.plot(
                    [lost], [y], "x", color=look(line.key_type).colour, markersize=6.5,
                    markeredgewidth=1.6, zorder=4, clip_on=False,
                )  # fmt: skip
                given_up += 1
            _mark(drawn.axes, f.retry_rate, y, line.key_type)
            top = max(top, f.retry_rate, lost)
            data.append((row.name, line.key_type, f.retry_rate, lost, f.retries_mean, f.retries_max))
    drawn.axes.set_xlim(0, min(1.0, top * 1.06) if top else 0.01)
    percent_axis(drawn.axes.xaxis)
    reading = _extremes(rows, lambda f: f.retry_rate, retry_rate, ("Most", "least"))
    lines = sum(len(row.lines) for row in rows)
    reading += (
        f" In {given_up} of {lines} lines some transactions gave up."
        if given_up
        else " No transaction gave up."
    )
    columns = ("run", "key_type", "retry_rate", "give_up_rate", "retries_mean", "retries_max")
    return finish(
        drawn.figure, "together-retries", "Transactions retried", reading, ChartData(columns, data)
    )


def _tps(f: Figures) -> str:
    return number(f.throughput_tps)


def _p99(f: Figures) -> str:
    return percentile(f.latency, "p99")


def _mark(axes: Axes, x: float, y: float, key_type: str) -> None:
    style = look(key_type)
    axes.plot(
        [x], [y], style.marker, color=style.colour, markersize=7, markeredgewidth=0, zorder=5,
        clip_on=False,
    )  # fmt: skip


def _extremes(rows: Sequence[Row], value: Value, said: Said, words: tuple[str, str]) -> str:
    """`Most: 2,300 (32 users, uuid); least: …`, with the key type where there are several."""
    several = len(key_types(tuple(rows))) > 1
    known = [
        (found, f"{row.name}, {line.key_type}" if several else row.name, said(line.figures))
        for row in rows
        for line in row.lines
        if (found := value(line.figures)) is not None
    ]
    if not known:
        return ""
    (least, at_least, low), (most, at_most, high) = min(known), max(known)
    if least == most or low == high:
        return f"The same in all: {low}."
    return f"{words[0]}: {high} ({at_most}); {words[1]}: {low} ({at_least})."
