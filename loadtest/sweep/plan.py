"""What a sweep is: its points, the order in which they are measured, and how far it has come.

The plan is a randomised complete block design: every repeat measures every combination of values once,
in an order of its own. So a drift of the machine falls on all values of an axis alike instead of
looking like an effect of the axis, and repeats of a point are measured at different times, so that what
they differ in is more than the noise of one moment. The design is that of D. C. Montgomery, Design and
Analysis of Experiments, chapter 4 ("Randomized Blocks").
"""

import math
import random
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from pathlib import Path
from time import time_ns
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from loadtest.config.run import RunConfig, flag_of
from loadtest.errors import InputError, OccbenchError
from loadtest.record import folder as runfolder
from loadtest.record.files import read_json, write_json
from loadtest.sweep.axes import AXES, TARGET, labels_of, shown_target, split_options
from loadtest.workload.skew import canonical_skew

FORMAT = 1
"""The version of sweep.json; docs/results-format.md describes it."""

SWEEP_FILE = "sweep.json"
POINTS_FOLDER = "points"
MOST_POINTS = 2000
_LONGEST_LABEL = 80
_OF_EACH_RUN = {"label", "out"}
"""Options that a sweep sets itself."""


class _Stated(BaseModel):
    """A part of sweep.json; points change while they are measured."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class Axis(_Stated):
    """An option with several values."""

    name: str
    values: list[Any]
    labels: list[str]


class Point(_Stated):
    """One run to be made, or made."""

    number: int
    values: dict[str, Any]
    repeat: int
    label: str
    state: Literal["pending", "done", "failed"] = "pending"
    folder: str | None = None
    exit_status: int | None = None
    reason: str | None = None
    started_ns: int | None = None
    ended_ns: int | None = None


class SweepFile(_Stated):
    """sweep.json."""

    format: int = FORMAT
    label: str
    config: dict[str, Any]
    repeats: int
    axes: list[Axis]
    hidden: list[str] = []
    """Targets that had a secret, as they are shown; resuming needs them typed again."""
    points: list[Point]
    started_ns: int
    ended_ns: int | None = None
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep and its folder.

    `endpoints` is what never reaches a file: target as sweep.json shows it → the endpoints as typed,
    maybe with a password.
    """

    folder: Path
    file: SweepFile
    endpoints: Mapping[str, Sequence[str]]

    @property
    def pending(self) -> list[Point]:
        """What is still to be measured, in order."""
        return [point for point in self.file.points if point.state == "pending"]

    @property
    def failed(self) -> list[Point]:
        """What could not be measured."""
        return [point for point in self.file.points if point.state == "failed"]

    @property
    def done(self) -> list[Point]:
        """What is measured."""
        return [point for point in self.file.points if point.state == "done"]

    def config_of(self, point: Point) -> RunConfig:
        """The run that a point is."""
        return _config_of(self.file, point, self.folder / POINTS_FOLDER, self.endpoints)

    def describe(self, point: Point) -> str:
        """As in `users 32, skew zipf:1.1`, with the repeat where there are several."""
        parts = [
            f"{axis.name.replace('_', ' ')} {axis.labels[axis.values.index(point.values[axis.name])]}"
            for axis in self.file.axes
        ]
        if self.file.repeats > 1:
            parts.append(f"repeat {point.repeat}")
        return ", ".join(parts)

    def place_of(self, point: Point) -> tuple[int, ...]:
        """Where a point stands when all are in the order of the axes' values, not of measuring."""
        places = [axis.values.index(point.values[axis.name]) for axis in self.file.axes]
        return (*places, point.repeat)

    def resume_command(self, *words: str) -> str:
        """What goes on with it, to be typed into a shell; `words` are more options."""
        return shlex.join(["occbench", "sweep", "--resume", str(self.folder), *words])

    def save(self) -> None:
        """Write sweep.json, whole or not at all."""
        try:
            # Without its plan, hours of measuring are lost.
            write_json(self.folder / SWEEP_FILE, self.file.model_dump(mode="json"), durable=True)
        except OSError as error:
            raise OccbenchError(
                f"cannot write {self.folder / SWEEP_FILE}: {error.strerror}; make room, then go on "
                f"with {self.resume_command()}"
            ) from None


Check = Callable[[Sequence[RunConfig]], None]
"""Sees that runs can be done; raises InputError or TargetError."""


