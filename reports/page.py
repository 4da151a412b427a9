"""The model as one self-contained HTML page."""

from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports import style, tables
from reports.answer import answer
from reports.charts import draw_all, draw_ratios
from reports.model import Model
from reports.verdicts import verdicts


def render(model: Model) -> str:
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
        targets=tables.target_table(model),
        course=tables.course(model),
        settings=tables.settings(model),
        target_facts=tables.target_facts(model),
        environment=tables.environment(model),
        keys=[(name, style.look(name).css) for name in model.key_types],
        safe=Markup,
    )
