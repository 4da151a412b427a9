"""The tables of a sweep: every run, with its settings and figures; what the sweep was."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from loadtest.record.sweep import Axis, Point
from reports.charts.sweep.panels import axis_name, tick
from reports.statistics.certainty import counted_share
from reports.statistics.sweep.measured import Measured
from reports.statistics.sweep.study import Study, setting
from reports.text.rounding import about, between, count, milliseconds, number, seconds
from reports.text.table import Table, of_texts

_ABSENT = "—"
COLUMNS = (
    "throughput (/s)", "conflict rate", "predicted", "retried", "contention costs", "p50", "p99",
    "gave up",
)  # fmt: skip


def points_table(study: Study) -> Table:
    """A row for each run and series, in the order of the axes' values; failed runs say why."""
    several = len(study.series) > 1
    rows, links = [], {}
    for point, name in _ordered(study):
        figures = study.figures[point.number]
        if figures.has_report:
            links[name] = f"{point.folder}/report.html"
        for series, run in figures.series.items():
            rows.append((name, *([series.name] if several else []), *_cells(run)))
    rows += [(p.label, f"failed: {p.reason or 'no reason is known'}") for p in study.sweep.failed]
    columns = ("keys", *COLUMNS) if several else COLUMNS
    return replace(of_texts(columns, tuple(rows), corner="point"), links=links)


def _ordered(study: Study) -> list[tuple[Point, str]]:
    """The points with figures in the order of the axes' values, and their names."""
    axes = (*study.panels, study.axis)

    def position(point: Point) -> list[int]:
        return [*(axis.values.index(point.values[axis.name]) for axis in axes), point.repeat]

    def name(point: Point) -> str:
        text = ", ".join(setting(axis, point.values[axis.name]) for axis in axes)
        return f"{text}, repeat {point.repeat}" if study.sweep.repeats > 1 else text

    return [(p, name(p)) for p in sorted((p for p, _ in study.reported), key=position)]


def _cells(run: Measured) -> tuple[str, ...]:
    band = _ABSENT
    if run.predicted_low is not None and run.predicted_high is not None:
        band = between(run.predicted_low, run.predicted_high)
    return (
        number(run.throughput_tps),
        counted_share(run.conflicts, run.decided) if run.decided else _ABSENT,
        band,
        counted_share(run.retried, run.counted) if run.counted else _ABSENT,
        _ABSENT if run.cost is None else about(run.cost),
        milliseconds(run.p50_ms),
        milliseconds(run.p99_ms),
        count(run.give_ups),
    )


Pairs = tuple[tuple[str, str], ...]


def course(study: Study) -> Pairs:
    """What was swept, how much of it, and when."""
    sweep = study.sweep
    facts = [(axis_name(a.name), ", ".join(_labels(a))) for a in (study.axis, *study.panels)]
    facts.append(("Repeats", count(sweep.repeats)))
    facts.append(("Points", f"{count(len(study.figures))} of {count(len(sweep.points))}"))
    if sweep.started_ns is not None:
        begun = datetime.fromtimestamp(sweep.started_ns / 1e9, UTC)
        facts.append(("Begun", f"{begun:%Y-%m-%d %H:%M:%S} UTC"))
    if sweep.started_ns is not None and sweep.ended_ns is not None:
        facts.append(("Took", seconds((sweep.ended_ns - sweep.started_ns) / 1e9)))
    return tuple(facts)


def _labels(axis: Axis) -> Iterator[str]:
    """The axis's values; attempts without end as the axis of a chart names them."""
    for value, label in zip(axis.values, axis.labels, strict=True):
        yield tick(axis, value) if axis.name == "max_attempts" else label


_DURATIONS = ("duration", "warmup", "block", "think_time", "consistency")


def settings(study: Study) -> Pairs:
    """The options that all points have in common."""
    return tuple(
        (name.replace("_", " "), _value(name, value))
        for name, value in study.sweep.settings.items()
        if value is not None and value not in ("", []) and name not in ("out", "label", "dpu_price")
    )


def _value(name: str, value: object) -> str:
    if name in _DURATIONS and isinstance(value, int | float):
        return seconds(float(value))
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
