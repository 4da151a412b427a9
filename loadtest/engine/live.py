"""The line that moves while a run goes on, and the numbers in it."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loadtest.process.progress import Progress
from loadtest.record.outcome import CONFLICTS, COUNTED, OUTCOME_CODE, Outcome

_CONFLICTS = [OUTCOME_CODE[outcome] for outcome in CONFLICTS]
_COUNTED = [OUTCOME_CODE[outcome] for outcome in COUNTED]
_COMMITTED = OUTCOME_CODE[Outcome.COMMITTED]
# Two hundredths a bucket from 10 µs to 10⁴ s: percentiles of several processes can be added up.
_EDGES_MS = np.geomspace(0.01, 1e7, 1050)


_COUNTS = ("attempts", "committed", "conflicts", "retried", "given_up", "decided", "lost")


@dataclass(slots=True)
class Tally:
    """Counts of attempts and transactions, in one process or in several added up."""

    attempts: int = 0
    committed: int = 0
    conflicts: int = 0
    retried: int = 0
    """Attempts that were not their transaction's first."""
    given_up: int = 0
    """Transactions whose last attempt conflicted."""
    decided: int = 0
    """Attempts that committed or conflicted: the denominator of the conflict rate."""
    lost: int = 0
    """Transactions that failed for another reason, or were refused; they have no latency."""
    latencies: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(_EDGES_MS) + 1, np.int64))
    """Transactions that count (see `outcome.COUNTED`) by latency, in buckets of _EDGES_MS."""
    by_target: Counter[int] = field(default_factory=Counter)
    """Committed, by the target's index."""

    @classmethod
    def of(cls, rows: NDArray[np.void]) -> "Tally":
        """Count attempts in RECORD_DTYPE."""
        outcome = rows["outcome"]
        decided = np.isin(outcome, _COUNTED)
        final = rows["final"] == 1
        done = rows[final & decided]
        ms = (done["ended_ns"] - done["intended_start_ns"]) * 1e-6
        buckets = np.searchsorted(_EDGES_MS, ms)
        committed = rows["target"][outcome == _COMMITTED]
        return cls(
            attempts=len(rows),
            committed=len(committed),
            conflicts=int(np.count_nonzero(np.isin(outcome, _CONFLICTS))),
            retried=int(np.count_nonzero(rows["attempt"] > 1)),
            given_up=int(np.count_nonzero(np.isin(done["outcome"], _CONFLICTS))),
            decided=int(np.count_nonzero(decided)),
            lost=int(np.count_nonzero(final & ~decided)),
            latencies=np.bincount(buckets, minlength=len(_EDGES_MS) + 1),
            by_target=Counter(dict(enumerate(np.bincount(committed).tolist()))),
        )

    def add(self, other: "Tally") -> None:
        """Add another process's, or another moment's, counts."""
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.latencies = self.latencies + other.latencies
        self.by_target.update(other.by_target)

    def as_message(self) -> dict[str, Any]:
        """Return it for another process."""
        where = np.flatnonzero(self.latencies)
        return {
            "counts": [getattr(self, name) for name in _COUNTS],
            "latencies": [where.tolist(), self.latencies[where].tolist()],
            "by_target": sorted(self.by_target.items()),
        }

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> "Tally":
        """Read what `as_message` returned."""
        tally = cls(*message["counts"])
        where, counts = message["latencies"]
        tally.latencies[where] = counts
        tally.by_target.update(dict(message["by_target"]))
        return tally

    def latency_ms(self, share: float) -> float | None:
        """Return a percentile of the latencies, within 2 %; None where there were none."""
        total = int(self.latencies.sum())
        if not total:
            return None
        bucket = int(np.searchsorted(np.cumsum(self.latencies), share * total))
        return float(_EDGES_MS[min(bucket, len(_EDGES_MS) - 1)])


class LiveLine:
    """Shows what a run brought since it was last shown.

    `targets` are the names of the run's targets; each of several is shown.
    """

    def __init__(
        self,
        progress: Progress,
        targets: Sequence[str] = (),
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._progress = progress
        self._targets = targets
        self._clock = clock
        self._since = Tally()
        self._shown_at = clock()

    def show(self, phase: str, elapsed_s: float, users: int, tally: Tally) -> None:
        """Take in what was counted since the last call, and show it if a line is due."""
        self._since.add(tally)
        if not self._progress.is_due:
            return
        now = self._clock()
        seconds = now - self._shown_at
        self._progress.show(line(phase, elapsed_s, users, self._since, seconds, self._targets))
        self._since, self._shown_at = Tally(), now


def line(
    phase: str,
    elapsed_s: float,
    users: int,
    tally: Tally,
    seconds: float,
    targets: Sequence[str] = (),
) -> str:
    """As in ` 12 s measuring  32 users  5,810 txn/s  conflicts 6.3 %  p50 4.9 ms …`.

    With several targets it ends with what each committed: `east 4,100/s, west 1,710/s`.
    """
    parts = [
        f"{elapsed_s:4.0f} s {phase}",
        f"{users:,} users",
        f"{tally.committed / seconds:,.0f} txn/s",
    ]
    if tally.attempts:
        share = 100 * tally.conflicts / tally.decided if tally.decided else 0.0
        parts.append(f"conflicts {share:.2f} %")
        parts.append(f"retries {tally.retried / seconds:,.0f}/s")
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        ms = tally.latency_ms(share)
        if ms is not None:
            parts.append(f"{name} {ms:,.0f} ms" if ms >= 100 else f"{name} {ms:.3g} ms")
    if tally.lost:
        parts.append(f"failed {tally.lost / seconds:,.0f}/s")
    if len(targets) > 1:
        each = (f"{name} {tally.by_target[i] / seconds:,.0f}/s" for i, name in enumerate(targets))
        parts.append(", ".join(each))
    return "  ".join(parts)
