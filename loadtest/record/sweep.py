"""`sweep.json`: which points a sweep has, and which of them are measured.

Nothing else of a sweep's folder is read here: the figures of a point are in its own folder
(`Point.folder`), which is that of an ordinary run.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field

from loadtest.errors import InputError
from loadtest.errors.messages import quoted
from loadtest.record.model import Count, File, Many, Moment, Part, read_file
from loadtest.record.run import Config

SWEEP_FILE = "sweep.json"
POINTS_FOLDER = "points"

State = Literal["pending", "done", "failed"]


class Axis(Part):
    """One option that has several values in the sweep."""

    name: str
    """The option as `run.json`'s config names it: users, rate, accounts, skew, retry, think_time,
    max_attempts or target."""
    values: Many[Any]
    """As in a run's config, in the order in which they were given; of `target` the endpoints' texts
    without secrets, joined by a blank."""
    labels: Many[str]
    """A value each, as a person would say it, without the option's name; all are different."""

    def label_of(self, value: object) -> str:
        """Return the value's label; raises ValueError if the axis does not have it."""
        return self.labels[self.values.index(value)]


class Point(Part):
    """One run of the sweep: a value of each axis, and which repeat it is."""

    model_config = ConfigDict(frozen=False, validate_assignment=True)

    number: Count
    """From 1, in the order of measuring, which is random; unique."""
    values: dict[str, Any]
    """Axis → value, every axis of the sweep."""
    repeat: Count
    """From 1; repeat r uses the sweep's seed + r − 1."""
    label: str
    state: State = "pending"
    """`done` if it was measured to its end, whatever its invariant says; `failed` with a reason."""
    folder: str | None = None
    """The run's folder, relative to the sweep's; None if it is not measured."""
    exit_status: int | None = None
    """0, or 1 if the run's invariant is broken; of a failed one whatever the run ended with."""
    reason: str | None = None
    """Why it failed, in one line."""
    started_ns: Moment | None = None
    ended_ns: Moment | None = None

    @property
    def is_done(self) -> bool:
        """Whether there is a run to read."""
        return self.state == "done" and self.folder is not None


class SweepFile(File):
    """A sweep as `sweep.json` describes it."""

    model_config = ConfigDict(frozen=False, validate_assignment=True)

    label: str
    config: Config
    """The options that all points have in common, as in `run.json`; an axis's option is not in it."""
    repeats: int = Field(ge=1)
    axes: Many[Axis]
    """At least one, in the order of the options; each has at least two values."""
    hidden: Many[str] = ()
    """Targets that had a secret, as they are shown; resuming needs them typed again."""
    points: Many[Point]
    """All points in the order of measuring, also those that are not measured yet."""
    started_ns: Moment
    ended_ns: Moment | None = None
    """When the last point was measured; None while points are pending."""
    interrupted: bool = False
    """Whether it was stopped before its end, and not gone on with since."""

    @property
    def settings(self) -> dict[str, Any]:
        """The options that all points have in common, as the file has them."""
        return self.config.model_dump(mode="json")

    @property
    def done(self) -> list[Point]:
        """The points that can be read, in the order of measuring."""
        return [point for point in self.points if point.is_done]

    @property
    def failed(self) -> list[Point]:
        """The points that could not be measured."""
        return [point for point in self.points if point.state == "failed"]

    @property
    def pending(self) -> list[Point]:
        """The points that are still to be measured."""
        return [point for point in self.points if point.state == "pending"]

    def axis(self, name: str) -> Axis | None:
        """The axis of this option; None if it was not swept."""
        return next((axis for axis in self.axes if axis.name == name), None)


def is_sweep(folder: Path) -> bool:
    """Return whether this is the folder of a sweep, and not that of a run."""
    return (folder / SWEEP_FILE).is_file()


def read_sweep(folder: Path) -> SweepFile:
    """Read `sweep.json` of a sweep's folder; raises InputError that says what is wrong with it."""
    path = folder / SWEEP_FILE
    if not path.is_file():
        raise InputError(
            f"{folder} is not a sweep's folder: it has no {SWEEP_FILE}; give one such as "
            "results/<time>-sweep-<label>"
        )
    remedy = "restore it, or begin the sweep anew"
    file = read_file(SweepFile, path, "a sweep", remedy)
    if (damage := next(_damages(file), None)) is not None:
        raise InputError(f"{path} is damaged: {damage}; {remedy}")
    return file


def _damages(file: SweepFile) -> Iterator[str]:
    """Yield what is wrong with a sweep that this program cannot have written."""
    names = {axis.name for axis in file.axes}
    if not names or len(names) < len(file.axes):
        yield "it has no axes, or two of the same option"
    for axis in file.axes:
        if len(axis.values) < 2 or len(axis.labels) != len(axis.values):
            yield (
                f"axis {quoted(axis.name)} has {len(axis.values)} values and {len(axis.labels)} labels"
            )
    size = file.repeats * math.prod(len(axis.values) for axis in file.axes)
    if len(file.points) != size:
        yield f"it has {len(file.points)} points in {file.repeats} repeats, which is not its grid"
    if [point.number for point in file.points] != list(range(1, len(file.points) + 1)):
        yield "its points are not numbered from 1 on"
    seen: set[object] = set()
    for point in file.points:
        if point.values.keys() != names or not all(
            point.values[axis.name] in axis.values for axis in file.axes
        ):
            yield f"point {point.number} has no value on each axis"
            return
        cell = tuple(axis.values.index(point.values[axis.name]) for axis in file.axes)
        if not 1 <= point.repeat <= file.repeats or (cell, point.repeat) in seen:
            yield f"point {point.number} is not one of the grid, or is in it twice"
        if (point.state == "done") != (point.folder is not None):
            yield f"point {point.number} is {point.state} and has the folder {quoted(point.folder)}"
        if point.folder is not None and (
            Path(point.folder).parts[:-1] != (POINTS_FOLDER,) or point.folder in seen
        ):
            yield f"point {point.number} has the folder {quoted(point.folder)}, which is not its own"
        seen |= {(cell, point.repeat), point.folder}
