"""The report's tables: figures as text, row by row."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from reports.analysis.consistency import longest
from reports.analysis.figures import Figures
from reports.statistics.certainty import (
    conflict_rate,
    one_rounding,
    percentile,
    retry_rate,
    throughput,
    unsure_conflict_rate,
)
from reports.statistics.model import Model, Regions
from reports.statistics.paired.blocks import Comparison, Ratio
from reports.text.rounding import between, count, interval, milliseconds, number, percent
from reports.text.table import Cell, Table, of_texts

Row = tuple[str, Callable[[Figures], str | None], str | None]
"""A head, its text of a slice (None where its targets cannot show it, or nothing was counted), and
the metric that it is of where it is compared.
"""
ABSENT = "—"
"""What stands in place of a text that is None."""


def band(f: Figures) -> str | None:
    """The predicted band."""
    if f.predicted_low is None or f.predicted_high is None:
        return None
    return between(f.predicted_low, f.predicted_high)


def _remote(f: Figures, name: str, text: Callable[[Any], str]) -> str | None:
    value = getattr(f.remote, name) if f.remote else None
    return None if value is None else text(value)


def _units(f: Figures, name: str) -> str | None:
    value = getattr(f.capacity, name) if f.capacity else None
    return None if value is None else number(value)


def _dollars(f: Figures) -> str | None:
    cost = f.capacity.cost_usd_per_million if f.capacity else None
    if f.capacity is None or cost is None:
        return None
    return f"{'at least ' if f.capacity.unsaid else ''}${cost:,.2f}"


ROWS: tuple[Row, ...] = (
    ("Conflict rate", lambda f: conflict_rate(f) if f.decided else None, "conflict_rate"),
    ("… predicted", band, None),
    ("Throughput (transactions/s)", lambda f: throughput(f) if f.throughput_tps is not None else None,
     "throughput_tps"),
    ("Latency p50", lambda f: percentile(f.latency, "p50"), "latency_p50_ms"),
    ("Latency p95", lambda f: percentile(f.latency, "p95"), None),
    ("Latency p99", lambda f: percentile(f.latency, "p99"), "latency_p99_ms"),
    ("Latency p99.9", lambda f: percentile(f.latency, "p999"), None),
    ("COMMIT p50", lambda f: percentile(f.commit, "p50") if f.commit else None, None),
    ("Transactions retried", lambda f: retry_rate(f) if f.counted else None, None),
    ("Gave up", lambda f: count(f.give_ups), None),
    ("Failed otherwise", lambda f: count(f.failed) if f.failed else None, None),
    ("Committed", lambda f: count(f.committed), None),
)  # fmt: skip
_REMOTE_ROWS: tuple[Row, ...] = (
    ("Function's own time p50", lambda f: _remote(f, "duration", lambda d: percentile(d, "p50")), None),
    ("Function's own time p99", lambda f: _remote(f, "duration", lambda d: percentile(d, "p99")), None),
    ("Calls that the function retried", lambda f: _remote(f, "retry_rate", percent), None),
    ("Function's retries a call, mean", lambda f: _remote(f, "retries_mean", number), None),
    ("Function's retries a call, most", lambda f: _remote(f, "retries_max", count), None),
    ("Read units a committed transaction", lambda f: _units(f, "read_units_per_committed"), None),
    ("Write units a committed transaction", lambda f: _units(f, "write_units_per_committed"), None),
    ("Cost of a million committed (USD)", _dollars, None),
)


_MOST_COMPARED = 3
_MOST_COLUMNS = 6


def answer_table(model: Model) -> Table:
    """Key types side by side, with each comparison's ratio and interval; with several targets, those,
    and never figures of all of them together.
    """
    if model.regions is None:
        return _side_by_side(model.key_types, model.comparisons)
    if not _by_both(model):
        return _by_target(model, model.regions)
    slices = {slice_name(*both): f for both, f in model.by_target_and_key.items()}
    room = len(slices) + len(model.comparisons) <= _MOST_COLUMNS
    return _side_by_side(slices, model.comparisons if room else [])


def slice_name(target: str, key_type: str) -> str:
    """What a column or row of one target and key type is called."""
    return f"{target}, {key_type}"


def region_table(model: Model) -> Table | None:
    """Targets side by side in the same way, None where the first table does that already."""
    if model.regions is None or not _by_both(model):
        return None
    return _by_target(model, model.regions)


def _by_both(model: Model) -> bool:
    """Whether there is room for a column for each target and key type."""
    several = len(model.key_types) > 1
    return several and len(model.by_target_and_key) <= _MOST_COLUMNS


def _by_target(model: Model, regions: Regions) -> Table:
    """A column for each target. Ratios are left to the chart where they would be too many to read."""
    comparisons = regions.comparisons if len(model.targets) <= _MOST_COMPARED else []
    table = _side_by_side(model.targets, comparisons)
    users = [Cell(_users(regions, name)) for name in model.targets]
    users += [Cell("")] * len(comparisons)
    return Table(table.columns, (("Users", tuple(users)), *table.rows))


def _users(regions: Regions, name: str) -> str:
    return count(regions.users[name]) if name in regions.users else ABSENT


def _head(name: str, slices: Iterable[Figures]) -> str:
    """A row's name; what a function retries by itself is not among the conflicts that it reports."""
    called = any(f.remote is not None for f in slices)
    return "Conflicts the caller saw" if called and name == ROWS[0][0] else name


