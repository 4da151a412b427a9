"""A document as files: HTML, Markdown, PDF, and each chart as a picture.

`write` is all that others need. What draws is imported only when something is drawn.
"""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from loadtest.errors import InputError, OccbenchError
from loadtest.errors.messages import quoted
from loadtest.errors.typed import words_of
from loadtest.record.files import write_atomically

if TYPE_CHECKING:
    from reports.documents.document import Document

FORMATS = ("html", "md", "pdf", "png", "svg")
"""What a report can be written as; `html` is the page, which has a template of its own."""
CHARTS = "charts"
"""The folder of a report's pictures, beside the document that shows them."""
REPORT = "report"
"""What the files of a report are called that has a folder to itself."""
_PICTURES: tuple[Literal["png", "svg"], ...] = ("png", "svg")


def parse_formats(text: str) -> tuple[str, ...]:
    """A list of formats from its commas, each once, in the order of `FORMATS`.

    Raises:
        InputError: if one is not known, or there is none.
    """
    asked = words_of(text.lower())
    for word in asked:
        if word not in FORMATS:
            raise InputError(
                f"--format {text}: there is no {quoted(word)}; there are {', '.join(FORMATS)}"
            )
    if not asked:
        raise InputError(f"--format is empty; give one or more of {', '.join(FORMATS)}")
    return tuple(name for name in FORMATS if name in asked)


def pictures_of(name: str) -> str:
    """The folder of the pictures of the document of that name: no two documents share one."""
    return CHARTS if name == REPORT else f"{name}-{CHARTS}"


def write(
    document: "Document",
    formats: Collection[str],
    folder: Path,
    name: str = REPORT,
    page: str | None = None,
) -> list[Path]:
    """Write the document into the folder, once for each format; returns the files, documents first.

    `html`, `md` and `pdf` are files of that `name`; `page` is the whole name of the first where it has
    another. Markdown has PNG pictures. `png` and `svg` are pictures, which stand in the folder that
    `pictures_of` gives. Each file is replaced as a whole.

    Raises:
        OccbenchError: if a file cannot be written.
    """
    from reports.render.html import to_html
    from reports.render.markdown import to_markdown

    into = pictures_of(name)
    files: dict[str, str | bytes] = {}
    if "html" in formats:
        files[page or f"{name}.html"] = to_html(document)
    if "md" in formats:
        files[f"{name}.md"] = to_markdown(document, lambda chart: f"{quote(into)}/{chart.name}.png")
    if "pdf" in formats:
        from reports.render.pdf import to_pdf

        files[f"{name}.pdf"] = to_pdf(document)
    for kind in _PICTURES:
        if kind in formats or (kind == "png" and "md" in formats):
            from reports.render.pictures import picture

            source = " / ".join(document.kicker)
            files |= {f"{into}/{c.name}.{kind}": picture(c, source, kind) for c in document.charts}
    try:
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / path, content)
    except OSError as error:
        raise OccbenchError(f"cannot write into {folder}: {error.strerror}") from error
    return [folder / path for path in files]
