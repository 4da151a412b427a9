"""A document as one HTML page: self-contained, nothing loaded from elsewhere, no script."""

import re
from importlib import resources
from itertools import groupby
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from reports.charts import style
from reports.charts.figure import Chart, ChartData, to_svg
from reports.documents.document import Block, Document
from reports.text.table import Cell, Table

_PLAIN = ",;:/()!*'@$?=+"
"""What an address may hold as it is, beside letters and digits."""
_MOST_COLUMNS = 3
"""Columns of a table that a narrow screen has room for; of more, each row is a small table there."""
_SHADES = 20
"""Steps of a cell's ground; a page has no style but its style sheet."""


def to_html(document: Document) -> str:
    """The page as HTML text."""
    environment = Environment(
        loader=PackageLoader("reports.render"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        svg=_svg,
        with_code=_with_code,
        csv=_csv_address,
        grouped=_grouped,
        classes=_table_classes,
        cell_classes=_cell_classes,
        span=_span,
    )
    return environment.get_template("document.html.j2").render(document=document, css=_css())


def _svg(chart: Chart) -> Markup:
    return Markup(to_svg(chart))  # noqa: S704  (its texts are escaped)


def _css() -> Markup:
    css = resources.files("reports.render").joinpath("templates/document.css").read_text("utf-8")
    css = css.replace("/* light */", style.variables(dark=False))
    css = css.replace("/* dark */", style.variables(dark=True))
    css = css.replace("/* charts */", style.exchanges())
    dots = (f".of{c.variable} {{ background: var({c.variable}); }}" for c in style.COLOURS)
    mixed = "background: color-mix(in srgb, var(--part-2) {share:g}%, transparent);"
    shades = (
        f".shade-{step} {{ {mixed.format(share=60 * step / _SHADES)} }}"
        for step in range(1, _SHADES + 1)
    )
    css = css.replace("/* grounds */", "\n".join((*dots, *shades)))
    return Markup(css)  # noqa: S704  (the package's own file)


def _grouped(blocks: tuple[Block, ...]) -> list[tuple[str, list[Any]]]:
    """What follows on its own kind is laid out together: (name of the class, blocks)."""
    return [(kind.__name__, list(some)) for kind, some in groupby(blocks, type)]


def _table_classes(table: Table) -> str:
    shaded = any(cell.shade is not None for _, cells in table.rows for cell in cells)
    if shaded:
        return "shades"
    cards = table.words or len(table.columns) > _MOST_COLUMNS
    narrow = len(table.columns) > 2 * _MOST_COLUMNS
    given = {"words": table.words, "cards": cards, "many": narrow, "named": bool(table.corner)}
    return " ".join(name for name, holds in given.items() if holds)


def _span(table: Table, cells: tuple[Cell, ...], index: int) -> int:
    """Columns that a cell goes over: the last one those that are left."""
    return len(table.columns) - index if index == len(cells) - 1 else 1


def _cell_classes(cell: Cell, span: int) -> str:
    given = {"differs": cell.differs, "words": span > 1, cell.state: bool(cell.state)}
    if cell.shade:
        given[f"shade-{max(1, round(_SHADES * cell.shade))}"] = True
    return " ".join(name for name, holds in given.items() if holds)


def _csv_address(data: ChartData) -> str:
    """A chart's figures as an address that holds them: what a link needs to hand out a CSV file."""
    return f"data:text/csv;charset=utf-8,{quote(data.to_csv(), safe=_PLAIN)}"


def _with_code(text: str) -> Markup:
    """A sentence for the page; what stands between backticks is something to type."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped
