"""A run cut into pieces of time: what is counted in each, for every key type on every target."""

import math
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loadtest.record.attempt import OUTCOME_CODE, Outcome
from loadtest.record.run import Run
from reports.analysis import percentiles
from reports.analysis.blocks import Blocks, find_blocks
from reports.analysis.figures import CONFLICT_CODES
from reports.analysis.reading.load import COUNTED_CODES, Attempts, load_attempts
from reports.statistics.comparison.metrics import METRICS, Metric

_PIECE_S = 0.1
_MOST_PIECES = 128
_STEP = math.log(1.004)
"""Latencies are kept in steps of 0.4 %, the same ones in every run."""
_ROUNDING = 1e-6
_PARTS = 8
"""A transaction is shared out over pieces in so many equal parts."""


@dataclass(frozen=True, slots=True)
class SliceName:
    """One key type on one target; both empty of the whole run."""

    key_type: str
    target: str


@dataclass(frozen=True, slots=True)
class Pieces:
    """One slice of one run in P pieces of time, in their order.

    Counts are (P,): of `attempts` those `decided` committed or conflicted, others are `errors`; of
    `ended` transactions those `counted` committed or gave up; the others are `lost`: they `failed`, or
    were refused.
    `latency` and `commit` (P, B) count them by their times, in bins of which `middles_ms` has the
    middles (B,).
    `figures` has those of METRICS as the slice's report has them, None where they cannot be had.
    """

    attempts: NDArray[np.float64]
    decided: NDArray[np.float64]
    conflicts: NDArray[np.float64]
    errors: NDArray[np.float64]
    ended: NDArray[np.float64]
    counted: NDArray[np.float64]
    failed: NDArray[np.float64]
    lost: NDArray[np.float64]
    retried: NDArray[np.float64]
    retries: NDArray[np.float64]
    given_up: NDArray[np.float64]
    committed: NDArray[np.float64]
    seconds: NDArray[np.float64]
    latency: NDArray[np.float64]
    commit: NDArray[np.float64]
    middles_ms: dict[str, NDArray[np.float64]]
    figures: dict[str, float | None]

    def __len__(self) -> int:
        return len(self.seconds)

    def events(self, metric: Metric) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(P,) counts above and below the line of a share or a rate."""
        return getattr(self, metric.above), getattr(self, metric.below)

    def share(self, metric: Metric) -> float | None:
        """The same over the whole time; None where there is nothing below the line."""
        above, below = (float(values.sum()) for values in self.events(metric))
        return above / below if below > 0 else None

    def joined(self, count: int) -> "Pieces":
        """The same time in at most `count` pieces, neighbours taken together as evenly as possible."""
        starts = np.arange(count) * len(self) // count

        sums: dict[str, Any] = {
            field.name: np.add.reduceat(getattr(self, field.name), starts, axis=0)
            for field in fields(self)
            if field.name not in ("middles_ms", "figures")
        }
        return replace(self, **sums)


WHOLE = SliceName("", "")
"""The whole run, all its key types and targets together."""


def read_pieces(folder: Path, run: Run, *, whole: bool = False) -> dict[SliceName, Pieces]:
    """Every slice of a run that had time of its own or attempts; WHOLE where it is asked for.

    Raises:
        InputError: if a file of the run is missing or broken.
    """
    attempts = load_attempts(folder, run)
    blocks = find_blocks(run, attempts)
    rows = attempts.measured
    used = np.bincount(rows.target, minlength=len(attempts.targets))
    found = {}
    for key, key_type in enumerate(attempts.key_types):
        if not blocks.present[:, key].any():
            continue
        cut = _Cut(attempts, blocks, key)
        for target in np.flatnonzero(used):
            mine = (rows.key_type == key) & (rows.target == target)
            name = SliceName(key_type, attempts.targets[target])
            found[name] = _count(attempts, mine, cut)
    if whole and len(rows):
        found[WHOLE] = _count(attempts, np.ones(len(rows), bool), _Cut(attempts, blocks, None))
    return found


class _Cut:
    """One key type's blocks, or all of them, cut into pieces; a piece of a key type never has time of
    others in it.
    """

    def __init__(self, attempts: Attempts, blocks: Blocks, key: int | None) -> None:
        mine = np.flatnonzero(blocks.present.any(axis=1) if key is None else blocks.present[:, key])
        lengths = blocks.seconds[mine]
        per_block = np.maximum(1, np.floor(lengths / _PIECE_S + _ROUNDING)).astype(np.int64)
        first = np.cumsum(per_block) - per_block
        place = np.full(len(blocks.numbers), 0)
        place[mine] = np.arange(len(mine))
        self._rows = attempts.measured
        block = blocks.index[self._rows.block]
        self._block = place[block]
        self._starts_ns = blocks.starts_ns[mine]
        self._per_block, self._first = per_block, first
        self._piece_ns = lengths / per_block * 1e9
        # A long run has longer pieces: neighbours are taken together until there are few enough.
        count = int(per_block.sum())
        self.size = min(count, _MOST_PIECES)
        self._coarse = np.arange(count) * self.size // max(count, 1)
        self.seconds = np.bincount(
            self._coarse, np.repeat(lengths / per_block, per_block), self.size
        ).astype(np.float64)

    def of_starts(self, rows: NDArray[np.intp]) -> NDArray[np.int64]:
        """The piece of each of these attempts: where its transaction should have started."""
        block = self._block[rows]
        since = self._rows.intended_start_ns[rows] - self._starts_ns[block]
        inside = (since / self._piece_ns[block]).astype(np.int64)
        piece = self._first[block] + np.clip(inside, 0, self._per_block[block] - 1)
        return np.asarray(self._coarse[piece], np.int64)

    def spread(self, rows: NDArray[np.intp], latency_ns: NDArray[np.int64]) -> NDArray[np.float64]:
        """(P,) these transactions, each shared out evenly over the pieces that it lasted in.

        Counted whole where they start, users in step with one another would make neighbouring pieces
        differ by a whole round of theirs, which says nothing of the run's throughput. What a
        transaction lasts beyond its block is put at the block's begin, where those of the block before
        are not counted: so every block has the transactions that are its own.
        """
        block = self._block[rows]
        since = self._rows.intended_start_ns[rows] - self._starts_ns[block]
        counts = self._per_block[block]
        found = np.zeros(self.size)
        for part in range(_PARTS):
            at = (since + latency_ns * ((part + 0.5) / _PARTS)) / self._piece_ns[block]
            inside = np.maximum(at, 0).astype(np.int64) % counts
            found += np.bincount(self._coarse[self._first[block] + inside], minlength=self.size)
        return found / _PARTS


def _count(attempts: Attempts, mine: NDArray[np.bool_], cut: _Cut) -> Pieces:
    rows, size = attempts.measured, cut.size
    tries = np.flatnonzero(mine)
    tried, fate = cut.of_starts(tries), rows.outcome[tries]
    final, decided, conflicted = rows.final[tries], COUNTED_CODES[fate], CONFLICT_CODES[fate]
    counted, refused = final & decided, fate == OUTCOME_CODE[Outcome.REFUSED]
    further = rows.attempt[tries] - 1
    latency_ns = (rows.end_ns() - rows.intended_start_ns)[tries[counted]]
    committed = ~conflicted[counted]

    def sums(chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.bincount(tried[chosen], minlength=size).astype(float)

    shown = decided & (rows.commit_ns[tries] > 0)
    latency, latency_ms = _histogram(tried[counted], latency_ns, size)
    commit_ns = rows.commit_ns[tries[shown]]
    commit, commit_ms = _histogram(tried[shown], commit_ns, size)
    pieces = Pieces(
        attempts=np.bincount(tried, minlength=size).astype(float),
        decided=sums(decided),
        conflicts=sums(conflicted),
        errors=sums(~decided & ~refused),
        ended=sums(final),
        counted=sums(counted),
        failed=sums(final & ~decided & ~refused),
        lost=sums(final & ~decided),
        retried=sums(counted & (further > 0)),
        retries=np.bincount(tried[counted], further[counted], size).astype(float),
        given_up=sums(final & conflicted),
        committed=cut.spread(tries[counted][committed], latency_ns[committed]),
        seconds=cut.seconds,
        latency=latency,
        commit=commit,
        middles_ms={"latency": latency_ms, "commit": commit_ms},
        figures={},
    )
    times = np.sort(latency_ns)
    pieces.figures.update({metric.key: _figure(pieces, times, metric) for metric in METRICS})
    return pieces


def _histogram(
    where: NDArray[np.int64], times_ns: NDArray[np.int64], size: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(P, B) how many of these times are in each bin, and the bins' middles in milliseconds."""
    bins = (np.log(np.maximum(times_ns, 1)) / _STEP).astype(np.int64)
    lowest = int(bins.min()) if len(bins) else 0
    width = int(bins.max()) - lowest + 1 if len(bins) else 1
    found = np.bincount(where * width + (bins - lowest), minlength=size * width)
    middles_ms = np.exp((lowest + np.arange(width) + 0.5) * _STEP) / 1e6
    return found.reshape(size, width).astype(float), middles_ms


def _figure(pieces: Pieces, sorted_ns: NDArray[np.int64], metric: Metric) -> float | None:
    """The whole slice's figure, by the rules of the report."""
    if metric.quantile is None:
        return pieces.share(metric)
    if not percentiles.enough(len(sorted_ns), metric.quantile):
        return None
    return percentiles.at(sorted_ns, metric.quantile) / 1e6
