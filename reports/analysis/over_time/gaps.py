"""When a target committed nothing for a while, and what the others did meanwhile.

A gap is a stretch without one commit on a target that is longer than its usual pauses, whatever the
cause: it stands still, it cannot be reached, somebody has locked a table, every attempt fails. Slow
commits alone are no gap, and neither is the pause of users that all commit at the same time.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loadtest.record.outcome import OUTCOMES, Outcome
from loadtest.record.run import Run
from reports.analysis import percentiles
from reports.analysis.over_time.blocks import Blocks
from reports.analysis.ranks import Ranks
from reports.analysis.reading.attempts import Attempts

SHORTEST_NS = 500_000_000
"""A shorter silence is no gap."""
_USUAL = 8
"""Nor is one that is not so many times as long as the target's usual pause between two commits."""
_ROUNDS = 2
"""Nor one of so many rounds of its users, where they commit together, one round after the other."""
_ANSWERED = f"outcome IN ('{Outcome.COMMITTED}', '{Outcome.REFUSED}')"
"""A transaction that the scenario's own rule refuses shows as well that the target does its work."""
_BIN_NS = 50_000_000
"""Commits are looked at in bins of this length, which no gap fits into."""
_FEW_NS = SHORTEST_NS // _USUAL // 2
"""With more commits than one in this time, the usual pause is too short to matter."""


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


def find_gaps(run: Run, attempts: Attempts, blocks: Blocks) -> list[Gap]:
    """Every gap of every target, in order of time."""
    asked = [target.name for target in run.targets]
    names = list(dict.fromkeys([*attempts.targets, *asked]))
    think_ns = 0 if run.open_loop else round((run.config.think_time or 0) * 1e9)
    commits = _commits(attempts, blocks)
    usual = _usual_pauses(attempts, commits)
    known_until = _known_until(run, attempts, blocks)
    silences: list[tuple[int, int, str]] = []
    for name in names:
        until_ns = known_until.get(name, blocks.until_ns)
        mine = commits[commits["target"] == name]
        # Between the first and the last of a bin nothing is a gap, so the others need not be known.
        ends = np.unique(mine[["first", "last"]].to_numpy(np.int64))
        usual_ns = usual.get(name, 0.0)
        found = silent(ends, blocks.from_ns, until_ns, usual_ns)
        if found and len(ends):
            round_ns = _usual_length(attempts, name) + think_ns
            found = silent(ends, blocks.from_ns, until_ns, usual_ns, round_ns)
        silences += [(since, until, name) for since, until in found]
    silences.sort()
    if not silences:
        return []
    inside = _inside(attempts, blocks, [(since, until) for since, until, _ in silences])
    rates = _rates(attempts, blocks, commits, _merged([(since, until) for since, until, _ in silences]))
    gaps = []
    for number, (since, until, name) in enumerate(silences):
        meanwhile = inside[inside["stretch"] == number]
        failed = meanwhile[(meanwhile["target"] == name) & ~meanwhile["answered"]]
        by_outcome = failed.groupby("outcome")["attempts"].sum()
        answered = meanwhile[meanwhile["answered"]].groupby("target")["attempts"].sum()
        gaps.append(
            Gap(
                name,
                (since - blocks.from_ns) / 1e9,
                (until - blocks.from_ns) / 1e9,
                {str(o): int(by_outcome[o]) for o in OUTCOMES if o in by_outcome.index},
                until < known_until.get(name, blocks.until_ns),
                {
                    other: int(answered.get(other, 0)) / ((until - since) / 1e9) / rates[other]
                    for other in names
                    if other != name and other in rates
                },
            )
        )
    return gaps


def _commits(attempts: Attempts, blocks: Blocks) -> pd.DataFrame:
    """The first and the last commit of each bin of time, by target and key type."""
    return attempts.frame(
        f"""
        SELECT target, key_type, (end_ns - {blocks.from_ns}) // {_BIN_NS} AS bin, count(*) AS attempts,
            min(end_ns) AS first, max(end_ns) AS last
        FROM attempts WHERE {_ANSWERED} AND end_ns > {blocks.from_ns} AND end_ns < {blocks.until_ns}
        GROUP BY ALL
        """
    )


