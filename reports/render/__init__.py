"""A publication in formats other than the page: Markdown, PDF, and each chart as a picture.

`write` is all that others need. What draws is imported only when something is drawn.
"""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from loadtest.errors import OccbenchError
from loadtest.record.files import write_atomically
from reports.render.names import FORMATS, parse_formats

if TYPE_CHECKING:
    from reports.documents.publication import Publication

CHARTS = "charts"
"""The folder of a report's pictures, beside the document that shows them."""
_REPORT = "report"


def pictures_of(name: str) -> str:
    """The folder of the pictures of the document of that name: no two documents share one."""
    return CHARTS if name == _REPORT else f"{name}-{CHARTS}"


def write(publication: "Publication", formats: Collection[str], folder: Path) -> list[Path]:
    """Write the publication into the folder, once for each format; returns the files, documents first.

    `md` is `<name>.md` with PNG pictures, `pdf` is `<name>.pdf`, `png` and `svg` are pictures; these
    stand in the folder that `pictures_of` gives. Each file is replaced as a whole.
    `html` is left to whoever has the page.

    Raises:
        OccbenchError: if a file cannot be written.
    """
    from reports.render.document import write_document
    from reports.render.markdown import to_markdown
    from reports.render.slide import write_slide

    pictures = {kind for kind in ("png", "svg") if kind in formats}
    if "md" in formats:
        pictures.add("png")
    charts = publication.every_chart
    into = pictures_of(publication.name)
    documents: list[Path] = []
    drawn: list[Path] = []
    source = " / ".join(publication.kicker)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if "md" in formats:
            path = folder / f"{publication.name}.md"
            address = quote(into)
            text = to_markdown(publication, lambda chart: f"{address}/{chart.name}.png")
            write_atomically(path, text)
            documents.append(path)
        if "pdf" in formats:
            path = folder / f"{publication.name}.pdf"
            write_document(publication, path)
            documents.append(path)
        if pictures and charts:
            (folder / into).mkdir(exist_ok=True)
        for kind in sorted(pictures):
            for chart in charts:
                path = folder / into / f"{chart.name}.{kind}"
                write_slide(chart, source, "png" if kind == "png" else "svg", path)
                drawn.append(path)
    except OSError as error:
        raise OccbenchError(f"cannot write into {folder}: {error.strerror}") from error
    return documents + drawn


__all__ = ["CHARTS", "FORMATS", "parse_formats", "pictures_of", "write"]