def begin(given: Mapping[str, Any], repeats: int, now: datetime, check: Check) -> Sweep:
    """Plan a sweep from what was typed and make its folder.

    `given` is RunConfig's options as text, several values of one with commas between (of `target` a
    list of texts). Raises InputError, or what `check` raises, before anything is made.
    """
    common, typed = split_options(given)
    size = repeats * math.prod(len(values) for values in typed.values())
    if size > MOST_POINTS:
        raise InputError(
            f"{size:,} points are more than the {MOST_POINTS:,} that one sweep may have; give fewer "
            "values or fewer --repeats"
        )
    combinations = [dict(zip(typed, values, strict=True)) for values in product(*typed.values())]
    configs = [_read(common, combination) for combination in combinations]
    endpoints = {shown_target(config.target): config.target for config in configs}
    axes = [_axis(name, typed[name], combinations, configs) for name in typed]
    base = configs[0]
    if repeats > 1:
        RunConfig.read(seed=base.seed + repeats - 1)  # the last repeat's must do as well
    file = SweepFile(
        label=base.label or "-".join(axis.name for axis in axes),
        config=_common(base, {axis.name for axis in axes}),
        repeats=repeats,
        axes=axes,
        hidden=[shown for shown, typed_ in endpoints.items() if shown != " ".join(typed_)],
        points=_points(axes, repeats, base.seed),
        started_ns=time_ns(),
    )
    check(configs)
    folder = runfolder.create(base.out, f"sweep-{file.label}", now, holds=POINTS_FOLDER)
    sweep = Sweep(folder, file, endpoints)
    sweep.save()
    return sweep


def resume(folder: Path, targets: Sequence[str], check: Check) -> Sweep:
    """Go on with a sweep; what is not done, failed points too, is pending again.

    `targets` are the targets as typed, needed again where sweep.json shows less of them, for it holds
    no passwords. Raises InputError where the folder is not a sweep's, or a target is missing.
    """
    file = _read_file(folder)
    sweep = Sweep(folder, file, _endpoints_again(file, [text.split() for text in targets]))
    try:
        for point in file.points:
            sweep.config_of(point)
    except InputError as error:
        raise InputError(f"{folder / SWEEP_FILE} is damaged: {error}") from None
    for point in file.points:
        if point.state != "done":
            _forget(point)
    check([sweep.config_of(point) for point in sweep.pending])
    return sweep


def _read_file(folder: Path) -> SweepFile:
    path = folder / SWEEP_FILE
    if not path.is_file():
        raise InputError(
            f"{folder} is not a sweep's folder: {SWEEP_FILE} cannot be read; give one such as "
            "results/<time>-sweep-<label>"
        )
    try:
        file = SweepFile.model_validate(read_json(path, "it is not what this version writes"))
    except ValidationError:
        raise InputError(
            f"{path} is not what this version writes; go on with the version that began the sweep"
        ) from None
    if file.format != FORMAT:
        raise InputError(f"{path} has format {file.format}, this version goes on with format {FORMAT}")
    if (damage := next(_damages(file), None)) is not None:
        raise InputError(f"{path} is damaged: {damage}; restore it, or begin the sweep anew")
    return file


def _damages(file: SweepFile) -> Iterator[str]:
    """What a sweep that was begun by this program cannot say."""
    names = [axis.name for axis in file.axes]
    if not names or len(set(names)) < len(names) or not set(names) <= set(AXES):
        yield f"it has the axes {', '.join(names) or 'of none'}"
    for axis in file.axes:
        if len(axis.values) < 2 or len(axis.labels) != len(axis.values):
            yield f"axis {axis.name} has {len(axis.values)} values and {len(axis.labels)} labels"
    if type(file.config.get("seed")) is not int:
        yield "config has no seed"
    targets = file.config.get(TARGET)
    if TARGET not in names and not (
        isinstance(targets, list) and targets and all(isinstance(one, str) for one in targets)
    ):
        yield "config has no target"
    size = file.repeats * math.prod(len(axis.values) for axis in file.axes)
    if file.repeats < 1 or len(file.points) != size:
        yield f"it has {len(file.points)} points in {file.repeats} repeats, which is not its grid"
    yield from _damages_of_points(file)


def _damages_of_points(file: SweepFile) -> Iterator[str]:
    if [point.number for point in file.points] != list(range(1, len(file.points) + 1)):
        yield "its points are not numbered from 1 on"
    places, folders = set(), set()
    for point in file.points:
        if set(point.values) != {axis.name for axis in file.axes} or not all(
            point.values[axis.name] in axis.values for axis in file.axes
        ):
            yield f"point {point.number} has no value on each axis"
            return
        place = tuple(axis.values.index(point.values[axis.name]) for axis in file.axes)
        if not 1 <= point.repeat <= file.repeats or (place, point.repeat) in places:
            yield f"point {point.number} is not one of the grid, or is in it twice"
        places.add((place, point.repeat))
        if (point.state == "done") != (point.folder is not None):
            yield f"point {point.number} is {point.state} and has the folder {point.folder}"
        if point.folder is not None:
            if Path(point.folder).parts[:-1] != (POINTS_FOLDER,) or point.folder in folders:
                yield f"point {point.number} has the folder {point.folder}, which is not its own"
            folders.add(point.folder)


