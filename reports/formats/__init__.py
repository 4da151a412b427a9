"""A publication in formats other than the page: Markdown, PDF, and each chart as a picture.

`write` is all that others need. What draws is imported only when something is drawn.
"""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from loadtest.errors import OccbenchError
from reports.formats.names import FORMATS, parse_formats

if TYPE_CHECKING:
    from reports.publication import Publication

CHARTS = "charts"
"""The folder of pictures, beside the document that shows them."""


def write(publication: "Publication", formats: Collection[str], folder: Path) -> list[Path]:
    """Write the publication into the folder, once for each format; returns the files, documents first.

    `md` is `<name>.md` with PNG pictures in `charts/`, `pdf` is `<name>.pdf`, `png` and `svg` are
    pictures in `charts/`. `html` is left to whoever has the page.

    Raises:
        OccbenchError: if a file cannot be written.
    """
    from reports.formats.document import write_document
    from reports.formats.markdown import to_markdown
    from reports.formats.slide import write_slide

    pictures = {kind for kind in ("png", "svg") if kind in formats}
    if "md" in formats:
        pictures.add("png")
    charts = publication.every_chart
    documents: list[Path] = []
    drawn: list[Path] = []
    source = " / ".join(publication.kicker)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if "md" in formats:
            path = folder / f"{publication.name}.md"
            text = to_markdown(publication, lambda chart: f"{CHARTS}/{chart.name}.png")
            path.write_text(text, encoding="utf-8")
            documents.append(path)
        if "pdf" in formats:
            path = folder / f"{publication.name}.pdf"
            write_document(publication, path)
            documents.append(path)
        if pictures and charts:
            (folder / CHARTS).mkdir(exist_ok=True)
        for kind in sorted(pictures):
            for chart in charts:
                path = folder / CHARTS / f"{chart.name}.{kind}"
                write_slide(chart, source, "png" if kind == "png" else "svg", path)
                drawn.append(path)
    except OSError as error:
        raise OccbenchError(f"cannot write into {folder}: {error.strerror}") from error
    return documents + drawn


__all__ = ["CHARTS", "FORMATS", "parse_formats", "write"]
