"""A run from begin to end: its folder, its `run.json`, and the invariants when it is over."""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from shutil import rmtree
from typing import Any, TypeVar

import gevent
from gevent.event import Event

from loadtest.engine.clock import Clock
from loadtest.engine.plan import Plan
from loadtest.engine.probes.table import remove_rows
from loadtest.errors import InputError, OccbenchError, in_a_line
from loadtest.errors.messages import without_secrets
from loadtest.process.in_use import Noted
from loadtest.record import folder as runfolder
from loadtest.record import run as record
from loadtest.targets import Target
from loadtest.workload.keyspace import KeyType

_Result = TypeVar("_Result")

# Locust's own timer runs from before the users are there.
_STOPPED_EARLY_NS = 1_000_000_000


@dataclass(slots=True)
class Run:
    """A run while it goes on; `run.json` is written at its begin and at its end."""

    plan: Plan
    folder: Path
    clock: Clock
    """The clock of every moment here, and in the record of every process."""
    started_ns: int
    run_time_s: float | None = None
    """When Locust ends the test, counted from its start; None where it does not."""
    measured_from_ns: int | None = None
    measured_until_ns: int | None = None
    interrupted: bool = False
    generators: list[dict[str, Any]] = field(default_factory=list)
    """Each process's account of itself."""
    noted: Noted | None = None
    """The note that shows others that the run goes on."""

    @classmethod
    def begin(cls, plan: Plan, now: datetime) -> "Run":
        """Make the folder; raise InputError where that cannot be done."""
        config = plan.config
        label = config.label or "-".join((config.scenario, *config.keys))
        clock = Clock()
        run = cls(plan, runfolder.create(config.out, label, now), clock, clock.now_ns())
        try:
            run._write()
        except OSError as error:
            run.discard()
            raise InputError(
                f"no run can be kept in {config.out}: {error.strerror}; give another with --out"
            ) from None
        try:
            run.noted = Noted(plan.open_targets(), run.folder, plan.servers)
        except BaseException:  # asked to end meanwhile
            run.discard()
            raise
        return run

    def discard(self) -> None:
        """Remove the folder again, unless something was measured."""
        if self.noted is not None:
            self.noted.end()
        if not any(self.folder.glob("attempts/*.parquet")):
            rmtree(self.folder, ignore_errors=True)

    def _write(self, ended_ns: int | None = None, invariant: Sequence[record.Invariant] = ()) -> None:
        record.write_run(self.folder, self._facts(ended_ns, invariant))

    def measure(self, warmup_s: float) -> int:
        """Return the moment when measuring starts, so many seconds after all users are there.

        Locust's timer runs while users are started. Where that took long, what is left of it is
        measured, in whole groups of blocks. Written at once, for a run that never comes to its end.
        """
        now_ns = self.clock.now_ns()
        self.measured_from_ns = moment_ns = now_ns + round(warmup_s * 1e9)
        duration = self.plan.config.duration
        if self.run_time_s is not None and duration is not None:
            left_s = self.run_time_s - warmup_s - (now_ns - self.started_ns) / 1e9
            if left_s < duration - _STOPPED_EARLY_NS / 1e9:
                # To a tenth of a second; a millisecond less is no other duration to compare runs by.
                self.plan = self.plan.with_duration(max(0.1, math.floor(left_s * 10) / 10))
        with suppress(OSError):  # it is written again in the end, and said then
            self._write()
        return moment_ns

    def stopping(self, *, broken: bool = False) -> None:
        """Note that users are asked to stop now; `broken` if that is because something went wrong."""
        now_ns = self.measured_until_ns = self.clock.now_ns()
        duration = self.plan.config.duration
        if duration is None or broken:
            return
        due_ns = (self.measured_from_ns or now_ns) + round(duration * 1e9)
        if self.run_time_s is not None:
            due_ns = min(due_ns, self.started_ns + round(self.run_time_s * 1e9))
        self.interrupted = self.interrupted or now_ns < due_ns - _STOPPED_EARLY_NS

    def end(self, hurry: Event) -> None:
        """Check the invariant and complete `run.json`; every process has stopped by now.

        Once `hurry` is set, the targets are asked no more.
        """
        if self.measured_until_ns is None:
            self.measured_until_ns = self.clock.now_ns()
        if self.measured_from_ns is not None:
            duration = self.plan.config.duration
            if duration is not None:
                # Stopping takes a moment in which nothing is measured any more.
                end_ns = self.measured_from_ns + round(duration * 1e9)
                self.measured_until_ns = min(self.measured_until_ns, end_ns)
            # Stopped within the warm-up: nothing was measured, and no time is negative.
            self.measured_from_ns = min(self.measured_from_ns, self.measured_until_ns)
        ended_ns = self.clock.now_ns()
        try:
            self._write(ended_ns, _unless(hurry, self._invariants) or ())
            row = self.plan.first_probe_row
            if row is not None:
                _unless(hurry, lambda: remove_rows(self.plan.open_targets(), row))
        finally:
            if self.noted is not None:
                self.noted.end()

    def _facts(self, ended_ns: int | None, invariant: Sequence[record.Invariant]) -> record.Run:
        plan = self.plan
        config = plan.config.model_dump(mode="json")
        config["target"] = [spec.shown for spec in plan.config.specs()]
        config["label"] = self.folder.name.split("-", 2)[-1]
        scheduled = [g["scheduled"] for g in self.generators if "scheduled" in g]
        rate = plan.config.rate
        return record.Run(
            label=config["label"],
            config=record.Config.model_validate(config),
            targets=tuple(
                record.Target.model_validate({**target, "place": without_secrets(server)})
                for target, server in zip(plan.targets, plan.servers, strict=True)
            ),
            versions=runfolder.versions(),
            machine=runfolder.machine(),
            accounts=plan.accounts,
            key_seed=next(iter(plan.key_seeds.values())),
            tables=plan.tables(),
            started_ns=self.started_ns,
            measured_from_ns=self.measured_from_ns,
            measured_until_ns=self.measured_until_ns,
            ended_ns=ended_ns,
            interrupted=self.interrupted,
            held_back_s=plan.held_back,
            generators=tuple(
                record.Generator.model_validate({k: v for k, v in one.items() if k != "files"})
                for one in sorted(self.generators, key=lambda g: g["worker"])
            ),
            files=None if ended_ns is None else self._files(),
            pacing=record.Pacing(rate=rate, **({"scheduled": sum(scheduled)} if scheduled else {})),
            invariant=tuple(invariant),
        )

    def missing(self) -> int:
        """Return how many attempts processes wrote into files that are not in the folder."""
        return sum(runfolder.missing_files(self.folder, self._written()).values())

    def _files(self) -> dict[str, int] | None:
        """File of attempts → its rows; None where not all processes have given theirs."""
        if len(self.generators) < self.plan.config.processes:
            return None
        return self._written()

    def _written(self) -> dict[str, int]:
        return dict(sorted(one for each in self.generators for one in each.get("files", {}).items()))

    def _invariants(self) -> list[record.Invariant]:
        """Check each target; one that cannot be asked has `why` in place of a result."""
        return [
            _invariant(self.plan, target, key_type)
            for target in self.plan.open_targets()
            for key_type in self.plan.config.keys
        ]


def _unless(hurry: Event, work: Callable[[], _Result]) -> _Result | None:
    """Return the result of the work, or None once `hurry` is set."""
    working = gevent.spawn(work)
    either: list[Any] = [working, hurry]
    gevent.wait(either, count=1)
    result: _Result | None = working.value
    working.kill(block=False)
    return result


def _invariant(plan: Plan, target: Target, key_type: KeyType) -> record.Invariant:
    wanted = plan.scenario().invariant(key_type)
    expected = plan.totals[target.name][key_type]
    known: dict[str, Any] = {
        "target": target.name,
        "key_type": str(key_type),
        "what": wanted.what,
        "expected": None if expected is None else str(expected),
    }
    try:
        standing = target.check(wanted)
    except OccbenchError as error:
        why = str(error).splitlines()[0]
    except target.errors as error:
        why = str(target.explain(error))
    except Exception as error:
        why = in_a_line(error)
    else:
        return record.Invariant(
            **known,
            found=str(standing.total),
            negative=standing.violations,
            holds=standing.total == expected and standing.violations == 0,
        )
    return record.Invariant(**known, holds=None, why=why)
