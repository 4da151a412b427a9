"""The report of a sweep."""

from collections.abc import Iterator

from reports.charts.sweep.curves import draw_curves
from reports.charts.sweep.law import draw_law
from reports.charts.sweep.maps import draw_maps
from reports.charts.sweep.panels import MOST_PANELS
from reports.documents.document import TRUST, Block, Document, Note, Section
from reports.documents.sweep import tables
from reports.documents.sweep.answer import answer
from reports.documents.sweep.law_table import law_table
from reports.statistics.sweep.predicted import predict_curves
from reports.statistics.sweep.study import Study
from reports.text.table import Facts
from reports.verdicts.rules import attention, sweep_verdicts

_RESULT = "What was found"
_LAW = (
    "Throughput of N users is taken to be λN / (1 + σ(N − 1) + κN(N − 1)): λ is the throughput of one "
    "user, σ what users lose by waiting for one another, κ what each pair of them costs. The law "
    "describes a curve and does not know its cause: a full processor gives σ as well."
)


def sweep_document(study: Study) -> Document:
    """Draw and word everything; links to the points' own pages are relative to the sweep's folder."""
    words, title = answer(study, attention(study)), study.sweep.label or "sweep"
    kicker = ("occbench", "sweep", study.sweep.config.scenario, title)
    return Document(
        title=title,
        kicker=(*kicker, "simulated") if study.simulated else kicker,
        headline=words.headline,
        lede=words.lede,
        sections=tuple(_sections(study)),
        footer="How each figure is computed is in docs/methodology.md; sweep-summary.json beside this "
        "page holds them all, and each point's folder has a report of its own.",
    )


def _sections(study: Study) -> Iterator[Section]:
    maps, curves = draw_maps(study), draw_curves(study, predict_curves(study))
    if maps:
        yield Section(_RESULT, tuple(maps), "maps")
    left_out = len(study.panel_values) - MOST_PANELS
    text = f"{left_out} more combinations are in the table and the heat maps, and not drawn here."
    drawn: tuple[Block, ...] = (text, *curves) if left_out > 0 else tuple(curves)
    yield Section("Curves" if maps else _RESULT, drawn, "curves")
    if (laws := law_table(study)) is not None:
        chart = draw_law(study)
        law: tuple[Block, ...] = (_LAW, laws, *((chart,) if chart else ()))
        yield Section("The universal scalability law", law, "law")
    yield Section(TRUST, tuple(Note(one.state, one.text) for one in sweep_verdicts(study)), "verdicts")
    yield Section("Every point", (tables.points_table(study),), "points")
    facts = (
        Facts("Sweep", tables.course(study)),
        Facts("Settings of all points", tables.settings(study)),
    )
    yield Section("How it was run", tuple(one for one in facts if one.pairs), "settings")
