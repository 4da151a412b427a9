"""A run cut into pieces of time: what is counted in each, for every key type on every target."""

import math
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loadtest.record.outcome import Outcome
from loadtest.record.run import Run
from reports.analysis import percentiles
from reports.analysis.blocks import Blocks, find_blocks
from reports.analysis.ranks import Ordered, Ranks, chosen_of
from reports.analysis.reading.attempts import Attempts, open_attempts
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
    with open_attempts(folder, run) as attempts:
        blocks = find_blocks(run, attempts)
        ran = [key for key in attempts.key_types if blocks.of(key).any()]
        cuts = {key: _Cut(blocks, key) for key in ran}
        found = _count(
            attempts,
            {SliceName(key, target): cuts[key] for key in ran for target in attempts.targets},
            pd.concat([cut.table(key_type=key) for key, cut in cuts.items()]),
        )
        if whole:
            cut = _Cut(blocks, None)
            found |= _count(attempts, {WHOLE: cut}, cut.table())
    return found


class _Cut:
    """One key type's blocks, or all of them, cut into pieces; a piece of a key type never has time of
    others in it.
    """

    def __init__(self, blocks: Blocks, key_type: str | None) -> None:
        own = blocks.present.any(axis=1) if key_type is None else blocks.of(key_type)
        lengths = blocks.seconds[own]
        per_block = np.maximum(1, np.floor(lengths / _PIECE_S + _ROUNDING)).astype(np.int64)
        # A long run has longer pieces: neighbours are taken together until there are few enough.
        self._count = int(per_block.sum())
        self.size = min(self._count, _MOST_PIECES)
        self._blocks = pd.DataFrame(
            {
                "block": blocks.numbers[own],
                "begin_ns": blocks.starts_ns[own],
                "per_block": per_block,
                "before": np.cumsum(per_block) - per_block,
                "piece_ns": lengths / per_block * 1e9,
            }
        )
        coarse = np.arange(self._count) * self.size // max(self._count, 1)
        self.seconds = np.bincount(coarse, np.repeat(lengths / per_block, per_block), self.size).astype(
            np.float64
        )

    def table(self, **columns: str) -> pd.DataFrame:
        """What `_placed` needs of each block."""
        return self._blocks.assign(pieces=self._count, size=self.size, **columns)


def _placed(by: str, inside: str, attempts: str = "attempts") -> str:
    """The attempts with the piece in which they lie, `inside` their block at this of its own pieces."""
    return (
        "(SELECT a.*, cuts.* EXCLUDE (block), intended_start_ns - begin_ns AS since, "
        f"(before + ({inside})::BIGINT) * size // pieces AS piece "
        f"FROM {attempts} a JOIN cuts USING ({by}))"
    )


