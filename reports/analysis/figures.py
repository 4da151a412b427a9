"""The figures of a slice: overall, or of one key type, target or operation.

Everything countable is counted once, in cells of (key type, target, operation); a slice adds up its
cells. Only percentiles need the times themselves.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loadtest.record.outcome import CONFLICTS, COUNTED, OUTCOME_CODE, OUTCOMES, Outcome
from reports.analysis.percentiles import Distribution, Sorted, describe
from reports.analysis.ranks import Chosen, chosen_of
from reports.analysis.reading.attempts import Attempts
from reports.analysis.remote import Capacity, Remote
from reports.analysis.shares import share_interval

CELL = ("key_type", "target", "operation")
"""The columns that make a cell."""
_MAX_RETRIES = 1 << 16
_NOT_ERRORS = CONFLICTS | {Outcome.COMMITTED, Outcome.REFUSED}
_CODES_COUNTED = [OUTCOME_CODE[outcome] for outcome in sorted(COUNTED)]
LATE_NS = 10_000_000
"""A transaction that started so much later than it should have is late (open loop)."""
_PARTS = ("waiting", "statements", "commit", "backoff")


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
    """Counts and sums by cell; nanoseconds."""

    attempts: pd.DataFrame
    """By cell, outcome, whether it was the last one, and number of the attempt: `attempts`, `reached`
    (sent COMMIT, and committed or conflicted) and what the windows of these sum to (`window_low`,
    `window_high`)."""
    times: pd.DataFrame
    """By cell: what each part of the latency sums to, of the transactions that count, which alone have
    one, and `unfinished`, the transactions without a last attempt."""


def tally(attempts: Attempts) -> Tally:
    """Count everything."""
    counts = attempts.frame(
        f"""
        SELECT key_type, target, operation, outcome, final,
            least(attempt, {_MAX_RETRIES + 1}) AS attempt, count(*) AS attempts,
            count(*) FILTER (decided AND window_high_ns > 0) AS reached,
            sum(window_low_ns) FILTER (decided AND window_high_ns > 0) AS window_low,
            sum(window_high_ns) FILTER (decided AND window_high_ns > 0) AS window_high,
            sum(start_ns - intended_start_ns) FILTER (attempt = 1) AS waiting,
            sum(statements_ns) AS statements, sum(commit_ns) AS "commit", sum(backoff_ns) AS backoff,
            sum(latency_ns) FILTER (final) AS latency,
            count(*) FILTER (attempt = 1 AND start_ns - intended_start_ns > {LATE_NS}) AS late
        FROM attempts GROUP BY ALL ORDER BY ALL
        """
    ).fillna(0)
    sums = [*_PARTS, "latency"]
    counts["code"] = counts["outcome"].map(OUTCOME_CODE)
    counted = counts["final"] & counts["code"].isin(_CODES_COUNTED)
    counts.loc[~counted, "latency"] = 0
    times = counts.groupby(list(CELL), as_index=False)[sums].sum().assign(unfinished=0)
    # That every attempt is of a transaction that counts is the usual case, and seen without a query.
    if (counts["attempt"] * counts["attempts"])[counted].sum() != counts["attempts"].sum():
        others = _not_counted(attempts)
        others[list(_PARTS)] *= -1
        times = pd.concat([times, others]).groupby(list(CELL), as_index=False).sum()
    return Tally(counts.drop(columns=sums), times)


def _not_counted(attempts: Attempts) -> pd.DataFrame:
    """The same sums of transactions that do not count: they ended in another way, were stopped in the
    middle, or a file was lost.
    """
    return attempts.frame(
        """
        SELECT key_type, target, operation,
            sum(start_ns - intended_start_ns) FILTER (attempt = 1) AS waiting,
            sum(statements_ns) AS statements, sum(commit_ns) AS "commit", sum(backoff_ns) AS backoff,
            count(DISTINCT transaction) - count(DISTINCT transaction) FILTER (final) AS unfinished
        FROM attempts ANTI JOIN (SELECT transaction FROM attempts WHERE counted AND attempt > 1)
            USING (transaction)
        WHERE NOT counted GROUP BY ALL ORDER BY ALL
        """
    ).fillna(0)


def figures(
    counts: Tally,
    chosen: Chosen,
    latency_ns: Sorted,
    commit_ns: Sorted,
    predicted: tuple[float, float] | None,
    said: tuple[Remote | None, Capacity | None],
    duration_s: float,
) -> Figures:
    """The figures of the cells `chosen`, given their times in ascending order."""
    mine = chosen_of(counts.attempts, chosen)
    final = mine & counts.attempts["final"].to_numpy(bool)
    by_outcome, ended_by = _by_outcome(counts.attempts, mine), _by_outcome(counts.attempts, final)
    retries = _retries(counts.attempts, final)
    attempts, transactions = sum(by_outcome.values()), sum(ended_by.values())
    conflicts, decided = (sum(by_outcome[o] for o in some) for some in (CONFLICTS, COUNTED))
    committed, counted = ended_by[Outcome.COMMITTED], int(retries.sum())
    retried = counted - int(retries[:1].sum())
    times = counts.times[chosen_of(counts.times, chosen)]
    return Figures(
        attempts=attempts,
        transactions=transactions,
        unfinished=int(times["unfinished"].sum()),
        committed=committed,
        refused=ended_by[Outcome.REFUSED],
        conflicts=conflicts,
        conflicts_by_outcome=_named(by_outcome, CONFLICTS),
        errors_by_outcome=_named(by_outcome, set(OUTCOMES) - _NOT_ERRORS),
        outcomes=_named(by_outcome, OUTCOMES),
        conflict_rate=conflicts / decided if decided else None,
        retried=retried,
        retry_rate=retried / counted if counted else None,
        retries_mean=float(retries @ np.arange(len(retries))) / counted if counted else None,
        retries_max=len(retries) - 1 if counted else None,
        retries_histogram=retries,
        give_ups=sum(ended_by[o] for o in CONFLICTS),
        throughput_tps=committed / duration_s if duration_s > 0 else None,
        latency=describe(latency_ns),
        commit=describe(commit_ns) if len(commit_ns) else None,
        parts=_parts(times, counted, shows_commit=bool(len(commit_ns))),
        predicted_low=predicted[0] if predicted else None,
        predicted_high=predicted[1] if predicted else None,
        remote=said[0],
        capacity=said[1],
        duration_s=duration_s,
    )


def _by_outcome(cells: pd.DataFrame, chosen: NDArray[np.bool_]) -> dict[Outcome, int]:
    """Attempts by outcome, in the order of OUTCOMES."""
    codes, weights = (cells[name].to_numpy()[chosen] for name in ("code", "attempts"))
    counts = np.bincount(codes, weights, len(OUTCOMES))
    return {outcome: int(n) for outcome, n in zip(OUTCOMES, counts, strict=True)}


def _named(counts: dict[Outcome, int], chosen: Iterable[Outcome]) -> dict[str, int]:
    """Those of the chosen outcomes that there are, in the order of OUTCOMES."""
    kept = set(chosen)
    return {str(outcome): n for outcome, n in counts.items() if outcome in kept and n}


def _retries(cells: pd.DataFrame, ended: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Transactions that count by their number of retries, up to the largest."""
    counted = ended & cells["code"].isin(_CODES_COUNTED).to_numpy()
    attempt, weights = (cells[name].to_numpy()[counted] for name in ("attempt", "attempts"))
    return np.bincount(attempt - 1, weights).astype(np.int64)


def _parts(times: pd.DataFrame, counted: int, *, shows_commit: bool) -> Parts | None:
    if not counted:
        return None
    means = times[[*_PARTS, "latency"]].sum() / 1e6 / counted
    named = {part: float(means[part]) for part in _PARTS}
    # What no column accounts for: the client's own time between two attempts. Never less than
    # nothing, whatever rounding makes of it.
    other = max(0.0, float(means["latency"]) - sum(named.values()))
    if not shows_commit:
        return Parts(named["waiting"], named["statements"], None, named["backoff"], other)
    return Parts(**named, other=other)
