"""What was measured, as plain text within 100 columns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

WIDTH = 100
_WHAT = 44


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure should reach: a limit, and an aim beyond it."""

    limit: float
    aim: float
    at_least: bool
    unit: str = ""

    @classmethod
    def least(cls, limit: float, aim: float | None = None, unit: str = "") -> "Goal":
        """More is better."""
        return cls(limit, limit if aim is None else aim, at_least=True, unit=unit)

    @classmethod
    def most(cls, limit: float, aim: float | None = None, unit: str = "") -> "Goal":
        """Less is better."""
        return cls(limit, limit if aim is None else aim, at_least=False, unit=unit)

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "≤"
        aim = f", aim {self.aim:g}" if self.aim != self.limit else ""
        return f"{sign} {self.limit:g}{self.unit}{aim}"

    def verdict(self, value: float) -> str:
        """In a word or two."""
        if self._reached(self.aim, value):
            return "meets"
        return "meets the limit" if self._reached(self.limit, value) else "MISSES"

    def _reached(self, bound: float, value: float) -> bool:
        return value >= bound if self.at_least else value <= bound


@dataclass(frozen=True, slots=True)
class Ratio:
    """What is held against an aim, or for information: one value of each round."""

    what: str
    samples: Sequence[float]
    goal: Goal | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """Absolute values of each round, ours and, where there are any, theirs."""

    what: str
    ours: Sequence[float]
    theirs: Sequence[float] = ()


@dataclass(slots=True)
class Measurement:
    """What one measurement gave."""

    title: str
    theirs: str
    """Which program stands beside ours."""
    ratios: list[Ratio] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def number(value: float) -> str:
    """As many digits as say something."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(samples: Sequence[float], unit: str = "") -> str:
    """The median, and from where to where where there is more than one."""
    if not samples:
        return "–"
    text = f"{number(median(samples))}{unit}"
    if len(samples) > 1:
        text += f"  ({number(min(samples))}–{number(max(samples))})"
    return text


def show(measurements: Iterable[Measurement], *, aims_hold: bool) -> str:
    """The ratios of all measurements, then their figures."""
    done = list(measurements)
    lines = [f"{'RATIOS AND AIMS':<{_WHAT}} {'median (min–max)':<22} aim", "-" * WIDTH]
    for ratio in (ratio for measurement in done for ratio in measurement.ratios):
        goal = str(ratio.goal) if ratio.goal else ""
        verdict = ratio.goal.verdict(median(ratio.samples)) if ratio.goal and aims_hold else ""
        line = f"{ratio.what:<{_WHAT}} {spread(ratio.samples, ratio.unit):<22} {goal:<15} {verdict}"
        lines.append(line.rstrip())
    for measurement in done:
        title = f"{measurement.title[:_WHAT]:<{_WHAT}} {'occbench':<26} {measurement.theirs}"
        lines += ["", title.rstrip(), "-" * WIDTH]
        for figure in measurement.figures:
            theirs = spread(figure.theirs) if figure.theirs else ""
            lines.append(f"{figure.what:<{_WHAT}} {spread(figure.ours):<26} {theirs}".rstrip())
        lines += [f"  {remark}" for remark in measurement.remarks]
    return "\n".join(lines)
