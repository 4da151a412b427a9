"""A result folder as one model: every figure the report prints or draws."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loadtest.record.run import Run, read_run
from reports.analysis import percentiles
from reports.analysis.conflicts.attribution import Attribution, find_attribution
from reports.analysis.conflicts.hot_rows import HotRows, find_hot_rows
from reports.analysis.consistency import Consistency, find_consistency
from reports.analysis.figures import CELL, Figures, Tally, figures, tally
from reports.analysis.over_time.blocks import Blocks, find_blocks
from reports.analysis.over_time.gaps import Gap, find_gaps
from reports.analysis.over_time.omission import Omission, find_omissions
from reports.analysis.over_time.series import (
    Series,
    WarmupSeries,
    over_time,
    targets_over_time,
    warmup_over_time,
)
from reports.analysis.ranks import Chosen, Ranks, chosen_of
from reports.analysis.reading.attempts import Attempts, open_attempts
from reports.analysis.reading.record_files import Record
from reports.analysis.reading.systems import Databases, find_databases
from reports.analysis.remote import Said
from reports.statistics.paired.blocks import Comparison, compare_key_types, compare_targets
from reports.statistics.prediction.band import Band
from reports.statistics.warmup import Warmth, find_warmth

CURVE_POINTS = 400


@dataclass(frozen=True, slots=True)
class Curve:
    """A latency distribution to draw: `ms[i]` is the value at quantile `quantiles[i]`."""

    quantiles: NDArray[np.float64]
    ms: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Regions:
    """Several targets compared, by their names."""

    databases: Databases
    """By the target's place in the arrays of `attribution`, as the record has them."""
    users: dict[str, int]
    comparisons: list[Comparison]
    series: dict[str, Series]
    curves: dict[str, Curve]
    attribution: Attribution | None
    codes: dict[str, int]
    """The target's place in `databases` and in the arrays of `attribution`."""

    def one_database(self, a: str, b: str) -> bool | None:
        """Whether these two targets are one database; None where it is not known."""
        return self.databases.one(self.codes[a], self.codes[b])

    @property
    def pooled(self) -> bool:
        """Whether figures of all targets together are of one database, and so mean anything."""
        return self.databases.whole


@dataclass(frozen=True, slots=True)
class Model:
    """All of a report's content, before words and drawing."""

    run: Run
    overall: Figures
    key_types: dict[str, Figures]
    targets: dict[str, Figures]
    scenarios: dict[str, Figures]
    by_target_and_key: dict[tuple[str, str], Figures]
    comparisons: list[Comparison]
    regions: Regions | None
    """None where the run has one target."""
    gaps: list[Gap]
    series: dict[str, Series]
    warmup: WarmupSeries | None
    warmup_s: float
    curves: dict[str, Curve]
    hot_rows: HotRows
    sqlstates: dict[tuple[str, str], int]
    measured_s: float
    blocks: int
    late_starts: int
    """Transactions that started more than `figures.LATE_NS` after they should have (open loop)."""
    started: int
    """Transactions that started at all."""
    consistency: Consistency | None
    """None where the run kept no consistency probes."""
    warmth: dict[str, Warmth]
    """Whether the measured time was warm, by target."""
    omissions: dict[str, Omission]
    """By target: what a closed loop left out; empty for an open one."""
    record: Record
    """The files that all of it is from."""
    committed_users: int | None
    """How many users committed anything in the measured time; None where it is not known."""


def build_model(folder: Path) -> Model:
    """Read a result folder and compute everything.

    Raises:
        InputError: if it is not a result folder, or a file in it is broken.
    """
    run = read_run(folder)
    with open_attempts(folder, run) as attempts:
        return _model(folder, run, attempts)


def _model(folder: Path, run: Run, attempts: Attempts) -> Model:
    blocks = find_blocks(run, attempts)
    databases = find_databases(run, attempts.targets)
    counts = tally(attempts)
    seen = set(counts.attempts["key_type"])
    # A key type that had its blocks and started nothing in them is a result, too.
    present = [k for k in attempts.key_types if k in seen or blocks.of(k).any()]
    slices = _Slices(run, attempts, blocks, counts, databases, present)
    several = len(attempts.targets) > 1
    key_types = {name: slices.figures(key_type=name) for name in present}
    targets = {name: slices.figures(target=name) for name in attempts.targets}
    alternating = len(present) > 1 and blocks.paired
    return Model(
        run=run,
        overall=slices.figures(),
        key_types=key_types,
        targets=targets,
        scenarios={name: slices.figures(operation=name) for name in attempts.operations},
        by_target_and_key={
            (target, key_type): slices.figures(target=target, key_type=key_type)
            for target in attempts.targets
            for key_type in present
            if several and chosen_of(counts.attempts, {"target": target, "key_type": key_type}).any()
        },
        comparisons=compare_key_types(attempts, blocks, present, run.config.seed),
        regions=_regions(run, attempts, blocks, databases, slices) if several else None,
        gaps=find_gaps(run, attempts, blocks),
        series=over_time(attempts, blocks, present, alternating=alternating, closed=not run.open_loop),
        warmup=warmup_over_time(attempts, blocks.from_ns),
        warmup_s=_warmup_seconds(run, attempts, blocks),
        curves=slices.curves("key_type", present),
        hot_rows=find_hot_rows(
            attempts, blocks, databases, run.size, even=run.config.skew == "uniform"
        ),
        sqlstates=attempts.sqlstates,
        measured_s=blocks.duration_s,
        blocks=len(blocks.numbers),
        late_starts=int(counts.attempts["late"].sum()),
        started=int(counts.attempts["attempts"][counts.attempts["attempt"] == 1].sum()),
        consistency=find_consistency(folder),
        warmth=find_warmth(attempts, blocks, slices.latencies),
        omissions={} if run.open_loop else find_omissions(attempts, blocks, slices.latencies),
        record=attempts.record,
        committed_users=attempts.committed_users,
    )


