"""Several runs: what the report of them keeps of each, what they are called, and what they share.

A name has to fit beside a chart and say what is special about the run. A given label is best; then the
options in which the runs differ; a folder's name is what is left.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtest.record.run import Run
from reports.analysis.figures import Figures
from reports.analysis.over_time.series import Series
from reports.statistics.model import Curve
from reports.text.verdict import Verdict

Facts = dict[str, str]
"""Name of a setting or fact → its value as a reader takes it."""
_MOST_NAMING = 3
"""Options that a name can hold."""
_LONGEST = 44
"""Characters of a name made of options."""
_COUNTED = {"users": "user", "accounts": "account", "processes": "process"}
_NEVER_NAMING = ("seed",)
"""Options that differ between repetitions of the same."""
_MOST_LEFT_OUT = 4
"""Runs that the sentence on what is not drawn names."""


@dataclass(frozen=True, slots=True)
class Line:
    """One key type of a run, on one of its targets where it has several."""

    key_type: str
    target: str | None
    """None where the run has one target."""
    figures: Figures
    series: Series | None
    """None where the record of a run has none for just this key type on just this target."""
    curve: Curve | None


@dataclass(frozen=True, slots=True)
class OneRun:
    """A run without its attempts: small, so that a hundred runs fit in memory."""

    folder: Path
    run: Run
    lines: tuple[Line, ...]
    verdicts: tuple[Verdict, ...]
    measured_s: float
    warmup_s: float
    options: Facts
    """What was asked for: the run's options."""
    facts: Facts
    """What it met: targets' facts, machine and versions."""
    raw: dict[str, Any]
    """The options as `run.json` has them, for putting runs in order."""


@dataclass(frozen=True, slots=True)
class Collection:
    """Runs in the order of the report, under names that are all different."""

    runs: tuple[OneRun, ...]
    names: tuple[str, ...]
    naming: tuple[str, ...]
    """The options that the names are made of; none where the names come from elsewhere."""
    differing: tuple[str, ...]
    """Options that are not the same in all runs, those that make names first."""
    alike: Facts
    """Options that are the same in all."""
    facts_differing: tuple[str, ...]
    """Facts of targets, machine and versions that are not the same in all."""
    facts_alike: Facts

    within: tuple[str, ...]
    """The names without what `groups` says already."""
    groups: tuple[str | None, ...]
    """What neighbouring runs have in common: the first of two or more naming options."""


def collect(runs: Sequence[OneRun]) -> Collection:
    """Name the runs and put them in order."""
    (differing, alike), (facts_differing, facts_alike) = (
        _compared(facts) for facts in ([r.options for r in runs], [r.facts for r in runs])
    )
    naming = tuple(name for name in differing if name not in _NEVER_NAMING)
    labels = [str(r.raw.get("label") or "") for r in runs]
    chosen, groups, within = list(runs), [], []
    if all(labels) and len(set(labels)) == len(labels):
        names, naming = labels, ()
    elif 0 < len(naming) <= _MOST_NAMING and all(
        len(_from_options(r, naming)) <= _LONGEST for r in runs
    ):
        # The option with the fewest values makes the groups.
        naming = tuple(sorted(naming, key=lambda n: len({r.options.get(n) for r in runs})))
        chosen.sort(key=lambda r: (*(_rank(r, name) for name in naming), r.run.started_ns or 0))
        names = _numbered([_from_options(r, naming) for r in chosen])
        if len(naming) > 1:
            groups = [_from_options(r, naming[:1]) for r in chosen]
            within = [n.removeprefix(f"{g}, ") for n, g in zip(names, groups, strict=True)]
    else:
        naming = ()
        names = _numbered([r.folder.resolve().name for r in chosen])
    return Collection(
        runs=tuple(chosen),
        names=tuple(names),
        within=tuple(within or names),
        groups=tuple(groups or [None] * len(names)),
        naming=naming,
        differing=(*naming, *(name for name in differing if name not in naming)),
        alike=alike,
        facts_differing=facts_differing,
        facts_alike=facts_alike,
    )


