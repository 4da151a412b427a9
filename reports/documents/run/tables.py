"""The report's tables: figures as text, row by row."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
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
from reports.text.rounding import between, count, interval, milliseconds, number, percent, seconds
from reports.text.table import Cell, Table, of_texts

Row = tuple[str, Callable[[Figures], str], str | None]


_ABSENT = "—"
"""What a target cannot show, or what there was nothing to count of."""


def _band(f: Figures) -> str:
    if f.predicted_low is None or f.predicted_high is None:
        return _ABSENT
    return between(f.predicted_low, f.predicted_high)


def _nothing(_: Figures) -> str:
    return ""


def _throughput(f: Figures) -> str:
    return _ABSENT if f.throughput_tps is None else throughput(f)


def _function(f: Figures, name: str) -> str:
    """A percentile of a function's own time."""
    duration = f.remote.duration if f.remote else None
    return percentile(duration, name) if duration else _ABSENT


def _own_retries(f: Figures) -> str:
    return percent(f.remote.retry_rate) if f.remote and f.remote.retry_rate is not None else _ABSENT


def _mean_retries(f: Figures) -> str:
    mean = f.remote.retries_mean if f.remote else None
    return _ABSENT if mean is None else number(mean)


def _most_retries(f: Figures) -> str:
    most = f.remote.retries_max if f.remote else None
    return _ABSENT if most is None else count(most)


def _units(f: Figures, name: str) -> str:
    value = getattr(f.capacity, name) if f.capacity else None
    return number(value) if value is not None else _ABSENT


def _dollars(f: Figures) -> str:
    cost = f.capacity.cost_usd_per_million if f.capacity else None
    if cost is None:
        return _ABSENT
    return f"{'at least ' if f.capacity and f.capacity.unsaid else ''}${cost:,.2f}"


ROWS: tuple[Row, ...] = (
    ("Conflict rate", lambda f: conflict_rate(f) if f.decided else _ABSENT, "conflict_rate"),
    ("… predicted", _band, None),
    ("Throughput (transactions/s)", _throughput, "throughput_tps"),
    ("Latency p50", lambda f: percentile(f.latency, "p50"), "latency_p50_ms"),
    ("Latency p95", lambda f: percentile(f.latency, "p95"), None),
    ("Latency p99", lambda f: percentile(f.latency, "p99"), "latency_p99_ms"),
    ("Latency p99.9", lambda f: percentile(f.latency, "p999"), None),
    ("COMMIT p50", lambda f: percentile(f.commit, "p50") if f.commit else _ABSENT, None),
    ("Transactions retried", lambda f: retry_rate(f) if f.counted else _ABSENT, None),
    ("Gave up", lambda f: count(f.give_ups), None),
    ("Failed otherwise", lambda f: count(f.failed) if f.failed else _ABSENT, None),
    ("Committed", lambda f: count(f.committed), None),
)


_REMOTE_ROWS: tuple[Row, ...] = (
    ("Function's own time p50", lambda f: _function(f, "p50"), None),
    ("Function's own time p99", lambda f: _function(f, "p99"), None),
    ("Calls that the function retried", _own_retries, None),
    ("Function's retries a call, mean", _mean_retries, None),
    ("Function's retries a call, most", _most_retries, None),
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
        return _side_by_side(model.key_types, model.comparisons, ROWS)
    if not _by_both(model):
        return _by_target(model, model.regions)
    slices = {slice_name(*both): f for both, f in model.by_target_and_key.items()}
    room = len(slices) + len(model.comparisons) <= _MOST_COLUMNS
    return _side_by_side(slices, model.comparisons if room else [], ROWS)


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
    table = _side_by_side(model.targets, comparisons, ROWS)
    users = [Cell(_users(regions, name)) for name in model.targets]
    users += [Cell("")] * len(comparisons)
    return Table(table.columns, (("Users", tuple(users)), *table.rows))


def _users(regions: Regions, name: str) -> str:
    return count(regions.users[name]) if name in regions.users else _ABSENT


def _head(name: str, slices: Iterable[Figures]) -> str:
    """A row's name; a function retries conflicts by itself, and nobody may take the rest for all."""
    called = any(f.remote is not None for f in slices)
    return "Conflicts the caller saw" if called and name == ROWS[0][0] else name


def _side_by_side(
    slices: Mapping[str, Figures], comparisons: Sequence[Comparison], rows: Sequence[Row]
) -> Table:
    """A column for each slice, then one for each ratio; what no slice can show has no row."""
    columns = [*slices, *(_ratio_name(c) for c in comparisons)]
    found = []
    for head, text, metric in (*rows, *_REMOTE_ROWS):
        unsure = unsure_conflict_rate if metric == ROWS[0][2] else _nothing
        said = one_rounding([text(f) for f in slices.values()])
        cells = [Cell(one, unsure(f)) for one, f in zip(said, slices.values(), strict=True)]
        if all(cell.text == _ABSENT for cell in cells):
            continue
        cells += [_ratio_cell(c.of(metric)) if metric else Cell("") for c in comparisons]
        found.append((_head(head, slices.values()), tuple(cells)))
    return Table(tuple(columns), tuple(found))


def _ratio_name(c: Comparison) -> str:
    return f"{c.other} / {c.base}" if c.target is None else f"{c.target}, {c.other} / {c.base}"


def _ratio_cell(ratio: Ratio) -> Cell:
    if ratio.ratio is None:
        return Cell(_ABSENT, ratio.verdict)
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
        (slice_name(*both), tuple(Cell(text(f)) for _, text, _ in ROWS)) for both, f in slices.items()
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


_PASSWORD = re.compile(r"(://[^:/@\s]*):[^@\s]*@|((?:password|token|secret)=)[^&\s]+", re.IGNORECASE)


def _plain(value: Any) -> str:
    """A setting as text; what looks like a password never reaches the page."""
    if value is None:
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_plain(v) for v in value)
    if isinstance(value, dict):
        return ", ".join(f"{k} {_plain(v)}" for k, v in value.items())
    value = _FILE_IN_URL.sub(r"\1=", str(value))
    return _PASSWORD.sub(lambda m: f"{m[1]}:…@" if m[1] is not None else f"{m[2]}…", value)


