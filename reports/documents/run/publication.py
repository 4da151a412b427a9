"""A run's report as a publication: the page's content, in the page's order."""

from collections.abc import Iterator
from dataclasses import replace

from reports.documents.publication import Note, Publication, Section
from reports.documents.run import contents
from reports.documents.run.contents import Contents
from reports.documents.run.regions import Matrix
from reports.documents.run.tables import Pairs
from reports.text.rounding import count, percent
from reports.text.table import Cell, Table, of_texts


def publication_of(found: Contents) -> Publication:
    """Everything that the page says and shows."""
    notes = tuple(Note(verdict.state, verdict.text) for verdict in found.verdicts)
    return Publication(
        title=found.title,
        kicker=found.kicker,
        headline=found.answer.headline,
        lede=found.answer.lede,
        tables=(found.table,),
        notes=notes,
        charts=() if found.ratios is None else (found.ratios,),
        sections=tuple(_sections(found)),
    )


def _sections(found: Contents) -> Iterator[Section]:
    lede = "" if found.model.overall.conflicts else contents.NO_CONFLICT
    if found.charts or lede:
        yield Section(contents.COURSE, lede, charts=tuple(found.charts))
    if found.model.regions is not None:
        yield _targets(found)
    if found.consistency_table is not None:
        table = replace(found.consistency_table, corner="written → read through")
        yield Section(contents.CONSISTENCY, found.consistency_reading, tables=(table,))
    if found.service is not None:
        lede = "\n".join([*found.service.lines, found.service.price])
        counted = tuple(
            replace(table, title=heading if first else "")
            for heading, *pair in found.service.clusters
            for first, table in zip((True, False), pair, strict=True)
            if table is not None
        )
        yield Section(contents.SERVICE, lede, tables=counted)
    yield Section(contents.SETTINGS, tables=tuple(_facts(*fact) for fact in found.facts if fact[1]))


def _targets(found: Contents) -> Section:
    tables = [] if found.region_table is None else [found.region_table]
    if found.target_table is not None:
        tables.append(replace(found.target_table, title=contents.BY_BOTH))
    if found.matrix is not None:
        tables.append(_matrix(found.matrix))
    charts = [] if found.region_ratios is None else [found.region_ratios]
    return Section(contents.TARGETS, found.relation, tuple(tables), (), (*charts, *found.region_charts))


def _facts(heading: str, pairs: Pairs) -> Table:
    """Names and values, as a table without heads."""
    return of_texts(("",), pairs, title=heading)


def _matrix(matrix: Matrix) -> Table:
    rows = []
    for failed, cells in matrix.rows:
        made = []
        for cell in cells:
            if cell.expected is None:
                made.append(Cell("—"))
                continue
            share = "" if cell.share is None else f"{percent(cell.share)}, "
            note = f"{share}expected {percent(cell.expected)}" if share else ""
            made.append(Cell(count(cell.conflicts), note))
        rows.append((failed, tuple(made)))
    columns = tuple(f"lost to {name}" for name in matrix.names)
    return Table(columns, tuple(rows), contents.MATRIX, matrix.reading, "attempt on")