def _usual_pauses(attempts: Attempts, commits: pd.DataFrame) -> dict[str, float]:
    """Each target's usual pause between two commits of one key type, where that can matter."""
    columns = {"attempts": "sum", "first": "min", "last": "max"}
    by_kind = commits.groupby(["target", "key_type"], as_index=False).agg(columns)
    lasted = by_kind["last"] - by_kind["first"]
    few = by_kind[(by_kind["attempts"] - 1) * _FEW_NS <= lasted][["target", "key_type"]]
    if not len(few):
        return {}
    found = attempts.frame(
        f"""
        WITH pauses AS (
            SELECT target, key_type,
                end_ns - lag(end_ns) OVER (PARTITION BY target, key_type ORDER BY end_ns) AS pause
            FROM attempts JOIN few USING (target, key_type) WHERE {_ANSWERED}
        ),
        usual AS (SELECT target, median(pause) AS pause FROM pauses GROUP BY target, key_type)
        SELECT target, max(pause) AS pause FROM usual GROUP BY target
        """,
        few=few,
    )
    return dict(zip(found["target"], found["pause"].fillna(0.0), strict=True))


def _known_until(run: Run, attempts: Attempts, blocks: Blocks) -> dict[str, int]:
    """By target: until when the record knows of it, where it does not say when measuring ended."""
    if run.measured_until_ns is not None:
        return {}
    # What a target did after the last that was written of it is not known.
    found = attempts.frame("SELECT target, max(end_ns) AS last FROM attempts GROUP BY target")
    return {name: min(blocks.until_ns, int(last)) for name, last in found.itertuples(index=False)}


def _usual_length(attempts: Attempts, target: str) -> float:
    """How long an attempt of a target takes that is answered, at the median."""
    ranks = Ranks(attempts, f"attempts WHERE {_ANSWERED}", "end_ns - start_ns", ("target",))
    slices = {target: ranks.where({"target": target})}
    values = ranks.pick(slices, lambda samples: percentiles.ranks_of(samples, 0.5))[target]
    return percentiles.at(values, 0.5)


def _inside(attempts: Attempts, blocks: Blocks, stretches: list[tuple[int, int]]) -> pd.DataFrame:
    """What ended in each of these stretches of time, by its number, target and outcome."""
    bins = pd.DataFrame(
        [
            (number, since, until, place)
            for number, (since, until) in enumerate(stretches)
            for place in range(
                (since - blocks.from_ns) // SHORTEST_NS, (until - blocks.from_ns) // SHORTEST_NS + 1
            )
        ],
        columns=["stretch", "since", "until", "bin"],
    )
    return attempts.frame(
        f"""
        SELECT stretch, target, outcome, {_ANSWERED} AS answered, count(*) AS attempts
        FROM attempts JOIN bins ON (end_ns - {blocks.from_ns}) // {SHORTEST_NS} = bin
            AND end_ns BETWEEN since AND until
        GROUP BY ALL
        """,
        bins=bins,
    )


def _rates(
    attempts: Attempts, blocks: Blocks, commits: pd.DataFrame, quiet: list[tuple[int, int]]
) -> dict[str, float]:
    """Each target's commits a second outside the quiet stretches, where anything is left to count."""
    seconds = (blocks.until_ns - blocks.from_ns - sum(until - since for since, until in quiet)) / 1e9
    inside = _inside(attempts, blocks, quiet)
    counted = commits.groupby("target")["attempts"].sum()
    fewer = inside[inside["answered"]].groupby("target")["attempts"].sum()
    left = counted.sub(fewer, fill_value=0)
    return {name: n / seconds for name, n in left.items() if seconds > 0 and n > 0}


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
