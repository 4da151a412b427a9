"""The model as one self-contained HTML page."""

from reports import regions, style, tables
from reports.answer import answer
from reports.charts import draw_all, draw_ratios, draw_target_ratios, draw_targets
from reports.consistency import reading
from reports.html import render_page
from reports.model import Model
from reports.service import Service
from reports.service_section import section
from reports.verdicts import verdicts


def render(model: Model, service: Service | None = None) -> str:
    """The whole report as HTML text: no script, nothing loaded from elsewhere."""
    region_table, ratios, region_ratios = (
        tables.region_table(model),
        draw_ratios(model),
        draw_target_ratios(model),
    )
    if ratios is None and region_table is None:
        # The targets are in the first table: what compares them stands beside it.
        ratios, region_ratios = region_ratios, None
    return render_page(
        "report.html.j2",
        title=model.run.label or "run",
        scenario=model.run.config.scenario,
        answer=answer(model),
        table=tables.answer_table(model),
        ratios=ratios,
        verdicts=verdicts(model, service),
        charts=draw_all(model),
        conflict_free=not model.overall.conflicts,
        relation=regions.relation(model),
        regions=region_table,
        several=model.regions is not None,
        region_ratios=region_ratios,
        region_charts=draw_targets(model),
        matrix=regions.matrix(model),
        targets=tables.target_table(model),
        consistency=tables.consistency_table(model),
        consistency_reading=reading(model.consistency) if model.consistency else "",
        service=section(service),
        course=tables.course(model),
        settings=tables.settings(model),
        target_facts=tables.target_facts(model),
        environment=tables.environment(model),
        dots=_dots(model),
        name_room=regions.NAME_ROOM,
    )


def _dots(model: Model) -> list[tuple[str, str]]:
    """(column's name, its colour's variable): a target's own colour wins where there are several."""
    dots = [(name, style.look(name).css) for name in model.key_types]
    if model.regions is None:
        return dots
    for place, target in enumerate(model.targets):
        css = style.target_look(place).css
        dots.append((target, css))
        dots += [(tables.slice_name(target, key), css) for key in model.key_types]
    return dots
