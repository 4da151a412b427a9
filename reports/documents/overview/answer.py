"""What several runs found, in a headline and a few sentences."""

from collections.abc import Sequence

from reports.analysis.figures import Figures
from reports.analysis.shares import FELT
from reports.documents.answer import FATES, MOST_NAMED, Answer, lost, measured, sentences
from reports.statistics.overview import Collection, Row
from reports.text.rounding import DASH, capital, listed

_MOST_VALUES, _LONGEST_VALUE = 4, 30
"""Values of an option that a sentence lists, and their letters; of more it gives both ends."""


def answer_together(collection: Collection, rows: Sequence[Row]) -> Answer:
    """The headline gives the figures or how far they reach, the lede what the runs differ in."""
    runs, figures = len(collection.runs), _of(rows)
    if not any(f.committed for f in figures):
        headline = f"{runs} runs: nothing was committed."
    elif len(rows) <= MOST_NAMED:
        headline = f"{'; '.join(f'{row.name}: {measured(_of([row]))}' for row in rows)}."
    elif len(collection.naming) == 1 and len(rows) == runs:
        name, ends = collection.naming[0], (rows[0], rows[-1])
        parts = [f"{row.run.options.get(name, DASH)}: {measured(_of([row]))}" for row in ends]
        headline = f"{capital(name)} {'; '.join(parts)}."
    else:
        headline = f"{runs} runs: {measured(figures)}."
    # What failed or was refused, and what gave up where that differs, makes another load.
    shares = [f.give_ups / f.transactions for f in figures if f.transactions]
    alike = max(shares, default=0.0) - min(shares, default=0.0) < FELT
    fates = lost(figures, [fate for fate in FATES if fate != "gave up" or not alike])
    return Answer(sentences(*(f"{capital(text)}." for text in fates), headline), _apart(collection))


def _of(rows: Sequence[Row]) -> list[Figures]:
    return [line.figures for row in rows for line in row.lines]


def _apart(collection: Collection) -> str:
    """In which options the runs differ, and over which values."""
    parts = []
    for name in collection.differing:
        given = [run.options.get(name) or "not given" for run in collection.runs]
        values = list(dict.fromkeys(value.replace("\n", " and ") for value in given))
        if len(values) <= _MOST_VALUES and all(len(v) <= _LONGEST_VALUE for v in values):
            parts.append(f"{name} ({'; '.join(values)})")
        elif name in collection.naming:
            parts.append(f"{name} ({len(values)} values from {values[0]} to {values[-1]})")
        else:
            parts.append(name)
    if not parts:
        return "All were run with the same options."
    return f"The runs differ in {listed(parts)}; everything else that was asked for is the same."
