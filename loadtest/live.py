"""The line that moves while a run goes on, and the numbers in it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from loadtest.attempt import CONFLICTS, OUTCOME_CODE, RETRYABLE, Outcome

_CONFLICTS = [OUTCOME_CODE[outcome] for outcome in CONFLICTS]
_RETRYABLE = [OUTCOME_CODE[outcome] for outcome in RETRYABLE]
_COMMITTED = OUTCOME_CODE[Outcome.COMMITTED]
# Two hundredths a bucket from 10 µs to 10⁴ s: percentiles of several processes can be added up.
_EDGES_MS = np.geomspace(0.01, 1e7, 1050)
_LINE_EVERY_S = 4.5


@dataclass(slots=True)
class Tally:
    """What one moment brought, in one process or in several added up."""

    attempts: int = 0
    committed: int = 0
    conflicts: int = 0
    retried: int = 0
    """Attempts that were not their transaction's first."""
    given_up: int = 0
    """Transactions whose last attempt could have been tried again."""
    latencies: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(_EDGES_MS) + 1, np.int64))
    """Transactions by latency, in the buckets of _EDGES_MS."""

    @classmethod
    def of(cls, rows: NDArray[np.void]) -> "Tally":
        """Count attempts in RECORD_DTYPE."""
        outcome = rows["outcome"]
        done = rows[rows["final"] == 1]
        ended = done["start_ns"] + done["statements_ns"] + done["commit_ns"]
        ms = (ended - done["intended_start_ns"]) * 1e-6
        buckets = np.searchsorted(_EDGES_MS, ms)
        return cls(
            attempts=len(rows),
            committed=int(np.count_nonzero(outcome == _COMMITTED)),
            conflicts=int(np.count_nonzero(np.isin(outcome, _CONFLICTS))),
            retried=int(np.count_nonzero(rows["attempt"] > 1)),
            given_up=int(np.count_nonzero(np.isin(done["outcome"], _RETRYABLE))),
            latencies=np.bincount(buckets, minlength=len(_EDGES_MS) + 1),
        )

    def add(self, other: "Tally") -> None:
        """Take another process's, or another moment's, count in."""
        self.attempts += other.attempts
        self.committed += other.committed
        self.conflicts += other.conflicts
        self.retried += other.retried
        self.given_up += other.given_up
        self.latencies = self.latencies + other.latencies

    def as_message(self) -> dict[str, Any]:
        """For another process."""
        where = np.flatnonzero(self.latencies)
        return {
            "counts": [
                self.attempts,
                self.committed,
                self.conflicts,
                self.retried,
                self.given_up,
            ],
            "latencies": [where.tolist(), self.latencies[where].tolist()],
        }

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> "Tally":
        """What `as_message` made."""
        tally = cls(*message["counts"])
        where, counts = message["latencies"]
        tally.latencies[where] = counts
        return tally

    def latency_ms(self, share: float) -> float | None:
        """A percentile of the latencies, within 2 %; None where there were none."""
        total = int(self.latencies.sum())
        if not total:
            return None
        bucket = int(np.searchsorted(np.cumsum(self.latencies), share * total))
        return float(_EDGES_MS[min(bucket, len(_EDGES_MS) - 1)])


class LiveLine:
    """Writes the line anew every second on a terminal, and every few seconds a line elsewhere."""

    def __init__(self, stream: TextIO = sys.stderr, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._stream = stream
        self._terminal = stream.isatty()
        self._since = Tally()
        self._shown_at = clock()

    def show(self, phase: str, elapsed_s: float, users: int, tally: Tally) -> None:
        """Show what was counted since the last call."""
        self._since.add(tally)
        now = self._clock()
        if not self._terminal and now - self._shown_at < _LINE_EVERY_S:
            return
        text = line(phase, elapsed_s, users, self._since, now - self._shown_at)
        self._stream.write(f"\r\x1b[K{text}" if self._terminal else text + "\n")
        self._stream.flush()
        self._since, self._shown_at = Tally(), now

    def end(self) -> None:
        """Leave the line where it is and go to the next."""
        if self._terminal:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def line(phase: str, elapsed_s: float, users: int, tally: Tally, seconds: float) -> str:
    """As in ` 12 s measuring  32 users  5,810 txn/s  conflicts 6.3 %  p50 4.9 ms …`."""
    parts = [
        f"{elapsed_s:4.0f} s {phase}",
        f"{users:,} users",
        f"{tally.committed / seconds:,.0f} txn/s",
    ]
    if tally.attempts:
        parts.append(f"conflicts {100 * tally.conflicts / tally.attempts:.2f} %")
        parts.append(f"retries {tally.retried / seconds:,.0f}/s")
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        ms = tally.latency_ms(share)
        if ms is not None:
            parts.append(f"{name} {ms:,.0f} ms" if ms >= 100 else f"{name} {ms:.3g} ms")
    return "  ".join(parts)
