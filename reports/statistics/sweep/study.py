"""A sweep as curves: along which axis, what stands in panels, and what was found on each curve."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

from loadtest.errors import InputError
from loadtest.record.sweep import Axis, Point, SweepFile, read_sweep
from reports.analysis.shares import FELT
from reports.statistics.sweep.cost import Onset, find_onset
from reports.statistics.sweep.knee import Knee, find_knee
from reports.statistics.sweep.measured import Measured, PointFigures, Series, read_point
from reports.statistics.sweep.scalability import Fit, NoFit, fit_law

_LOADS = ("users", "rate")
NUMBERS = (*_LOADS, "accounts", "think_time", "max_attempts")
"""Axes whose values are numbers."""
GROWING = {"users": 1, "rate": 1, "accounts": -1, "think_time": -1}
"""In which direction of an axis contention is expected to grow; on the others it is not known."""

Values = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """All runs of one curve at one value of the axis: the repeats."""

    value: Any
    """As on the axis; of a numeric axis a number."""
    label: str
    runs: tuple[Measured, ...]
    points: tuple[Point, ...]
    limited: bool
    """Whether the generator, and not the database, was the limit of one of them."""

    def middle(self, figure: str) -> float | None:
        """The median over the repeats of this figure of `Measured`; None where none knows it."""
        known = self.all(figure)
        return median(known) if known else None

    def all(self, figure: str) -> list[float]:
        """The figure of each repeat that knows it."""
        values = (getattr(run, figure) for run in self.runs)
        return [value for value in values if value is not None]


@dataclass(frozen=True, slots=True)
class Curve:
    """One series in one panel, along the axis, with what was found on it."""

    series: Series
    panel: Values
    places: tuple[Place, ...]
    """Ascending on a numeric axis, else in the axis's order; values without a run are left out."""
    knee: Knee | None
    """None where the axis is no load."""
    onset: Onset | None
    """None on an axis on which it is not known in which direction contention grows."""
    law: Fit | NoFit | None
    """None where the axis is not users, or the loop is open; of places that are not limited."""

    @property
    def measured_once(self) -> bool:
        """Whether no place has repeats, so that nothing shows how far chance moves them."""
        return all(len(place.runs) == 1 for place in self.places)

    def at(self, value: object) -> Place | None:
        """The place of this value of the axis."""
        return next((place for place in self.places if place.value == value), None)


@dataclass(frozen=True, slots=True)
class Study:
    """A sweep, read: what its page and its summary are made from."""

    folder: Path
    sweep: SweepFile
    axis: Axis
    """What is drawn along: users or rate if swept, otherwise the first axis, numeric ones first."""
    panels: tuple[Axis, ...]
    """The other axes."""
    curves: tuple[Curve, ...]
    figures: dict[int, PointFigures]
    """By the point's number; points that were measured only."""
    unreadable: dict[int, str]
    """By the point's number: measured, and why its summary cannot be read all the same."""

    @property
    def numeric(self) -> bool:
        """Whether the axis has numbers, so that it makes sense to draw a line along it."""
        return self.axis.name in NUMBERS

    def position(self, value: Any) -> float:
        """Where a value of a numeric axis stands: itself, but attempts without end are the most."""
        return position(self.axis, value)

    @property
    def series(self) -> tuple[Series, ...]:
        """Every series, in the order of the first point that has it."""
        return tuple(dict.fromkeys(curve.series for curve in self.curves))

    @property
    def panel_values(self) -> tuple[Values, ...]:
        """The combinations of the other axes' values that were measured, in the axes' order."""
        found = {curve.panel for curve in self.curves}
        return tuple(
            values for values in product(*(axis.values for axis in self.panels)) if values in found
        )

    @property
    def reported(self) -> tuple[tuple[Point, PointFigures], ...]:
        """The points with figures, in the order of measuring."""
        return tuple((p, self.figures[p.number]) for p in self.sweep.done if p.number in self.figures)

    @property
    def simulated(self) -> bool:
        """Whether any point was computed and not measured."""
        return any(figures.simulated for figures in self.figures.values())

    def panel_name(self, values: Values) -> str:
        """What a reader calls a panel; empty where there is one."""
        named = zip(self.panels, values, strict=True)
        return ", ".join(setting(axis, value) for axis, value in named)

    def of_panel(self, values: Values) -> tuple[Curve, ...]:
        """The curves of one panel."""
        return tuple(curve for curve in self.curves if curve.panel == values)


_UNITS = {
    "users": ("user", "users"),
    "accounts": ("account", "accounts"),
    "max_attempts": ("attempt allowed", "attempts allowed"),
}


