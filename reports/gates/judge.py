"""Gates: conditions that decide whether a run passes, each held against the figures of summary.json.

Every condition is evaluated on every slice it is of, and a value that is not known misses its gate: a
check that could not be made is not a check that was passed.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.analysis.percentiles import BEYOND, QUANTILES
from reports.documents.run.summary_file import Summary, bad_verdicts
from reports.gates.conditions import OVERALL, Condition, Figure, Kind, Limit, Slice
from reports.text.rounding import MINUS, THIN, count, seconds

if TYPE_CHECKING:
    from reports.statistics.relative import Beside


_MOST_DIGITS = 9
_SAME_TIME = 0.1
"""Measured times that differ by less, as a share of the longer one, count as equal."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A run to judge, and the run it is held against."""

    name: str
    summary: Summary
    base: Summary | None = None
    keys: tuple[str, ...] = ()
    """Key types that were to be measured; one of which nothing was recorded misses its gates."""
    targets: tuple[str, ...] = ()
    """Targets likewise."""
    no_base: str = ""
    """Where there is no base: why not."""
    notes: tuple[str, ...] = ()
    """What is worth knowing of the comparison with the base, as sentences."""
    folder: Path | None = None
    """Where its record is, that tells how sure its figures are."""
    base_folder: Path | None = None
    allowance: float | None = None
    """What runs of the same thing may differ by, as `compare --allowance`."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition on one slice of one run: its value, its limit, and whether it held."""

    condition: Condition
    where: str
    """The slice: `uuid`, `east.uuid`, `overall`."""
    value: float | None
    """In the figure's unit (milliseconds, a share, transactions a second); None where not known."""
    limit: float | None
    base: float | None
    """The figure of the base run, where the limit depends on it."""
    held: bool
    why: str = ""
    """Where it could not be evaluated: why not."""
    reach: tuple[float, float] | None = None
    """Where the limit depends on the base: between which values it may lie by chance."""

    @property
    def name(self) -> str:
        """The condition and, where its text does not name all of it, the slice."""
        said = self.condition.text.startswith(f"{self.where}.")
        return self.condition.text if said else f"{self.condition.text} ({self.where})"

    @property
    def value_said(self) -> str:
        """The value with its unit, with as many digits as it takes to see that it is not the limit."""
        if self.value is None:
            return "not known"
        return _apart(self.condition.figure.kind, self.value, self.limit, self._size)

    @property
    def limit_said(self) -> str:
        """The limit with its unit; where it came from the base, how."""
        kind, limit = self.condition.figure.kind, self.condition.limit
        if self.limit is None:
            return ""
        text = _apart(kind, self.limit, self.value, self._size, given=True)
        if not limit.from_base or self.base is None:
            return text
        text = f"{text} (base {shown(kind, self.base, like=self._size)}{_change(kind, limit)})"
        return f"{text}, {self._within_chance}" if self._within_chance else text

    @property
    def _within_chance(self) -> str:
        """Of a gate that held although the value is on the wrong side: why."""
        if not self.held or self.reach is None or self.value is None or self.limit is None:
            return ""
        if not self.condition.missed_by(self.value, self.limit):
            return ""
        low, high = (shown(self.condition.figure.kind, end, like=self._size) for end in self.reach)
        return f"no more than chance may show: {low} to {high}"

    @property
    def _size(self) -> float | None:
        """The smallest of its figures, whose unit all are said in."""
        return min((abs(one) for one in (self.value, self.limit, self.base) if one), default=None)

    @property
    def said(self) -> str:
        """Value and limit as one sentence's worth: `p99 is 61.2 ms, above the limit of 50 ms`."""
        figure = self.condition.figure.name
        if self.why:
            return f"{figure}: {self.why}"
        return f"{figure} is {self.value_said}, {self._side()} {self.limit_said}"

    def _side(self) -> str:
        if self.value == self.limit:
            return "which is the limit of"
        above = self.value is not None and self.limit is not None and self.value > self.limit
        return f"{'above' if above else 'below'} the limit of"


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """What was to be measured and judged and has no figures."""

    name: str
    why: str
    """In one line."""
    failed: bool
    """Whether it was tried; else it is still to be measured."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A run and what its gates say."""

    subject: Subject
    gates: list[Gate]
    strict: bool = False
    """Whether a bad verdict fails the run as a missed gate does."""

    @property
    def missed(self) -> list[Gate]:
        """The gates that did not hold."""
        return [gate for gate in self.gates if not gate.held]

    @property
    def broken(self) -> bool:
        """Whether the run's invariant does not hold; no figure is worth anything then."""
        return (self.subject.summary.get("invariant") or {}).get("holds") is False

    @property
    def invariant_said(self) -> str:
        """What the report says of the invariant."""
        for verdict in self.subject.summary.get("verdicts") or ():
            if verdict["about"] == "invariant":
                return str(verdict["text"])
        return "the invariant does not hold"

    @property
    def passed(self) -> bool:
        """Whether every gate and the invariant held, and the figures are those of a run that worked."""
        return not (self.missed or self.broken or self.mostly_failed or (self.strict and self.bad))

    @property
    def mostly_failed(self) -> bool:
        """Whether more than half of the transactions failed, or none was committed."""
        whole = self.subject.summary.get("overall") or {}
        ended, committed = whole.get("transactions") or 0, whole.get("committed") or 0
        if not committed:
            # There may be none that ended, either, where each is tried again and again.
            return bool(ended or whole.get("attempts"))
        return bool(2 * (whole.get("failed") or 0) > ended)

    @property
    def bad(self) -> list[Mapping[str, str]]:
        """The report's bad verdicts."""
        return bad_verdicts(self.subject.summary)


