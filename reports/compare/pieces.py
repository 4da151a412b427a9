"""A run cut into pieces of time: what is counted in each, for every key type on every target."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loadtest.attempt import OUTCOME_CODE, Outcome
from reports import percentiles
from reports.blocks import Blocks, find_blocks
from reports.compare.metrics import METRICS, Metric
from reports.figures import CONFLICT_CODES, RETRYABLE_CODES
from reports.load import Attempts, load_attempts
from reports.run_file import Run

_PIECE_S = 0.1
_MOST_PIECES = 128
_STEP = math.log(1.004)
"""Latencies are kept in steps of 0.4 %, the same ones in every run."""
_ROUNDING = 1e-6
_PARTS = 8
"""A transaction is shared out over pieces in so many equal parts."""


@dataclass(frozen=True, slots=True)
class SliceName:
    """One key type on one target."""

    key_type: str
    target: str


@dataclass(frozen=True, slots=True)
class Pieces:
    """One slice of one run in P pieces of time, in their order.

    `attempts`, `conflicts`, `ended`, `retried`, `given_up`, `committed`, `seconds` are (P,); `latency`
    (P, B) counts transactions by latency, in bins of which `middles_ms` (B,) are the middles.
    `figures` has the slice's figures as its report has them, None where they cannot be had.
    """

    attempts: NDArray[np.float64]
    conflicts: NDArray[np.float64]
    ended: NDArray[np.float64]
    retried: NDArray[np.float64]
    given_up: NDArray[np.float64]
    committed: NDArray[np.float64]
    seconds: NDArray[np.float64]
    latency: NDArray[np.float64]
    middles_ms: NDArray[np.float64]
    figures: dict[str, float | None]

    def __len__(self) -> int:
        return len(self.seconds)

    def events(self, metric: Metric) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(P,) counts above and below the line of a share or a rate."""
        return {
            "throughput_tps": (self.committed, self.seconds),
            "conflict_rate": (self.conflicts, self.attempts),
            "retry_rate": (self.retried, self.ended),
            "give_ups": (self.given_up, self.ended),
        }[metric.key]

    def joined(self, count: int) -> "Pieces":
        """The same time in at most `count` pieces, neighbours taken together as evenly as possible."""
        starts = np.arange(count) * len(self) // count

        def added(values: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.add.reduceat(values, starts, axis=0)

        return Pieces(
            added(self.attempts),
            added(self.conflicts),
            added(self.ended),
            added(self.retried),
            added(self.given_up),
            added(self.committed),
            added(self.seconds),
            added(self.latency),
            self.middles_ms,
            self.figures,
        )


def read_pieces(folder: Path, run: Run) -> dict[SliceName, Pieces]:
    """Every slice of a run that had time of its own or attempts.

    Raises:
        InputError: if a file of the run is missing or broken.
    """
    attempts = load_attempts(folder, run)
    blocks = find_blocks(run, attempts)
    rows = attempts.measured
    ended = np.flatnonzero(rows.final)
    latency_ns = (rows.end_ns() - rows.intended_start_ns)[ended]
    used = np.bincount(rows.target, minlength=len(attempts.targets))
    found = {}
    for key, key_type in enumerate(attempts.key_types):
        if not blocks.present[:, key].any():
            continue
        cut = _Cut(attempts, blocks, key)
        for target in np.flatnonzero(used):
            mine = (rows.key_type == key) & (rows.target == target)
            name = SliceName(key_type, attempts.targets[target])
            found[name] = _count(attempts, mine, ended, latency_ns, cut)
    return found


class _Cut:
    """One key type's blocks cut into pieces; a piece never has time of other key types in it."""

    def __init__(self, attempts: Attempts, blocks: Blocks, key: int) -> None:
        mine = np.flatnonzero(blocks.present[:, key])
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


def _count(
    attempts: Attempts,
    mine: NDArray[np.bool_],
    ended: NDArray[np.intp],
    latency_ns: NDArray[np.int64],
    cut: _Cut,
) -> Pieces:
    rows, size = attempts.measured, cut.size
    own = mine[ended]
    final, latency = ended[own], latency_ns[own]
    where, fate = cut.of_starts(final), rows.outcome[final]

    def counted(chosen: NDArray[np.bool_] | slice) -> NDArray[np.float64]:
        return np.bincount(where[chosen], minlength=size).astype(float)

    all_tries = np.flatnonzero(mine)
    tried = cut.of_starts(all_tries)
    failed = CONFLICT_CODES[rows.outcome[all_tries]]
    committed = fate == OUTCOME_CODE[Outcome.COMMITTED]
    bins = (np.log(np.maximum(latency, 1)) / _STEP).astype(np.int64)
    lowest = int(bins.min(initial=1 << 40)) if len(bins) else 0
    width = int(bins.max()) - lowest + 1 if len(bins) else 1
    histogram = np.bincount(where * width + (bins - lowest), minlength=size * width)
    pieces = Pieces(
        attempts=np.bincount(tried, minlength=size).astype(float),
        conflicts=np.bincount(tried[failed], minlength=size).astype(float),
        ended=counted(slice(None)),
        retried=counted(rows.attempt[final] > 1),
        given_up=counted(RETRYABLE_CODES[fate]),
        committed=cut.spread(final[committed], latency[committed]),
        seconds=cut.seconds,
        latency=histogram.reshape(size, width).astype(float),
        middles_ms=np.exp((lowest + np.arange(width) + 0.5) * _STEP) / 1e6,
        figures={},
    )
    pieces.figures.update(_figures(pieces, np.sort(latency)))
    return pieces


def _figures(pieces: Pieces, sorted_ns: NDArray[np.int64]) -> dict[str, float | None]:
    """The whole slice's figures, by the rules of the report."""
    found: dict[str, float | None] = {}
    for metric in METRICS:
        if metric.quantile is None:
            above, below = (float(values.sum()) for values in pieces.events(metric))
            found[metric.key] = above / below if below > 0 else None
        elif percentiles.enough(len(sorted_ns), metric.quantile):
            found[metric.key] = percentiles.at(sorted_ns, metric.quantile) / 1e6
        else:
            found[metric.key] = None
    return found