def _endpoints_again(file: SweepFile, targets: Sequence[Sequence[str]]) -> dict[str, Sequence[str]]:
    """Target as shown → as typed, from what is typed now and, without secrets, from the file."""
    swept = next((axis.values for axis in file.axes if axis.name == TARGET), None)
    shown = swept or [" ".join(file.config[TARGET])]
    again = {shown_target(target): target for target in targets}
    if strangers := [text for text in again if text not in shown]:
        raise InputError(
            f"--target {strangers[0]!r} is not a target of this sweep, which has {', '.join(shown)}"
        )
    if missing := [text for text in file.hidden if text not in again]:
        raise InputError(
            f"target {missing[0]!r} had a secret, which no file keeps: give it again, with --target as "
            "it was when the sweep was begun"
        )
    return {text: again.get(text, text.split()) for text in shown}


def _forget(point: Point) -> None:
    """Make it as if it had never been tried."""
    point.state = "pending"
    point.folder = point.exit_status = point.reason = point.started_ns = point.ended_ns = None


def _read(common: Mapping[str, Any], values: Mapping[str, Any]) -> RunConfig:
    """The run of a combination; an error that is of no single option says which one it is of."""
    try:
        return RunConfig.read(**{**common, **values})
    except InputError as error:
        if re.match(r"--[a-z-]+:", str(error)):
            raise
        typed = ", ".join(
            f"{name} {shown_target(one) if name == TARGET else one}" for name, one in values.items()
        )
        raise InputError(f"{error} (in the point with {typed})") from None


def _axis(
    name: str,
    typed: Sequence[Any],
    combinations: Sequence[Mapping[str, Any]],
    configs: Sequence[RunConfig],
) -> Axis:
    """An axis with its values as RunConfig reads them."""
    values: list[Any] = []
    same: set[Any] = set()
    for one in typed:
        config = configs[next(n for n, values in enumerate(combinations) if values[name] == one)]
        value = shown_target(config.target) if name == TARGET else config.model_dump(mode="json")[name]
        meant = canonical_skew(value) if name == "skew" else value
        if meant in same:
            raise InputError(f"{flag_of(name)}: {value} is there twice; give it once")
        same.add(meant)
        values.append(value)
    return Axis(name=name, values=values, labels=labels_of(name, values))


def _common(base: RunConfig, swept: set[str]) -> dict[str, Any]:
    """What sweep.json says of the options that all points share."""
    config = base.model_dump(mode="json")
    config[TARGET] = shown_target(base.target).split()
    return {name: one for name, one in config.items() if name not in swept | _OF_EACH_RUN}


def _points(axes: Sequence[Axis], repeats: int, seed: int) -> list[Point]:
    """Every combination once in each repeat, each repeat in an order of its own."""
    combinations = [
        dict(zip((axis.name for axis in axes), values, strict=True))
        for values in product(*(axis.values for axis in axes))
    ]
    order = random.Random(seed)  # noqa: S311 - an order of measuring, no secret
    points: list[Point] = []
    for repeat in range(1, repeats + 1):
        for values in order.sample(combinations, len(combinations)):
            number = len(points) + 1
            label = _label(axes, values, repeat if repeats > 1 else None, number)
            points.append(Point(number=number, values=values, repeat=repeat, label=label))
    return points


def _label(axes: Sequence[Axis], values: Mapping[str, Any], repeat: int | None, number: int) -> str:
    """A word for a point's run, of the characters that a folder's name may have."""
    parts = []
    for axis in axes:
        said = str(values[axis.name])
        if axis.name == TARGET:
            said = axis.labels[axis.values.index(values[axis.name])]
        plain = re.sub(r"[^A-Za-z0-9.]+", "-", said).strip("-")
        parts.append(f"{axis.name.replace('_', '-')}-{plain}")
    if repeat is not None:
        parts.append(f"r{repeat}")
    label = "_".join(parts)
    if len(label) > _LONGEST_LABEL:
        label = f"{label[: _LONGEST_LABEL - 6]}_{number}"
    return label


def _config_of(
    file: SweepFile, point: Point, out: Path, endpoints: Mapping[str, Sequence[str]]
) -> RunConfig:
    shown = point.values.get(TARGET) or " ".join(file.config[TARGET])
    return RunConfig.read(
        **{
            **file.config,
            **point.values,
            TARGET: tuple(endpoints[shown]),
            "seed": file.config["seed"] + point.repeat - 1,
            "label": point.label,
            "out": out,
        }
    )
