"""Which accounts were hot, and what popularity does to the conflict rate."""

from dataclasses import dataclass
from heapq import nsmallest

import numpy as np
from numpy.typing import NDArray

from reports.analysis.blocks import Blocks
from reports.analysis.figures import CONFLICT_CODES
from reports.analysis.reading.load import COUNTED_CODES, Attempts
from reports.analysis.reading.systems import Databases

TOP = 15
_POPULARITY_BINS = 14
_FEWEST_ACCESSES = 300
_DENSE = 50_000_000


@dataclass(frozen=True, slots=True)
class HotAccount:
    """An account and the attempts that touched it; a conflict counts for each account touched.

    The same number in another database, or of another key type, is another account.
    """

    targets: tuple[str, ...]
    """The endpoints of its database."""
    key_type: str
    number: int
    accesses: int
    conflicts: int
    times_mean: float
    """How often it was touched, in units of the mean account of its table."""


@dataclass(frozen=True, slots=True)
class Popularity:
    """A key type's conflict rate of accounts grouped by how many transactions want them."""

    transactions_per_s: NDArray[np.float64]
    conflict_rate: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Heat:
    """Accesses and conflicts by account."""

    conflicts: int
    """Of all accounts together."""
    top: tuple[HotAccount, ...]
    popularity: dict[str, Popularity]
    """By key type; empty where the targets are not known to be one database."""


def heat(
    attempts: Attempts,
    blocks: Blocks,
    key_types: list[int],
    databases: Databases,
    size: int | None,
    *,
    even: bool,
) -> Heat:
    """Count accesses and conflicts of every account.

    Args:
        attempts: the run's attempts.
        blocks: its blocks.
        key_types: codes of the key types that ran.
        databases: those of the attempts' targets; where nothing is known of two, each counts for
            itself.
        size: how many accounts a table has, None where the record does not say.
        even: whether accesses are; then no account is popular.
    """
    rows = attempts.measured
    accounts = _Accounts(rows.accounts)
    conflicted = CONFLICT_CODES[rows.outcome]
    decided = COUNTED_CODES[rows.outcome]
    every = bool(decided.all())
    each_attempt = _Spread(rows.touched, len(rows.accounts))
    system = np.array(databases.numbers)
    popularity = {}
    found: list[HotAccount] = []
    total = 0
    for database in np.unique(system):
        served = tuple(np.array(attempts.targets)[system == database].tolist())
        for k in key_types:
            mine = _mine(attempts, key_types, k, None if databases.whole else system == database)
            if not every:
                mine = decided if mine is None else decided & mine
            accesses = accounts.count(None if mine is None else each_attempt(mine))
            failed = conflicted if mine is None else conflicted & mine
            conflicts = accounts.count(each_attempt(failed))
            if not accesses.any():
                continue
            total += int(conflicts.sum())
            mean = int(accesses.sum()) / max(size or 0, int(np.count_nonzero(accesses)))
            found += [
                HotAccount(
                    served,
                    attempts.key_types[k],
                    accounts.name(int(i)),
                    int(accesses[i]),
                    int(conflicts[i]),
                    int(accesses[i]) / mean,
                )
                for i in _hottest(accesses, conflicts)
            ]
            if even or not databases.whole:
                continue
            # By transactions, not attempts: a conflict brings its own second access, and would make
            # every account that had one look popular.
            ended = rows.counted() if mine is None else rows.counted() & mine
            wanted = accounts.count(each_attempt(ended))
            curve = _popularity(wanted, accesses, conflicts, blocks.duration_of(k))
            if curve is not None:
                popularity[attempts.key_types[k]] = curve
    top = nsmallest(TOP, found, key=lambda account: (-account.conflicts, -account.accesses))
    return Heat(conflicts=total, top=tuple(top), popularity=popularity)


def _mine(
    attempts: Attempts, key_types: list[int], key_type: int, there: NDArray[np.bool_] | None
) -> NDArray[np.bool_] | None:
    """The attempts of a key type on the targets `there`; None where that is all of them."""
    mine = attempts.measured.key_type == key_type if len(key_types) > 1 else None
    if there is None:
        return mine
    on = there[attempts.measured.target]
    return on if mine is None else on & mine


def _hottest(accesses: NDArray[np.int64], conflicts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The places of the TOP accounts with most conflicts, of those with as many the most accessed."""
    # Millions that never conflicted need no order, unless there are too few that did.
    found = np.flatnonzero(conflicts)
    if len(found) < TOP:
        found = np.flatnonzero(accesses)
    return found[np.lexsort((-accesses[found], -conflicts[found]))[:TOP]]


class _Accounts:
    """Counts accesses by account: in a table of all, or by sorting where their numbers are huge."""

    def __init__(self, numbers: NDArray[np.int64]) -> None:
        self._numbers: NDArray[np.integer] = numbers
        self._names: NDArray[np.integer] | None = None
        low, high = int(numbers.min(initial=0)), int(numbers.max(initial=0))
        if low >= 0 and high < _DENSE:
            self._all = np.bincount(numbers, minlength=1)
            return
        if np.iinfo(np.int32).min <= low and high <= np.iinfo(np.int32).max:
            # Sorted in a third of the time.
            self._numbers = numbers.astype(np.int32)
        self._names, self._all = np.unique(self._numbers, return_counts=True)

    def count(self, chosen: NDArray[np.bool_] | None) -> NDArray[np.int64]:
        """How often each account is among the chosen accesses, or among all where None."""
        if chosen is None:
            return self._all
        if self._names is None:
            return np.bincount(self._numbers[chosen], minlength=len(self._all))
        names, times = np.unique(self._numbers[chosen], return_counts=True)
        found = np.zeros(len(self._names), np.int64)
        found[np.searchsorted(self._names, names)] = times
        return found

    def name(self, place: int) -> int:
        """The number of the account that has this place in the counts."""
        return place if self._names is None else int(self._names[place])


class _Spread:
    """Repeats a flag of each attempt for each account that it touched."""

    def __init__(self, touched: NDArray[np.int16], total: int) -> None:
        self._touched = touched
        self._same = int(touched[0]) if len(touched) and total == len(touched) * int(touched[0]) else 0
        if self._same and not (touched == self._same).all():
            self._same = 0

    def __call__(self, flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return np.repeat(flags, self._same or self._touched)


def _popularity(
    wanted: NDArray[np.int64],
    accesses: NDArray[np.int64],
    conflicts: NDArray[np.int64],
    seconds: float,
) -> Popularity | None:
    used = np.flatnonzero(wanted)
    if not len(used) or seconds <= 0:
        return None
    # Group i holds accounts with edges[i] ≤ wanted < edges[i + 1], evenly apart in logarithm.
    edges = np.geomspace(1, wanted.max() + 1, _POPULARITY_BINS + 1)
    group = np.searchsorted(edges, wanted[used], side="right") - 1
    size = _POPULARITY_BINS + 1
    members = np.bincount(group, minlength=size)
    transactions = np.bincount(group, wanted[used], size)
    touched = np.bincount(group, accesses[used], size)
    failed = np.bincount(group, conflicts[used], size)
    shown = touched >= _FEWEST_ACCESSES
    if np.count_nonzero(shown) < 3:
        return None
    return Popularity(transactions[shown] / members[shown] / seconds, failed[shown] / touched[shown])
