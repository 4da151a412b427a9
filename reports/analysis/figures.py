"""The figures of a slice: overall, or of one key type, target or scenario.

Everything countable is counted once, in cells of (key type, target, scenario); a slice adds up its
cells. Only percentiles need the times themselves.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtest.record.attempt import CONFLICTS, OUTCOME_CODE, OUTCOMES, Outcome
from reports.analysis.percentiles import Distribution, describe
from reports.analysis.reading.load import COUNTED_CODES, Attempts, Columns
from reports.analysis.remote import Capacity, Remote, Said
from reports.analysis.shares import share_interval

_MAX_RETRIES = 1 << 16

CONFLICT_CODES = np.array([outcome in CONFLICTS for outcome in OUTCOMES])
"""By outcome code: whether it is a conflict."""
_NOT_ERRORS = CONFLICTS | {Outcome.COMMITTED, Outcome.REFUSED}


@dataclass(frozen=True, slots=True)
class Parts:
    """Where a transaction's time goes: mean milliseconds of a transaction that counts."""

    waiting: float
    statements: float
    """All of an attempt's time where its COMMIT cannot be told apart."""
    commit: float | None
    """None where no attempt shows one."""
    backoff: float
    other: float

    @property
    def total(self) -> float:
        """The mean latency, as far as the parts account for it."""
        return self.waiting + self.statements + (self.commit or 0.0) + self.backoff + self.other


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known of one slice; rates are shares from 0 to 1, None where nothing was counted.

    Latency, parts, retries and rates are of what counts (see `loadtest.record.outcome.COUNTED`).
    `commit`, the prediction, `remote` and `capacity` are None where the slice's targets cannot show
    or do not say it.
    """

    attempts: int
    transactions: int
    unfinished: int
    committed: int
    refused: int
    conflicts: int
    conflicts_by_outcome: dict[str, int]
    errors_by_outcome: dict[str, int]
    outcomes: dict[str, int]
    conflict_rate: float | None
    retried: int
    retry_rate: float | None
    retries_mean: float | None
    retries_max: int | None
    retries_histogram: NDArray[np.int64]
    give_ups: int
    throughput_tps: float | None
    latency: Distribution
    commit: Distribution | None
    parts: Parts | None
    predicted_low: float | None
    predicted_high: float | None
    remote: Remote | None
    capacity: Capacity | None
    duration_s: float

    @property
    def counted(self) -> int:
        """Transactions that committed or gave up after conflicts: those that have a latency."""
        return self.committed + self.give_ups

    @property
    def failed(self) -> int:
        """Transactions that ended in neither of these ways, nor by the scenario's own rule."""
        return self.transactions - self.counted - self.refused

    @property
    def decided(self) -> int:
        """Attempts that committed or conflicted: what the conflict rate is of."""
        others = sum(self.errors_by_outcome.values()) + self.outcomes.get(Outcome.REFUSED, 0)
        return self.attempts - others

    @property
    def conflict_rate_interval(self) -> tuple[float, float] | None:
        """95 % interval of the conflict rate, None without attempts; narrow if conflicts cluster."""
        return share_interval(self.conflicts, self.decided)


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts and sums by cell; axes are (key type, target, scenario, …)."""

    outcomes: NDArray[np.int64]
    """(K, T, S, outcome): attempts."""
    final_outcomes: NDArray[np.int64]
    """(K, T, S, outcome): transactions by how their last attempt ended."""
    retries: NDArray[np.int64]
    """(K, T, S, retries): transactions that count, by their number of retries."""
    sums_ms: dict[str, NDArray[np.float64]]
    """(K, T, S) each: milliseconds summed over attempts; of the windows over those that committed or
    conflicted, else over those of transactions that count, which alone have a latency."""
    reached_commit: NDArray[np.int64]
    """(K, T, S): attempts that sent COMMIT, and committed or conflicted."""
    unfinished: NDArray[np.int64]
    """(K, T, S): transactions without a last attempt."""


def tally(attempts: Attempts, cells: NDArray[np.int32], latency_ns: NDArray[np.int64]) -> Tally:
    """Count everything, column by column; `latency_ns` is that of `Columns.latency_ns`."""
    rows = attempts.measured
    shape = (len(attempts.key_types), len(attempts.targets), len(attempts.scenarios))
    size = int(np.prod(shape))
    kinds = len(OUTCOMES)

    # As `bincount` wants them, or it would convert them anew for each sum.
    index = cells.astype(np.intp)

    def by_cell(weights: NDArray[np.int64], where: NDArray[np.intp]) -> NDArray[np.float64]:
        return (np.bincount(where, weights, size) / 1e6).reshape(shape)

    combined = cells * np.int32(kinds) + rows.outcome
    outcomes = np.bincount(combined, minlength=size * kinds).reshape(*shape, kinds)
    final_outcomes = np.bincount(combined[rows.final], minlength=size * kinds).reshape(*shape, kinds)
    del combined

    counted = rows.counted()
    counted_cells = index[counted]
    retries = np.minimum(rows.attempt[counted] - 1, _MAX_RETRIES)
    width = int(retries.max(initial=0)) + 1
    histogram = np.bincount(counted_cells * width + retries, minlength=size * width)

    first = rows.attempt == 1
    left_out = _not_of(rows, counted)
    cut_off = _not_of(rows, rows.final)

    def of_counted(values: NDArray[np.int64]) -> NDArray[np.float64]:
        return by_cell(values, index) - by_cell(values[left_out], index[left_out])

    reached = (rows.window_high_ns > 0) & COUNTED_CODES[rows.outcome]

    sums = {
        "statements": of_counted(rows.statements_ns),
        "commit": of_counted(rows.commit_ns),
        "backoff": of_counted(rows.backoff_ns),
        "window_low": by_cell(rows.window_low_ns * reached, index),
        "window_high": by_cell(rows.window_high_ns * reached, index),
        "waiting": of_counted((rows.start_ns - rows.intended_start_ns) * first),
        "latency": by_cell(latency_ns, counted_cells),
    }
    return Tally(
        outcomes=outcomes,
        final_outcomes=final_outcomes,
        retries=histogram.reshape(*shape, width),
        sums_ms=sums,
        reached_commit=np.bincount(cells[reached], minlength=size).reshape(shape),
        unfinished=_unfinished(rows, cells, cut_off, size).reshape(shape),
    )


def _not_of(rows: Columns, last: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Attempts of transactions that have none of these last ones: they ended in another way, were
    stopped in the middle, or a file was lost.
    """
    # That there are none is the usual case, and seen without sorting ten million numbers.
    if int(rows.attempt[last].sum(dtype=np.int64)) == len(rows):
        return np.empty(0, np.int64)
    others = np.flatnonzero(~last)
    numbers, which = np.unique(rows.transaction[others], return_inverse=True)
    lost = ~np.isin(numbers, rows.transaction[last])
    return others[lost[which]]


