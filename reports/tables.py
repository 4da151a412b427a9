"""The report's tables: figures as text, row by row."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reports.figures import Figures
from reports.model import Model
from reports.pairs import Ratio
from reports.style import between, count, interval, milliseconds, number, percent, seconds

Row = tuple[str, Callable[[Figures], str], str | None]


def _band(f: Figures) -> str:
    if f.predicted_low is None or f.predicted_high is None:
        return "—"
    return between(f.predicted_low, f.predicted_high)


def _share(value: float | None) -> str:
    return "—" if value is None else percent(value)


def _maybe(value: float | None) -> str:
    return "—" if value is None else number(value)


ROWS: tuple[Row, ...] = (
    ("Conflict rate", lambda f: _share(f.conflict_rate), "conflict_rate"),
    ("… predicted", _band, None),
    ("Throughput (transactions/s)", lambda f: _maybe(f.throughput_tps), "throughput_tps"),
    ("Latency p50", lambda f: milliseconds(f.latency.p50), "latency_p50_ms"),
    ("Latency p95", lambda f: milliseconds(f.latency.p95), None),
    ("Latency p99", lambda f: milliseconds(f.latency.p99), "latency_p99_ms"),
    ("Latency p99.9", lambda f: milliseconds(f.latency.p999), None),
    ("COMMIT p50", lambda f: milliseconds(f.commit.p50), None),
    ("Transactions retried", lambda f: _share(f.retry_rate), None),
    ("Gave up", lambda f: count(f.give_ups), None),
    ("Committed", lambda f: count(f.committed), None),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A table's cell; `differs` marks a ratio whose interval leaves 1 out."""

    text: str
    note: str = ""
    differs: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Column heads, and rows of a head and cells."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


def answer_table(model: Model) -> Table:
    """Key types side by side, with each comparison's ratio and interval."""
    columns = [*model.key_types, *(f"{c.other} / {c.base}" for c in model.comparisons)]
    rows = []
    for head, text, metric in ROWS:
        cells = [Cell(text(f)) for f in model.key_types.values()]
        cells += [_ratio_cell(c.of(metric)) if metric else Cell("") for c in model.comparisons]
        rows.append((head, tuple(cells)))
    return Table(tuple(columns), tuple(rows))


def _ratio_cell(ratio: Ratio) -> Cell:
    if ratio.ratio is None:
        return Cell("—", ratio.verdict)
    if ratio.low is None or ratio.high is None:
        return Cell(f"{ratio.ratio:.2f}", ratio.verdict)
    text = interval(ratio.ratio, ratio.low, ratio.high)
    return Cell(text, ratio.verdict, ratio.differs)


def target_table(model: Model) -> Table | None:
    """The figures by target and key type, None where there is one target."""
    if not model.by_target_and_key:
        return None
    columns = tuple(head for head, _, _ in ROWS)
    rows = tuple(
        (f"{target}, {key_type}", tuple(Cell(text(f)) for _, text, _ in ROWS))
        for (target, key_type), f in model.by_target_and_key.items()
    )
    return Table(columns, rows)


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
    return _PASSWORD.sub(lambda m: f"{m[1]}:…@" if m[1] is not None else f"{m[2]}…", str(value))


Pairs = tuple[tuple[str, str], ...]


def settings(model: Model) -> Pairs:
    """Every setting of the run, as it was given."""
    return tuple((name.replace("_", " "), _plain(value)) for name, value in model.run.settings.items())


def environment(model: Model) -> Pairs:
    """Machine and versions."""
    run = model.run
    found = [(name.replace("_", " "), _plain(value)) for name, value in run.machine.items()]
    found += [(name, _plain(value)) for name, value in run.versions.items()]
    return tuple(found)


def target_facts(model: Model) -> tuple[tuple[str, Pairs], ...]:
    """What each target said of itself."""
    return tuple(
        (
            t.name,
            tuple(
                (name.replace("_", " "), _plain(value))
                for name, value in t.model_dump(exclude={"name"}).items()
                if value is not None
            ),
        )
        for t in model.run.targets
    )


def course(model: Model) -> Pairs:
    """When the run was, and how much of it there is."""
    run = model.run
    found = []
    if run.started_ns:
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
