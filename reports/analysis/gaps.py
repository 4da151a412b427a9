"""When a target committed nothing for a while, and what the others did meanwhile.

A gap is a stretch without one commit on a target that is longer than its usual pauses, whatever the
cause: it stands still, it cannot be reached, somebody has locked a table, every attempt fails. Slow
commits alone are no gap, and neither is the pause of users that all commit at the same time.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtest.record.attempt import OUTCOME_CODE, OUTCOMES, Outcome
from loadtest.record.run import Run
from reports.analysis.blocks import Blocks
from reports.analysis.reading.load import Attempts

SHORTEST_NS = 500_000_000
"""A shorter silence is no gap."""
_USUAL = 8
"""Nor is one that is not so many times as long as the target's usual pause between two commits."""
_ROUNDS = 2
"""Nor one of so many rounds of its users, where they commit together, one round after the other."""
_ANSWERS = (Outcome.COMMITTED, Outcome.REFUSED)
"""A transaction that the scenario's own rule refuses shows as well that the target does its work."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A target's silence, in seconds from the begin of measuring."""

    target: str
    from_s: float
    until_s: float
    failed: dict[str, int]
    """Attempts that ended in it without a commit, by outcome."""
    came_back: bool
    """Whether the target committed again before measuring ended."""
    others: dict[str, float]
    """Each other target's rate of commits in the gap, as a share of its rate while there was none."""


def find_gaps(run: Run, attempts: Attempts, blocks: Blocks, end_ns: NDArray[np.int64]) -> list[Gap]:
    """Every gap of every target, in order of time; `end_ns` is each attempt's end."""
    rows = attempts.measured
    names = list(attempts.targets) + [t.name for t in run.targets if t.name not in attempts.targets]
    answered = np.isin(rows.outcome, [OUTCOME_CODE[outcome] for outcome in _ANSWERS])
    think_ns = 0 if run.open_loop else round((run.config.think_time or 0) * 1e9)
    silences: list[tuple[int, int, int]] = []
    known_until: list[int] = []
    for target in range(len(names)):
        mine = rows.target == target
        until_ns = blocks.until_ns
        if run.measured_until_ns is None and mine.any():
            # Nobody knows what it did after the last that was written of it.
            until_ns = min(until_ns, int(end_ns[mine].max()))
        known_until.append(until_ns)
        good = answered & mine
        by_key = [end_ns[good & (rows.key_type == key)] for key in range(len(attempts.key_types))]
        for ends in by_key:
            ends.sort()
        ends = np.concatenate(by_key)
        ends.sort(kind="stable")
        usual = max((float(np.median(np.diff(own))) for own in by_key if len(own) > 1), default=0.0)
        found = silent(ends, blocks.from_ns, until_ns, usual)
        if found and len(ends):
            took = float(np.median(end_ns[good] - rows.start_ns[good]))
            found = silent(ends, blocks.from_ns, until_ns, usual, took + think_ns)
        silences += [(since, until, target) for since, until in found]
    quiet = _merged([(since, until) for since, until, _ in silences])
    usual_rates = {
        target: _rate(end_ns[answered & (rows.target == target)], blocks, quiet)
        for target in range(len(names))
        if silences
    }
    gaps = []
    for since, until, target in sorted(silences, key=lambda s: (s[0], s[1], names[s[2]])):
        inside = (end_ns >= since) & (end_ns <= until)
        kinds = np.bincount(
            rows.outcome[inside & ~answered & (rows.target == target)], minlength=len(OUTCOMES)
        )
        others = {}
        for other, rate in usual_rates.items():
            if other != target and rate:
                meanwhile = int(np.count_nonzero(inside & answered & (rows.target == other)))
                others[names[other]] = meanwhile / ((until - since) / 1e9) / rate
        gaps.append(
            Gap(
                names[target],
                (since - blocks.from_ns) / 1e9,
                (until - blocks.from_ns) / 1e9,
                {str(o): int(kinds[OUTCOME_CODE[o]]) for o in OUTCOMES if kinds[OUTCOME_CODE[o]]},
                until < known_until[target],
                others,
            )
        )
    return gaps


def silent(
    committed_ns: NDArray[np.int64], from_ns: int, until_ns: int, usual_ns: float, round_ns: float = 0.0
) -> list[tuple[int, int]]:
    """The gaps of one target within [from, until].

    Args:
        committed_ns: when its attempts committed, in ascending order.
        from_ns: the begin of the measured time.
        until_ns: its end.
        usual_ns: the usual pause between two commits.
        round_ns: how long a user usually takes from one commit to the next.
    """
    kept = committed_ns[(committed_ns > from_ns) & (committed_ns < until_ns)]
    edges = np.concatenate(([from_ns], kept, [until_ns]))
    pauses = np.diff(edges)
    shortest = max(SHORTEST_NS, _USUAL * usual_ns, _ROUNDS * _in_step(pauses, round_ns))
    return [(int(edges[i]), int(edges[i + 1])) for i in np.flatnonzero(pauses >= shortest)]


def _in_step(pauses: NDArray[np.int64], round_ns: float) -> float:
    """The pause in which a moment lies, at the median, leaving out those of over two rounds.

    Where users commit together it is about a round, whatever the median of all pauses.
    """
    short = np.sort(pauses[pauses <= _ROUNDS * round_ns])
    spent = np.cumsum(short)
    return float(short[np.searchsorted(spent, spent[-1] / 2)]) if len(short) else 0.0


def _merged(stretches: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same time as stretches that do not overlap."""
    found: list[tuple[int, int]] = []
    for since, until in sorted(stretches):
        if found and since <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], until)
        else:
            found.append((since, until))
    return found


def _rate(ends_ns: NDArray[np.int64], blocks: Blocks, quiet: list[tuple[int, int]]) -> float | None:
    """Commits a second outside the quiet stretches; None where nothing is left to count in."""
    length = blocks.until_ns - blocks.from_ns - sum(until - since for since, until in quiet)
    counted = int(np.count_nonzero((ends_ns > blocks.from_ns) & (ends_ns < blocks.until_ns)))
    for since, until in quiet:
        counted -= int(np.count_nonzero((ends_ns >= since) & (ends_ns <= until)))
    return counted / (length / 1e9) if length > 0 and counted > 0 else None
