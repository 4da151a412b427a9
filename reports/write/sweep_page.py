"""A sweep as one self-contained HTML page, and as a publication for the other formats."""

from reports.charts.sweep.panels import MOST_PANELS
from reports.documents.sweep import tables
from reports.documents.sweep.contents import content_of
from reports.render.html import render_page
from reports.statistics.sweep.study import Study


def render(study: Study) -> str:
    """The page as HTML text: no script, nothing loaded from elsewhere.

    Links to the points' own pages are relative to the sweep's folder.
    """
    content = content_of(study)
    panels = len(study.panel_values)
    return render_page(
        "sweep.html.j2",
        title=study.sweep.label or "sweep",
        scenario=study.sweep.config.scenario,
        simulated=study.simulated,
        answer=content.answer,
        verdicts=content.verdicts,
        curves=content.curves,
        wide=panels > 1,
        left_out=max(0, panels - MOST_PANELS),
        maps=content.maps,
        law=content.law,
        laws=content.laws,
        columns=content.points.columns,
        corner=content.points.corner,
        points=list(tables.point_rows(study)),
        failed=[(point.label, point.reason or "no reason is known") for point in study.sweep.failed],
        course=tables.course(study),
        settings=tables.settings(study),
    )
