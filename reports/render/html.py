"""What every page has in common: the template's surroundings, the style sheet, no script."""

import re
from importlib import resources
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from reports.charts import style
from reports.charts.data import ChartData
from reports.text import rounding

_PLAIN = ",;:/()!*'@$?=+"
"""What an address may hold as it is, beside letters and digits."""


def render_page(template: str, **values: Any) -> str:
    """A page as HTML text, self-contained: nothing in it is loaded from elsewhere, and no script runs.

    The template extends `page.html.j2`, which needs `title`.
    """
    environment = Environment(
        loader=PackageLoader("reports.render"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        percent=rounding.percent,
        short=rounding.shortened,
        safe=Markup,
        with_code=with_code,
        csv=csv_address,
    )
    return environment.get_template(template).render(css=_css(), **values)


def _css() -> Markup:
    css = resources.files("reports.render").joinpath("templates/report.css").read_text(encoding="utf-8")
    css = css.replace("/* light */", style.variables(dark=False))
    css = css.replace("/* dark */", style.variables(dark=True))
    css = css.replace("/* charts */", style.exchanges())
    return Markup(css)  # noqa: S704  (the package's own file)


def csv_address(data: ChartData) -> str:
    """A chart's figures as an address that holds them: what a link needs to hand out a CSV file."""
    return f"data:text/csv;charset=utf-8,{quote(data.to_csv(), safe=_PLAIN)}"


def with_code(text: str) -> Markup:
    """A sentence for the page; what stands between backticks is something to type."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped
