"""The base of gates: an earlier run, or of a sweep's points the one of the same workload.

A figure can only be held against that of the same workload: with other users or accounts it differs
whatever the system does. What may differ, the machine and the system that is measured, is noted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from loadtest.errors import InputError
from loadtest.record.run import Run, read_run
from loadtest.record.sweep import is_sweep, read_sweep
from reports.documents.run.summary_file import Summary, read_summary
from reports.statistics.comparison.settings import (
    WORKLOAD,
    Difference,
    circumstances,
    differences,
    listed,
)

_NOT_IN_CONFIG = frozenset({"accounts", "targets", "simulated"})
"""Settings of a workload that `run.json` has outside its `config`."""
_MOST_NOTED = 6


@dataclass(frozen=True)
class BaseRun:
    """One run to hold others against."""

    path: Path
    """Its folder, or its summary.json."""
    run: Run | None
    """None where there is only a summary, which does not tell the workload."""

    @cached_property
    def summary(self) -> Summary:
        """Its figures; raises InputError where they cannot be had, or its invariant is broken."""
        summary = read_summary(self.path)
        if "decided" not in (summary.get("overall") or {}):
            raise InputError(
                f"the summary of {self.path} was written by an earlier version, which counted rates "
                "otherwise; measure it again, or name another base"
            )
        if (summary.get("invariant") or {}).get("holds") is False:
            raise InputError(
                f"the invariant of {self.path} does not hold, so that none of its figures is worth "
                "anything; measure it again, or name another base"
            )
        return summary

    def notes(self, run: Run) -> Iterator[str]:
        """What a reader should know of holding this run against it, as sentences."""
        if self.summary.get("interrupted"):
            yield "The base was interrupted: its figures are of what was measured until then."
        others = [] if self.run is None else circumstances([self.run], [run])
        others = [one for one in others if not one.setting.name.startswith("version of ")]
        if others:
            more = f" and {len(others) - _MOST_NOTED} more" if len(others) > _MOST_NOTED else ""
            named = listed(others[:_MOST_NOTED])
            yield f"The base was measured under other circumstances: {named}{more}."


@dataclass(frozen=True)
class Base:
    """What `--base` names."""

    runs: tuple[BaseRun, ...]

    @classmethod
    def read(cls, path: Path) -> "Base":
        """A run's folder, its summary.json, or a sweep's folder; raises InputError."""
        if path.is_dir() and is_sweep(path):
            folders = [path / point.folder for point in read_sweep(path).done if point.folder]
            if not folders:
                raise InputError(f"no point of the sweep {path} is measured")
            return cls(tuple(BaseRun(folder, read_run(folder)) for folder in folders))
        folder = path if path.is_dir() else path.parent
        known = read_run(folder) if (folder / "run.json").is_file() else None
        one = BaseRun(path, known)
        _ = one.summary  # What cannot be read is refused now, not after the load.
        return cls((one,))

    def matching(self, run: Run) -> BaseRun:
        """The run of the base that this one is held against.

        Raises:
            InputError: if none is of the same workload.
        """
        # Most often one is alike in all there is to know; of thousands the others need no look.
        alike = self._by_workload.get(_workload(run)) or [
            one for one in self.runs if one.run is None or not _unlike(one.run, run)
        ]
        targets = {_target(one.run) for one in self.runs if one.run is not None}
        if len(targets) > 1:
            # A sweep over targets.
            alike = [one for one in alike if one.run and _target(one.run) == _target(run)]
        if not alike:
            other = "has no point of this workload"
            if len(self.runs) == 1 and self.runs[0].run is not None:
                other = f"is of another workload: {listed(_unlike(self.runs[0].run, run))}"
            raise InputError(f"the base {other}; measure it again, or name another with --base")
        # A sweep's repeats are told apart by their seeds.
        same_seed = [one for one in alike if one.run and one.run.config.seed == run.config.seed]
        return (same_seed or alike)[0]

    @cached_property
    def _by_workload(self) -> dict[tuple[str, ...], list[BaseRun]]:
        runs: dict[tuple[str, ...], list[BaseRun]] = {}
        for one in self.runs:
            if one.run is not None:
                runs.setdefault(_workload(one.run), []).append(one)
        return runs


def _workload(run: Run) -> tuple[str, ...]:
    return tuple(setting.read(run) for setting in WORKLOAD)


def _target(run: Run) -> str:
    return str(run.settings.get("target"))


def _unlike(base: Run, run: Run) -> list[Difference]:
    """In what two runs are not of the same workload; what one of them does not say is left out."""
    return [
        difference
        for difference in differences(base, run, WORKLOAD)
        if difference.setting.name in _NOT_IN_CONFIG
        or all(difference.setting.name in one.settings for one in (base, run))
        if difference.setting.name != "accounts" or (base.size is not None and run.size is not None)
    ]