def _side_by_side(slices: Mapping[str, Figures], comparisons: Sequence[Comparison]) -> Table:
    """A column for each slice, then one for each ratio; what no slice can show has no row."""
    columns = [*slices, *(_ratio_name(c) for c in comparisons)]
    made = []
    for head, text, metric in (*ROWS, *_REMOTE_ROWS):
        texts = [text(f) for f in slices.values()]
        if not any(texts):
            continue
        cells = [Cell(one) for one in one_rounding([one or ABSENT for one in texts])]
        if metric == "conflict_rate":
            unsure = map(unsure_conflict_rate, slices.values())
            cells = [replace(cell, note=note) for cell, note in zip(cells, unsure, strict=True)]
        cells += [_ratio_cell(c.of(metric)) if metric else Cell("") for c in comparisons]
        made.append((_head(head, slices.values()), tuple(cells)))
    return Table(tuple(columns), tuple(made))


def _ratio_name(c: Comparison) -> str:
    return f"{c.other} / {c.base}" if c.target is None else f"{c.target}, {c.other} / {c.base}"


def _ratio_cell(ratio: Ratio) -> Cell:
    if ratio.ratio is None:
        return Cell(ABSENT, ratio.verdict)
    if ratio.low is None or ratio.high is None:
        return Cell(f"{ratio.ratio:.2f}", ratio.verdict)
    text = interval(ratio.ratio, ratio.low, ratio.high)
    return Cell(text, ratio.verdict, ratio.differs)


def target_table(model: Model) -> Table | None:
    """The figures by target and key type where they are too many for columns; else None."""
    if not model.by_target_and_key or len(model.key_types) < 2 or _by_both(model):
        return None
    slices = model.by_target_and_key
    columns = tuple(_head(head, slices.values()) for head, _, _ in ROWS)
    rows = tuple(
        (slice_name(*both), tuple(Cell(text(f) or ABSENT) for _, text, _ in ROWS))
        for both, f in slices.items()
    )
    return Table(columns, rows, "By target and key type")


def consistency_table(model: Model) -> Table | None:
    """The consistency probes by pair of endpoints, None where there were none."""
    if model.consistency is None or not model.consistency.pairs:
        return None
    columns = (
        "Probes", "Stale", "Longest staleness", "COMMIT to first read p50", "p99", "longest", "Failed",
    )  # fmt: skip
    rows = []
    for (writer, reader), probes in model.consistency.pairs.items():
        read = probes.read_ms
        times = [milliseconds(ms) if read.samples else "—" for ms in (read.p50, read.p99, read.max)]
        texts = (count(probes.made), count(probes.stale), longest(probes), *times, count(probes.failed))
        rows.append((f"{writer} → {reader}", *texts))
    return of_texts(columns, tuple(rows), corner="written → read through")
