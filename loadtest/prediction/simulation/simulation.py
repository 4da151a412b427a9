"""A simulation at its beginning, and batch after batch until it is over."""

import math
from typing import Any

import numpy as np

from loadtest.prediction.simulation.compiling import compiled_backoff
from loadtest.prediction.simulation.config import SimulateConfig
from loadtest.prediction.simulation.event_queue import push_all
from loadtest.prediction.simulation.events import advance
from loadtest.prediction.simulation.last_commits import has_room, renewed
from loadtest.prediction.simulation.randomness import STAGGER, RandomSource, stream
from loadtest.prediction.simulation.state import (
    BATCH,
    COUNTS,
    NONE,
    USER,
    Attempts,
    Parameters,
    State,
    empty_attempts,
)
from loadtest.workload.blocks import key_of_block

_EVENTS_A_BUCKET = 16
"""Events that a bucket of the queue holds on average, as far as that is known before."""
_CYCLES_A_TURN = 4
"""Transactions that a user makes in a turn of the queue, likewise."""
_CACHE_LINE = 64
"""Bytes."""


def make_ready() -> None:
    """Have the machine code there: on a machine that has none yet, that takes seconds."""
    Simulation(SimulateConfig(users=1)).advance(empty_attempts(BATCH), 0)


class Simulation:
    """One simulation; `advance` it until it is over."""

    def __init__(self, config: SimulateConfig) -> None:
        self._parameters = _parameters(config)
        self._backoff = compiled_backoff(config.retry_policy())
        self._random = RandomSource(config)
        self._state = _beginning(config)
        self._rows = config.accounts * len(config.keys)

    @property
    def over(self) -> bool:
        """Whether no event is left."""
        return bool(self._state.counts[0].events == 0)

    @property
    def now_ns(self) -> int:
        """The simulated time so far, in nanoseconds, to a few events."""
        return int(self._state.counts[0].horizon)

    @property
    def transactions(self) -> int:
        """How many transactions have ended."""
        return int(self._state.counts[0].ended)

    @property
    def started(self) -> int:
        """How many arrivals of an open loop's measured time began in it."""
        return int(self._state.counts[0].started)

    def stop(self, now_ns: int) -> None:
        """Begin nothing any more from this moment on."""
        until = min(now_ns, self._parameters.until_ns)
        self._parameters = self._parameters._replace(until_ns=until)

    def advance(self, attempts: Attempts, written: int) -> int:
        """Let at most BATCH events happen; return how many attempts are written now.

        Args:
            attempts: the columns for attempts that are decided meanwhile; with room for BATCH more.
            written: how many are there already.
        """
        if written + BATCH > len(attempts.attempt):
            # Compiled code would write beyond the end.
            raise ValueError(f"room for {BATCH} attempts is needed")
        counts = self._state.counts[0]
        counts.attempts = written
        self._random.renew(counts)
        if not has_room(self._state, self._rows):
            self._state = self._state._replace(last_commits=renewed(self._state, self._rows))
        advance(self._state, self._parameters, self._backoff, self._random.numbers, attempts)
        return int(counts.attempts)


def _parameters(config: SimulateConfig) -> Parameters:
    measured_from_ns, until_ns = config.measured_ns()
    block_ns = max(1, round(config.block_s() * 1e9))
    blocks = math.ceil((until_ns - measured_from_ns) / block_ns)
    key_types = len(config.keys)
    policy = config.retry_policy()
    return Parameters(
        statement_ns=config.statement_ms * 1e6,
        commit_ns=config.commit_ms * 1e6,
        trip_ns=np.array(config.decision_trips_ms()) * 1e6,
        slowdown=np.array(config.slowdowns()),
        snapshot_at=config.snapshot_at,
        decided_at=config.decided_at,
        open_loop=config.rate is not None,
        think_ns=round(config.think_time * 1e9),
        retries=policy.name != "none",
        base_ns=policy.base_s * 1e9,
        cap_ns=policy.cap_s * 1e9,
        max_attempts=policy.max_attempts,
        measured_from_ns=measured_from_ns,
        until_ns=until_ns,
        block_ns=block_ns,
        key_of_block=np.array(
            [key_of_block(block, key_types, config.seed) for block in range(blocks)], np.int8
        ),
    )


def _beginning(config: SimulateConfig) -> State:
    """Return the state with all users free, each from another moment on, or they would go in step."""
    users = config.user_count()
    cycle_ns = max(config.attempts_ms()) * 1e6 + config.think_time * 1e9
    gap_ns = cycle_ns / users if config.rate is None else 1e9 / (2 * config.rate)
    counts = np.zeros(1, COUNTS).view(np.recarray)
    counts[0].events = users
    counts[0].shift = max(0, round(math.log2(_EVENTS_A_BUCKET * gap_ns)))
    # A few cycles a turn: hardly an event has to go round twice.
    buckets = 1 << max(6, math.ceil(math.log2(_CYCLES_A_TURN * users / _EVENTS_A_BUCKET)))
    state = State(
        users=_aligned(users),
        region=np.array(config.assignment(), np.int8),
        heap_ns=np.empty(users, np.int64),
        heap_user=np.empty(users, np.int32),
        buckets=np.full(buckets, NONE, np.int32),
        due_ns=np.zeros(users, np.int64),
        following=np.zeros(users, np.int32),
        last_commits=np.full((64, 2), NONE, np.int64),
        counts=counts,
    )
    push_all(state, (stream(config.seed, STAGGER).random(users) * cycle_ns).astype(np.int64))
    return state


def _aligned(users: int) -> Any:
    """Return users that begin where a line of the processor's cache does."""
    room = np.zeros(users * USER.itemsize + _CACHE_LINE, np.uint8)
    skipped = -room.ctypes.data % _CACHE_LINE
    return room[skipped : skipped + users * USER.itemsize].view(USER).view(np.recarray)
