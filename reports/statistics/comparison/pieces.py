"""A run cut into pieces of time: what is counted in each, for every key type on every target."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from loadtest.record.outcome import Outcome
from loadtest.record.run import Run
from reports.analysis import percentiles
from reports.analysis.over_time.blocks import Blocks, find_blocks
from reports.analysis.ranks import Ordered, Ranks, chosen_of
from reports.analysis.reading.attempts import Attempts, open_attempts
from reports.statistics.comparison.metrics import METRICS, Metric
from reports.statistics.intervals import Floats

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

    `counts` has a row a piece: its `seconds`; of its `attempts` those `decided` (committed or
    conflicted), the `conflicts` and the `errors`; of the transactions `ended` those `counted`, which
    committed or gave up, those `committed`, `given_up`, `retried` with their `retries`, and the `lost`:
    they `failed`, or were refused. `times` are those of "latency" and "commit" in bins, (P, B), whose
    middles are `middles_ms`, (B,). `figures` has those of METRICS as the slice's report has them, None
    where they cannot be had.
    """

    counts: pd.DataFrame
    times: dict[str, Floats]
    middles_ms: dict[str, Floats]
    figures: dict[str, float | None]

    def __len__(self) -> int:
        return len(self.counts)

    def events(self, metric: Metric) -> tuple[Floats, Floats]:
        """(P,) counts above and below the line of a share or a rate."""
        return self.counts[metric.above].to_numpy(), self.counts[metric.below].to_numpy()

    def share(self, metric: Metric) -> float | None:
        """The same over the whole time; None where there is nothing below the line."""
        above, below = (float(values.sum()) for values in self.events(metric))
        return above / below if below > 0 else None

    def joined(self, count: int) -> "Pieces":
        """The same time in at most `count` pieces, neighbours taken together as evenly as possible."""
        starts = np.arange(count) * len(self) // count
        counts = np.add.reduceat(self.counts.to_numpy(), starts, axis=0)
        return replace(
            self,
            counts=pd.DataFrame(counts, columns=self.counts.columns),
            times={name: np.add.reduceat(bins, starts) for name, bins in self.times.items()},
        )


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
        slices = _count(
            attempts,
            {SliceName(key, target): cuts[key] for key in ran for target in attempts.targets},
            pd.concat([cut.table(key_type=key) for key, cut in cuts.items()]),
        )
        if whole:
            cut = _Cut(blocks, None)
            slices |= _count(attempts, {WHOLE: cut}, cut.table())
    return slices


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
        self.seconds = np.bincount(coarse, np.repeat(lengths / per_block, per_block), self.size)

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
    slices = {}
    for name, cut in cuts.items():
        mine, spread = (
            rows[chosen_of(rows, chosen[name])].set_index("piece").drop(columns=list(columns))
            for rows in (counts, committed)
        )
        table_of = mine.join(spread, how="outer").reindex(range(cut.size)).fillna(0).astype(float)
        binned = {
            kind: _histogram(ranks, chosen[name], cut.size)
            for kind, ranks in (("latency", latency), ("commit", commit))
        }
        pieces = Pieces(
            counts=table_of.assign(seconds=cut.seconds),
            times={kind: samples for kind, (samples, _) in binned.items()},
            middles_ms={kind: middles for kind, (_, middles) in binned.items()},
            figures={},
        )
        figures = {metric.key: _figure(pieces, ordered[name], metric) for metric in METRICS}
        slices[name] = replace(pieces, figures=figures)
    return slices


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


def _histogram(ranks: Ranks, chosen: dict[str, str], size: int) -> tuple[Floats, Floats]:
    """(how many times are in each piece and bin, the bins' middles in milliseconds)."""
    rows = ranks.table()
    rows = rows[chosen_of(rows, chosen)]
    lowest, highest = (int(rows["bin"].min()), int(rows["bin"].max())) if len(rows) else (0, 0)
    samples = np.zeros((size, highest - lowest + 1))
    samples[rows["piece"], rows["bin"] - lowest] = rows["samples"]
    return samples, np.exp((np.arange(lowest, highest + 1) + 0.5) * _STEP) / 1e6


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
