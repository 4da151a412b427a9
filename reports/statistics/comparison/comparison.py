"""Runs of two sides → every figure's change, with what was different beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loadtest.errors import InputError
from loadtest.record.run import Run, read_run
from reports.statistics.comparison.effect import (
    Effect,
    Gap,
    Verdict,
    correlation,
    effect,
    gap,
    too_little,
)
from reports.statistics.comparison.metrics import FAILURES, JUDGED, Metric
from reports.statistics.comparison.pieces import SliceName, read_pieces
from reports.statistics.comparison.settings import Difference, check_alike, circumstances_of_sides
from reports.statistics.comparison.simultaneous import SPEED, level_of_each, shared_between
from reports.statistics.comparison.spread import Estimate, estimates

ERROR_RATE = 0.05
"""The chance that a comparison of runs of the same thing shows any difference at all, as long as such
runs differ by no more than what is allowed for."""


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
    """Slices that some runs have and others have not; nothing is said of them."""

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


Side = list[dict[SliceName, dict[str, Estimate | None]]]


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
    _check_distinct(bases, news)
    asked = allowance
    runs = {folder: read_run(folder) for folder in (*bases, *news)}
    base, new = runs[bases[0]], runs[news[0]]
    allowed = check_alike([runs[f] for f in bases], [runs[f] for f in news], allow_different)
    sides = [[_estimates(folder, runs[folder]) for folder in side] for side in (bases, news)]
    _check_no_copies((*bases, *news), [runs[f] for f in (*bases, *news)], [*sides[0], *sides[1]])
    if len(base.targets) == len(new.targets) == 1:
        # What each side calls its only target does not matter: it is what is compared.
        name = base.targets[0].name
        sides = [[_renamed(run, name) for run in side] for side in sides]
    if allowance is None and all(run.simulated for run in runs.values()):
        # Nothing but chance differs from one simulation to the next, and their blocks show chance.
        allowance = 0.0
    common = _common(sides)
    judged = judged_of(sides, common, allowance)
    return RunComparison(
        bases=tuple(bases),
        news=tuple(news),
        runs=(tuple(runs[f] for f in bases), tuple(runs[f] for f in news)),
        effects=tuple(_effects(judged)),
        allowed=tuple(allowed),
        circumstances=tuple(circumstances_of_sides([runs[f] for f in bases], [runs[f] for f in news])),
        interrupted=tuple(f for f, run in runs.items() if run.interrupted),
        allowance=asked,
        dropped=tuple(
            dict.fromkeys(s for side in sides for run in side for s in run if s not in common)
        ),
    )


def _check_distinct(bases: Sequence[Path], news: Sequence[Path]) -> None:
    if not bases or not news:
        raise InputError("a comparison needs at least one run on either side")
    seen: dict[Path, Path] = {}
    for folder in (*bases, *news):
        if (place := folder.resolve()) in seen:
            raise InputError(f"{folder} is given twice; a run tells nothing about itself")
        seen[place] = folder


def _check_no_copies(
    folders: Sequence[Path],
    runs: Sequence[Run],
    found: Sequence[dict[SliceName, dict[str, Estimate | None]]],
) -> None:
    """A copied folder would count as a repeat of its own, and make everything look surer."""
    seen: dict[tuple[object, ...], Path] = {}
    for folder, run, slices in zip(folders, runs, found, strict=True):
        figures = tuple(
            (where, key, estimate.figure, estimate.trials)
            for where, of_slice in slices.items()
            for key, estimate in of_slice.items()
            if estimate is not None
        )
        mark = (run.started_ns, run.config.seed, figures)
        if (other := seen.setdefault(mark, folder)) is not folder:
            raise InputError(
                f"{folder} is the same run as {other}: begun at the same moment, with the same "
                "figures; a run tells nothing about itself"
            )


def _estimates(folder: Path, run: Run) -> dict[SliceName, dict[str, Estimate | None]]:
    return {name: estimates(pieces) for name, pieces in read_pieces(folder, run).items()}


def _renamed(
    run: dict[SliceName, dict[str, Estimate | None]], target: str
) -> dict[SliceName, dict[str, Estimate | None]]:
    return {SliceName(name.key_type, target): found for name, found in run.items()}


def _common(sides: Sequence[Side]) -> list[SliceName]:
    """The slices that every run has."""
    runs = [run for side in sides for run in side]
    common = [name for name in runs[0] if all(name in run for run in runs)]
    if not common:
        raise InputError(
            "the runs have no key type on a target of the same name in common; nothing to compare "
            "(--target NAME=URL names a target)"
        )
    return common


@dataclass(frozen=True, slots=True)
class Judged:
    """One figure of one slice, with what every run says of it; `gap` is None if one says nothing."""

    where: SliceName
    metric: Metric
    runs: tuple[Estimate, ...]
    gap: Gap | None

    @property
    def can_differ(self) -> bool:
        """Whether it could be found different: it can be had, and something was counted.

        What cannot be found different can be no false alarm and needs no share of the error rate
        (R. E. Tarone, "A Modified Bonferroni Method for Discrete Data", Biometrics 46, 1990).
        """
        return self.gap is not None and (self.metric.is_ratio or any(e.events for e in self.runs))


def judged_of(
    sides: Sequence[Side], wanted: Sequence[SliceName], allowance: float | None
) -> list[Judged]:
    """Every figure of the wanted slices; `allowance` is as for `gap`."""
    found = []
    for where in wanted:
        for metric in JUDGED:
            old, now = ([run[where][metric.key] for run in side] for side in sides)
            there = [e for e in (*old, *now) if e is not None]
            if metric is FAILURES and not any(e.events for e in there):
                # Nothing failed, as it should be: no row is needed for that.
                continue
            difference = None
            # Half of the runs are not the figure of all of them.
            if len(there) == len(old) + len(now):
                difference = gap(metric, there[: len(old)], there[len(old) :], allowance)
            found.append(Judged(where, metric, tuple(there), difference))
    return found


def _effects(judged: Sequence[Judged]) -> list[Effect]:
    """Every figure's effect, at the level that its family leaves it."""
    levels = levels_of(judged)
    found = [
        too_little(one.where, one.metric)
        if one.gap is None
        else effect(one.where, one.metric, one.gap, levels[one.metric.key in SPEED])
        for one in judged
    ]
    if not any(e.unlike_load for e in found):
        return found
    return [replace(e, verdict=_of_unlike(e)) for e in found]