def _count(
    attempts: Attempts, cuts: dict[SliceName, _Cut], table: pd.DataFrame
) -> dict[SliceName, Pieces]:
    """Count what each slice has in its pieces, of which `table` has the blocks."""
    several = "key_type" in table
    columns = ("key_type", "target") if several else ()
    listed = "".join(f"{column}, " for column in columns)
    by = "block, key_type" if several else "block"
    # An attempt is in the piece where its transaction should have started.
    source = _placed(by, "greatest(0, least(per_block - 1, trunc(since / piece_ns)))")
    counts = attempts.frame(
        f"""
        SELECT {listed} piece, count(*) AS attempts, count(*) FILTER (decided) AS decided,
            count(*) FILTER (conflicted) AS conflicts,
            count(*) FILTER (NOT decided AND outcome <> '{Outcome.REFUSED}') AS errors,
            count(*) FILTER (final) AS ended, count(*) FILTER (counted) AS counted,
            count(*) FILTER (final AND NOT decided AND outcome <> '{Outcome.REFUSED}') AS failed,
            count(*) FILTER (final AND NOT decided) AS lost,
            count(*) FILTER (counted AND attempt > 1) AS retried,
            sum(attempt - 1) FILTER (counted) AS retries,
            count(*) FILTER (final AND conflicted) AS given_up
        FROM {source} GROUP BY ALL
        """,
        cuts=table,
    ).fillna(0)
    committed = _committed(attempts, listed, by, table)
    latency, commit = (
        Ranks(
            attempts,
            f"{source} WHERE {which}",
            column,
            (*columns, "piece"),
            bin_of=f'trunc(ln(greatest("value", 1)) / {_STEP!r})',
            cuts=table,
        )
        for column, which in (("latency_ns", "counted"), ("commit_ns", "decided AND commit_ns > 0"))
    )
    chosen = {name: {column: getattr(name, column) for column in columns} for name in cuts}
    ordered = latency.pick(
        {name: latency.where(slice_) for name, slice_ in chosen.items()}, _ranks_told
    )
    found = {}
    for name, cut in cuts.items():
        mine, spread = (
            rows[chosen_of(rows, chosen[name])].set_index("piece").drop(columns=list(columns))
            for rows in (counts, committed)
        )
        table_of = mine.reindex(range(cut.size), fill_value=0).astype(float)
        times, middles_ms = _histograms(latency, commit, chosen[name], cut.size)
        pieces = Pieces(
            **{str(column): table_of[column].to_numpy() for column in table_of},
            **times,
            committed=spread["committed"].reindex(range(cut.size), fill_value=0).to_numpy(float),
            seconds=cut.seconds,
            middles_ms=middles_ms,
            figures={},
        )
        pieces.figures.update(
            {metric.key: _figure(pieces, ordered[name], metric) for metric in METRICS}
        )
        found[name] = pieces
    return found


def _committed(attempts: Attempts, listed: str, by: str, table: pd.DataFrame) -> pd.DataFrame:
    """Committed transactions by slice and piece, each shared out evenly over the pieces that it lasted
    in.

    Counted whole where they start, users in step with one another would make neighbouring pieces
    differ by a whole round of theirs, which says nothing of the run's throughput. What a
    transaction lasts beyond its block is put at the block's begin, where those of the block before
    are not counted: so every block has the transactions that are its own.
    """
    at = f"(since + latency_ns * ((part + 0.5) / {_PARTS})) / piece_ns"
    parts = f"(SELECT *, unnest(range({_PARTS})) AS part FROM attempts WHERE final AND committed)"
    source = _placed(by, f"greatest(0, trunc({at}))::BIGINT % per_block", parts)
    return attempts.frame(
        f"""
        SELECT {listed} piece, count(*) / {_PARTS} AS committed
        FROM {source} GROUP BY ALL
        """,
        cuts=table,
    )


def _histograms(
    latency: Ranks, commit: Ranks, chosen: dict[str, str], size: int
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    """(how many times are in each piece and bin, the bins' middles in milliseconds) of both."""
    counts, middles = {}, {}
    for name, ranks in (("latency", latency), ("commit", commit)):
        rows = ranks.table()
        rows = rows[chosen_of(rows, chosen)]
        lowest, highest = (int(rows["bin"].min()), int(rows["bin"].max())) if len(rows) else (0, 0)
        counts[name] = np.zeros((size, highest - lowest + 1))
        counts[name][rows["piece"], rows["bin"] - lowest] = rows["samples"]
        middles[name] = np.exp((np.arange(lowest, highest + 1) + 0.5) * _STEP) / 1e6
    return counts, middles


def _ranks_told(samples: int) -> set[int]:
    quantiles = [metric.quantile for metric in METRICS if metric.quantile is not None]
    return percentiles.ranks_of(samples, *quantiles)


def _figure(pieces: Pieces, values_ns: Ordered, metric: Metric) -> float | None:
    """The whole slice's figure, by the rules of the report."""
    if metric.quantile is None:
        return pieces.share(metric)
    if not percentiles.enough(len(values_ns), metric.quantile):
        return None
    return percentiles.at(values_ns, metric.quantile) / 1e6
