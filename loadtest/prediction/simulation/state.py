"""The arrays that a simulation works on; moments are whole nanoseconds since it began."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

BATCH = 4096
"""Events of a batch at most; each uses at most one random number of every kind, ends at most one
attempt and adds at most two rows to the last commits."""

SERVICE_TIMES = 5
"""Random factors of one attempt: BEGIN, first and second statement, COMMIT, way to the decision."""

NONE = -1
"""No user, and no row."""

_USER = (
    "attempt", "payer", "payee", "key", "start", "snapshot", "begun", "answered", "transaction",
    "intended", "commit", "end", "backoff", "block",
)  # fmt: skip
USER = np.dtype({"names": _USER, "formats": ["i8"] * len(_USER), "itemsize": 128})
"""A user's attempt on the way, two lines of a processor's cache; `attempt` is 0 while there is none."""

COUNTS = np.dtype(
    [
        (name, np.int64)
        for name in (
            "events",  # users who have an event to come
            "attempts",  # attempts in the present columns
            "commits",  # rows in `State.last_commits`
            "transactions",  # transactions begun, each of which has its number
            "started",  # arrivals of the measured time of which the transaction began in it
            "served",  # columns of `RandomNumbers.service` that were used
            "in_heap",  # events in the heap
            "horizon",  # the moment before which all events are in the heap
            "shift",  # a bucket spans 2 to the power of this, in nanoseconds
            "ended",  # transactions ended
            "prefetched",  # without meaning, see `event_queue.look_ahead`
        )
    ]
)


class Parameters(NamedTuple):
    """The constants of a simulation; times in nanoseconds."""

    statement_ns: float
    commit_ns: float
    trip_ns: NDArray[np.float64]
    """For each Region: what COMMIT takes longer for the way to its decision."""
    slowdown: NDArray[np.float64]
    """For each key type: how many times as long its statements and COMMIT take."""
    snapshot_at: float
    decided_at: float
    open_loop: bool
    think_ns: int
    retries: bool
    """Whether a conflict leads to another attempt at all."""
    base_ns: float
    cap_ns: float
    max_attempts: int
    measured_from_ns: int
    until_ns: int
    """Nothing begins from here on; attempts on the way are finished."""
    block_ns: int
    key_of_block: NDArray[np.int8]


class State(NamedTuple):
    """The variables of a simulation."""

    users: Any
    """One USER each."""
    region: NDArray[np.int8]
    """The Region that each user writes through."""
    heap_ns: NDArray[np.int64]
    """The heap of events before the horizon: their moments …"""
    heap_user: NDArray[np.int32]
    """… and users."""
    buckets: NDArray[np.int32]
    """Later events: for each step of time the first of a chain of users. A power of two long, and used
    again turn after turn."""
    due_ns: NDArray[np.int64]
    """For each user in a bucket: its moment …"""
    following: NDArray[np.int32]
    """… and the next user of the chain."""
    last_commits: NDArray[np.int64]
    """(slot, [row, moment]): a hash table with open addressing, a power of two long."""
    counts: Any
    """A single COUNTS."""


class RandomNumbers(NamedTuple):
    """Random numbers, enough for one batch."""

    service: NDArray[np.float32]
    """(SERVICE_TIMES, more than BATCH): factors with mean 1, one column an attempt."""
    chance: NDArray[np.float64]
    """(BATCH,): evenly between 0 and 1, for backoffs."""
    payer: NDArray[np.int64]
    """(key type, more than BATCH): accounts of the coming transactions, in order."""
    payee: NDArray[np.int64]
    next_pair: NDArray[np.int64]
    """For each key type: the index of the next pair of accounts."""
    arrivals: NDArray[np.int64]
    """(Region, more than BATCH): the open loop's schedule; no line in a closed loop."""
    next_arrival: NDArray[np.int64]
    """For each Region: the index of the next arrival."""


class Attempts(NamedTuple):
    """Attempts as columns, one element an attempt, in the order of their decisions.

    `snapshot_ns` and `decided_ns` are the true moments that no client sees.
    """

    transaction: NDArray[np.int64]
    attempt: NDArray[np.int32]
    final: NDArray[np.bool_]
    user: NDArray[np.int32]
    block: NDArray[np.int32]
    target: NDArray[np.int8]
    key_type: NDArray[np.int8]
    rows: NDArray[np.int64]
    """(attempt, [payer, payee])."""
    intended_start_ns: NDArray[np.int64]
    begin_sent_ns: NDArray[np.int64]
    begin_answered_ns: NDArray[np.int64]
    first_answered_ns: NDArray[np.int64]
    commit_sent_ns: NDArray[np.int64]
    ended_ns: NDArray[np.int64]
    backoff_ns: NDArray[np.int64]
    outcome: NDArray[np.int8]
    snapshot_ns: NDArray[np.int64]
    decided_ns: NDArray[np.int64]


def empty_attempts(size: int) -> Attempts:
    """Return columns with room for so many attempts."""
    narrow: dict[str, type[np.generic]] = {
        "attempt": np.int32, "final": np.bool_, "user": np.int32, "block": np.int32,
        "target": np.int8, "key_type": np.int8, "outcome": np.int8,
    }  # fmt: skip
    return Attempts(
        **{
            name: np.empty((size, 2) if name == "rows" else size, narrow.get(name, np.int64))
            for name in Attempts._fields
        }
    )
