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
from typing import Any

from loadtest.config.fields import flag_of
from loadtest.config.run import RunConfig
from loadtest.errors import InputError, OccbenchError
from loadtest.record import folder as runfolder
from loadtest.record.run import Config
from loadtest.record.sweep import POINTS_FOLDER, SWEEP_FILE, Axis, Point, SweepFile, read_sweep
from loadtest.sweep.axes import AXES, TARGET, labels_of, shown_target, split_options
from loadtest.workload.skew import canonical_skew

MOST_POINTS = 2000
_LONGEST_LABEL = 80
_OF_EACH_RUN = {"label", "out"}
"""Options that a sweep sets itself."""


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
        return self.file.pending

    @property
    def failed(self) -> list[Point]:
        """What could not be measured."""
        return self.file.failed

    @property
    def done(self) -> list[Point]:
        """What is measured."""
        return self.file.done

    def config_of(self, point: Point) -> RunConfig:
        """The run that a point is."""
        target = point.values.get(TARGET) or " ".join(self.file.config.target)
        return RunConfig.read(
            **{
                **self.file.settings,
                **point.values,
                TARGET: tuple(self.endpoints[target]),
                "seed": self.file.config.seed + point.repeat - 1,
                "label": point.label,
                "out": self.folder / POINTS_FOLDER,
            }
        )

    def describe(self, point: Point) -> str:
        """As in `users 32, skew zipf:1.1`, with the repeat where there are several."""
        parts = [
            f"{axis.name.replace('_', ' ')} {axis.labels[axis.values.index(point.values[axis.name])]}"
            for axis in self.file.axes
        ]
        if self.file.repeats > 1:
            parts.append(f"repeat {point.repeat}")
        return ", ".join(parts)

    def position_of(self, point: Point) -> tuple[int, ...]:
        """Where a point stands when all are in the order of the axes' values, not of measuring."""
        indices = [axis.values.index(point.values[axis.name]) for axis in self.file.axes]
        return (*indices, point.repeat)

    def resume_command(self, *words: str) -> str:
        """What goes on with it, to be typed into a shell; `words` are more options."""
        return shlex.join(["occbench", "sweep", "--resume", str(self.folder), *words])

    def how_to_go_on(self, words: Sequence[str] = ()) -> str:
        """What is left, and what to type to measure it; `words` are more options."""
        left = f"{len(self.pending)} of {len(self.file.points)} points are left"
        lines = [f"{left}; go on with:", self.resume_command(*words)]
        if self.file.hidden:
            lines.append(f"and --target, with its secret, for {', '.join(self.file.hidden)}")
        return "\n".join(lines)

    def save(self) -> None:
        """Write sweep.json, whole or not at all."""
        try:
            # Without its plan, hours of measuring are lost.
            self.file.write(self.folder / SWEEP_FILE, durable=True)
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
        axes=tuple(axes),
        hidden=tuple(shown for shown, typed_ in endpoints.items() if shown != " ".join(typed_)),
        points=tuple(_points(axes, repeats, base.seed)),
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
    file = read_sweep(folder)
    if (damage := next(_damages(file), None)) is not None:
        raise InputError(
            f"{folder / SWEEP_FILE} is damaged: {damage}; restore it, or begin the sweep anew"
        )
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


def _damages(file: SweepFile) -> Iterator[str]:
    """What going on with a sweep relies on, and a report does not."""
    names = {axis.name for axis in file.axes}
    if not names <= set(AXES):
        yield f"it has the axes {', '.join(sorted(names))}"
    if "seed" not in file.settings:
        yield "config has no seed"
    if TARGET not in names and not file.config.target:
        yield "config has no target"


def _endpoints_again(file: SweepFile, targets: Sequence[Sequence[str]]) -> dict[str, Sequence[str]]:
    """Target as shown → as typed, from what is typed now and, without secrets, from the file."""
    swept = next((axis.values for axis in file.axes if axis.name == TARGET), None)
    shown = swept or [" ".join(file.config.target)]
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
    return Axis(name=name, values=tuple(values), labels=tuple(labels_of(name, values)))


def _common(base: RunConfig, swept: set[str]) -> Config:
    """What sweep.json says of the options that all points share."""
    config = base.model_dump(mode="json")
    config[TARGET] = shown_target(base.target).split()
    return Config.model_validate(
        {name: one for name, one in config.items() if name not in swept | _OF_EACH_RUN}
    )


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
        value = str(values[axis.name])
        if axis.name == TARGET:
            value = axis.labels[axis.values.index(values[axis.name])]
        plain = re.sub(r"[^A-Za-z0-9.]+", "-", value).strip("-")
        parts.append(f"{axis.name.replace('_', '-')}-{plain}")
    if repeat is not None:
        parts.append(f"r{repeat}")
    label = "_".join(parts)
    if len(label) > _LONGEST_LABEL:
        label = f"{label[: _LONGEST_LABEL - 6]}_{number}"
    return label
