"""A publication as Markdown: for a wiki, a pull request, a summary of a job."""

from collections.abc import Callable, Iterable

from reports.charts.draw import Chart
from reports.documents.publication import Note, Publication, Section
from reports.text.table import Cell, Table

_SIGNS = {"good": "✅", "bad": "❗", "note": "ℹ️"}
_SPECIAL = str.maketrans({c: f"\\{c}" for c in "\\`*_[]<>|#"})
_SPECIAL_BUT_CODE = str.maketrans({c: f"\\{c}" for c in "\\*_[]<>|#"})


def to_markdown(publication: Publication, image_of: Callable[[Chart], str] | None = None) -> str:
    """The whole publication in GitHub's dialect, which has tables.

    `image_of` gives the address of a chart's picture; without it charts are their readings alone.
    """
    p = publication
    kicker = " / ".join(escaped(word) for word in p.kicker)
    parts = [f"# {escaped(p.headline)}", kicker, escaped(p.lede)]
    parts += _body(Section("", "", p.tables), 2, image_of)
    if p.notes:
        parts += [f"## {escaped(p.about_notes)}", notes_text(p.notes)]
    parts += _body(Section("", "", charts=p.charts), 2, image_of)
    for section in p.sections:
        parts.append(f"## {escaped(section.heading)}")
        if section.lede:
            parts.append(escaped(section.lede))
        parts += _body(section, 3, image_of)
    return "\n\n".join(part for part in parts if part) + "\n"


def _body(section: Section, level: int, image_of: Callable[[Chart], str] | None) -> list[str]:
    parts = []
    for table in section.tables:
        # A table that is named as its section needs no title of its own.
        if table.title not in ("", section.heading):
            parts.append(f"{'#' * level} {escaped(table.title)}")
        parts.append(escaped(table.reading))
        parts.append(table_text(table))
    parts.append(notes_text(section.notes))
    for chart in section.charts:
        parts += [f"{'#' * level} {escaped(chart.title)}", escaped(chart.reading)]
        if image_of is not None:
            parts.append(f"![{escaped(chart.title)}]({image_of(chart)})")
    return parts


def table_text(table: Table) -> str:
    """A table with its numbers at the right; a cell's note follows it, what differs is bold."""
    lines = [
        _row(escaped(table.corner), (escaped(column) for column in table.columns)),
        _row(":---", ("---:" for _ in table.columns)),
    ]
    lines += [_row(escaped(head), (_cell(cell) for cell in cells)) for head, cells in table.rows]
    return "\n".join(lines)


def notes_text(notes: Iterable[Note]) -> str:
    """The notes as a list, each with the sign of its state."""
    return "\n".join(f"- {_SIGNS[n.state]} {_with_code(n.text)}" for n in notes)


def _row(head: str, cells: Iterable[str]) -> str:
    return f"| {' | '.join([head, *cells])} |"


def _cell(cell: Cell) -> str:
    text = escaped(cell.text)
    if cell.differs:
        text = f"**{text}**"
    return f"{text}<br>{escaped(cell.note)}" if cell.note else text


def escaped(text: str) -> str:
    """Text that means itself in Markdown, on one line."""
    return " ".join(text.translate(_SPECIAL).split("\n"))


def _with_code(text: str) -> str:
    """The same, but what stands between backticks stays something to type."""
    return " ".join(text.translate(_SPECIAL_BUT_CODE).split("\n"))
