"""Several runs as one self-contained HTML page."""

from reports.documents.publication import Publication
from reports.render.html import render_page


def render(publication: Publication) -> str:
    """The page as HTML text."""
    wide = ("together-distribution", "together-courses")
    return render_page("together.html.j2", title=publication.title, p=publication, wide=wide)
