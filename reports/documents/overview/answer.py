"""What several runs found, in a headline and a few sentences."""

from collections.abc import Callable, Sequence

from reports.analysis.figures import Figures
from reports.documents.run.answer import Answer, unlike_first
from reports.statistics.certainty import conflict_rate
from reports.statistics.overview import Collection, Row
from reports.text.rounding import DASH, about, capital, listed, milliseconds, number

_MOST_NAMED = 3
"""Rows that the headline says one by one; of more it says how far they reach."""
_MOST_VALUES = 4
"""Values of an option that a sentence lists; of more it gives the first and the last."""
_LONGEST_VALUE = 30

LUCK = (
    "Runs made at different times differ by whatever changed on the machine meanwhile, too. This page "
    "puts figures side by side and tests nothing; `occbench compare` says which differences are more "
    "than luck."
)
SIMULATED = (
    "All of this was simulated: no database was there, and no machine had any part in it. Runs with "
    "the same options differ by their seeds only. This page puts figures side by side and tests "
    "nothing; `occbench compare` says which differences are more than chance."
)


def answer_together(collection: Collection, rows: Sequence[Row]) -> Answer:
    """The headline gives the figures or how far they reach, the lede what the runs differ in."""
    runs, figures = len(collection.runs), [line.figures for row in rows for line in row.lines]
    if not any(f.committed for f in figures):
        headline = f"{runs} runs: nothing was committed."
    elif len(rows) <= _MOST_NAMED:
        headline = f"{'; '.join(f'{row.name}: {_figures(_of(row))}' for row in rows)}."
    elif len(collection.naming) == 1 and len(rows) == runs:
        name, ends = collection.naming[0], (rows[0], rows[-1])
        parts = [f"{row.run.options.get(name, DASH)}: {_figures(_of(row))}" for row in ends]
        headline = f"{capital(name)} {'; '.join(parts)}."
    else:
        headline = f"{runs} runs: {_figures(figures)}."
    first = unlike_first(figures)
    return Answer(f"{first} {headline}".strip(), f"{_most(rows)} {_apart(collection)}".strip())


def _of(row: Row) -> list[Figures]:
    return [line.figures for line in row.lines]


def _figures(figures: Sequence[Figures]) -> str:
    """`5–6 % of attempts conflicted at 450–470 transactions a second, p99 80 ms`: lowest to highest."""
    if not any(f.committed for f in figures):
        return "nothing was committed"
    text = f"{_span([f.conflict_rate for f in figures], about)} of attempts conflicted at "
    text += f"{_span([f.throughput_tps for f in figures], number)} transactions a second"
    tail = _span([f.latency.p99 for f in figures], milliseconds)
    return f"{text}, p99 {tail}" if tail else text


def _most(rows: Sequence[Row]) -> str:
    """Which row was the fastest, where the headline does not say it."""
    known = [
        (line.figures.throughput_tps, row, line)
        for row in rows
        for line in row.lines
        if line.figures.throughput_tps
    ]
    if len(rows) <= _MOST_NAMED or not known:
        return ""
    most, row, line = max(known, key=lambda entry: entry[0])
    name = f"{row.name} and {line.key_type} keys" if len(row.lines) > 1 else row.name
    rate = conflict_rate(line.figures)
    return (
        f"Most was committed with {name}: {number(most)} transactions a second, {rate} of attempts "
        "conflicted."
    )


def _span(values: Sequence[float | None], text: Callable[[float], str]) -> str:
    """`3.5 % to 3.6 %`, one value where all say the same, nothing where none is known."""
    known = [value for value in values if value is not None]
    ends = [text(end) for end in (min(known), max(known))] if known else ["", ""]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def _apart(collection: Collection) -> str:
    """In which options the runs differ, and over which values."""
    parts = []
    for name in collection.differing:
        values = list(dict.fromkeys(_value(run.options.get(name)) for run in collection.runs))
        if len(values) <= _MOST_VALUES and all(len(v) <= _LONGEST_VALUE for v in values):
            parts.append(f"{name} ({'; '.join(values)})")
        elif name in collection.naming:
            parts.append(f"{name} ({len(values)} values from {values[0]} to {values[-1]})")
        else:
            parts.append(name)
    if not parts:
        return "All were run with the same options."
    return f"The runs differ in {listed(parts)}; everything else that was asked for is the same."


def _value(given: str | None) -> str:
    """An option's value within a sentence."""
    return "not given" if given is None else given.replace("\n", " and ")
