"""Which target's commit failed which target's attempt, as far as the record can tell.

The database does not say who won. But a winner is a committed attempt on one of the same accounts,
and its commit was decided between COMMIT sent and COMMIT answered, which must overlap the failed
attempt's life. Where all attempts that fit are of one target, the winner's target is known.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loadtest.record.outcome import Outcome
from reports.analysis.reading.attempts import Attempts
from reports.analysis.reading.systems import Databases

_NO_TARGET = -1
_SEVERAL_TARGETS = -2
_ROOM = 1 << 62
"""How far accounts times nanoseconds may reach in one number."""
_AT_ONCE = 2_000_000
"""Attempts that are looked at together, about, which bounds the memory that it takes."""
_MOST = 20_000_000
"""Of more attempts a sample is looked at: stretches of time, evenly apart."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """The conflicts of a run by the targets of both sides; arrays are by the target's code."""

    counts: NDArray[np.int64]
    """(failed, won): conflicts whose winner's target is known."""
    unknown: NDArray[np.int64]
    """(failed,): no commit in the record fits, such as one made by another client."""
    ambiguous: NDArray[np.int64]
    """(failed,): commits of several targets fit."""
    expected: NDArray[np.float64]
    """(failed, won): the share that each winner would have if every commit of another user were as
    likely to win."""
    asked: NDArray[np.bool_]
    """Targets that share a database with another, and of which that is known of every other."""
    sampled: float = 1.0
    """The share of the measured time whose conflicts were looked at."""


def find_attribution(attempts: Attempts, databases: Databases) -> Attribution | None:
    """The matrix of conflicts by pair of targets; None where no two share a database, or no attempt
    conflicted there.

    Args:
        attempts: the run's attempts.
        databases: those of the attempts' targets; only attempts on the same one can meet.
    """
    targets = _targets(attempts, databases)
    many, shared = len(targets), targets["asked"].to_numpy(bool)
    if not shared.any():
        return None
    stretches, share = _stretches(attempts)
    pairs = np.zeros((many, many), np.int64)
    unknown, ambiguous = np.zeros(many, np.int64), np.zeros(many, np.int64)
    for since, until in stretches:
        found = winners(attempts, targets, since, until)
        loser, winner = found["target"].to_numpy(), found["winner"].to_numpy()
        known = winner >= 0
        np.add.at(pairs, (loser[known], winner[known]), 1)
        unknown += np.bincount(loser[winner == _NO_TARGET], minlength=many)
        ambiguous += np.bincount(loser[winner == _SEVERAL_TARGETS], minlength=many)
    if not (pairs.any() or unknown.any() or ambiguous.any()):
        return None
    return Attribution(
        counts=pairs,
        unknown=unknown,
        ambiguous=ambiguous,
        expected=_expected(
            targets["commits"].to_numpy(float),
            [attempts.users.get(name, 0) for name in attempts.targets],
            targets["database"].to_numpy(),
        ),
        asked=shared,
        sampled=share,
    )


def _targets(attempts: Attempts, databases: Databases) -> pd.DataFrame:
    """Each target's place, database and commits, and whether it is asked who failed its attempts."""
    system = np.array(databases.numbers)
    shared = np.bincount(system)[system] > 1
    shared &= np.array([databases.settled(target) for target in range(len(system))])
    found = pd.DataFrame({"name": list(attempts.targets), "database": system, "asked": shared})
    commits = attempts.frame(
        "SELECT target AS name, count(*) AS commits FROM attempts WHERE committed GROUP BY ALL"
    )
    found = found.merge(commits, "left", "name").fillna({"commits": 0})
    return found.assign(place=range(len(found)))