Pairs = tuple[tuple[str, str], ...]


_UNITS: dict[str, Callable[[float], str]] = {
    **dict.fromkeys(("duration", "warmup", "block", "consistency"), seconds),
    "think_time": lambda value: seconds(value) if value else "none",
    "rate": lambda value: f"{value:,.10g} transactions/s",
    "spawn_rate": lambda value: f"{value:,.10g} users/s",
    "dpu_price": lambda value: f"{value:,.10g} USD a million DPU",
}
"""Setting → how its number is said."""
_BY_SUFFIX: dict[str, Callable[[float], str]] = {
    "_ms": lambda value: seconds(value / 1000) if value else "none",
    "_gb": lambda value: f"{value:,.10g} GB",
}
"""End of a name that is the number's unit → how the number is said without it."""


def _setting(name: str, value: Any) -> tuple[str, str]:
    """A setting's or fact's name and value as a reader takes them, numbers with their unit."""
    said = _UNITS.get(name)
    for suffix, of_suffix in _BY_SUFFIX.items():
        if name.endswith(suffix):
            name, said = name.removesuffix(suffix), of_suffix
    number_given = isinstance(value, int | float) and not isinstance(value, bool)
    return name.replace("_", " "), said(value) if said and number_given else _plain(value)


def settings(model: Model) -> Pairs:
    """Every setting of the run that has a value, with its unit; targets one a line, with their names.

    Pages are published: where the machine keeps its files is left out.
    """
    given = {
        name: Path(value).name if name in _FILES and isinstance(value, str) else value
        for name, value in model.run.settings.items()
        if name not in _PLACES and value not in (None, "", [], {})
    }
    found = []
    if "target" in given:
        found.append(("targets", _targets(model, given.pop("target"))))
    if not any(t.family in ("dsql", "dsql-cluster") for t in model.run.targets):
        given.pop("dpu_price", None)
    return (*found, *(_setting(name, value) for name, value in given.items()))


_PLACES = ("out",)
"""Settings that say where on the machine something is, and nothing else."""
_FILES = ("keys_from", "sslrootcert")
"""Settings that are files, of which the name is enough."""
_FILE_IN_URL = re.compile(r"\b(sslrootcert|sslcert|sslkey|keys_from)=[^&\s]*(?:/|%2F)", re.IGNORECASE)


def _targets(model: Model, given: Any) -> str:
    """What stood behind each `--target`; what is called after its URL has no name before it."""
    urls = [_plain(url) for url in given] if isinstance(given, list | tuple) else [_plain(given)]
    if len(urls) == len(model.run.targets):
        named = zip(model.run.targets, urls, strict=True)
        urls = [url if t.name in (t.host, t.family) else f"{t.name}={url}" for t, url in named]
    return "\n".join(urls)


def environment(model: Model) -> Pairs:
    """Machine and versions."""
    run = model.run
    found = [_setting(name, value) for name, value in run.machine if value is not None]
    found += [(name, _plain(value)) for name, value in run.versions.items()]
    return tuple(found)


def target_facts(model: Model) -> tuple[tuple[str, Pairs], ...]:
    """What each target said of itself."""
    return tuple(
        (
            t.name,
            tuple(
                _setting(name, value)
                for name, value in t.model_dump(exclude={"name", "place", "data"}).items()
                if value is not None
            ),
        )
        for t in model.run.targets
    )


def course(model: Model) -> Pairs:
    """When the run was, and how much of it there is."""
    run = model.run
    found = []
    # The clock of a simulation says nothing.
    if run.started_ns and not run.simulated:
        begin = datetime.fromtimestamp(run.started_ns / 1e9, tz=UTC)
        found.append(("started", f"{begin:%Y-%m-%d %H:%M:%S} UTC"))
    found += [
        ("warm-up (not in any figure)", seconds(model.warmup_s)),
        ("measured", f"{seconds(model.measured_s)} in {count(model.blocks)} blocks"),
        ("attempts", count(model.overall.attempts)),
        ("transactions ended", count(model.overall.transactions)),
        ("transactions unfinished", count(model.overall.unfinished)),
    ]
    for (outcome, state), attempts in model.sqlstates.items():
        found.append((f"{outcome.replace('_', ' ')}, SQLSTATE {state}", count(attempts)))
    return tuple(found)