def _compared(facts: Sequence[Facts]) -> tuple[tuple[str, ...], Facts]:
    names = dict.fromkeys(name for one in facts for name in one)
    differing = tuple(name for name in names if len({one.get(name) for one in facts}) > 1)
    return differing, {name: value for name, value in facts[0].items() if name not in differing}


def _from_options(run: OneRun, naming: Sequence[str]) -> str:
    return ", ".join(_text(name, run.options.get(name, "—")) for name in naming)


def _text(name: str, value: str) -> str:
    """`8 users`, `zipf:1.1`: the option's name only where the value does not say it."""
    value = " and ".join(value.splitlines())
    if name in _COUNTED:
        return f"{value} {_COUNTED[name] if value == '1' else name}"
    if name in ("skew", "retry", "targets", "scenario"):
        return value
    if name == "keys":
        return f"{value} keys"
    if name == "rate":
        return "closed loop" if value == "—" else value.replace("transactions", "").replace(" ", "")
    return f"{name} {value}"


def _rank(run: OneRun, name: str) -> tuple[tuple[int, float, str], ...]:
    """Sorts `8` before `32`, and `zipf:0.8` before `zipf:1.1`; what was not given comes first."""
    value = run.raw.get(name.replace(" ", "_"), run.options.get(name))
    if value is None:
        return ((-1, 0.0, ""),)
    if isinstance(value, int | float):
        return ((0, float(value), ""),)
    parts = re.split(r"(\d+(?:\.\d+)?)", str(value))
    return tuple((0, float(p), "") if i % 2 else (1, 0.0, p) for i, p in enumerate(parts) if p)


def _numbered(names: Sequence[str]) -> list[str]:
    """Names that occur more than once get a number: `8 users #2`."""
    return [
        f"{name} #{names[: place + 1].count(name)}" if names.count(name) > 1 else name
        for place, name in enumerate(names)
    ]


@dataclass(frozen=True, slots=True)
class Row:
    """One run on one target: what tables and charts go by."""

    run: OneRun
    name: str
    within: str
    """The name without what `group` says."""
    group: str | None
    """What neighbouring rows have in common; they stand under it."""
    lines: tuple[Line, ...]

    def of(self, key_type: str) -> Line | None:
        """The line of this key type."""
        return next((line for line in self.lines if line.key_type == key_type), None)


def rows_of(collection: Collection) -> tuple[Row, ...]:
    """All rows in the order of the report."""
    rows = []
    called = zip(collection.runs, collection.names, collection.within, collection.groups, strict=True)
    for run, name, within, group in called:
        for target in dict.fromkeys(line.target for line in run.lines):
            lines = tuple(line for line in run.lines if line.target == target)
            full, inner = (x if target is None else f"{x} · {target}" for x in (name, within))
            rows.append(Row(run, full, inner, group, lines))
    return tuple(rows)


def key_types(rows: Sequence[Row]) -> tuple[str, ...]:
    """Every key type that some row has, in the order of appearance."""
    return tuple(dict.fromkeys(line.key_type for row in rows for line in row.lines))


def left_out(rows: Sequence[Row]) -> str:
    """A sentence on runs of several targets and several key types: their course and distribution are
    kept by target or by key type, not by both. Empty where there are none.
    """
    names = list(
        dict.fromkeys(
            row.name.removesuffix(f" · {line.target}")
            for row in rows
            for line in row.lines
            if line.target is not None
            and line.series is None
            and len({other.key_type for other in row.run.lines}) > 1
        )
    )
    if not names:
        return ""
    rest = len(names) - _MOST_LEFT_OUT
    named = "; ".join([*names[:_MOST_LEFT_OUT], *([f"and {rest} more"] if rest > 0 else [])])
    return f"Not drawn, for they have several targets and several key types: {named}."
