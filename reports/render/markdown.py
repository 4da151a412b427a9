"""A document as Markdown: for a wiki, a pull request, a summary of a job."""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

from reports.charts.figure import Chart
from reports.documents.document import Block, Document, Note, Section
from reports.text.table import Cell, Facts, Table

_SIGNS = {"good": "✅", "bad": "❗", "note": "ℹ️"}
_SPECIAL = str.maketrans({c: f"\\{c}" for c in "\\`*_[]<>|#"})

ImageOf = Callable[[Chart], str]


def to_markdown(document: Document, image_of: ImageOf | None = None) -> str:
    """The whole document in GitHub's dialect, which has tables.

    `image_of` gives the address of a chart's picture; without it charts are their readings alone.
    """
    kicker = " / ".join(escaped(word) for word in document.kicker)
    parts = [f"# {escaped(document.headline)}", kicker, escaped(document.lede)]
    for section in document.sections:
        parts += _section(section, 2, image_of)
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(section: Section, level: int, image_of: ImageOf | None) -> Iterator[str]:
    if section.heading:
        yield _heading(level, section.heading)
        level += 1
    for _, blocks in groupby(section.blocks, type):
        some = list(blocks)
        # A list has no empty lines between its items.
        yield "\n".join(_note(block) for block in some if isinstance(block, Note))
        for block in some:
            yield from _block(block, level, image_of)


def _block(block: Block, level: int, image_of: ImageOf | None) -> Iterator[str]:
    if isinstance(block, Section):
        yield from _section(block, level, image_of)
    elif isinstance(block, Table):
        yield from (_heading(level, block.title), escaped(block.reading), _table(block))
    elif isinstance(block, Facts):
        yield from (_heading(level, block.title), _table(block.table))
    elif isinstance(block, Chart):
        yield from (_heading(level, block.title), escaped(block.reading))
        if image_of is not None:
            yield f"![{escaped(block.title)}]({image_of(block)})"
    elif isinstance(block, str):
        yield escaped(block)


def _note(note: Note) -> str:
    return f"- {_SIGNS[note.state]} {_with_code(note.text)}"


def _heading(level: int, text: str) -> str:
    return f"{'#' * level} {escaped(text)}" if text else ""


def _table(table: Table) -> str:
    """A table with its numbers at the right; a cell's note follows it, what differs is bold.

    Markdown has no cells that go over several columns: a heading of rows is put before their heads.
    """
    heads = (f"{table.over}: {column}" if table.over else column for column in table.columns)
    lines = [_row(escaped(table.corner), map(escaped, heads))]
    lines.append(_row(":---", (":---" if table.words else "---:" for _ in table.columns)))
    group = ""
    for head, cells in table.rows:
        if not cells:
            group = f"{head}: "
            continue
        empty = [""] * (len(table.columns) - len(cells))
        lines.append(_row(escaped(group + head), [*map(_cell, cells), *empty]))
    return "\n".join(lines)


def _row(head: str, cells: Iterable[str]) -> str:
    return f"| {' | '.join([head, *cells])} |"


def _cell(cell: Cell) -> str:
    text = escaped(cell.text)
    if cell.differs:
        text = f"**{text}**"
    note = escaped(cell.note.replace("\n", ", "))
    return f"{text}<br>{note}" if note else text


def escaped(text: str) -> str:
    """Text that means itself in Markdown, on one line."""
    return " ".join(text.translate(_SPECIAL).split("\n"))


def _with_code(text: str) -> str:
    """The same, but what stands between backticks stays something to type."""
    return " ".join(text.translate({**_SPECIAL, ord("`"): "`"}).split("\n"))
