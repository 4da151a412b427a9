"""A simulation at its beginning, and batch after batch until it is over."""

import math

import numpy as np
from numpy.typing import NDArray

from loadtest.prediction.simulation import engine
from loadtest.prediction.simulation.config import SimulateConfig
from loadtest.prediction.simulation.draws import STAGGER, Supply, stream
from loadtest.prediction.simulation.engine import BATCH, Physics, Rows, World
from loadtest.workload.blocks import key_of_block

_EVENTS_A_STEP = 16
"""Events that a step of the wheel holds on average, as far as that is known before."""
_CYCLES_A_TURN = 4
"""Transactions that a user makes in a turn of the wheel, likewise."""
_LINE = 64
"""Bytes of a line of a processor's cache."""


def make_ready() -> None:
    """Have the engine's machine code there: on a machine that has none yet, that takes seconds."""
    Simulation(SimulateConfig(users=1)).advance(engine.empty_rows(BATCH), 0)


class Simulation:
    """One simulation; `advance` it until it is over."""

    def __init__(self, config: SimulateConfig) -> None:
        self._physics = _physics(config)
        self._backoff = engine.compiled_backoff(config.retry_policy())
        self._supply = Supply(config)
        self._world = _begin(config)
        # Never more accounts are known than there are.
        self._accounts = config.accounts * len(config.keys)

    @property
    def over(self) -> bool:
        """Whether nothing will happen any more."""
        return bool(self._world.counts[engine.EVENTS] == 0)

    @property
    def now_ns(self) -> int:
        """How far it has come, in nanoseconds since the beginning, to a few events."""
        return int(self._world.counts[engine.HORIZON])

    @property
    def transactions(self) -> int:
        """How many transactions have ended."""
        return int(self._world.counts[engine.ENDED])

    def stop(self, now_ns: int) -> None:
        """Begin nothing any more from this moment on."""
        until = min(now_ns, self._physics.until_ns)
        self._physics = self._physics._replace(until_ns=until)

    def advance(self, rows: Rows, written: int) -> int:
        """Let at most BATCH events happen; returns how many rows are written now.

        Args:
            rows: where attempts go that are decided meanwhile; with room for BATCH more.
            written: how many are there already.
        """
        if written + BATCH > len(rows.attempt):
            # Compiled code would write beyond the end.
            raise ValueError(f"room for {BATCH} rows is needed")
        counts = self._world.counts
        counts[engine.ROWS] = written
        self._supply.renew(counts)
        if not engine.has_room(self._world, self._accounts):
            renewed = engine.renewed(self._world, self._accounts)
            self._world = self._world._replace(known=renewed)
        engine.advance(self._world, self._physics, self._backoff, self._supply.draws, rows)
        return int(counts[engine.ROWS])

    @property
    def started(self) -> int:
        """How many places of an open loop's measured time were taken in time."""
        return int(self._world.counts[engine.STARTED])


def _physics(config: SimulateConfig) -> Physics:
    measured_from_ns, until_ns = config.measured_ns()
    block_ns = max(1, round(config.block_s() * 1e9))
    blocks = math.ceil((until_ns - measured_from_ns) / block_ns)
    kinds = len(config.keys)
    policy = config.retry_policy()
    return Physics(
        statement_ns=config.statement_ms * 1e6,
        commit_ns=config.commit_ms * 1e6,
        trip_ns=np.array(config.decision_trips_ms()) * 1e6,
        slower=np.array(config.slowdowns()),
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
        key_of_block=np.array([key_of_block(b, kinds, config.seed) for b in range(blocks)], np.int8),
    )


def _begin(config: SimulateConfig) -> World:
    """Everybody free, from a moment of their own on: they would go in step if it were the same."""
    users = config.user_count()
    cycle_ns = max(config.attempts_ms()) * 1e6 + config.think_time * 1e9
    gap_ns = cycle_ns / users if config.rate is None else 1e9 / (2 * config.rate)
    counts = np.zeros(engine.COUNTS, np.int64)
    counts[engine.EVENTS] = users
    counts[engine.SHIFT] = max(0, round(math.log2(_EVENTS_A_STEP * gap_ns)))
    # A few cycles a turn: hardly an event has to go round twice.
    steps = 1 << max(6, math.ceil(math.log2(_CYCLES_A_TURN * users / _EVENTS_A_STEP)))
    world = World(
        users=_aligned(users, engine.USER_FIELDS),
        region=np.array(config.assignment(), np.int8),
        when=np.empty(users, np.int64),
        who=np.empty(users, np.int32),
        wheel=np.full(steps, engine.NOWHERE, np.int32),
        moment=np.zeros(users, np.int64),
        following=np.zeros(users, np.int32),
        known=np.full((64, 2), engine.NOWHERE, np.int64),
        counts=counts,
    )
    moments = (stream(config.seed, STAGGER).random(users) * cycle_ns).astype(np.int64)
    engine.push_all(world, moments)
    return world


def _aligned(rows: int, columns: int) -> NDArray[np.int64]:
    """Zeros that begin where a line of the processor's cache does."""
    room = np.zeros(rows * columns + _LINE // 8, np.int64)
    skipped = -room.ctypes.data % _LINE // 8
    return room[skipped : skipped + rows * columns].reshape(rows, columns)
