"""The runs' figures, and their settings, as tables."""

from collections.abc import Callable, Sequence

from reports.analysis.figures import Figures
from reports.statistics.certainty import conflict_rate, percentile, retry_rate, unsure_conflict_rate
from reports.statistics.overview import Collection, Row, key_types
from reports.text.rounding import between, count, number, percent
from reports.text.table import Cell, Table

_ABSENT = "—"

Column = tuple[str, Callable[[Figures], Cell]]


def _rate(f: Figures) -> Cell:
    """The conflict rate, with its interval where it rests on few conflicts."""
    if f.conflict_rate is None:
        return Cell(_ABSENT)
    return Cell(conflict_rate(f), unsure_conflict_rate(f))


def _band(f: Figures) -> Cell:
    if f.predicted_low is None or f.predicted_high is None:
        return Cell(_ABSENT)
    # A user alone has nobody to conflict with.
    band = between(f.predicted_low, f.predicted_high) if f.predicted_high else percent(0)
    return Cell(band)


COLUMNS: tuple[Column, ...] = (
    ("Conflict rate", _rate),
    ("Predicted", _band),
    ("Transactions/s", lambda f: Cell(number(f.throughput_tps) if f.throughput_tps else "0")),
    ("p50", lambda f: Cell(percentile(f.latency, "p50"))),
    ("p95", lambda f: Cell(percentile(f.latency, "p95"))),
    ("p99", lambda f: Cell(percentile(f.latency, "p99"))),
    ("Retried", lambda f: Cell(_ABSENT if f.retry_rate is None else retry_rate(f))),
    ("Gave up", lambda f: Cell(count(f.give_ups))),
    ("Failed", lambda f: Cell(count(f.failed + f.refused) if f.failed + f.refused else _ABSENT)),
    ("Attempts", lambda f: Cell(count(f.attempts))),
)


def figures_table(rows: Sequence[Row]) -> Table:
    """A row for each run and key type; what no run can show has no column."""
    several = len(key_types(tuple(rows))) > 1
    made = [
        (f"{row.name}, {line.key_type}" if several else row.name,
         [cell(line.figures) for _, cell in COLUMNS])
        for row in rows
        for line in row.lines
    ]  # fmt: skip
    kept = [i for i in range(len(COLUMNS)) if any(cells[i].text != _ABSENT for _, cells in made)]
    return Table(
        columns=tuple(COLUMNS[i][0] for i in kept),
        rows=tuple((head, tuple(cells[i] for i in kept)) for head, cells in made),
        corner="Run",
    )


_MOST_COLUMNS = 6
"""Settings, or runs, that stand beside one another on a page."""


def differing_tables(collection: Collection) -> tuple[Table, ...]:
    """What is not the same in all runs: options first, then what was found.

    A few runs with many differences stand beside one another; of many runs, the differences are
    continued in further tables.
    """
    names = (*collection.differing, *collection.facts_differing)
    if not names:
        return ()
    rows = []
    for run, name in zip(collection.runs, collection.names, strict=True):
        facts = run.facts | run.options
        cells = [Cell(facts.get(n, _ABSENT)) for n in names]
        rows.append((name, (*cells, Cell(run.folder.resolve().name))))
    columns = (*names, "folder")
    if len(columns) <= _MOST_COLUMNS:
        return (Table(columns, tuple(rows), corner="Run", words=True),)
    if len(rows) <= _MOST_COLUMNS:
        lying = tuple((n, tuple(cells[i] for _, cells in rows)) for i, n in enumerate(columns))
        return (Table(tuple(run for run, _ in rows), lying, corner="Setting", words=True),)
    return tuple(
        Table(
            columns[begin : begin + _MOST_COLUMNS],
            tuple((run, cells[begin : begin + _MOST_COLUMNS]) for run, cells in rows),
            corner="Run",
            words=True,
        )
        for begin in range(0, len(columns), _MOST_COLUMNS)
    )
