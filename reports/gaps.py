"""When a target answered nothing for a while, and what the others did meanwhile.

A gap is a stretch without one commit on a target, longer than its usual pauses, in which its users
found no connection or lost one. Slow commits alone are no gap, and neither is a quiet moment.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtest.attempt import OUTCOME_CODE, OUTCOMES, Outcome
from reports.blocks import Blocks
from reports.load import Attempts

SHORTEST_NS = 500_000_000
"""A shorter silence is no gap."""
_USUAL = 8
"""Nor is one that is not so many times as long as the target's usual pause between two commits."""
_UNANSWERED = (Outcome.CONNECT_FAILED, Outcome.CONNECTION_LOST, Outcome.AMBIGUOUS)


@dataclass(frozen=True, slots=True)
class Gap:
    """A target's silence, in seconds from the begin of measuring."""

    target: str
    from_s: float
    until_s: float
    failed: dict[str, int]
    """Attempts that found no connection or lost one in it, by outcome."""
    came_back: bool
    """Whether the target committed again before measuring ended."""
    others: dict[str, float]
    """Each other target's rate of commits in the gap, as a share of its rate while there was none."""


def find_gaps(attempts: Attempts, blocks: Blocks, end_ns: NDArray[np.int64]) -> list[Gap]:
    """Every gap of every target, in order of time; `end_ns` is each attempt's end."""
    rows = attempts.measured
    lost = np.isin(rows.outcome, [OUTCOME_CODE[outcome] for outcome in _UNANSWERED])
    troubled = np.flatnonzero(np.bincount(rows.target[lost], minlength=len(attempts.targets)))
    if not len(troubled):
        return []
    committed = rows.outcome == OUTCOME_CODE[Outcome.COMMITTED]
    silences: list[tuple[int, int, int]] = []
    for target in troubled.tolist():
        mine = rows.target == target
        ends = np.sort(end_ns[committed & mine])
        failures = np.sort(end_ns[lost & mine])
        found = silent(ends, failures, blocks.from_ns, blocks.until_ns)
        silences += [(since, until, target) for since, until in found]
    quiet = _merged([(since, until) for since, until, _ in silences])
    usual = {
        target: _rate(end_ns[committed & (rows.target == target)], blocks, quiet)
        for target in range(len(attempts.targets))
        if silences
    }
    gaps = []
    for since, until, target in sorted(silences, key=lambda s: (s[0], s[1], attempts.targets[s[2]])):
        inside = (end_ns >= since) & (end_ns <= until)
        kinds = np.bincount(
            rows.outcome[inside & lost & (rows.target == target)], minlength=len(OUTCOMES)
        )
        others = {}
        for other, rate in usual.items():
            if other != target and rate:
                meanwhile = int(np.count_nonzero(inside & committed & (rows.target == other)))
                others[attempts.targets[other]] = meanwhile / ((until - since) / 1e9) / rate
        gaps.append(
            Gap(
                attempts.targets[target],
                (since - blocks.from_ns) / 1e9,
                (until - blocks.from_ns) / 1e9,
                {str(o): int(kinds[OUTCOME_CODE[o]]) for o in _UNANSWERED if kinds[OUTCOME_CODE[o]]},
                until < blocks.until_ns,
                others,
            )
        )
    return gaps


def silent(
    committed_ns: NDArray[np.int64], failed_ns: NDArray[np.int64], from_ns: int, until_ns: int
) -> list[tuple[int, int]]:
    """The gaps of one target within [from, until], from the times at which its attempts committed and
    failed, both in ascending order.
    """
    kept = committed_ns[(committed_ns > from_ns) & (committed_ns < until_ns)]
    edges = np.concatenate(([from_ns], kept, [until_ns]))
    pauses = np.diff(edges)
    usual = float(np.median(np.diff(kept))) if len(kept) > 1 else 0.0
    failures = np.searchsorted(failed_ns, edges[1:], "right") - np.searchsorted(failed_ns, edges[:-1])
    long = (pauses >= max(SHORTEST_NS, _USUAL * usual)) & (failures > 0)
    return [(int(edges[i]), int(edges[i + 1])) for i in np.flatnonzero(long)]


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
