"""A result folder as one model: every figure the report prints or draws."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reports.analysis.attribution import Opponents, find_opponents
from reports.analysis.blocks import Blocks, find_blocks
from reports.analysis.consistency import Consistency, find_consistency
from reports.analysis.figures import Figures, Tally, figures, tally
from reports.analysis.gaps import Gap, find_gaps
from reports.analysis.hot_rows import Heat, heat
from reports.analysis.omission import Omission, find_omissions
from reports.analysis.reading.load import COUNTED_CODES, Attempts, load_attempts
from reports.analysis.reading.parallel import beside
from reports.analysis.reading.record_files import Record
from reports.analysis.reading.run_file import Run, read_run
from reports.analysis.reading.systems import Databases, find_databases
from reports.analysis.remote import Said
from reports.analysis.series import Series, WarmupSeries, over_time, targets_over_time, warmup_over_time
from reports.statistics.paired.blocks import Comparison, compare_key_types, compare_targets
from reports.statistics.paired.simultaneous import simultaneous
from reports.statistics.prediction.band import Band
from reports.statistics.warmup import Warmth, find_warmth

CURVE_POINTS = 400
LATE_NS = 10_000_000


@dataclass(frozen=True, slots=True)
class Curve:
    """A latency distribution to draw: `ms[i]` is the value at quantile `quantiles[i]`."""

    quantiles: NDArray[np.float64]
    ms: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Regions:
    """What there is to say of targets beside one another; by the target's name."""

    databases: Databases
    """By the target's place in the arrays of `opponents`, as the record has them."""
    users: dict[str, int]
    comparisons: list[Comparison]
    series: dict[str, Series]
    curves: dict[str, Curve]
    opponents: Opponents | None
    codes: dict[str, int]
    """The target's place in `databases` and in the arrays of `opponents`."""

    def one_database(self, a: str, b: str) -> bool | None:
        """Whether these two targets are one database; None where nobody knows."""
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
    heat: Heat
    sqlstates: dict[tuple[str, str], int]
    measured_s: float
    blocks: int
    late_starts: int
    """Transactions that started more than LATE_NS after they should have (open loop)."""
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
    """How many users committed anything in the measured time; None where nobody knows."""


