"""`sweep.json`: which points a sweep has, and which of them are measured; read and checked.

docs/results-format.md describes the file. Nothing else of a sweep's folder is read here: the figures of
a point are in its own folder (`Point.folder`), which is that of an ordinary run.
"""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from loadtest.errors import InputError
from loadtest.errors.messages import quoted
from loadtest.record.files import read_json
from reports.analysis.shares import FELT

FORMAT = 1
SWEEP_FILE = "sweep.json"

State = Literal["pending", "done", "failed"]


class _Lenient(BaseModel):
    """Keys that this version does not know are fine."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Axis(_Lenient):
    """One option that has several values in the sweep."""

    name: str
    """The option as `run.json`'s config names it: users, rate, accounts, skew, retry, think_time,
    max_attempts or target."""
    values: tuple[Any, ...]
    """As in a run's config, in the order in which they were given; of `target` the endpoints' texts
    without secrets, joined by a blank."""
    labels: tuple[str, ...]
    """A value each, as a person would say it, without the option's name; all are different."""

    def label_of(self, value: object) -> str:
        """What a person calls this value; raises ValueError if the axis does not have it."""
        return self.labels[self.values.index(value)]


class Point(_Lenient):
    """One run of the sweep: a value of each axis, and which repeat it is."""

    number: int
    """From 1, in the order of measuring, which is random; unique."""
    values: dict[str, Any]
    """Axis → value, every axis of the sweep."""
    repeat: int = 1
    """From 1; repeat r uses the sweep's seed + r − 1."""
    label: str = ""
    state: State = "pending"
    """`done` if it was measured to its end, whatever its invariant says; `failed` with a reason."""
    folder: str | None = None
    """The run's folder, relative to the sweep's; None if it is not measured."""
    exit_status: int | None = None
    """0, or 1 if the run's invariant is broken; of a failed one whatever the run ended with."""
    reason: str | None = None
    """Why it failed, in one line."""
    started_ns: int | None = None
    ended_ns: int | None = None

    @property
    def is_done(self) -> bool:
        """Whether there is a run to read."""
        return self.state == "done" and self.folder is not None


class Sweep(_Lenient):
    """A sweep as `sweep.json` describes it."""

    format: int
    label: str = ""
    config: dict[str, Any] = Field(default_factory=dict)
    """The options that all points have in common, as in `run.json`; an axis's option is not in it."""
    repeats: int = Field(default=1, ge=1)
    axes: tuple[Axis, ...] = ()
    """At least one, in the order of the options; each has at least two values."""
    points: tuple[Point, ...] = ()
    """All points in the order of measuring, also those that are not measured yet."""
    started_ns: int | None = None
    ended_ns: int | None = None
    """When the last point was measured; None while points are pending."""
    interrupted: bool = False
    """Whether it was stopped before its end, and not gone on with since."""

    @property
    def done(self) -> tuple[Point, ...]:
        """The points that can be read, in the order of measuring."""
        return tuple(point for point in self.points if point.is_done)

    @property
    def failed(self) -> tuple[Point, ...]:
        """The points that could not be measured."""
        return tuple(point for point in self.points if point.state == "failed")

    @property
    def pending(self) -> tuple[Point, ...]:
        """The points that are still to be measured."""
        return tuple(point for point in self.points if point.state == "pending")

    def axis(self, name: str) -> Axis | None:
        """The axis of this option; None if it was not swept."""
        return next((axis for axis in self.axes if axis.name == name), None)


def is_sweep(folder: Path) -> bool:
    """Whether this is the folder of a sweep, and not that of a run."""
    return (folder / SWEEP_FILE).is_file()


def read_sweep(folder: Path) -> Sweep:
    """Read `sweep.json` of a sweep's folder; raises InputError that says what is wrong with it."""
    path = folder / SWEEP_FILE
    if not path.is_file():
        raise InputError(f"{folder} is not a sweep's folder: it has no {SWEEP_FILE}")
    data = read_json(path, "restore it from the sweep")
    if not isinstance(data, dict) or "format" not in data:
        raise InputError(f'{path} does not describe a sweep: it has no "format" key')
    if data["format"] != FORMAT:
        raise InputError(
            f"{path} has format {quoted(data['format'])}, this version reads format {FORMAT}; "
            "use the version of occbench that wrote it"
        )
    try:
        sweep = Sweep.model_validate({key: one for key, one in data.items() if one is not None})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: {where}: {first['msg'].lower()}") from error
    _check(path, sweep)
    return sweep


def figures_of_point(folder: Path) -> str:
    """What a run with a report measured, in a few words: throughput, conflict rate, p99."""
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    overall = summary["overall"]
    parts = [f"{overall['throughput_tps']:,.0f} transactions/s"]
    if (conflict_rate := overall.get("conflict_rate")) is not None:
        parts.append(f"{100 * conflict_rate:.3g} % conflicts")
    if (p99 := overall.get("latency_ms", {}).get("p99")) is not None:
        parts.append(f"p99 {p99:,.3g} ms" if p99 < 100 else f"p99 {p99:,.0f} ms")
    ended = overall.get("transactions") or 0
    lost = 1 - overall.get("counted", ended) / ended if ended else 0.0
    if lost >= FELT:
        parts.append(f"{100 * lost:.3g} % FAILED or refused")
    if summary["invariant"]["holds"] is False:
        parts.append("the invariant is BROKEN")
    return ", ".join(parts)


def _check(path: Path, sweep: Sweep) -> None:
    """What the rest of the package relies on."""
    for axis in sweep.axes:
        if len(axis.labels) != len(axis.values):
            raise InputError(f"{path}: axis {axis.name} has not one label for each value")
    for key in ("number", "folder"):
        named = [one for point in sweep.points if (one := getattr(point, key)) is not None]
        if len(set(named)) < len(named):
            raise InputError(f"{path}: two points have the same {key}")
    for point in sweep.points:
        if (point.state == "done") != (point.folder is not None):
            raise InputError(
                f"{path}: point {point.number} is {point.state}, its folder {point.folder}"
            )
        for axis in sweep.axes:
            if point.values.get(axis.name) not in axis.values:
                raise InputError(f"{path}: point {point.number} has no value on axis {axis.name}")
