"""The Markdown of a CI job's summary: what was found, the figures, the gates.

Tables are GitHub's, which GitLab and most others read as well. Of several runs there is one table of
figures with a row for each slice of each.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reports.documents.run.summary_file import Summary
from reports.gates.conditions import FIGURES, Kind, Slice
from reports.gates.judge import Gate, Judged, Subject, Unmeasured
from reports.gates.values import shown
from reports.text.rounding import MINUS, THIN, plural

_MOST_ROWS = 100
"""Of each table and list, for GitHub shows no page above 1 MB; what was missed comes first."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~])")


@dataclass(frozen=True, slots=True)
class _Column:
    head: str
    figure: str


_COLUMNS = (
    _Column("throughput", "throughput"),
    _Column("conflict rate", "conflict_rate"),
    _Column("retry rate", "retry_rate"),
    _Column("p50", "p50"),
    _Column("p99", "p99"),
    _Column("give-ups", "give_ups"),
)
_FAILED = _Column("failed", "failures")
"""Beside them where anything did."""


def to_markdown(
    judged: Sequence[Judged], answer: str | None = None, unmeasured: Sequence[Unmeasured] = ()
) -> str:
    """The whole summary: the answers, a table of figures, the gates and what else is wrong.

    `answer` is what the runs found together, a headline and more lines, in place of what each found.
    """
    passed = all(one.passed for one in judged) and not any(one.failed for one in unmeasured)
    if answer is None and len(judged) == 1:
        own = judged[0].subject.summary.get("answer") or {}
        answer = f"{own.get('headline', '')}\n{own.get('lede', '')}"
    # What was missed is read first.
    judged = sorted(judged, key=lambda one: one.passed)
    if answer is not None:
        headline, _, lede = answer.partition("\n")
        answers = [_answer(headline, lede, passed=passed)]
    else:
        answers = _cut([_answer_of_one(one) for one in judged])
    parts = [*answers, unmeasured_markdown(unmeasured), _figures(judged), gates_markdown(judged)]
    return "\n\n".join(filter(None, parts)) + "\n"


def unmeasured_markdown(unmeasured: Sequence[Unmeasured]) -> str:
    """Which runs there are no figures of, those that failed first with their reasons; "" if none."""
    if not unmeasured:
        return ""
    ordered = sorted(unmeasured, key=lambda one: not one.failed)
    lines = [f"- {'❌ ' if one.failed else ''}{_plain(one.name)}: {_plain(one.why)}" for one in ordered]
    return "\n".join([f"**{_plain(unmeasured_headline(unmeasured))}**", "", *_cut(lines, "- ")])


def unmeasured_headline(unmeasured: Sequence[Unmeasured]) -> str:
    """`2 points failed, 3 are still to be measured`."""
    failed = sum(one.failed for one in unmeasured)
    left = len(unmeasured) - failed
    parts = [f"{plural(failed, 'run')} failed"] if failed else []
    if left:
        parts.append(f"{plural(left, 'run')} still to be measured")
    return ", ".join(parts)


def gates_markdown(judged: Sequence[Judged]) -> str:
    """The part that is about the gates alone, for a page that has its own figures; "" without any."""
    gates = [(one, gate) for one in judged for gate in one.gates]
    lines: list[str] = []
    if gates:
        # What was missed is read first, whatever was asked first.
        gates.sort(key=lambda pair: pair[1].held)
        lines += [f"### {gates_headline(judged)}", ""]
        head = ["", "gate is missed if", "of", "value", "limit"]
        rows = [_gate_row(one, gate, several=len(judged) > 1) for one, gate in gates[:_MOST_ROWS]]
        lines += _table(head, rows, numbers=(3,))
        if rest := gates[_MOST_ROWS:]:
            missed = sum(not gate.held for _, gate in rest)
            which = "all held" if not missed else f"{missed:,} of them missed"
            lines += ["", f"And {plural(len(rest), 'more gate')}, {which}."]
    wrong = [line for one in judged for line in _wrong(one, several=len(judged) > 1)]
    if wrong:
        lines += ["", *_cut(wrong, "- ")]
    return "\n".join(lines).strip("\n")


def _cut(lines: Sequence[str], before: str = "") -> list[str]:
    """So many lines, and how many there are beyond."""
    more = len(lines) - _MOST_ROWS
    return list(lines) if more <= 0 else [*lines[:_MOST_ROWS], f"{before}and {more:,} more"]


def gates_headline(judged: Sequence[Judged]) -> str:
    """`Gates: 1 of 3 missed`, `Gates: all 3 held`."""
    gates = [gate for one in judged for gate in one.gates]
    if not gates:
        return "Gates: nothing was measured that they could be judged on"
    missed = sum(not gate.held for gate in gates)
    if missed:
        return f"Gates: {missed} of {len(gates)} missed"
    return f"Gates: {'all ' if len(gates) > 1 else ''}{len(gates)} held"


