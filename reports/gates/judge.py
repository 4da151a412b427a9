"""Gates: conditions that decide whether a run passes, each held against the figures of summary.json.

Every condition is evaluated on every slice it is of, and a value that is not known misses its gate: a
check that could not be made is not a check that was passed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reports.analysis.percentiles import BEYOND, QUANTILES
from reports.documents.run.summary_file import Summary, bad_verdicts
from reports.gates.conditions import OVERALL, Condition, Figure, Slice
from reports.gates.values import apart, change, shown
from reports.text.rounding import count, seconds

if TYPE_CHECKING:
    from reports.statistics.comparison.against_base import AgainstBase


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
        text = self.condition.text
        return text if text.startswith(f"{self.where}.") else f"{text} ({self.where})"

    @property
    def value_text(self) -> str:
        """The value with its unit, with as many digits as it takes to see that it is not the limit."""
        if self.value is None:
            return "not known"
        return apart(self.condition.figure.kind, self.value, self.limit, self._size)

    @property
    def limit_text(self) -> str:
        """The limit with its unit; where it came from the base, how; and how chance let it hold."""
        kind, limit = self.condition.figure.kind, self.condition.limit
        if self.limit is None or self.value is None:
            return ""
        text = apart(kind, self.limit, self.value, self._size, given=True)
        if not limit.from_base or self.base is None:
            return text
        text = f"{text} (base {shown(kind, self.base, like=self._size)}{change(kind, limit)})"
        if self.held and self.reach is not None and self.condition.missed_by(self.value, self.limit):
            low, high = (shown(kind, end, like=self._size) for end in self.reach)
            text += f", no more than chance may show: {low} to {high}"
        return text

    @property
    def _size(self) -> float | None:
        """The smallest of its figures, whose unit all are shown in."""
        return min((abs(one) for one in (self.value, self.limit, self.base) if one), default=None)

    @property
    def text(self) -> str:
        """Value and limit as one sentence's worth: `p99 is 61.2 ms, above the limit of 50 ms`."""
        figure = self.condition.figure.name
        if self.why:
            return f"{figure}: {self.why}"
        if self.value is None or self.limit is None or self.value == self.limit:
            side = "which is"
        else:
            side = "above" if self.value > self.limit else "below"
        return f"{figure} is {self.value_text}, {side} the limit of {self.limit_text}"


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
    def invariant_text(self) -> str:
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
    gates, records = [], None
    if subject.base is not None and any(condition.limit.from_base for condition in conditions):
        # Only then, for it takes more than gates without a base need.
        from reports.statistics.comparison.against_base import AgainstBase

        records = AgainstBase(subject.folder, subject.base_folder, subject.allowance)
    for condition in conditions:
        if condition.target is not None and subject.targets and condition.target not in subject.targets:
            continue
        slices = _slices(condition, subject)
        gates += [_evaluate(condition, subject, where, records) for where in slices]
        if not slices:
            name = ".".join(filter(None, (condition.target, condition.key_type))) or OVERALL
            gates.append(Gate(condition, name, None, None, None, False, "nothing was measured"))
    return Judged(subject, gates, strict)


@dataclass(frozen=True, slots=True)
class _Where:
    """A slice by its name, and the way to it in a summary and in a record."""

    name: str
    key_type: str | None = None
    target: str | None = None

    def find(self, summary: Summary) -> Slice | None:
        """The slice's figures; None where nothing was measured of it."""
        if self.key_type is None:
            return summary.get("overall")
        targets = summary.get("targets") or {}
        if self.target is None or list(targets) == [self.target]:
            # With one target nothing is split by it: its key types are the run's.
            return (summary.get("key_types") or {}).get(self.key_type)
        split = (summary.get("targets_by_key_type") or {}).get(self.target) or {}
        return split.get(self.key_type)


