"""The runs' figures, and their settings, as tables."""

from collections.abc import Callable, Sequence

from reports.analysis.figures import Figures
from reports.documents.run.tables import ABSENT, ROWS, band
from reports.statistics.certainty import unsure_conflict_rate
from reports.statistics.overview import Collection, Row, key_types
from reports.text.rounding import count, number
from reports.text.table import Cell, Table

_TEXTS = {head: text for head, text, _ in ROWS}
_COLUMNS: dict[str, Callable[[Figures], str | None]] = {
    "Conflict rate": _TEXTS["Conflict rate"],
    "Predicted": band,
    "Transactions/s": lambda f: number(f.throughput_tps) if f.throughput_tps else "0",
    "p50": _TEXTS["Latency p50"],
    "p95": _TEXTS["Latency p95"],
    "p99": _TEXTS["Latency p99"],
    "Retried": _TEXTS["Transactions retried"],
    "Gave up": _TEXTS["Gave up"],
    "Failed": lambda f: count(f.failed + f.refused) if f.failed + f.refused else None,
    "Attempts": lambda f: count(f.attempts),
}
_MOST_COLUMNS = 6
"""Settings, or runs, that stand beside one another on a page."""


def figures_table(rows: Sequence[Row]) -> Table:
    """A row for each run and key type; what no run can show has no column."""
    several = len(key_types(tuple(rows))) > 1
    slices = [
        (f"{row.name}, {line.key_type}" if several else row.name, line.figures)
        for row in rows
        for line in row.lines
    ]
    columns = {head: text for head, text in _COLUMNS.items() if any(text(f) for _, f in slices)}
    made = [(head, tuple(_cell(column, f) for column in columns)) for head, f in slices]
    return Table(tuple(columns), tuple(made), corner="Run")


def _cell(column: str, f: Figures) -> Cell:
    """A figure; a conflict rate with its interval where it rests on few conflicts."""
    unsure = unsure_conflict_rate(f) if column == "Conflict rate" and f.decided else ""
    return Cell(_COLUMNS[column](f) or ABSENT, unsure)


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
        cells = [Cell(facts.get(n, ABSENT)) for n in names]
        rows.append((name, (*cells, Cell(run.folder.resolve().name))))
    columns = (*names, "folder")
    if len(rows) <= _MOST_COLUMNS < len(columns):
        turned = tuple((n, tuple(cells[i] for _, cells in rows)) for i, n in enumerate(columns))
        return (Table(tuple(run for run, _ in rows), turned, corner="Setting", words=True),)
    parts = [slice(i, i + _MOST_COLUMNS) for i in range(0, len(columns), _MOST_COLUMNS)]
    return tuple(
        Table(columns[part], tuple((run, c[part]) for run, c in rows), corner="Run", words=True)
        for part in parts
    )
