"""A gate's condition: `p99 > 50ms`, `uuid.throughput < base - 10%`, read from its text.

A condition says when a gate is missed. Its grammar, blanks being free between its words, the dot's
aside, and never within one:

    condition   [slice "."] figure comparison limit
    slice       "overall" | key type | target | target "." key type
    figure      one of FIGURES
    comparison  ">" | ">=" | "<" | "<="
    limit       number [unit]                  fixed
              | "base" [sign number [unit]]    against the same figure of the base run
              | sign number [unit]             the same, without the word
    unit        "us" | "ms" | "s" (a time) | "%" | "pp" (points of a share) | "/s" (a throughput)

A percentage behind a sign is of the base's figure, for shares too; points that are added to a share are
`pp`. Numbers are plain decimals. A fixed share is at most 1, which is 100%.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from typing import Any

from loadtest.errors import InputError
from loadtest.errors.messages import quoted
from loadtest.workload.keyspace import KeyType

Slice = Mapping[str, Any]
"""A slice of summary.json, see docs/results-format.md."""

OVERALL = "overall"
_HUGE = 1e300
"""Beyond it nothing is a figure; NaN is not below it either."""
_SMALLEST, _LARGEST = 1e-12, 1e15
"""Limits beyond these are slips: no figure comes near, and what is smaller than a number can hold would
silently be 0."""


class Kind(Enum):
    """What a figure is measured in: in words, an example, and what one of each unit is in the figure's
    own, which are milliseconds, a share, transactions a second.
    """

    TIME = "a time", "50ms", {"us": 0.001, "µs": 0.001, "ms": 1.0, "s": 1000.0}
    SHARE = "a share", "5%", {"": 1.0, "%": 0.01}
    SPEED = "a throughput", "500/s", {"": 1.0, "/s": 1.0, "tps": 1.0}
    NUMBER = "a number", "10", {"": 1.0}

    def __init__(self, title: str, example: str, units: Mapping[str, float]) -> None:
        self.title, self.example, self.units = title, example, units


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that conditions can name, and where a slice of summary.json has it."""

    name: str
    kind: Kind
    part: str
    """The key of the slice."""
    mark: str = ""
    """Within that key, of a distribution."""
    share_of: str = ""
    """Of which count it is the share."""
    counted: bool = False
    """Whether it is a count, which grows with the time that is measured."""

    def value(self, figures: Slice) -> float | None:
        """The slice's figure; None where it is not known, or not a finite number."""
        value = figures.get(self.part)
        if isinstance(value, Mapping):
            # Errors are counted by outcome; everything else in parts is a distribution.
            value = sum(value.values()) if self.part == "errors_by_outcome" else value.get(self.mark)
        if not isinstance(value, int | float) or isinstance(value, bool) or not -_HUGE < value < _HUGE:
            return None
        if not self.share_of:
            return float(value)
        whole = figures.get(self.share_of)
        return value / whole if isinstance(whole, int) and whole > 0 else None


_MARKS = ("mean", "p50", "p90", "p95", "p99", "p999", "max")
FIGURES: dict[str, Figure] = {
    figure.name: figure
    for figure in (
        *(Figure(mark, Kind.TIME, "latency_ms", mark) for mark in _MARKS),
        *(Figure(f"commit_{mark}", Kind.TIME, "commit_ms", mark) for mark in _MARKS),
        Figure("throughput", Kind.SPEED, "throughput_tps"),
        Figure("conflict_rate", Kind.SHARE, "conflict_rate"),
        Figure("retry_rate", Kind.SHARE, "retry_rate"),
        Figure("give_up_rate", Kind.SHARE, "give_ups", share_of="counted"),
        Figure("failure_rate", Kind.SHARE, "failed", share_of="transactions"),
        Figure("error_rate", Kind.SHARE, "errors_by_outcome", share_of="attempts"),
        Figure("retries_mean", Kind.NUMBER, "retries_mean"),
        Figure("retries_max", Kind.NUMBER, "retries_max"),
        Figure("committed", Kind.NUMBER, "committed", counted=True),
        Figure("conflicts", Kind.NUMBER, "conflicts", counted=True),
        Figure("give_ups", Kind.NUMBER, "give_ups", counted=True),
        Figure("failures", Kind.NUMBER, "failed", counted=True),
        Figure("errors", Kind.NUMBER, "errors_by_outcome", counted=True),
    )
}
"""Every figure that a condition can name."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What a figure is held against: `amount`, or the base's figure changed by it."""

    from_base: bool
    amount: float = 0.0
    """In the figure's own unit; a share of the base's figure where `relative`."""
    relative: bool = False

    def of(self, base: float | None) -> float | None:
        """The limit in the figure's unit; None where it needs a base's figure that is not known."""
        if not self.from_base:
            return self.amount
        if base is None:
            return None
        return base * (1 + self.amount) if self.relative else base + self.amount