def judge(conditions: Sequence[Condition], subject: Subject, *, strict: bool = False) -> Judged:
    """Evaluate every condition on every slice of the run that it is of.

    A condition of a target that the run was not to measure is none of it: of a sweep over targets other
    points have that one.
    """
    gates = []
    beside = None
    if subject.base is not None and any(condition.limit.from_base for condition in conditions):
        # Only then, for it takes more than gates without a base need.
        from reports.statistics.relative import Beside

        beside = Beside(subject.folder, subject.base_folder, subject.allowance)
    for condition in conditions:
        if condition.target is not None and subject.targets and condition.target not in subject.targets:
            continue
        places = _places(condition, subject)
        gates += [_evaluate(condition, subject, place, beside) for place in places]
        if not places:
            where = ".".join(filter(None, (condition.target, condition.key_type))) or OVERALL
            gates.append(Gate(condition, where, None, None, None, False, "nothing was measured"))
    return Judged(subject, gates, strict)


@dataclass(frozen=True, slots=True)
class _Place:
    """A slice by its name, and the way to it in a summary and in a record."""

    name: str
    find: Callable[[Summary], Slice | None]
    where: tuple[str | None, str | None] = (None, None)
    """Key type and target."""


def _places(condition: Condition, subject: Subject) -> list[_Place]:
    """The slices that a condition is of: a part that it does not name stands for each there is."""
    if condition.overall:
        return [_Place(OVERALL, lambda summary: summary.get("overall"))]
    keys = _names(subject.keys, subject.summary.get("key_types"), condition.key_type)
    targets = _names(subject.targets, subject.summary.get("targets"), condition.target)
    several = len(set(subject.targets) | set(subject.summary.get("targets") or {})) > 1
    if not several and condition.target is None:
        return [_Place(key, _of_key_type(key), (key, None)) for key in keys]
    return [
        _Place(f"{target}.{key}", _of_target(target, key), (key, target))
        for target in targets
        for key in keys
    ]


def _names(asked: Sequence[str], measured: Mapping[str, Any] | None, chosen: str | None) -> list[str]:
    if chosen is not None:
        return [chosen]
    return list(dict.fromkeys([*asked, *(measured or {})]))


def _of_key_type(key: str) -> Callable[[Summary], Slice | None]:
    return lambda summary: (summary.get("key_types") or {}).get(key)


def _of_target(target: str, key: str) -> Callable[[Summary], Slice | None]:
    def find(summary: Summary) -> Slice | None:
        targets = summary.get("targets") or {}
        if list(targets) == [target]:
            # With one target nothing is split by it: its key types are the run's.
            return _of_key_type(key)(summary)
        found: Slice | None = (summary.get("targets_by_key_type") or {}).get(target, {}).get(key)
        return found

    return find


def _evaluate(condition: Condition, subject: Subject, place: _Place, records: "Beside | None") -> Gate:
    figure = condition.figure
    found = place.find(subject.summary)
    value = figure.value(found) if found is not None else None
    base, beside = None, None
    if condition.limit.from_base and subject.base is not None:
        beside = place.find(subject.base)
        base = figure.value(beside) if beside is not None else None
    limit = condition.limit.of(base)
    why = _why_unknown(figure, found) if value is None else ""
    if not why and limit is None:
        why = _why_no_base(condition, subject, place)
    if not why and condition.limit.from_base and subject.base is not None:
        measured_s = subject.summary.get("measured_s")
        why = _why_not_comparable(figure, measured_s, subject.base.get("measured_s"))
        limit = None if why else limit
    held = value is not None and limit is not None and not condition.missed_by(value, limit)
    reach = None
    if value is not None and limit is not None and records and found is not None and beside:
        times = 1 + condition.limit.amount if condition.limit.relative else 1.0
        sure = records.reach(figure.name, value, place.where, found, beside, times)
        if sure is None:
            return Gate(condition, place.name, value, limit, base, False, _TOO_LITTLE)
        reach = sure.low, sure.high
        near, far = reach if condition.above else reach[::-1]
        if not condition.missed_by(near, limit) and condition.missed_by(far, limit) and sure.wide:
            low, high = (shown(figure.kind, end) for end in reach)
            why = f"{_TOO_LITTLE}: by chance it may be {low} to {high}"
            return Gate(condition, place.name, value, limit, base, False, why)
        # What chance may show is no miss.
        held = held or not condition.missed_by(near, limit)
    return Gate(condition, place.name, value, limit, base, held, why, reach)


