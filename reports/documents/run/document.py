"""The report of a run."""

from collections.abc import Iterator
from dataclasses import replace

from reports.analysis.consistency import reading
from reports.charts import style
from reports.charts.figure import Chart
from reports.charts.run import draw_all, draw_ratios, draw_target_ratios, draw_targets
from reports.documents.document import TRUST, Block, Document, Note, Section
from reports.documents.run import facts, regions, tables
from reports.documents.run.answer import answer
from reports.documents.run.service import service_section
from reports.statistics.model import Model
from reports.statistics.service import Service
from reports.text.table import Facts, Table
from reports.verdicts.rules import verdicts

NO_CONFLICT = (
    "No attempt conflicted, so there is nothing to draw of retries after conflicts or of hot accounts."
)
_MOST_COLUMNS = 3
"""Columns of a table that leave room for a chart beside it."""


def run_document(model: Model, service: Service | None = None) -> Document:
    """Draw and say all of it; what the run has nothing of has no section."""
    words = answer(model)
    scenario, title = model.run.config.scenario, model.run.label or "run"
    return Document(
        title=title,
        kicker=("occbench", f"{scenario}, simulated" if model.run.simulated else scenario, title),
        headline=words.headline,
        lede=words.lede,
        sections=tuple(_sections(model, service)),
        footer="How each figure is computed is in docs/methodology.md; summary.json beside this page "
        "holds them all.",
    )


def _sections(model: Model, service: Service | None) -> Iterator[Section]:
    by_target, ratios = tables.region_table(model), draw_ratios(model)
    target_ratios = draw_target_ratios(model)
    if ratios is None and by_target is None:
        # The targets are in the first table: what compares them stands beside it.
        ratios, target_ratios = target_ratios, None
    yield replace(_compared(model, tables.answer_table(model), ratios), name="result")
    notes = (Note(verdict.state, verdict.text) for verdict in verdicts(model, service))
    yield Section(TRUST, tuple(notes), "verdicts")
    course = (*draw_all(model), *(() if model.overall.conflicts else (NO_CONFLICT,)))
    if course:
        yield Section("What happened", course, "charts")
    if model.regions is not None:
        yield Section("By target", tuple(_targets(model, by_target, target_ratios)), "targets")
    if (table := tables.consistency_table(model)) is not None and model.consistency is not None:
        probes = (reading(model.consistency), table)
        yield Section("Consistency between endpoints", probes, "consistency")
    if service is not None:
        yield service_section(service)
    lists = (
        Facts("Run", facts.course(model)),
        Facts("Settings", facts.settings(model)),
        *(Facts(f"Target {name}", pairs) for name, pairs in facts.target_facts(model)),
        Facts("Machine and versions", facts.environment(model)),
    )
    yield Section("How it was run", tuple(one for one in lists if one.pairs), "settings")


def _compared(model: Model, table: Table, ratios: Chart | None) -> Section:
    """A table with the chart of its ratios, its columns in their colours."""
    blocks = (replace(table, colours=_colours(model)), *((ratios,) if ratios else ()))
    beside = ratios is not None and len(table.columns) <= _MOST_COLUMNS
    return Section("", blocks, side_by_side=beside)


def _colours(model: Model) -> dict[str, str]:
    """By column; a target's own colour wins where there are several."""
    colours = {name: style.look(name).colour.variable for name in model.key_types}
    if model.regions is not None:
        for target, look in style.target_looks(model.targets).items():
            of_slices = (tables.slice_name(target, key) for key in model.key_types)
            colours |= dict.fromkeys((target, *of_slices), look.colour.variable)
    return colours


def _targets(model: Model, table: Table | None, ratios: Chart | None) -> Iterator[Block]:
    yield regions.relation(model)
    if table is not None:
        yield _compared(model, table, ratios)
    elif ratios is not None:
        yield ratios
    yield from draw_targets(model)
    if (matrix := regions.matrix(model)) is not None:
        yield Section("", (matrix,), "conflict-matrix")
    if (by_both := tables.target_table(model)) is not None:
        yield by_both
