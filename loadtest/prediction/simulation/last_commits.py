"""The last commit of each row: a hash table with linear probing, for compiled code."""

from typing import Any

import numpy as np

from loadtest.prediction.simulation.compiling import compiled, inlined
from loadtest.prediction.simulation.state import BATCH, NONE, State

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@inlined
def first_slot(table: Any, row: int) -> int:
    """Return where the row is looked for first: the upper digits of a product are well mixed."""
    return int(np.int64((np.uint64(row) * _GOLDEN) >> np.uint64(24)) & (len(table) - 1))


@inlined
def slot_of(table: Any, row: int) -> int:
    """Return where the row is in the table, or where it belongs."""
    slot = first_slot(table, row)
    while table[slot, 0] != row and table[slot, 0] != NONE:
        slot = (slot + 1) & (len(table) - 1)
    return int(slot)


@inlined
def conflicts(user: Any, now: int, table: Any, counts: Any, key_types: int) -> bool:
    """Return whether the attempt fails; if it does not, it commits now."""
    # Tables of different key types have different rows.
    payer = user.payer * key_types + user.key
    payee = user.payee * key_types + user.key
    one = slot_of(table, payer)
    two = slot_of(table, payee)
    snapshot = user.snapshot
    if table[one, 0] == payer and table[one, 1] > snapshot:
        return True
    if table[two, 0] == payee and table[two, 1] > snapshot:
        return True
    counts.commits += table[one, 0] == NONE
    table[one, 0] = payer
    table[one, 1] = now
    # Both may have belonged in the same empty slot.
    two = slot_of(table, payee)
    counts.commits += table[two, 0] == NONE
    table[two, 0] = payee
    table[two, 1] = now
    return False


def has_room(state: State, rows: int) -> bool:
    """Return whether the table can take what a batch may bring, of so many rows in the database."""
    coming = min(int(state.counts[0].commits) + 2 * BATCH, rows)
    return 2 * coming <= len(state.last_commits)


def _renewed(state: State, rows: int) -> Any:
    """Return a table with room for a batch, without commits that can fail no attempt any more.

    It is never more than half full, and only a quarter full after that: so it is renewed seldom, and
    its size follows the load, whatever the number of rows in the database.
    """
    users, table, counts = state.users, state.last_commits, state.counts[0]
    oldest = np.iinfo(np.int64).max
    for number in range(len(users)):
        if users[number].attempt > 0:
            oldest = min(oldest, users[number].snapshot)
    kept = 0
    for slot in range(len(table)):
        kept += table[slot, 0] != NONE and table[slot, 1] > oldest
    wanted = min(2 * rows, max(4 * kept, 2 * (kept + 2 * BATCH)))
    length = 64
    while length < wanted:
        length *= 2
    fresh = np.full((length, 2), NONE, np.int64)
    for old in range(len(table)):
        if table[old, 0] != NONE and table[old, 1] > oldest:
            slot = slot_of(fresh, table[old, 0])
            fresh[slot, 0] = table[old, 0]
            fresh[slot, 1] = table[old, 1]
    counts.commits = kept
    return fresh


renewed = compiled(_renewed, allocates=True)
