"""Which target's commit failed which target's attempt, as far as the record can tell.

The database does not say who won. But a winner is a committed attempt on one of the same accounts,
and its commit was decided between COMMIT sent and COMMIT answered, which must overlap the failed
attempt's life. Where all attempts that fit are of one target, the winner's target is known.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtest.record.attempt import OUTCOME_CODE, Outcome
from reports.analysis.figures import CONFLICT_CODES
from reports.analysis.reading.load import Attempts, Columns
from reports.analysis.reading.systems import Databases

_NOBODY = -1
_SEVERAL = -2
_DENSE = 50_000_000
_LAST_BITS = (1 << 22) - 1
"""A mask of those bits of an account number that tell most of them apart."""
_AT_ONCE = 1 << 22
"""Accesses that are looked at together, which bounds the memory that it takes."""
_ROOM = 1 << 62
"""How far accounts times nanoseconds may reach in one number."""


@dataclass(frozen=True, slots=True)
class Opponents:
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


def find_opponents(attempts: Attempts, databases: Databases) -> Opponents | None:
    """The matrix of conflicts by pair of targets; None where no two share a database, or no attempt
    conflicted there.

    Args:
        attempts: the run's attempts.
        databases: those of the attempts' targets; only attempts on the same one can meet.
    """
    rows, many = attempts.measured, len(attempts.targets)
    system = np.array(databases.numbers)
    shared = np.bincount(system)[system] > 1
    shared &= np.array([databases.settled(target) for target in range(many)])
    failed = CONFLICT_CODES[rows.outcome] & shared[rows.target]
    # A change of the schema fails attempts whatever they touched.
    failed &= rows.outcome != OUTCOME_CODE[Outcome.CONFLICT_SCHEMA]
    if not failed.any():
        return None
    committed = rows.outcome == OUTCOME_CODE[Outcome.COMMITTED]
    winner = winners(rows, np.flatnonzero(failed), committed, system, len(attempts.key_types))
    loser = rows.target[failed].astype(np.int64)
    known = winner >= 0
    pairs = np.bincount(loser[known] * many + winner[known], minlength=many * many)
    commits = np.bincount(rows.target[committed], minlength=many).astype(float)
    return Opponents(
        counts=pairs.reshape(many, many),
        unknown=np.bincount(loser[winner == _NOBODY], minlength=many),
        ambiguous=np.bincount(loser[winner == _SEVERAL], minlength=many),
        expected=_expected(commits, [attempts.users.get(t, 0) for t in attempts.targets], system),
        asked=shared,
    )


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


def winners(
    rows: Columns,
    failed: NDArray[np.int64],
    committed: NDArray[np.bool_],
    system: NDArray[np.int64],
    key_types: int,
) -> NDArray[np.int64]:
    """For each of the `failed` rows the winner's target; −1 if nobody fits, −2 if several targets do.

    A committed row fits if it has the key type and the database of the failed one, touched one of its
    accounts, and its time from COMMIT sent to its end overlaps the failed one's from start to end.
    Ends that touch overlap. A commit whose COMMIT time is not known may have been decided at any time
    from its start on.

    How many commits of a target overlap [start, end] is the number that began up to `end` less the
    number that ended before `start`: two sorted lists for each account, and no pairs are formed.
    """
    owners = _Owners(rows.touched)
    origin = int(rows.start_ns.min(initial=1 << 62))
    begin_ns = rows.start_ns[failed] - origin
    end_ns = begin_ns + rows.statements_ns[failed] + rows.commit_ns[failed]
    found = np.full(len(failed), _NOBODY, np.int64)
    for key in range(key_types):
        losers = np.flatnonzero(rows.key_type[failed] == key)
        if not len(losers):
            continue
        owner, access = owners.accesses_of(failed[losers])
        owner, accounts = losers[owner], rows.accounts[access]
        place_of = _Places(accounts)
        place = place_of(accounts)
        loser_system = system[rows.target[failed[owner]]]
        winner, where = _on_places(rows, owners, place_of, committed & (rows.key_type == key))
        through = rows.target[winner]
        for target in range(len(system)):
            meets = np.flatnonzero(loser_system == system[target])
            winning = through == target
            if not len(meets) or not winning.any():
                continue
            mine = winner[winning]
            took = np.where(rows.commit_ns[mine] > 0, rows.commit_ns[mine], rows.statements_ns[mine])
            ends = rows.start_ns[mine] + rows.statements_ns[mine] + rows.commit_ns[mine] - origin
            asking = owner[meets]
            there, asked = where[winning].astype(np.int64), place[meets].astype(np.int64)
            fits = overlaps(there, ends - took, ends, asked, begin_ns[asking], end_ns[asking])
            own = np.unique(asking[fits > 0])
            found[own] = np.where(found[own] == _NOBODY, target, _SEVERAL)
    return found


def _on_places(
    rows: Columns, owners: "_Owners", place_of: "_Places", wanted: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """(row, place) of each access of the `wanted` rows to an account that has a place."""
    found: list[tuple[NDArray[np.int32], NDArray[np.int32]]] = [
        (np.empty(0, np.int32), np.empty(0, np.int32))
    ]
    for start in range(0, len(rows.accounts), _AT_ONCE):
        accounts = rows.accounts[start : start + _AT_ONCE]
        # Most accesses are to accounts that no conflict was about.
        near = place_of.perhaps(accounts)
        row = owners(near + start)
        kept = wanted[row]
        place = place_of(accounts[near[kept]])
        found.append((row[kept][place >= 0].astype(np.int32), place[place >= 0]))
    of_rows, places = zip(*found, strict=True)
    return np.concatenate(of_rows), np.concatenate(places)


class _Owners:
    """Whose an access is: the accounts of all attempts lie one attempt's after another's."""

    def __init__(self, touched: NDArray[np.int16]) -> None:
        self._touched = touched
        self._until = np.cumsum(touched, dtype=np.int64)
        """Where each attempt's accesses end."""
        self._each = int(touched[0]) if len(touched) and (touched == touched[0]).all() else 0

    def __call__(self, access: NDArray[np.int64]) -> NDArray[np.int64]:
        """The attempt of each access, by its place among all accesses."""
        if self._each:
            return access // self._each
        return np.searchsorted(self._until, access, "right")

    def accesses_of(self, chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(place in `chosen`, place among all accesses) of each access of the chosen attempts."""
        touched = self._touched[chosen].astype(np.int64)
        owner = np.repeat(np.arange(len(chosen)), touched)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(touched) - touched, touched)
        return owner, (self._until[chosen] - touched)[owner] + within


class _Places:
    """Account number → a small number, −1 for one that is not among those given."""

    def __init__(self, accounts: NDArray[np.int64]) -> None:
        self._names = np.unique(accounts)
        self._filter = np.zeros(_LAST_BITS + 1, np.bool_)
        self._filter[self._names & _LAST_BITS] = True
        self._table: NDArray[np.int32] | None = None
        if len(self._names) and self._names[0] >= 0 and self._names[-1] < _DENSE:
            self._table = np.full(int(self._names[-1]) + 2, -1, np.int32)
            self._table[self._names] = np.arange(len(self._names), dtype=np.int32)

    def perhaps(self, accounts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which of the accounts can be among those given: their last bits are those of one."""
        return np.flatnonzero(self._filter[accounts & _LAST_BITS])

    def __call__(self, accounts: NDArray[np.int64]) -> NDArray[np.int32]:
        if self._table is not None:
            # Looking a number up is far cheaper than searching for it, among millions.
            inside = np.where((accounts < 0) | (accounts >= len(self._table)), -1, accounts)
            return self._table[inside]
        place = np.minimum(np.searchsorted(self._names, accounts), len(self._names) - 1)
        return np.where(self._names[place] == accounts, place, -1).astype(np.int32)


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