def setting(axis: Axis, value: object) -> str:
    """A value with the axis's name, as a sentence says it: `64 users`, `skew zipf:1.1`."""
    if axis.name == "max_attempts" and value == 0:
        return "any number of attempts allowed"
    if axis.name == "rate" and isinstance(value, int | float):
        return f"a rate of {value:,.10g}/s"
    if axis.name in _UNITS and isinstance(value, int | float):
        return f"{value:,.10g} {_UNITS[axis.name][value != 1]}"
    return f"{axis.name.replace('_', ' ')} {axis.label_of(value)}"


def position(axis: Axis, value: Any) -> float:
    """A value of a numeric axis as a number that orders it: no limit of attempts, 0, is infinite."""
    if value is None or (axis.name == "max_attempts" and value == 0):
        return math.inf
    return float(value)


def read_study(folder: Path) -> Study:
    """Read a sweep's folder and the summaries of its points.

    Raises:
        InputError: if it is not a sweep's folder, or none of its points can be reported.
    """
    sweep = read_sweep(folder)
    if not sweep.axes:
        raise InputError(f"{folder}: the sweep has no axis")
    figures: dict[int, PointFigures] = {}
    unreadable: dict[int, str] = {}
    for point in sweep.done:
        try:
            figures[point.number] = read_point(folder / str(point.folder))
        except InputError as error:
            unreadable[point.number] = str(error)
    if not figures:
        reasons = [*unreadable.values(), *(point.reason for point in sweep.failed if point.reason)]
        why = reasons[0] if reasons else "none was measured to its end"
        raise InputError(f"{folder}: no point can be reported: {why}")
    axis = _choose(sweep.axes)
    panels = tuple(other for other in sweep.axes if other is not axis)
    study = Study(folder, sweep, axis, panels, (), figures, unreadable)
    return replace(study, curves=tuple(_curves(study)))


def _choose(axes: Sequence[Axis]) -> Axis:
    """Users, then rate, then the first axis with numbers, then the first."""
    for name in _LOADS:
        for axis in axes:
            if axis.name == name and all(isinstance(v, int | float) for v in axis.values):
                return axis
    return next((axis for axis in axes if axis.name in NUMBERS), axes[0])


def _curves(study: Study) -> Iterator[Curve]:
    points = sorted((p for p, _ in study.reported), key=lambda p: (p.repeat, p.number))
    series = dict.fromkeys(one for _, figures in study.reported for one in figures.series)
    for panel in product(*(axis.values for axis in study.panels)):
        here = [p for p in points if tuple(p.values[axis.name] for axis in study.panels) == panel]
        for one in series:
            if places := tuple(_places(study, one, here)):
                yield _curve(study, one, panel, places)


def failing(study: Study) -> list[tuple[Point, float]]:
    """Points at which a share of transactions failed that is felt, with the largest share."""
    return _felt(study, "failed_share")


def refusing(study: Study) -> list[tuple[Point, float]]:
    """Points at which a share of transactions was refused that is felt, with the largest share."""
    return _felt(study, "refused_share")


def _felt(study: Study, share: str) -> list[tuple[Point, float]]:
    shares = ((p, max(getattr(run, share) for run in f.series.values())) for p, f in study.reported)
    return [(point, most) for point, most in shares if most >= FELT]


def _places(study: Study, series: Series, points: Sequence[Point]) -> Iterator[Place]:
    values = list(study.axis.values)
    if study.numeric:
        values.sort(key=study.position)
    for value in values:
        mine = tuple(
            p for p in points
            if p.values[study.axis.name] == value and series in study.figures[p.number].series
        )  # fmt: skip
        if mine:
            yield Place(
                value,
                study.axis.label_of(value),
                tuple(study.figures[p.number].series[series] for p in mine),
                mine,
                any(study.figures[p.number].generator_was_limit is True for p in mine),
            )


def _curve(study: Study, series: Series, panel: Values, places: tuple[Place, ...]) -> Curve:
    name, knee, onset = study.axis.name, None, None
    if name in _LOADS:
        known = [place for place in places if place.all("power")]
        knee = find_knee([p.value for p in known], [p.all("power") for p in known])
    known = [place for place in places if place.all("cost")]
    if name in GROWING and len(known) > 1:
        known = known[:: GROWING[name]]
        onset = find_onset([p.value for p in known], [p.all("cost") for p in known])
    return Curve(series, panel, places, knee, onset, _law(study, series, panel, places))


def _law(study: Study, series: Series, panel: Values, places: tuple[Place, ...]) -> Fit | NoFit | None:
    if study.axis.name != "users":
        return None
    rates = [v for axis, v in zip(study.panels, panel, strict=True) if axis.name == "rate"]
    if (rates[0] if rates else study.sweep.config.rate) is not None:
        return None
    if series.target is not None:
        return NoFit("no law of one target: the users are those of all targets together")
    # What the generator could not do says nothing of the database.
    used = [p for p in places if not p.limited and all(run.failed_share < FELT for run in p.runs)]
    users = [place.value for place in used for _ in place.runs]
    tps = [run.throughput_tps for place in used for run in place.runs]
    return fit_law(users, tps, study.sweep.config.seed)
