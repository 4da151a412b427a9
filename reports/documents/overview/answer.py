"""What several runs found, in a headline and a few sentences."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from reports.analysis.figures import Figures
from reports.documents.run.answer import Answer, unlike_first
from reports.statistics.certainty import conflict_rate
from reports.statistics.overview.naming import Collection
from reports.statistics.overview.rows import Row
from reports.text.rounding import DASH, THIN, about, listed, number

_MOST_NAMED = 3
"""Rows that the headline says one by one; of more it says how far they reach."""
_MOST_VALUES = 4
"""Values of an option that a sentence lists; of more it gives the first and the last."""
_LONGEST_VALUE = 30
_SECONDS_FROM_MS = 10_000
_JOINER = "\N{WORD JOINER}"
_TO = f"{DASH}{_JOINER}"
"""A dash at which no line breaks."""

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
    found = _answer(collection, rows)
    first = unlike_first([line.figures for row in rows for line in row.lines])
    return replace(found, headline=f"{first} {found.headline}") if first else found


def _answer(collection: Collection, rows: Sequence[Row]) -> Answer:
    runs = len(collection.runs)
    lede = " ".join(text for text in (_most(rows, runs), _apart(collection)) if text)
    if not any(line.figures.committed for row in rows for line in row.lines):
        return Answer(f"{runs} runs: nothing was committed.", lede)
    if len(rows) <= _MOST_NAMED:
        said = [f"{row.name}: {_row(row, brief=place > 0)}" for place, row in enumerate(rows)]
        return Answer(f"{'; '.join(said)}.", lede)
    if len(collection.naming) == 1 and len(rows) == runs:
        return Answer(_course(collection.naming[0], rows), lede)
    return Answer(_over_all(runs, [line.figures for row in rows for line in row.lines]), lede)


def _row(row: Row, *, brief: bool) -> str:
    """A row's figures, from its lowest key type to its highest."""
    figures = [line.figures for line in row.lines]
    if not any(f.committed for f in figures):
        return "nothing was committed"
    text = _span([f.conflict_rate for f in figures], about)
    text += " at " if brief else " of attempts conflicted at "
    text += _span([f.throughput_tps for f in figures], _two_digits)
    text += "" if brief else " transactions a second"
    tail = _span([f.latency.p99 for f in figures], _time)
    return f"{text}, p99 {tail}" if tail else text


def _course(name: str, rows: Sequence[Row]) -> str:
    """From the first value of the only option that was varied to the last."""
    first, last = rows[0], rows[-1]

    def changed(value: Callable[[Figures], float | None], said: Callable[[float], str]) -> str:
        ends = [_span([value(line.figures) for line in row.lines], said) for row in (first, last)]
        return f"from {ends[0]} to {ends[1]}" if all(ends) else ""

    parts = [
        ("conflict rate", changed(lambda f: f.conflict_rate, about), ""),
        ("throughput", changed(lambda f: f.throughput_tps, _two_digits), " transactions a second"),
        ("p99", changed(lambda f: f.latency.p99, _time), ""),
    ]
    said = [f"{what} {how}{unit}" for what, how, unit in parts if how]
    ends = [row.run.given.get(name, DASH) for row in (first, last)]
    return f"{name[:1].upper()}{name[1:]} {ends[0]} to {ends[1]}: {', '.join(said)}."


def _over_all(runs: int, figures: Sequence[Figures]) -> str:
    conflicts = _span([f.conflict_rate for f in figures], about, " to ")
    speed = _span([f.throughput_tps for f in figures], _two_digits, " to ")
    tail = _span([f.latency.p99 for f in figures], _time, " to ")
    text = f"{runs} runs: {conflicts} of attempts conflicted at {speed} transactions a second"
    return f"{text}, p99 {tail}." if tail else f"{text}."


def _most(rows: Sequence[Row], runs: int) -> str:
    """Which row was the fastest, where the headline does not say it."""
    if runs <= _MOST_NAMED:
        return ""
    known = [
        (line.figures.throughput_tps, row, line)
        for row in rows
        for line in row.lines
        if line.figures.throughput_tps
    ]
    if not known:
        return ""
    most, row, line = max(known, key=lambda entry: entry[0])
    if len(known) > 1 and len({_two_digits(tps) for tps, _, _ in known}) == 1:
        return f"All committed about {_two_digits(most)} transactions a second."
    here = {_two_digits(tps) for tps, of, _ in known if of is row}
    alike = len(row.lines) > 1 and len(here) == 1
    which = row.name if alike else f"{row.name} and {line.key_type} keys"
    text = f"Most was committed with {which}: {number(most)} transactions a second"
    if alike:
        return f"{text}, with all key types alike."
    return f"{text}, {conflict_rate(line.figures)} of attempts conflicted."


def _span(values: Sequence[float | None], said: Callable[[float], str], between: str = _TO) -> str:
    """`3.48–3.59 %`, one value where all say the same, nothing where none is known."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, high = said(min(known)), said(max(known))
    if low == high:
        return low
    unit = THIN + low.partition(THIN)[2]
    # The unit is said once where both have the same.
    same = between == _TO and len(unit) > 1 and high.endswith(unit)
    return f"{low.removesuffix(unit) if same else low}{between}{high}"


def _two_digits(value: float) -> str:
    """A number for a headline; the table has the third digit."""
    if value <= 0:
        return "0"
    digits = 1 - math.floor(math.log10(value))
    return f"{round(value, digits):,.{max(0, digits)}f}"


def _time(value: float) -> str:
    """Milliseconds with two digits, seconds from ten seconds on."""
    in_seconds = value >= _SECONDS_FROM_MS
    return f"{_two_digits(value / 1000 if in_seconds else value)}{THIN}{'s' if in_seconds else 'ms'}"


def _apart(collection: Collection) -> str:
    """In which options the runs differ, and over which values."""
    said = []
    for name in collection.differing:
        values = list(dict.fromkeys(_value(run.given.get(name)) for run in collection.runs))
        if len(values) <= _MOST_VALUES and all(len(v) <= _LONGEST_VALUE for v in values):
            said.append(f"{name} ({'; '.join(values)})")
        elif name in collection.naming:
            said.append(f"{name} ({len(values)} values from {values[0]} to {values[-1]})")
        else:
            said.append(name)
    if not said:
        return "All were run with the same options."
    return f"The runs differ in {listed(said)}; everything else that was asked for is the same."


def _value(given: str | None) -> str:
    """An option's value within a sentence."""
    return "not given" if given is None else given.replace("\n", " and ")