def _unfinished(
    rows: Columns, cells: NDArray[np.int32], cut_off: NDArray[np.int64], size: int
) -> NDArray[np.int64]:
    """How many transactions of each cell were cut off."""
    _, one_each = np.unique(rows.transaction[cut_off], return_index=True)
    return np.bincount(cells[cut_off[one_each]], minlength=size)


def figures(
    counts: Tally,
    said: Said,
    chosen: tuple[slice | int, slice | int, slice | int],
    latency_ns: NDArray[np.int64],
    commit_ns: NDArray[np.int64],
    predicted: tuple[float, float] | None,
    duration_s: float,
) -> Figures:
    """The figures of the cells `chosen`, given their times in ascending order."""

    def pick(array: NDArray[np.int64]) -> NDArray[np.int64]:
        kept = array[chosen]
        return kept.reshape(-1, kept.shape[-1]).sum(axis=0) if kept.ndim > 1 else kept

    outcomes, ended, retries = (
        pick(counts.outcomes),
        pick(counts.final_outcomes),
        pick(counts.retries),
    )
    attempts, transactions = int(outcomes.sum()), int(ended.sum())
    conflicts = int(outcomes[CONFLICT_CODES].sum())
    committed = int(ended[OUTCOME_CODE[Outcome.COMMITTED]])
    decided = int(outcomes[COUNTED_CODES].sum())
    counted = int(retries.sum())
    retried = counted - int(retries[0])
    used = np.flatnonzero(retries)
    named = {str(outcome): int(n) for outcome, n in zip(OUTCOMES, outcomes, strict=True)}
    sums = {name: float(np.sum(values[chosen])) for name, values in counts.sums_ms.items()}
    return Figures(
        attempts=attempts,
        transactions=transactions,
        unfinished=int(np.sum(counts.unfinished[chosen])),
        committed=committed,
        refused=int(ended[OUTCOME_CODE[Outcome.REFUSED]]),
        conflicts=conflicts,
        conflicts_by_outcome={o: n for o, n in named.items() if Outcome(o) in CONFLICTS and n},
        errors_by_outcome={o: n for o, n in named.items() if Outcome(o) not in _NOT_ERRORS and n},
        outcomes={o: n for o, n in named.items() if n},
        conflict_rate=conflicts / decided if decided else None,
        retried=retried,
        retry_rate=retried / counted if counted else None,
        retries_mean=float(retries @ np.arange(len(retries))) / counted if counted else None,
        retries_max=int(used[-1]) if len(used) else None,
        retries_histogram=retries[: int(used[-1]) + 1] if len(used) else retries[:0],
        give_ups=int(ended[CONFLICT_CODES].sum()),
        throughput_tps=committed / duration_s if duration_s > 0 else None,
        latency=describe(latency_ns),
        commit=describe(commit_ns) if len(commit_ns) else None,
        parts=_parts(sums, counted, shows_commit=bool(len(commit_ns))),
        predicted_low=predicted[0] if predicted else None,
        predicted_high=predicted[1] if predicted else None,
        remote=said.remote(chosen),
        capacity=said.capacity(chosen, counts.final_outcomes[..., OUTCOME_CODE[Outcome.COMMITTED]]),
        duration_s=duration_s,
    )


def _parts(sums: dict[str, float], counted: int, *, shows_commit: bool) -> Parts | None:
    if not counted:
        return None
    named = {part: sums[part] / counted for part in ("waiting", "statements", "commit", "backoff")}
    # What no column accounts for: the client's own time between two attempts. Never less than
    # nothing, whatever rounding makes of it.
    other = max(0.0, sums["latency"] / counted - sum(named.values()))
    if not shows_commit:
        return Parts(named["waiting"], named["statements"], None, named["backoff"], other)
    return Parts(**named, other=other)