_TOO_LITTLE = "too little data to tell it from the base, measure longer"


def _why_no_base(condition: Condition, subject: Subject, place: _Place) -> str:
    if subject.base is None:
        return subject.no_base or "there is no base"
    found = place.find(subject.base)
    return f"the base does not have it: {_why_unknown(condition.figure, found)}"


def _why_not_comparable(figure: Figure, measured_s: float | None, base_s: float | None) -> str:
    """A count grows with the time: it compares with one of the same time only; "" where it does."""
    if not figure.counted:
        return ""
    if not measured_s or not base_s:
        return "not comparable: it is a count, and nobody knows over what time"
    if abs(measured_s - base_s) <= _SAME_TIME * max(measured_s, base_s):
        return ""
    return (
        f"not comparable: it is a count, over {seconds(measured_s)} here and {seconds(base_s)} in the "
        "base; take a rate, or measure as long"
    )


def missing_in_base(
    conditions: Sequence[Condition],
    base: Summary,
    keys: tuple[str, ...],
    targets: tuple[str, ...],
    measured_s: float | None,
) -> Iterator[tuple[Condition, str, str]]:
    """What a base lacks for judging a run of these key types and targets, measured for so long:
    condition, slice, why.
    """
    coming = Subject("", {}, base, keys, targets)
    for condition in conditions:
        if not condition.limit.from_base:
            continue
        for place in _places(condition, coming):
            found = place.find(base)
            if found is None or condition.figure.value(found) is None:
                yield condition, place.name, _why_unknown(condition.figure, found)
            elif why := _why_not_comparable(condition.figure, measured_s, base.get("measured_s")):
                yield condition, place.name, why


def _why_unknown(figure: Figure, found: Slice | None) -> str:
    if found is None:
        return "nothing was measured"
    if figure.part not in found:
        return "this target does not show it"
    if figure.of in QUANTILES and isinstance(found[figure.part], Mapping):
        samples = int(found[figure.part].get("samples") or 0)
        needed = round(BEYOND / (1 - QUANTILES[figure.of]))
        if samples < needed:
            return f"too few samples, {count(samples)} where {figure.of} needs {count(needed)}"
    return "nothing was counted"


def _scaled(kind: Kind, value: float, like: float | None = None) -> tuple[float, str]:
    if kind is Kind.TIME:
        size = abs(value if like is None else like)
        return (value / 1000, f"{THIN}s") if size >= 10_000 else (value, f"{THIN}ms")
    if kind is Kind.SHARE:
        return value * 100, f"{THIN}%"
    return value, "/s" if kind is Kind.SPEED else ""


def shown(
    kind: Kind, value: float, digits: int = 3, *, given: bool = False, like: float | None = None
) -> str:
    """A value with its unit and so many significant digits; whole digits are never rounded away.

    `given` says that it was typed and not measured: zeros at its end then mean nothing. The unit is
    that of `like`, a value that it stands beside.
    """
    scaled, unit = _scaled(kind, value, like)
    size = abs(scaled)
    decimals = 0
    if size and not (kind is Kind.NUMBER and size == int(size)):
        # Rounding may bring a digit: 9.996 is 10.0, not 10.00.
        rounded = round(size, digits - 1 - math.floor(math.log10(size)))
        decimals = max(0, digits - 1 - math.floor(math.log10(rounded)))
    text = f"{size:,.{decimals}f}"
    if given and "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"{MINUS if scaled < 0 else ''}{text}{unit}"


def _apart(
    kind: Kind, value: float, other: float | None, like: float | None, *, given: bool = False
) -> str:
    """A value with the fewest digits, from three on, that tell it from the other one."""
    digits = 3
    while (
        other not in (None, value)
        and digits < _MOST_DIGITS
        and shown(kind, value, digits, given=True, like=like)
        == shown(kind, other, digits, given=True, like=like)
    ):
        digits += 1
    return shown(kind, value, digits, given=given, like=like)


def _change(kind: Kind, limit: Limit) -> str:
    """How a limit differs from the base, as in ` + 10 %`; nothing where it does not."""
    if limit.amount == 0:
        return ""
    sign = MINUS if limit.amount < 0 else "+"
    amount = abs(limit.amount)
    if limit.relative:
        return f" {sign} {shown(Kind.SHARE, amount, given=True)}"
    if kind is Kind.SHARE:
        return f" {sign} {shown(Kind.NUMBER, amount * 100, given=True)} points"
    return f" {sign} {shown(kind, amount, given=True)}"