@dataclass(frozen=True, slots=True)
class Condition:
    """When a gate is missed."""

    text: str
    """As it was given, with single blanks."""
    figure: Figure
    above: bool
    """Whether values above the limit miss it; else those below."""
    inclusive: bool
    """Whether the limit itself misses it."""
    limit: Limit
    target: str | None = None
    """None: every target that was measured."""
    key_type: str | None = None
    """None: every key type that was measured."""
    overall: bool = False
    """Of the whole run, not of its slices."""

    def missed_by(self, value: float, limit: float) -> bool:
        """Whether this value is on the wrong side."""
        if value == limit:
            return self.inclusive
        return value > limit if self.above else value < limit


_CONDITION = re.compile(
    r"(?:(?P<slice>[A-Za-z0-9][A-Za-z0-9_.-]*)\.)?(?P<figure>[A-Za-z0-9_]+)"
    r"\s*(?P<comparison>>=|<=|>|<)\s*(?P<limit>.+)"
)
_LIMIT = re.compile(
    r"(?P<base>base)?\s*"
    r"(?:(?P<sign>[+-])?\s*(?P<number>\d+(?:\.\d*)?|\.\d+)\s*(?P<unit>[^\s\d]*))?"
)
_AS_TYPED = str.maketrans({"−": "-", "–": "-", "≥": ">=", "≤": "<=", "μ": "µ"})
_SHAPE = "a condition is a figure, > or <, and a limit, as in 'p99 > 50ms' or 'throughput < base - 10%'"


def parse_condition(text: str) -> Condition:
    """Read a condition; raises InputError that says what is wrong and what would be right."""
    try:
        return _parse(text)
    except ValueError as error:
        raise InputError(f"--fail-on {quoted(text)}: {error}") from None


def _parse(text: str) -> Condition:
    match = _CONDITION.fullmatch(" ".join(text.translate(_AS_TYPED).split()))
    if match is None:
        raise ValueError(_SHAPE)
    name = match["figure"]
    if name not in FIGURES:
        like = get_close_matches(name.lower(), FIGURES, n=1)
        meant = f"did you mean {like[0]}? " if like else ""
        raise ValueError(f"there is no figure {quoted(name)}; {meant}There is {', '.join(FIGURES)}")
    figure = FIGURES[name]
    limit = _limit(match["limit"], figure)
    if limit.from_base and name.endswith("max"):
        raise ValueError(
            f"{name} is the largest of all, which chance decides: it has no interval to be held "
            "against a base with; give a fixed limit, or take another figure"
        )
    return Condition(
        text=" ".join(text.split()),
        figure=figure,
        above=match["comparison"].startswith(">"),
        inclusive=match["comparison"].endswith("="),
        limit=limit,
        **_slice(match["slice"]),
    )


def _slice(name: str | None) -> dict[str, Any]:
    """The parts of a slice's name. A key type is its last word, for names of targets may have dots."""
    if name is None:
        return {}
    if name == OVERALL:
        return {"overall": True}
    target, _, last = name.rpartition(".")
    if last in set(KeyType):
        return {"target": target or None, "key_type": last}
    return {"target": name}


def _limit(text: str, figure: Figure) -> Limit:
    match = _LIMIT.fullmatch(text)
    if match is None or (match["base"] and match["number"] and not match["sign"]):
        raise ValueError(f"{quoted(text)} is no limit; {_SHAPE}")
    if not match["number"]:
        return Limit(from_base=True)
    unit, number = match["unit"], float(match["number"])
    # What underflows to 0 is not what was typed either.
    if match["number"].strip("0.") and not _SMALLEST <= number <= _LARGEST:
        raise ValueError(f"no figure is as {'large' if number > 1 else 'small'} as that")
    if not match["sign"]:
        amount = number * _unit(unit, figure, text)
        if figure.kind is Kind.SHARE and amount > 1:
            meant = f"; did you mean {text}%?" if not unit and number <= 100 else ""
            raise ValueError(f"a share is at most 100%{meant}")
        return Limit(from_base=False, amount=amount)
    if match["sign"] == "-":
        number = -number
    if unit == "%":
        if number < -100:
            raise ValueError("nothing is more than 100% below the base")
        return Limit(from_base=True, amount=number / 100, relative=True)
    if figure.kind is Kind.SHARE:
        if unit != "pp":
            raise ValueError(
                "what is added to the base's share is a part of it, as in + 10%, or points of the "
                "share, as in + 0.5pp"
            )
        return Limit(from_base=True, amount=number / 100)
    return Limit(from_base=True, amount=number * _unit(unit, figure, text))


def _unit(unit: str, figure: Figure, text: str) -> float:
    kind = figure.kind
    if unit in kind.units:
        return kind.units[unit]
    if kind is Kind.TIME and unit == "":
        raise ValueError(f"{text} of what? {figure.name} is {kind.title}, as in {text}ms")
    raise ValueError(
        f"{quoted(unit)} is no unit of {figure.name}, which is {kind.title}, as in {kind.example}"
    )
