"""Everything that a sweep's report says and shows, and the same as a publication."""

from dataclasses import dataclass

from reports.charts.draw import Chart
from reports.charts.sweep.curves import draw_curves
from reports.charts.sweep.heat import draw_maps
from reports.charts.sweep.law import draw_law
from reports.documents.publication import Note, Publication, Section
from reports.documents.sweep import tables
from reports.documents.sweep.answer import Answer, answer
from reports.documents.sweep.law_table import law_table
from reports.statistics.sweep.predicted import predict_curves
from reports.statistics.sweep.study import Study
from reports.text.table import Table
from reports.text.verdict import Verdict
from reports.verdicts.rules import attention, sweep_verdicts


@dataclass(frozen=True, slots=True)
class Content:
    """Everything that the page and the publication show."""

    answer: Answer
    verdicts: list[Verdict]
    curves: list[Chart]
    maps: list[Chart]
    law: Chart | None
    laws: Table | None
    points: Table


def content_of(study: Study) -> Content:
    """Draw and word everything."""
    return Content(
        answer=answer(study, attention(study)),
        verdicts=sweep_verdicts(study),
        curves=draw_curves(study, predict_curves(study)),
        maps=draw_maps(study),
        law=draw_law(study),
        laws=law_table(study),
        points=tables.points_table(study),
    )


def publication_of(study: Study) -> Publication:
    """The same content for documents and slides."""
    content = content_of(study)
    law = Section(
        "The universal scalability law",
        tables=(content.laws,) if content.laws else (),
        charts=(content.law,) if content.law else (),
    )
    points = Section("Every point", tables=(content.points,))
    return Publication(
        title=study.sweep.label or "sweep",
        kicker=("occbench", "sweep", study.sweep.config.scenario, study.sweep.label),
        headline=content.answer.headline,
        lede=content.answer.lede,
        charts=(*content.maps, *content.curves),
        notes=tuple(Note(one.state, one.text) for one in content.verdicts),
        sections=tuple(section for section in (law, points) if section.charts or section.tables),
    )