def _slices(condition: Condition, subject: Subject) -> list[_Where]:
    """The slices that a condition is of: a part that it does not name stands for each there is."""
    if condition.overall:
        return [_Where(OVERALL)]
    summary = subject.summary
    keys = dict.fromkeys([*subject.keys, *(summary.get("key_types") or {})])
    targets = dict.fromkeys([*subject.targets, *(summary.get("targets") or {})])
    chosen_keys = [condition.key_type] if condition.key_type else list(keys)
    if len(targets) <= 1 and condition.target is None:
        return [_Where(key, key) for key in chosen_keys]
    chosen_targets = [condition.target] if condition.target else list(targets)
    return [_Where(f"{t}.{key}", key, t) for t in chosen_targets for key in chosen_keys]


def _evaluate(
    condition: Condition, subject: Subject, where: _Where, records: "AgainstBase | None"
) -> Gate:
    figure, limited = condition.figure, condition.limit
    base_summary = subject.base if limited.from_base else None
    mine = where.find(subject.summary)
    other = where.find(base_summary) if base_summary is not None else None
    value, base = (figure.value(one) if one is not None else None for one in (mine, other))
    limit = limited.of(base)
    why = ""
    if value is None:
        why = _why_unknown(figure, mine)
    elif limit is None and base_summary is None:
        why = subject.no_base or "there is no base"
    elif limit is None:
        why = f"the base does not have it: {_why_unknown(figure, other)}"
    elif base_summary is not None:
        measured_s, base_s = (one.get("measured_s") for one in (subject.summary, base_summary))
        why = _why_not_comparable(figure, measured_s, base_s)
        limit = None if why else limit
    if value is None or limit is None:
        return Gate(condition, where.name, value, limit, base, False, why)
    held = not condition.missed_by(value, limit)
    if not records or mine is None or not other:
        return Gate(condition, where.name, value, limit, base, held)
    times = 1 + limited.amount if limited.relative else 1.0
    reach = records.reach(figure.name, value, (where.key_type, where.target), mine, other, times)
    if reach is None:
        return Gate(condition, where.name, value, limit, base, False, _TOO_LITTLE)
    ends = reach.low, reach.high
    near, far = ends if condition.above else ends[::-1]
    # What chance may show is no miss, unless an interval is so wide that it shows nothing.
    by_chance = not condition.missed_by(near, limit)
    if reach.wide and by_chance and condition.missed_by(far, limit):
        low, high = (shown(figure.kind, end) for end in ends)
        why = f"{_TOO_LITTLE}: by chance it may be {low} to {high}"
        return Gate(condition, where.name, value, limit, base, False, why)
    return Gate(condition, where.name, value, limit, base, held or by_chance, reach=ends)


_TOO_LITTLE = "too little data to tell it from the base, measure longer"


def _why_not_comparable(figure: Figure, measured_s: float | None, base_s: float | None) -> str:
    """A count grows with the time: it compares with one of the same time only; "" where it does."""
    if not figure.counted:
        return ""
    if not measured_s or not base_s:
        return "not comparable: it is a count, over a time that is not known"
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
        for where in _slices(condition, coming):
            figures = where.find(base)
            if figures is None or condition.figure.value(figures) is None:
                yield condition, where.name, _why_unknown(condition.figure, figures)
            elif why := _why_not_comparable(condition.figure, measured_s, base.get("measured_s")):
                yield condition, where.name, why


def _why_unknown(figure: Figure, figures: Slice | None) -> str:
    if figures is None:
        return "nothing was measured"
    if figure.part not in figures:
        return "this target does not show it"
    if figure.mark in QUANTILES and isinstance(figures[figure.part], Mapping):
        samples = int(figures[figure.part].get("samples") or 0)
        needed = round(BEYOND / (1 - QUANTILES[figure.mark]))
        if samples < needed:
            return f"too few samples, {count(samples)} where {figure.mark} needs {count(needed)}"
    return "nothing was counted"