def _stretches(attempts: Attempts) -> tuple[list[tuple[int, int]], float]:
    """(stretches of time, the share of all time that they are): few attempts in each."""
    count, first, last = attempts.one("SELECT count(*), min(start_ns), max(start_ns) FROM attempts")
    pieces = max(1, round(count / _AT_ONCE))
    edges = np.linspace(first, last + 1, pieces + 1).astype(np.int64)
    edges[0], edges[-1] = first, last + 1
    every = -(-count // _MOST)
    kept = range(every // 2, pieces, every)
    return [(int(edges[i]), int(edges[i + 1])) for i in kept], len(kept) / pieces


def _expected(
    commits: NDArray[np.float64], users: list[int], system: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(failed, won): each winner's share of the commits that a user of the failed target can meet.

    No user fails itself, so of a target's own commits only those of its other users count.
    """
    fitting = np.where(system[:, None] == system[None, :], commits[None, :], 0.0)
    own = np.arange(len(users))
    fitting[own, own] *= [(n - 1) / n if n else 1.0 for n in users]
    totals = fitting.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(fitting, totals, out=np.zeros_like(fitting), where=totals > 0))


def winners(attempts: Attempts, targets: pd.DataFrame, since: int, until: int) -> pd.DataFrame:
    """The failed attempts that started in [since, until), each with its target's place and the
    winner's; −1 if none fits, −2 if several targets do.

    A committed attempt fits if it has the key type and the database of the failed one, touched one of
    its accounts, and its time from COMMIT sent to its end overlaps the failed one's from start to end.
    Ends that touch overlap. A commit whose COMMIT time is not known may have been decided at any time
    from its start on.

    How many commits of a target overlap [start, end] is the number that began up to `end` less the
    number that ended before `start`: two sorted lists for each account, and no pairs are formed.
    """
    attempts.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE losers AS
        SELECT row_number() OVER () - 1 AS loser, transaction, attempt, place, database, key_type,
            "rows", start_ns, end_ns
        FROM whole JOIN targets ON target = name
        WHERE conflicted AND outcome <> '{Outcome.CONFLICT_SCHEMA}' AND asked
            AND start_ns >= {since} AND start_ns < {until}
        """,
        targets=targets,
    )
    # What failed by a change of the schema failed whatever it touched.
    losers = attempts.frame(
        "SELECT loser, transaction, attempt, place AS target FROM losers ORDER BY loser"
    )
    attempts.execute(
        """
        CREATE OR REPLACE TEMP TABLE lost AS
        SELECT loser, database, start_ns, end_ns,
            dense_rank() OVER (ORDER BY database, key_type, touched) - 1 AS spot, key_type,
            touched."table" AS "table", touched."row" AS "row"
        FROM (SELECT * EXCLUDE "rows", unnest("rows") AS touched FROM losers)
        """
    )
    lost = attempts.frame("SELECT loser, spot, database, start_ns, end_ns FROM lost")
    if not len(lost):
        return losers.assign(winner=_NO_TARGET)
    first, last = int(lost["start_ns"].min()), int(lost["end_ns"].max())
    won = attempts.frame(
        f"""
        WITH spots AS (SELECT DISTINCT database, key_type, "table", "row", spot FROM lost)
        SELECT place, database, spot, end_ns,
            CASE WHEN commit_ns > 0 THEN end_ns - commit_ns ELSE start_ns END AS began_ns
        FROM accesses JOIN targets ON target = name
            JOIN spots USING (database, key_type, "table", "row")
        WHERE committed AND start_ns <= {last} AND end_ns >= {first}
        """,
        targets=targets,
    )
    winner = np.full(len(losers), _NO_TARGET, np.int64)
    for place, mine in won.groupby("place"):
        asking = lost[lost["database"] == mine["database"].iloc[0]]
        times = (mine["began_ns"], mine["end_ns"], asking["start_ns"], asking["end_ns"])
        origin = min(int(time.min()) for time in times) if len(asking) else 0
        began, ended, start, end = (time.to_numpy() - origin for time in times)
        fits = overlaps(mine["spot"].to_numpy(), began, ended, asking["spot"].to_numpy(), start, end)
        own = np.unique(asking["loser"].to_numpy()[fits > 0])
        winner[own] = np.where(winner[own] == _NO_TARGET, place, _SEVERAL_TARGETS)
    return losers.assign(winner=winner)


def overlaps(
    where: NDArray[np.int64],
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
    place: NDArray[np.int64],
    since: NDArray[np.int64],
    until: NDArray[np.int64],
) -> NDArray[np.int64]:
    """How many of the intervals [begins, ends] at the same place overlap each [since, until].

    Places and times are not negative. The cost is that of sorting the intervals.
    """
    span = int(max(ends.max(initial=0), until.max(initial=0))) + 1
    # Place and time go into one number; where they do not fit, some places after the others.
    together = max(1, _ROOM // span)
    found = np.zeros(len(place), np.int64)
    for first in range(0, int(place.max(initial=-1)) + 1, together):
        there = (where >= first) & (where < first + together)
        asked = (place >= first) & (place < first + together)
        base, origin = (where[there] - first) * span, (place[asked] - first) * span
        # At earlier places all that began has ended, so the two counts differ at this one alone.
        begun = np.searchsorted(np.sort(base + begins[there]), origin + until[asked], "right")
        over = np.searchsorted(np.sort(base + ends[there]), origin + since[asked], "left")
        found[asked] = begun - over
    return found
