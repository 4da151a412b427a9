"""The model as one self-contained HTML page."""

from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports import regions, style, tables
from reports.answer import answer
from reports.charts import draw_all, draw_ratios, draw_target_ratios, draw_targets
from reports.consistency import reading
from reports.model import Model
from reports.service import Service
from reports.service_section import section
from reports.verdicts import verdicts


def render(model: Model, service: Service | None = None) -> str:
    """The whole report as HTML text: no script, nothing loaded from elsewhere."""
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    css = resources.files("reports").joinpath("templates/report.css").read_text(encoding="utf-8")
    css = css.replace("/* light */", style.variables(dark=False))
    css = css.replace("/* dark */", style.variables(dark=True))
    return environment.get_template("report.html.j2").render(
        css=Markup(css),  # noqa: S704  (the package's own file)
        title=model.run.label or "run",
        scenario=model.run.config.scenario,
        answer=answer(model),
        table=tables.answer_table(model),
        ratios=draw_ratios(model),
        verdicts=verdicts(model),
        charts=draw_all(model),
        conflict_free=not model.overall.conflicts,
        relation=regions.relation(model),
        regions=tables.region_table(model),
        region_ratios=draw_target_ratios(model),
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
        keys=[(name, style.look(name).css) for name in model.key_types],
        places=[(name, style.target_look(i).css) for i, name in enumerate(model.targets)],
        percent=style.percent,
        short=style.shortened,
        name_room=regions.NAME_ROOM,
        safe=Markup,
    )
