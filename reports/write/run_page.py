"""A run's report as one self-contained HTML page."""

from reports.charts import style
from reports.documents.publication import TRUST
from reports.documents.run import contents, regions, tables
from reports.documents.run.contents import Contents
from reports.render.html import render_page
from reports.statistics.model import Model


def render(found: Contents) -> str:
    """The whole report as HTML text: no script, nothing loaded from elsewhere."""
    model = found.model
    return render_page(
        "report.html.j2",
        title=found.title,
        found=found,
        words=contents,
        trust=TRUST,
        conflict_free=not model.overall.conflicts,
        several=model.regions is not None,
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
