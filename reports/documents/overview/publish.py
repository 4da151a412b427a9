"""Several runs as a publication: answer, tables, notes and charts in reading order."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl

from reports.charts.draw import SETTINGS, Chart
from reports.charts.overview import figures
from reports.charts.overview.courses import courses
from reports.charts.overview.distribution import distributions
from reports.documents.overview.answer import answer_together
from reports.documents.overview.notes import notes_of
from reports.documents.overview.tables import differing_tables, figures_table
from reports.documents.publication import Publication, Section
from reports.statistics.overview.naming import Collection, collect
from reports.statistics.overview.rows import Row, key_types, rows_of
from reports.statistics.overview.runs import OneRun
from reports.text.table import of_texts

# A run's name is a name, whatever dollar signs are in it.
_SETTINGS: Any = SETTINGS | {"text.parse_math": False}


_MOST_FIRST = 16
"""Rows of the table up to which it stands before the charts: nobody scrolls past more to see them."""


def publish(runs: Sequence[OneRun]) -> Publication:
    """Everything that the report of these runs says."""
    collection = collect(runs)
    rows = rows_of(collection)
    answer = answer_together(collection, rows)
    table = figures_table(rows)
    long = len(table.rows) > _MOST_FIRST
    scenarios = " and ".join(dict.fromkeys(run.run.config.scenario for run in runs))
    simulated = all(run.run.simulated for run in runs)
    return Publication(
        title=f"{len(runs)} runs together",
        kicker=(
            "occbench",
            f"{scenarios}, simulated" if simulated else scenarios,
            f"{len(runs)} runs together",
        ),
        headline=answer.headline,
        lede=answer.lede,
        tables=() if long else (table,),
        notes=tuple(notes_of(collection, rows)),
        charts=tuple(_charts(rows)),
        sections=(*([Section("All figures", tables=(table,))] if long else []), *_settings(collection)),
        name="together",
    )


def _charts(rows: tuple[Row, ...]) -> list[Chart]:
    with mpl.rc_context(_SETTINGS):
        return [
            figures.throughput(rows),
            figures.conflicts(rows),
            figures.latency(rows),
            figures.retries(rows),
            *(chart for chart in (distributions(rows, key_types(rows)), courses(rows)) if chart),
        ]


def _settings(collection: Collection) -> list[Section]:
    """What differs, run by run, and what is alike, once."""
    sections = []
    if tables := differing_tables(collection):
        sections.append(Section("What differs", tables=tables))
    alike = of_texts(("value",), tuple(collection.alike.items()), title="Options")
    found = of_texts(("value",), tuple(collection.found_alike.items()), title="Targets and machine")
    sections.append(Section("What is alike", tables=tuple(t for t in (alike, found) if t.rows)))
    return sections