def _regions(
    run: Run, attempts: Attempts, blocks: Blocks, databases: Databases, slices: "_Slices"
) -> Regions:
    names = list(attempts.targets)
    return Regions(
        databases=databases,
        users={name: attempts.users[name] for name in names if name in attempts.users},
        comparisons=compare_targets(attempts, blocks, run.config.seed),
        series=targets_over_time(attempts, blocks, names),
        curves=slices.curves("target", names),
        attribution=find_attribution(attempts, databases),
        codes={name: place for place, name in enumerate(names)},
    )


def _warmup_seconds(run: Run, attempts: Attempts, blocks: Blocks) -> float:
    first = attempts.warmup_from_ns
    begin = run.started_ns if run.measured_from_ns is not None and run.started_ns else first
    if begin is None or first is None:
        return 0.0
    return max(0.0, (blocks.from_ns - min(begin, first)) / 1e9)


_Key = tuple[tuple[str, str], ...]
"""A slice's columns with their values."""


class _Slices:
    """Makes the figures of every slice that a report has: all of it, and by key type, target, both and
    operation.
    """

    def __init__(
        self,
        run: Run,
        attempts: Attempts,
        blocks: Blocks,
        counts: Tally,
        databases: Databases,
        key_types: list[str],
    ) -> None:
        self._blocks, self._counts = blocks, counts
        asked: list[dict[str, str]] = [
            {},
            *({"key_type": name} for name in key_types),
            *({"target": name} for name in attempts.targets),
            *({"key_type": k, "target": t} for t in attempts.targets for k in key_types),
            *({"operation": name} for name in attempts.operations),
        ]
        slices: dict[_Key, Chosen] = {_key(chosen): chosen for chosen in asked}
        self.latencies = Ranks(attempts, "attempts WHERE counted", "latency_ns", CELL)
        commits = Ranks(attempts, "attempts WHERE decided AND commit_ns > 0", "commit_ns", CELL)
        self._latency, self._commit = (
            ranks.pick({key: ranks.where(chosen) for key, chosen in slices.items()}, wanted)
            for ranks, wanted in (
                (self.latencies, _ranks_drawn),
                (commits, percentiles.ranks_described),
            )
        )
        self._said = Said(run, attempts, slices)
        self._band = Band(run, attempts, blocks, counts, databases)

    def figures(self, **chosen: str) -> Figures:
        """The figures of the slice with these names in these columns."""
        key, key_type = _key(chosen), chosen.get("key_type")
        seconds = self._blocks.duration_of(key_type) if key_type else self._blocks.duration_s
        return figures(
            self._counts,
            chosen,
            self._latency[key],
            self._commit[key],
            self._band.of(chosen),
            self._said.of(key),
            seconds,
        )

    def curves(self, column: str, names: list[str]) -> dict[str, Curve]:
        """The latency distributions to draw, of those with enough samples."""
        curves = {}
        for name in names:
            values = self._latency[_key({column: name})]
            quantiles, ranks = _curve_ranks(len(values))
            if len(ranks):
                curves[name] = Curve(quantiles, np.array([values[rank] for rank in ranks]) / 1e6)
        return curves


def _key(chosen: Chosen) -> _Key:
    return tuple(sorted(chosen.items()))


def _ranks_drawn(samples: int) -> set[int]:
    _, ranks = _curve_ranks(samples)
    return percentiles.ranks_described(samples) | set(ranks.tolist())


def _curve_ranks(samples: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(quantiles, ranks): evenly spaced in -log10(1 - q), up to the last with enough samples beyond."""
    if samples < 20:
        return np.empty(0), np.empty(0, np.int64)
    quantiles = 1 - 10 ** -np.linspace(0, np.log10(samples / 10), CURVE_POINTS)
    return quantiles, np.round(quantiles * (samples - 1)).astype(np.int64)
