"""A comparison in the terminal: the answer, a table, what to know."""

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reports.documents.comparison import words
from reports.statistics.comparison import changes
from reports.statistics.comparison.comparison import RunComparison
from reports.statistics.comparison.effect import Effect, Verdict
from reports.text.rounding import shortened

_STYLES = {Verdict.WORSE: "bold red", Verdict.BETTER: "bold green"}
_MARKS = {Verdict.WORSE: "✗ ", Verdict.BETTER: "✓ "}
_NAME = 20
"""Letters of a slice's name; longer ones are cut in the middle."""
_WIDEST = 10_000
"""Characters, more than any table has."""
_SIGNS = {"bad": "!", "note": "·", "good": "·"}


def show(comparison: RunComparison, console: Console) -> None:
    """Print the comparison; without colours where the console has none."""
    console.print(Text(words.headline(comparison), style="bold"))
    console.print(Text(words.lede(comparison)))
    console.print()
    # As wide as its figures are, in a narrow terminal, too: rich would cut them.
    console.width = _WIDEST
    console.print(_table(comparison), crop=False)
    for state, sentence in words.notes(comparison):
        console.print(Text(f"{_SIGNS[state]} {sentence}"))


def _table(comparison: RunComparison) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1), collapse_padding=True
    )
    table.add_column("", no_wrap=True)
    for name in ("BASE", "NEW", "change", "interval"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    before = None
    for effect in comparison.effects:
        if effect.slice != before:
            if before is not None:
                table.add_section()
            before = effect.slice
            name = shortened(changes.slice_name(comparison, effect.slice), _NAME)
            table.add_row(Text(name, style="bold"))
        table.add_row(*_row(effect))
    return table


def _row(effect: Effect) -> list[Text]:
    style = _STYLES.get(effect.verdict, "")
    plain = "dim" if effect.verdict is Verdict.TOO_LITTLE else ""
    return [
        Text(effect.metric.name, style=plain),
        Text(changes.figure(effect.metric, effect.base), style=plain),
        Text(changes.figure(effect.metric, effect.new), style=plain),
        Text(changes.change(effect), style=style or plain),
        Text(changes.interval(effect, unit=False), style=plain),
        Text(_MARKS.get(effect.verdict, "") + str(effect.verdict), style=style or plain),
    ]
