"""The report of several runs."""

from collections.abc import Iterator, Sequence

from reports.charts.figure import chart_settings
from reports.charts.overview import figures
from reports.charts.overview.courses import courses
from reports.charts.overview.distribution import distributions
from reports.documents.document import TRUST, Document, Section
from reports.documents.overview.answer import answer_together
from reports.documents.overview.notes import notes_of
from reports.documents.overview.tables import differing_tables, figures_table
from reports.statistics.overview import Collection, OneRun, Row, collect, key_types, rows_of
from reports.text.table import Facts

_MOST_FIRST = 16
"""Rows of the table up to which it stands before the charts: a longer one hides them."""


def overview_document(runs: Sequence[OneRun]) -> Document:
    """Everything that the report of these runs says."""
    collection = collect(runs)
    rows = rows_of(collection)
    answer = answer_together(collection, rows)
    scenarios = " and ".join(dict.fromkeys(run.run.config.scenario for run in runs))
    simulated = ", simulated" if all(run.run.simulated for run in runs) else ""
    title = f"{len(runs)} runs together"
    return Document(
        title=title,
        kicker=("occbench", f"{scenarios}{simulated}", title),
        headline=answer.headline,
        lede=answer.lede,
        sections=tuple(_sections(collection, rows)),
        footer="How each figure is computed is in docs/methodology.md; each run's folder has a report "
        "of its own.",
    )


def _sections(collection: Collection, rows: tuple[Row, ...]) -> Iterator[Section]:
    table = figures_table(rows)
    long = len(table.rows) > _MOST_FIRST
    if not long:
        yield Section("", (table,), "result")
    yield Section(TRUST, tuple(notes_of(collection, rows)), "verdicts")
    with chart_settings():
        charts = (
            figures.throughput(rows), figures.conflicts(rows), figures.latency(rows),
            figures.retries(rows), distributions(rows, key_types(rows)), courses(rows),
        )  # fmt: skip
    yield Section("Run by run", tuple(chart for chart in charts if chart is not None), "charts")
    if long:
        yield Section("All figures", (table,), "figures")
    if tables := differing_tables(collection):
        yield Section("What differs", tables, "differing")
    facts = (
        Facts("Options", tuple(collection.alike.items())),
        Facts("Targets and machine", tuple(collection.facts_alike.items())),
    )
    yield Section("What is alike", tuple(one for one in facts if one.pairs), "settings")