class _Times:
    """Latency and COMMIT times of any slice, in ascending order.

    Each cell is sorted once; a slice of several cells merges what is in order already.
    """

    def __init__(
        self, attempts: Attempts, cells: NDArray[np.int32], latency_ns: NDArray[np.int64]
    ) -> None:
        rows = attempts.measured
        self._shape = (len(attempts.key_types), len(attempts.targets), len(attempts.scenarios))
        shown = (rows.commit_ns > 0) & COUNTED_CODES[rows.outcome]
        self._latency = self._sorted(latency_ns, cells[rows.counted()])
        self._commit = self._sorted(rows.commit_ns[shown], cells[shown])

    def _sorted(self, values: NDArray[np.int64], cells: NDArray[np.int32]) -> list[NDArray[np.int64]]:
        size = int(np.prod(self._shape))
        used = np.bincount(cells, minlength=size)
        found = [values[cells == cell] if used[cell] else values[:0] for cell in range(size)]
        for one in found:
            one.sort()
        return found

    def of(self, chosen: tuple[slice | int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(latencies, COMMIT times) of the chosen cells, sorted; not to be written to."""
        member = np.zeros(self._shape, bool)
        member[chosen] = True
        wanted = np.flatnonzero(member.ravel())
        return _merged([self._latency[w] for w in wanted]), _merged([self._commit[w] for w in wanted])


def _merged(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Sorted parts as one sorted array."""
    parts = [part for part in parts if len(part)]
    if len(parts) == 1:
        return parts[0]
    together = np.concatenate(parts) if parts else np.empty(0, np.int64)
    # The stable sort finds the parts' order and merges them, in time that grows with their length.
    together.sort(kind="stable")
    return together


def build_model(folder: Path) -> Model:
    """Read a result folder and compute everything.

    Raises:
        InputError: if it is not a result folder, or a file in it is broken.
    """
    run = read_run(folder)
    attempts = load_attempts(folder, run)
    blocks = find_blocks(run, attempts)
    rows = attempts.measured
    end_ns = rows.end_ns()
    latency_ns = rows.latency_ns()
    order = _target_order(run, attempts)
    databases = find_databases(run, attempts.targets)
    by_key = np.bincount(rows.key_type, minlength=len(attempts.key_types))
    # A key type that had its blocks and started nothing in them is a result, too.
    present = [int(k) for k in np.flatnonzero((by_key > 0) | blocks.present.any(axis=0))]
    # Half of ten million attempts' figures are computed beside the other half.
    with beside() as other:
        asked = (attempts, blocks, order, end_ns, latency_ns, databases, run.config.seed)
        regions_asked = other.submit(_regions, *asked) if len(order) > 1 else None
        even = run.config.skew == "uniform"
        hot = other.submit(heat, attempts, blocks, present, databases, run.size, even=even)
        warmth = other.submit(find_warmth, attempts, blocks, latency_ns)
        omissions = (
            None if run.open_loop else other.submit(find_omissions, attempts, blocks, latency_ns)
        )
        cells = _cells(attempts)
        counts = tally(attempts, cells, latency_ns)
        alternating = len(present) > 1 and blocks.paired
        series = {
            attempts.key_types[k]: over_time(
                attempts,
                blocks,
                end_ns,
                latency_ns,
                key_type=k,
                alternating=alternating,
                closed=not run.open_loop,
            )
            for k in present
        }
        comparisons = simultaneous(
            compare_key_types(attempts, blocks, latency_ns, present, order, run.config.seed)
        )
        slices = _Slices(
            blocks,
            counts,
            _Times(attempts, cells, latency_ns),
            Said(run, attempts, cells),
            Band(run, attempts, blocks, counts, databases),
        )
        gaps = find_gaps(run, attempts, blocks, end_ns)
    del asked, end_ns
    regions = regions_asked.result() if regions_asked is not None else None
    first = rows.attempt == 1
    wait_ns = rows.start_ns[first] - rows.intended_start_ns[first]
    everything = slice(None)
    key_types = {}
    curves = {}
    for k in present:
        name = attempts.key_types[k]
        key_types[name], curves[name] = slices.with_curve((k, everything, everything))
    if len(present) == 1:
        slices.whole_is(key_types[attempts.key_types[present[0]]])
    targets = {}
    if regions is None:
        targets = {attempts.targets[t]: slices.whole() for t in order}
    else:
        for t in order:
            name = attempts.targets[t]
            targets[name], curve = slices.with_curve((everything, t, everything))
            if curve is not None:
                regions.curves[name] = curve
    return Model(
        run=run,
        overall=slices.whole(),
        key_types=key_types,
        targets=targets,
        scenarios=dict(slices.by_scenario(attempts.scenarios)),
        by_target_and_key={
            (name, attempts.key_types[k]): (
                slices.figures((k, t, everything)) if len(present) > 1 else targets[name]
            )
            for t, name in ((t, attempts.targets[t]) for t in order)
            for k in present
            if regions is not None and counts.outcomes[k, t].any()
        },
        comparisons=comparisons,
        regions=regions,
        gaps=gaps,
        series=series,
        warmup=warmup_over_time(attempts.warmup, blocks.from_ns),
        warmup_s=_warmup_seconds(run, attempts, blocks),
        curves={name: curve for name, curve in curves.items() if curve is not None},
        heat=hot.result(),
        sqlstates=attempts.sqlstates,
        measured_s=blocks.duration_s,
        blocks=len(blocks.numbers),
        late_starts=int(np.count_nonzero(wait_ns > LATE_NS)),
        started=len(wait_ns),
        consistency=find_consistency(folder),
        warmth=warmth.result(),
        omissions=omissions.result() if omissions is not None else {},
        record=attempts.record,
        committed_users=attempts.committed_users,
    )


def _target_order(run: Run, attempts: Attempts) -> list[int]:
    """Codes of the targets that have attempts, in the order in which they were asked for."""
    used = np.flatnonzero(np.bincount(attempts.measured.target, minlength=len(attempts.targets)))
    asked = {target.name: place for place, target in enumerate(run.targets)}

    def place(code: int) -> tuple[int, str]:
        name = attempts.targets[code]
        return asked.get(name, len(asked)), name

    return sorted(used.tolist(), key=place)


def _regions(
    attempts: Attempts,
    blocks: Blocks,
    order: list[int],
    end_ns: NDArray[np.int64],
    latency_ns: NDArray[np.int64],
    databases: Databases,
    seed: int,
) -> Regions:
    """Everything about several targets but their figures and curves, which are slices like others."""
    names = attempts.targets
    return Regions(
        databases=databases,
        users={names[t]: attempts.users[names[t]] for t in order if names[t] in attempts.users},
        comparisons=simultaneous(compare_targets(attempts, blocks, latency_ns, order, seed)),
        series={
            names[t]: series
            for t, series in targets_over_time(attempts, blocks, end_ns, latency_ns, order).items()
        },
        curves={},
        opponents=find_opponents(attempts, databases),
        codes={names[t]: t for t in order},
    )


def _cells(attempts: Attempts) -> NDArray[np.int32]:
    """Each attempt's cell: key type, target and scenario in one number."""
    rows = attempts.measured
    cells = rows.key_type.astype(np.int32)
    cells *= len(attempts.targets)
    cells += rows.target
    cells *= len(attempts.scenarios)
    cells += rows.scenario
    return cells


def _warmup_seconds(run: Run, attempts: Attempts, blocks: Blocks) -> float:
    first = attempts.warmup.first_start_ns
    begin = run.started_ns if run.measured_from_ns is not None and run.started_ns else first
    if begin is None or first is None:
        return 0.0
    return max(0.0, (blocks.from_ns - min(begin, first)) / 1e9)


class _Slices:
    """Makes the figures of any slice, each time-consuming one once."""

    def __init__(self, blocks: Blocks, counts: Tally, times: _Times, said: Said, band: Band) -> None:
        self._blocks, self._counts, self._times, self._said = blocks, counts, times, said
        self._band = band
        self._whole: Figures | None = None

    def whole(self) -> Figures:
        """The figures of the whole run, computed once."""
        everything = slice(None)
        self._whole = self._whole or self.figures((everything, everything, everything))
        return self._whole

    def whole_is(self, figures: Figures) -> None:
        """The whole run is a slice that is known already."""
        self._whole = figures

    def figures(self, chosen: tuple[slice | int, slice | int, slice | int]) -> Figures:
        """The figures of the chosen (key type, target, scenario) cells."""
        return self.with_curve(chosen)[0]

    def with_curve(
        self, chosen: tuple[slice | int, slice | int, slice | int]
    ) -> tuple[Figures, Curve | None]:
        """The figures, and the latency distribution to draw."""
        latency, commit = self._times.of(chosen)
        key = chosen[0]
        duration = self._blocks.duration_of(key) if isinstance(key, int) else self._blocks.duration_s
        made = figures(
            self._counts, self._said, chosen, latency, commit, self._band.of(chosen), duration
        )
        return made, _curve(latency)

    def by_scenario(self, names: tuple[str, ...]) -> Iterator[tuple[str, Figures]]:
        """The figures of each scenario that has attempts."""
        everything = slice(None)
        present = [s for s in range(len(names)) if self._counts.outcomes[:, :, s].any()]
        for s in present:
            # The only one is the whole run; nothing is sorted twice for it.
            only = len(present) == 1
            yield names[s], self.whole() if only else self.figures((everything, everything, s))


def _curve(sorted_ns: NDArray[np.int64]) -> Curve | None:
    """Quantiles evenly spaced in -log10(1 - q), up to the last with enough samples beyond."""
    samples = len(sorted_ns)
    if samples < 20:
        return None
    nines = np.linspace(0, np.log10(samples / 10), CURVE_POINTS)
    quantiles = 1 - 10**-nines
    places = np.round(quantiles * (samples - 1)).astype(np.int64)
    return Curve(quantiles, sorted_ns[places] / 1e6)
