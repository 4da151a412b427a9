"""Throughput, conflict rate, latency and retries of every run, row by row."""

from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, NullFormatter

from reports.analysis.figures import Figures
from reports.charts.axes import log_milliseconds, percent_axis, thousands_axis
from reports.charts.figure import Chart, ChartData, Value
from reports.charts.marks import interval, marker, spread
from reports.charts.overview.lanes import lanes
from reports.charts.style import FAINT, MUTED
from reports.statistics.certainty import conflict_rate, percentile, retry_rate
from reports.statistics.overview import Row, key_types
from reports.statistics.prediction.band import side_of_band
from reports.text.rounding import number

_LOG_FROM = 30.0
"""Largest / smallest from which rates are drawn on a logarithmic axis."""
_Rows = list[tuple[Value, ...]]


def _sample(label: str, marker: str, **how: Any) -> Line2D:
    """A marker in the legend that is of no key type."""
    settings: dict[str, Any] = {"color": MUTED, "linestyle": "", "markersize": 6.5} | how
    return Line2D([], [], marker=marker, label=label, **settings)


def throughput(rows: Sequence[Row]) -> Chart:
    """Committed transactions a second, and how much that changed within the run."""
    bar = Line2D([], [], color=MUTED, linewidth=2, label="10–90 % of its time")
    drawn = lanes(rows, "committed transactions a second", [bar])
    data: _Rows = []
    for row, line, y, style in drawn.lines():
        value, low, high = line.figures.throughput_tps or 0.0, None, None
        if line.series is not None and (ends := spread(line.series.throughput_tps)) is not None:
            low, _, high = ends
            interval(drawn.axes, low, high, y, style.colour, linewidth=2.2, alpha=0.45)
        marker(drawn.axes, value, y, style, clip_on=False, zorder=5)
        data.append((row.name, line.key_type, value, low, high))
    top = max(float(end or 0.0) for _, _, *ends in data for end in ends)
    drawn.axes.set_xlim(0, top * 1.05 if top else 1)
    drawn.axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    thousands_axis(drawn.axes.xaxis)
    columns = ("run", "key_type", "throughput_tps", "bins_p10_tps", "bins_p90_tps")
    reading = (
        f"{_extremes(rows, lambda f: f.throughput_tps, lambda f: number(f.throughput_tps))} The bar "
        "shows how the rate changed within the run, not how the run would come out if made again."
    )
    return Chart(drawn.figure, "together-throughput", "Throughput", reading, ChartData(columns, data))


def conflicts(rows: Sequence[Row]) -> Chart:
    """The conflict rate with its interval, over the band in which it should lie."""
    rates = [line.figures.conflict_rate for row in rows for line in row.lines]
    measured = [rate for rate in rates if rate]
    log = bool(measured) and max(measured) > _LOG_FROM * min(measured)
    # Nothing is zero on a logarithmic axis.
    zeros = log and 0 in rates
    samples = [
        Patch(facecolor=FAINT, alpha=0.55, edgecolor="none", label="predicted"),
        Line2D([], [], color=MUTED, linewidth=2, label="95 % interval"),
        *([_sample("no conflict", "<", markerfacecolor="none")] if zeros else []),
    ]
    drawn = lanes(rows, f"share of attempts that conflicted{' (log scale)' if log else ''}", samples)
    axes, data = drawn.axes, list[tuple[Value, ...]]()
    for row, line, y, style in drawn.lines():
        f = line.figures
        if f.conflict_rate is None:
            continue
        if f.predicted_low is not None and f.predicted_high is not None:
            interval(
                axes, f.predicted_low, f.predicted_high, y, FAINT, alpha=0.55, linewidth=9,
                solid_capstyle="butt", zorder=2,
            )  # fmt: skip
        low, high = f.conflict_rate_interval or (f.conflict_rate, f.conflict_rate)
        interval(axes, low, high, y, style.colour, linewidth=2)
        none = log and f.conflict_rate == 0
        how: dict[str, Any] = {"clip_on": False, "zorder": 5}
        if none:
            how |= {"marker": "<", "hollow": True, "transform": axes.get_yaxis_transform()}
        marker(axes, 0.012 if none else f.conflict_rate, y, style, **how)
        ends = (f.conflict_rate, low, high, f.predicted_low, f.predicted_high)
        data.append((row.name, line.key_type, *ends))
    top = max((float(v) for row in data for v in row[2:] if isinstance(v, float)), default=0.0)
    if log:
        axes.set_xscale("log")
        axes.set_xlim(min(measured) / 3, min(1.0, top * 1.5))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        # A band that holds everything must not press the rates together.
        top = min(top, 4 * max(measured, default=1.0))
        axes.set_xlim(0, top * 1.06 if top else 0.01)
    percent_axis(axes.xaxis)
    reading = f"{_extremes(rows, lambda f: f.conflict_rate, conflict_rate)} {_of_bands(rows)}"
    if zeros:
        reading += " A hollow triangle at the left edge is a run in which no attempt conflicted."
    columns = (
        "run", "key_type", "conflict_rate", "interval_low", "interval_high", "predicted_low",
        "predicted_high",
    )  # fmt: skip
    title, table = "Conflict rate and prediction", ChartData(columns, data)
    return Chart(drawn.figure, "together-conflicts", title, reading, table)


