"""Which accounts were hot, and what popularity does to the conflict rate."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.blocks import Blocks
from reports.figures import CONFLICT_CODES
from reports.load import Attempts

TOP = 15
_POPULARITY_BINS = 14
_FEWEST_ACCESSES = 300
_DENSE = 50_000_000


@dataclass(frozen=True, slots=True)
class HotAccount:
    """An account and the attempts that touched it; a conflict counts for each account touched."""

    number: int
    accesses: int
    conflicts: int


@dataclass(frozen=True, slots=True)
class Popularity:
    """A key type's conflict rate of accounts grouped by how many transactions want them."""

    transactions_per_s: NDArray[np.float64]
    conflict_rate: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Heat:
    """Accesses and conflicts by account."""

    accounts: int
    accesses: int
    conflicts: int
    top: tuple[HotAccount, ...]
    popularity: dict[str, Popularity]


def heat(attempts: Attempts, blocks: Blocks, key_types: list[int], *, even: bool) -> Heat:
    """Count accesses and conflicts of every account; no popularity where accesses are `even`."""
    rows = attempts.measured
    numbers, size, names = _compact(rows.accounts)
    conflicted = CONFLICT_CODES[rows.outcome]
    each_attempt = _Spread(rows.touched, len(numbers))
    accesses, conflicts = {}, {}
    for k in key_types:
        mine = each_attempt(rows.key_type == k) if len(key_types) > 1 else slice(None)
        accesses[k] = np.bincount(numbers[mine], minlength=size)
        failed = each_attempt(conflicted if len(key_types) == 1 else conflicted & (rows.key_type == k))
        conflicts[k] = np.bincount(numbers[failed], minlength=size)
    all_accesses = np.add.reduce(list(accesses.values()))
    all_conflicts = np.add.reduce(list(conflicts.values()))
    popularity = {}
    for k in key_types:
        if even:
            break
        # By transactions, not attempts: a conflict brings its own second access, and would make
        # every account that had one look popular.
        wanted = np.bincount(numbers[each_attempt(rows.final & (rows.key_type == k))], minlength=size)
        curve = _popularity(wanted, accesses[k], conflicts[k], blocks.duration_of(k))
        if curve is not None:
            popularity[attempts.key_types[k]] = curve
    order = np.lexsort((-all_accesses, -all_conflicts))[:TOP]
    return Heat(
        accounts=int(np.count_nonzero(all_accesses)),
        accesses=int(all_accesses.sum()),
        conflicts=int(all_conflicts.sum()),
        top=tuple(
            HotAccount(
                int(names[i]) if names is not None else int(i),
                int(all_accesses[i]),
                int(all_conflicts[i]),
            )
            for i in order
            if all_accesses[i]
        ),
        popularity=popularity,
    )


def _compact(numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], int, NDArray[np.int64] | None]:
    """(numbers, how many to count, their names): huge account numbers are numbered anew."""
    if not len(numbers):
        return numbers, 1, None
    if numbers.min() >= 0 and numbers.max() < _DENSE:
        return numbers, int(numbers.max()) + 1, None
    names, compact = np.unique(numbers, return_inverse=True)
    return compact, len(names), names


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