def _answer(headline: str, lede: str, *, passed: bool) -> str:
    return f"## {'' if passed else '❌ '}{_plain(headline)}\n\n{_plain(lede)}".rstrip()


def _answer_of_one(judged: Judged) -> str:
    headline = (judged.subject.summary.get("answer") or {}).get("headline", "")
    return f"**{'' if judged.passed else '❌ '}{_plain(judged.subject.name)}**: {_plain(headline)}"


def _figures(judged: Sequence[Judged]) -> str:
    several = len(judged) > 1
    slices = [figures for one in judged for _, figures in _finest(one.subject.summary)]
    columns = (*_COLUMNS, _FAILED) if any(figures.get("failed") for figures in slices) else _COLUMNS
    head = [*(["run"] if several else []), "", *(column.head for column in columns)]
    rows = [
        [
            *([_plain(one.subject.name)] if several else []),
            _plain(name),
            *_cells(figures, base, columns),
        ]
        for one in judged
        for name, figures, base in _slices(one.subject)
    ]
    if not rows:
        return ""
    numbers = range(len(head) - len(columns), len(head))
    text = "\n".join(_table(head, rows[:_MOST_ROWS], numbers=numbers))
    if len(rows) > _MOST_ROWS:
        text += f"\n\nAnd {plural(len(rows) - _MOST_ROWS, 'more row')}."
    if any(one.subject.base is not None for one in judged):
        text += "\n\nIn brackets: against the base run."
    return text


def _slices(subject: Subject) -> Iterator[tuple[str, Slice, Slice | None]]:
    """Each finest slice of a run with its name, and the base's."""
    base = dict(_finest(subject.base)) if subject.base is not None else {}
    for name, figures in _finest(subject.summary):
        yield name, figures, base.get(name)


def _finest(summary: Summary) -> Iterator[tuple[str, Slice]]:
    nested = summary.get("targets_by_key_type") or {}
    if nested:
        for target, keys in nested.items():
            for key, figures in keys.items():
                yield f"{target}, {key}", figures
    else:
        yield from (summary.get("key_types") or {}).items()


def _cells(figures: Slice, base: Slice | None, columns: Sequence[_Column]) -> Iterator[str]:
    for column in columns:
        figure = FIGURES[column.figure]
        value = figure.value(figures)
        text = "too few" if value is None else shown(figure.kind, value)
        before = figure.value(base) if base is not None else None
        if value is not None and before is not None:
            text += f" ({_against(figure.kind, value, before)})"
        yield text


def _against(kind: Kind, value: float, base: float) -> str:
    """How a value differs from the base's: in percent; of counts and from nothing, what it was."""
    if kind is Kind.NUMBER or base == 0:
        return f"was {shown(kind, base)}"
    change = value / base - 1
    digits = 0 if abs(change) >= 0.1 else 1
    text = f"{abs(change) * 100:.{digits}f}{THIN}%"
    if text == f"0.0{THIN}%":
        return f"±0{THIN}%"
    return f"{'+' if change > 0 else MINUS}{text}"


def _gate_row(judged: Judged, gate: Gate, *, several: bool) -> list[str]:
    where = f"{_plain(judged.subject.name)}, {_plain(gate.where)}" if several else _plain(gate.where)
    limit = gate.why or gate.limit_text
    return [
        "✅ held" if gate.held else "❌ **missed**", _code(gate.condition.text), where,
        gate.value_text, _plain(limit),
    ]  # fmt: skip


def _wrong(judged: Judged, *, several: bool) -> Iterator[str]:
    """What the report found wrong beside the gates, and what else is to know, as a list."""
    before = f"{_plain(judged.subject.name)}: " if several else ""
    mark = "❌ " if judged.strict or judged.broken or judged.mostly_failed else ""
    for verdict in judged.bad:
        yield f"- {mark}{before}{_plain(verdict['text'])}"
    for note in judged.subject.notes:
        yield f"- {before}{_plain(note)}"
    if judged.subject.summary.get("interrupted"):
        yield f"- {before}The run was interrupted: the figures are of what was measured until then."


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int]) -> list[str]:
    rule = ["--:" if column in numbers else ":--" for column in range(len(head))]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)]


def _plain(text: str) -> str:
    """Text in which nothing means anything to Markdown, and of one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _code(text: str) -> str:
    """Text as code; a table's cell ends at a bar even there."""
    return f"`{text.replace('`', chr(39)).replace('|', chr(92) + '|')}`"
