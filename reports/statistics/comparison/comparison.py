"""Runs of two sides → every figure's change, and what else was different."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from loadtest.errors import InputError
from loadtest.record.run import Run, read_run
from reports.statistics.comparison.effect import Effect, Verdict, effect
from reports.statistics.comparison.estimates import estimates
from reports.statistics.comparison.levels import (
    ERROR_RATE,
    SPEED,
    ComparedFigure,
    RunEstimates,
    judged_of,
    levels_of,
)
from reports.statistics.comparison.metrics import FAILURES
from reports.statistics.comparison.pieces import SliceName, read_pieces
from reports.statistics.comparison.settings import Difference, check_alike, circumstances


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Two sides of runs, and how the figures of NEW differ from those of BASE."""

    bases: tuple[Path, ...]
    news: tuple[Path, ...]
    runs: tuple[tuple[Run, ...], tuple[Run, ...]]
    """What each folder's `run.json` says: those of BASE, those of NEW."""
    effects: tuple[Effect, ...]
    allowed: tuple[Difference, ...]
    """Differences of workload that were allowed."""
    circumstances: tuple[Difference, ...]
    """What else differs: system measured, machine, versions, lengths."""
    interrupted: tuple[Path, ...]
    allowance: float | None
    """The allowance between runs that was asked for, instead of the metrics' own."""
    dropped: tuple[SliceName, ...]
    """Slices that some runs have and others have not; they are not compared."""

    @property
    def error_rate(self) -> float | None:
        """ERROR_RATE where it holds; None where differences between runs were left out of account."""
        return None if self.allowance == 0 and not self.simulated else ERROR_RATE

    @property
    def simulated(self) -> bool:
        """Whether all runs are simulations, which differ by nothing but chance."""
        return all(run.simulated for side in self.runs for run in side)

    @property
    def base(self) -> Run:
        """The first run of its side; the others are repeats of it."""
        return self.runs[0][0]

    @property
    def new(self) -> Run:
        """The first run of the other side."""
        return self.runs[1][0]

    @property
    def sides(self) -> tuple[tuple[str, tuple[Run, ...]], tuple[str, tuple[Run, ...]]]:
        """Both sides' runs, by name."""
        return ("BASE", self.runs[0]), ("NEW", self.runs[1])

    @property
    def slices(self) -> tuple[SliceName, ...]:
        """What was compared, in the order of the tables."""
        return tuple(dict.fromkeys(e.slice for e in self.effects))

    @property
    def several_targets(self) -> bool:
        """Whether slices are told apart by their target as well."""
        return len({s.target for s in self.slices}) > 1

    def of(self, verdict: Verdict) -> list[Effect]:
        """The effects with this verdict."""
        return [e for e in self.effects if e.verdict is verdict]

    @property
    def unlike(self) -> list[Effect]:
        """The shares of transactions that gave up or failed in which the sides differ.

        What is left of them is then of another load, and nothing in the comparison is called better.
        """
        return [e for e in self.effects if e.unlike_load]

    @property
    def differs(self) -> bool:
        """Whether any figure is better or worse."""
        return any(e.differs for e in self.effects)


def compare_runs(
    bases: Sequence[Path],
    news: Sequence[Path],
    *,
    allow_different: Sequence[str] = (),
    allowance: float | None = None,
) -> RunComparison:
    """Compare the runs of two sides; nothing is written.

    Args:
        bases: folders of runs; several are repeats of one another.
        news: the same of the other side.
        allow_different: settings of the workload in which the sides may differ, as `users`, and facts
            of the system in which the runs of one side may.
        allowance: what two runs of the same thing may differ by (standard deviation of one run, a share
            of each figure), instead of what the metrics allow.

    Raises:
        InputError: if a folder is not a run's, a run is given twice (or a copy of it), or the runs are
            not of the same workload.
    """
    if not bases or not news:
        raise InputError("a comparison needs at least one run on either side")
    seen: set[Path] = set()
    for folder in (*bases, *news):
        if folder.resolve() in seen:
            raise InputError(f"{folder} is given twice; a run tells nothing about itself")
        seen.add(folder.resolve())
    runs = {folder: read_run(folder) for folder in (*bases, *news)}
    old, now = (tuple(runs[folder] for folder in side) for side in (bases, news))
    allowed = check_alike(old, now, allow_different)
    known: dict[Path, RunEstimates] = {
        folder: {name: estimates(pieces) for name, pieces in read_pieces(folder, run).items()}
        for folder, run in runs.items()
    }
    _check_no_copies(runs, known)
    if len(old[0].targets) == len(now[0].targets) == 1:
        # What each side calls its only target does not matter: it is what is compared.
        target = old[0].targets[0].name
        known = {
            folder: {SliceName(name.key_type, target): figures for name, figures in slices.items()}
            for folder, slices in known.items()
        }
    slices = dict.fromkeys(name for run in known.values() for name in run)
    common = [name for name in slices if all(name in run for run in known.values())]
    if not common:
        raise InputError(
            "the runs have no key type on a target of the same name in common; nothing to compare "
            "(--target NAME=URL names a target)"
        )
    # Nothing but chance differs from one simulation to the next, and their blocks show chance.
    simulated = all(run.simulated for run in runs.values())
    sides = [[known[folder] for folder in side] for side in (bases, news)]
    judged = judged_of(sides, common, 0.0 if allowance is None and simulated else allowance)
    return RunComparison(
        bases=tuple(bases),
        news=tuple(news),
        runs=(old, now),
        effects=tuple(_effects(judged)),
        allowed=tuple(allowed),
        circumstances=tuple(circumstances(old, now)),
        interrupted=tuple(folder for folder, run in runs.items() if run.interrupted),
        allowance=allowance,
        dropped=tuple(name for name in slices if name not in common),
    )


def _check_no_copies(runs: Mapping[Path, Run], known: Mapping[Path, RunEstimates]) -> None:
    """A copied folder would count as a repeat of its own, and make everything look surer."""
    seen: dict[tuple[object, ...], Path] = {}
    for folder, run in runs.items():
        figures = tuple(
            (where, key, estimate.figure, estimate.trials)
            for where, of_slice in known[folder].items()
            for key, estimate in of_slice.items()
            if estimate is not None
        )
        mark = (run.started_ns, run.config.seed, figures)
        if (other := seen.setdefault(mark, folder)) is not folder:
            raise InputError(
                f"{folder} is the same run as {other}: begun at the same moment, with the same "
                "figures; a run tells nothing about itself"
            )


def _effects(judged: Sequence[ComparedFigure]) -> list[Effect]:
    """Every figure's effect, at the level that its family leaves it."""
    levels = levels_of(judged)
    effects = [
        Effect(one.where, one.metric)
        if one.gap is None
        else effect(one.where, one.metric, one.gap, levels[one.metric.key in SPEED])
        for one in judged
    ]
    if not any(e.unlike_load for e in effects):
        return effects
    return [replace(e, verdict=_of_unlike(e)) for e in effects]


def _of_unlike(e: Effect) -> Verdict:
    if e.metric is FAILURES and e.unlike_load and (e.change or 0.0) > 0:
        return Verdict.WORSE
    if e.unlike_load and not e.differs:
        return Verdict.DIFFERS
    return Verdict.DIFFERS if e.verdict is Verdict.BETTER else e.verdict