def _of_unlike(e: Effect) -> Verdict:
    """The verdict where the sides differ in what failed or gave up."""
    if e.metric is FAILURES and e.unlike_load and (e.change or 0.0) > 0:
        return Verdict.WORSE
    if e.unlike_load and not e.differs:
        return Verdict.DIFFERS
    return Verdict.DIFFERS if e.verdict is Verdict.BETTER else e.verdict


def levels_of(judged: Sequence[Judged]) -> dict[bool, float]:
    """The level at which the figures of speed, and the others, are judged."""
    families = [
        [one for one in judged if one.can_differ and (one.metric.key in SPEED) is speed]
        for speed in (True, False)
    ]
    asked = [family for family in families if family]
    return {
        speed: level_of_each(_correlation(family), ERROR_RATE / max(1, len(asked)))
        for speed, family in zip((True, False), families, strict=True)
    }


def _correlation(family: Sequence[Judged]) -> NDArray[np.float64]:
    """(M, M) how the figures of a family go together by chance."""
    found = np.eye(len(family))
    for i, a in enumerate(family):
        for j, b in enumerate(family[:i]):
            if a.gap is None or b.gap is None:
                continue
            shared = shared_between((a.where, a.metric), (b.where, b.metric))
            own = b.runs if a.where == b.where else ()
            found[i, j] = found[j, i] = correlation(a.gap, b.gap, a.runs, own, shared)
    return found