def _of_bands(rows: Sequence[Row]) -> str:
    """How many rates lie where the formula says."""
    sides = [side for row in rows for line in row.lines if (side := side_of_band(line.figures))]
    if not sides:
        return "No band could be predicted."
    inside = sides.count("inside")
    which = "All" if inside == len(sides) else f"{inside:,} of {len(sides):,}"
    return f"{which} measured rates lie inside the band that the formula predicts for them."


def latency(rows: Sequence[Row]) -> Chart:
    """Median, p95 and p99 of every run."""
    hollow = _sample("p99", "o", markerfacecolor="none")
    samples = [_sample("p50", "o"), _sample("p95", "|", markersize=9), hollow]
    drawn = lanes(rows, "latency of a transaction, with its retries (ms, log scale)", samples)
    data: _Rows = []
    for row, line, y, style in drawn.lines():
        times = line.figures.latency
        data.append((row.name, line.key_type, times.p50, times.p95, times.p99))
        known = [ms for ms in (times.p50, times.p95, times.p99) if ms is not None]
        if not known:
            continue
        interval(drawn.axes, known[0], known[-1], y, style.colour, linewidth=1.6, alpha=0.6, zorder=2)
        marker(drawn.axes, known[0], y, style, clip_on=False, zorder=5)
        if times.p95 is not None:
            marker(drawn.axes, times.p95, y, style, marker="|", markersize=9, markeredgewidth=1)
        if times.p99 is not None:
            marker(drawn.axes, times.p99, y, style, hollow=True, markersize=6.5)
    drawn.axes.set_xscale("log")
    log_milliseconds(drawn.axes.xaxis)
    extremes = _extremes(rows, lambda f: f.latency.p99, _p99)
    reading = f"{extremes} A percentile is shown when ten samples lie beyond it."
    columns = ("run", "key_type", "latency_p50_ms", "latency_p95_ms", "latency_p99_ms")
    data_table = ChartData(columns, data)
    return Chart(drawn.figure, "together-latency", "Latency percentiles", reading, data_table)


def _p99(f: Figures) -> str:
    return f"p99 {percentile(f.latency, 'p99')}"


def retries(rows: Sequence[Row]) -> Chart:
    """Transactions that needed more than one attempt, and those that were given up."""
    drawn = lanes(rows, "share of transactions that were retried", [_sample("gave up", "x")])
    data: _Rows = []
    for row, line, y, style in drawn.lines():
        f = line.figures
        if f.retry_rate is None or not f.counted:
            continue
        gave_up = f.give_ups / f.counted
        if gave_up:
            cross: dict[str, Any] = {"marker": "x", "markersize": 6.5, "markeredgewidth": 1.6}
            marker(drawn.axes, gave_up, y, style, clip_on=False, **cross)
        marker(drawn.axes, f.retry_rate, y, style, clip_on=False, zorder=5)
        data.append((row.name, line.key_type, f.retry_rate, gave_up, f.retries_mean, f.retries_max))
    top = max((float(share or 0.0) for row in data for share in row[2:4]), default=0.0)
    drawn.axes.set_xlim(0, min(1.0, top * 1.06) if top else 0.01)
    percent_axis(drawn.axes.xaxis)
    given_up = sum(bool(row[3]) for row in data)
    lost = f"In {given_up} of {len(data)} lines some" if given_up else "No"
    reading = (
        f"{_extremes(rows, lambda f: f.retry_rate, retry_rate)} {lost} "
        f"transaction{'s' if given_up else ''} gave up."
    )
    columns = ("run", "key_type", "retry_rate", "give_up_rate", "retries_mean", "retries_max")
    table = ChartData(columns, data)
    return Chart(drawn.figure, "together-retries", "Transactions retried", reading, table)


def _extremes(
    rows: Sequence[Row], value: Callable[[Figures], float | None], text: Callable[[Figures], str]
) -> str:
    """`Highest 2,300 (32 users, uuid), lowest … (…).`, with the key type where there are several."""
    several = len(key_types(tuple(rows))) > 1
    known = [
        (figure, f"{row.name}, {line.key_type}" if several else row.name, text(line.figures))
        for row in rows
        for line in row.lines
        if (figure := value(line.figures)) is not None
    ]
    if not known:
        return ""
    (_, at_least, low), (_, at_most, high) = min(known), max(known)
    if low == high:
        return f"The same in all: {low}."
    return f"Highest {high} ({at_most}), lowest {low} ({at_least})."
