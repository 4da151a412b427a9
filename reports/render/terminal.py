"""A document in the terminal: the answer, its first table, what to know."""

from rich import box
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from reports.documents.document import Document, Note
from reports.text.rounding import shortened
from reports.text.table import Cell, Table

_STYLES = {"good": "bold green", "bad": "bold red", "": ""}
_MARKS = {"good": "✓ ", "bad": "✗ ", "": ""}
_SIGNS = {"bad": "!", "note": "·", "good": "·"}
_NAME = 20
"""Letters of a heading of rows; longer ones are cut in the middle."""
_WIDEST = 10_000
"""Characters, more than any table has."""


def to_terminal(document: Document) -> str:
    """The document as text, with colours where the terminal has them."""
    console = Console(highlight=False, soft_wrap=True)
    with console.capture() as captured:
        console.print(Text(document.headline, style="bold"))
        console.print(Text(document.lede))
        console.print()
        # As wide as its figures are, in a narrow terminal, too: rich would cut them.
        console.width = _WIDEST
        console.print(_grid(document.every(Table)[0]), crop=False)
        for note in document.every(Note):
            console.print(Text(f"{_SIGNS[note.state]} {note.text}"))
    return captured.get().rstrip("\n")


def _grid(table: Table) -> Grid:
    """The table; a row without cells is a heading, with a line above it."""
    grid = Grid(
        box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1), collapse_padding=True
    )
    grid.add_column("", no_wrap=True)
    for number, column in enumerate(table.columns, 1):
        last = number == len(table.columns)
        grid.add_column(column, justify="left" if last else "right", no_wrap=True)
    for head, cells in table.rows:
        if cells:
            grid.add_row(Text(head), *map(_text, cells))
            continue
        if grid.row_count:
            grid.add_section()
        grid.add_row(Text(shortened(head, _NAME), style="bold"))
    return grid


def _text(cell: Cell) -> Text:
    return Text(f"{_MARKS[cell.state]}{cell.text}", style=_STYLES[cell.state])
