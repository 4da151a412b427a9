"""Several runs as one self-contained HTML page."""

from reports.html import render_page
from reports.publication import Publication


def render(publication: Publication) -> str:
    """The page as HTML text."""
    wide = ("together-distribution", "together-courses")
    return render_page("together.html.j2", title=publication.title, p=publication, wide=wide)
