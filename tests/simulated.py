"""Simulated attempts with what no client sees, and slow references to hold them against."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from loadtest.prediction.simulation import SimulateConfig
from loadtest.prediction.simulation.simulation import Simulation
from loadtest.prediction.simulation.state import BATCH, Attempts, empty_attempts
from loadtest.record.outcome import OUTCOME_CODE, Outcome

CONFLICT = OUTCOME_CODE[Outcome.CONFLICT_DATA]
COMMITTED = OUTCOME_CODE[Outcome.COMMITTED]


def attempts(**options: Any) -> Attempts:
    """Every attempt of a simulation, in the order of decisions."""
    return attempts_of(SimulateConfig.read(**options))


def attempts_of(config: SimulateConfig) -> Attempts:
    simulation = Simulation(config)
    parts: list[Attempts] = []
    while not simulation.over:
        rows = empty_attempts(BATCH)
        size = simulation.advance(rows, 0)
        parts.append(Attempts._make(column[:size] for column in rows))
    return Attempts._make(np.concatenate(columns) for columns in zip(*parts, strict=True))


def measured(rows: Attempts) -> Attempts:
    """Those of the measured time."""
    return Attempts._make(column[rows.block >= 0] for column in rows)


def conflict_rate(rows: Attempts) -> float:
    return float(np.mean(rows.outcome == CONFLICT))


def conflicted_by_definition(rows: Attempts) -> NDArray[np.bool_]:
    """Which attempts must fail, by comparing every pair of attempts.

    The record says who committed; an attempt fails exactly if one of those has an account of it (of
    the same key type) and was decided after its snapshot and before its own decision. Attempts stand
    in the order of their decisions, which decides between equal moments.
    """
    conflicted = np.zeros(len(rows.attempt), bool)
    for i in range(len(conflicted)):
        committed = rows.outcome[:i] == COMMITTED
        inside = committed & (rows.decided_ns[:i] > rows.snapshot_ns[i])
        inside &= rows.key_type[:i] == rows.key_type[i]
        shared = (rows.rows[:i, :, None] == rows.rows[i]).any(axis=(1, 2))
        conflicted[i] = bool((inside & shared).any())
    return conflicted
