"""What the runs are called, what order they come in, and what they have in common.

A name has to fit beside a chart and say what is special about the run. A label that somebody chose
is best; then the options in which the runs differ; a folder's name is what is left.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from reports.statistics.overview.runs import Facts, OneRun

_MOST_NAMING = 3
"""Options that a name can hold."""
_LONGEST = 44
"""Characters of a name made of options."""
_COUNTED = {"users": "user", "accounts": "account", "processes": "process"}
_NEVER_NAMING = ("seed",)
"""Options that differ between repetitions of the same."""


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
    found_differing: tuple[str, ...]
    """Facts of targets, machine and versions that are not the same in all."""
    found_alike: Facts

    within: tuple[str, ...]
    """The names without what `groups` says already."""
    groups: tuple[str | None, ...]
    """What neighbouring runs have in common: the first of two or more naming options."""


def collect(runs: Sequence[OneRun]) -> Collection:
    """Name the runs and put them in order."""
    given, facts = [r.given for r in runs], [r.found for r in runs]
    differing = _differing(given)
    naming = tuple(name for name in differing if name not in _NEVER_NAMING)
    labels = [str(r.raw.get("label") or "") for r in runs]
    chosen, groups, within = list(runs), [], []
    if all(labels) and len(set(labels)) == len(labels):
        names, naming = labels, ()
    elif naming and len(naming) <= _MOST_NAMING and _short_enough(runs, naming):
        # The option with the fewest values makes the groups.
        naming = tuple(sorted(naming, key=lambda n: len({r.given.get(n) for r in runs})))
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
        alike=_alike(given, differing),
        found_differing=(met := _differing(facts)),
        found_alike=_alike(facts, met),
    )


def _differing(facts: Sequence[Facts]) -> tuple[str, ...]:
    names = dict.fromkeys(name for one in facts for name in one)
    return tuple(name for name in names if len({one.get(name) for one in facts}) > 1)


def _alike(facts: Sequence[Facts], differing: Sequence[str]) -> Facts:
    return {name: value for name, value in facts[0].items() if name not in differing}


def _short_enough(runs: Sequence[OneRun], naming: Sequence[str]) -> bool:
    return max(len(_from_options(r, naming)) for r in runs) <= _LONGEST


def _from_options(run: OneRun, naming: Sequence[str]) -> str:
    return ", ".join(_text(name, run.given.get(name, "—")) for name in naming)


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
    value = run.raw.get(name.replace(" ", "_"), run.given.get(name))
    if value is None:
        return ((-1, 0.0, ""),)
    if isinstance(value, int | float):
        return ((0, float(value), ""),)
    parts = re.split(r"(\d+(?:\.\d+)?)", str(value))
    return tuple((0, float(p), "") if i % 2 else (1, 0.0, p) for i, p in enumerate(parts) if p)


def _numbered(names: Sequence[str]) -> list[str]:
    """Names that occur more than once get a number: `8 users #2`."""
    seen: dict[str, int] = {}
    numbered = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        numbered.append(f"{name} #{seen[name]}" if names.count(name) > 1 else name)
    return numbered
