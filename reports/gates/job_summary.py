"""The Markdown of a CI job's summary: what was found, the figures, the gates.

Tables are GitHub's, which GitLab and most others read as well. Of several runs there is one table of
figures with a row for each slice of each.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from reports.documents.run.summary_file import Summary
from reports.gates.conditions import FIGURES, Kind, Slice
from reports.gates.judge import Gate, Judged, Unmeasured
from reports.gates.values import shown
from reports.text.rounding import MINUS, THIN, plural

_MOST_ROWS = 100
"""Of each table and list, for GitHub shows no page above 1 MB; what was missed comes first."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~])")
_COLUMNS = {
    "throughput": "throughput",
    "conflict rate": "conflict_rate",
    "retry rate": "retry_rate",
    "p50": "p50",
    "p99": "p99",
    "give-ups": "give_ups",
}
"""The table's columns of figures, by their heads."""


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
        answers = [f"## {_mark(passed)}{_plain(headline)}\n\n{_plain(lede)}".rstrip()]
    else:
        answers = _cut([_answer(one) for one in judged])
    parts = [*answers, unmeasured_markdown(unmeasured), _figures(judged), gates_markdown(judged)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _answer(judged: Judged) -> str:
    headline = (judged.subject.summary.get("answer") or {}).get("headline", "")
    return f"**{_mark(judged.passed)}{_plain(judged.subject.name)}**: {_plain(headline)}"


def _mark(passed: bool) -> str:
    return "" if passed else "❌ "


def unmeasured_markdown(unmeasured: Sequence[Unmeasured]) -> str:
    """Which runs there are no figures of, those that failed first with their reasons; "" if none."""
    if not unmeasured:
        return ""
    ordered = sorted(unmeasured, key=lambda one: not one.failed)
    failed = sum(one.failed for one in unmeasured)
    counts = {"failed": failed, "still to be measured": len(unmeasured) - failed}
    headline = ", ".join(f"{plural(n, 'run')} {what}" for what, n in counts.items() if n)
    lines = [f"- {_mark(not one.failed)}{_plain(one.name)}: {_plain(one.why)}" for one in ordered]
    return "\n".join([f"**{headline}**", "", *_cut(lines, "- ")])


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


def _figures(judged: Sequence[Judged]) -> str:
    several = len(judged) > 1
    slices = [(one, name, figures) for one in judged for name, figures in _finest(one.subject.summary)]
    if not slices:
        return ""
    columns = dict(_COLUMNS)
    if any(figures.get("failed") for _, _, figures in slices):
        columns["failed"] = "failures"
    bases = {id(one): dict(_finest(one.subject.base or {})) for one in judged}
    rows = [
        [
            *([_plain(one.subject.name)] if several else []),
            _plain(name),
            *(_cell(figure, figures, bases[id(one)].get(name)) for figure in columns.values()),
        ]
        for one, name, figures in slices[:_MOST_ROWS]
    ]
    head = [*(["run"] if several else []), "", *columns]
    text = "\n".join(_table(head, rows, range(len(head) - len(columns), len(head))))
    if len(slices) > _MOST_ROWS:
        text += f"\n\nAnd {plural(len(slices) - _MOST_ROWS, 'more row')}."
    if any(one.subject.base is not None for one in judged):
        text += "\n\nIn brackets: against the base run."
    return text


def _finest(summary: Summary) -> Iterator[tuple[str, Slice]]:
    """Each finest slice with its name: a key type, on a target where there are several."""
    nested = summary.get("targets_by_key_type") or {}
    for target, keys in nested.items():
        for key, figures in keys.items():
            yield f"{target}, {key}", figures
    if not nested:
        yield from (summary.get("key_types") or {}).items()


def _cell(name: str, figures: Slice, base: Slice | None) -> str:
    figure = FIGURES[name]
    value, before = figure.value(figures), figure.value(base or {})
    if value is None:
        return "too few"
    text = shown(figure.kind, value)
    return text if before is None else f"{text} ({_against(figure.kind, value, before)})"


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
    # A table's cell ends at a bar even in code.
    condition = gate.condition.text.replace("`", "'").replace("|", r"\|")
    held = "✅ held" if gate.held else "❌ **missed**"
    return [held, f"`{condition}`", where, gate.value_text, _plain(gate.why or gate.limit_text)]


def _wrong(judged: Judged, *, several: bool) -> Iterator[str]:
    """What is wrong apart from the gates, and notes, as a list."""
    before = f"{_plain(judged.subject.name)}: " if several else ""
    mark = _mark(not (judged.strict or judged.broken or judged.mostly_failed))
    for verdict in judged.bad:
        yield f"- {mark}{before}{_plain(verdict['text'])}"
    for note in judged.subject.notes:
        yield f"- {before}{_plain(note)}"
    if judged.subject.summary.get("interrupted"):
        yield f"- {before}The run was interrupted: the figures are of what was measured until then."


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int]) -> list[str]:
    rule = ["--:" if column in numbers else ":--" for column in range(len(head))]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)]


def _plain(text: str) -> str:
    """Text in which nothing means anything to Markdown, and of one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
