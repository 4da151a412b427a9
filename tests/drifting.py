"""Records of closed loops on a machine that is not always equally fast, for comparing runs.

Real runs of the same thing differ by what lasts longer than a block (a neighbour, a checkpoint) and by
what lasts longer than a run (placement, temperature). Both are here, each with its size, so that a
comparison's false alarms can be counted where the truth is known.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from loadtest.record.attempt import attempts_table, rows_touched, words
from loadtest.record.outcome import OUTCOMES, Outcome
from loadtest.workload.blocks import key_of_block
from tests.run_folders import BEGIN_NS, FakeRun, run_json, write_attempts, write_run_json

_STEP_S = 0.02
_SIGMA = 0.25


@dataclass(frozen=True)
class Drifting:
    """A run: users in a closed loop, each transaction a few attempts with a latency of their own."""

    seed: int
    slower: float = 1.0
    """By how much everything takes longer: the true difference between two runs."""
    keys: tuple[str, ...] = ("int", "uuid")
    duration_s: float = 20.0
    block_s: float = 1.0
    users: int = 16
    latency_ms: float = 25.0
    conflict: float = 0.05
    between: float = 0.01
    """Standard deviation of a whole run's speed, as a share: no block shows it."""
    drift: float = 0.04
    """Standard deviation of the speed within a run, as a share, …"""
    drift_s: float = 1.0
    """… which resembles itself over so many seconds."""
    max_attempts: int = 10


def write_drifting(folder: Path, run: Drifting) -> Path:
    """Write the run's folder."""
    rng = np.random.default_rng([0xD21F7, run.seed])
    fake = FakeRun(
        keys=run.keys, users=run.users, duration_s=run.duration_s, block_s=run.block_s,
        warmup_s=0.0, seed=run.seed, max_attempts=run.max_attempts,
    )  # fmt: skip
    write_run_json(folder, run_json(fake))
    write_attempts(folder, _attempts(run, rng))
    return folder


def _work(run: Drifting, rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
    """(times in seconds, work done until then): speed is a first-order autoregression in time."""
    steps = round((run.duration_s + 2) / _STEP_S)
    keep = math.exp(-_STEP_S / run.drift_s)
    noise = rng.normal(0, math.sqrt(1 - keep**2), steps)
    level = np.empty(steps)
    level[0] = rng.normal()
    for i in range(1, steps):
        level[i] = keep * level[i - 1] + noise[i]
    speed = np.exp(run.drift * level + rng.normal(0, run.between)) / run.slower
    done = np.concatenate([[0.0], np.cumsum(speed * _STEP_S)])
    return np.arange(steps + 1) * _STEP_S, done


def _attempts(run: Drifting, rng: np.random.Generator) -> pa.Table:
    times, done = _work(run, rng)
    mean_s = run.latency_ms / 1e3
    enough = math.ceil(1.4 * (run.duration_s + 1) * max(1.0, 1.3 / run.slower) / mean_s)
    rows = [_user(run, rng, user, enough, times, done) for user in range(run.users)]
    found = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    begins = found["intended_start_ns"]
    kept = begins < run.duration_s * 1e9
    found = {name: values[kept] for name, values in found.items()}
    block = (found["intended_start_ns"] / (run.block_s * 1e9)).astype(np.int32)
    count = len(run.keys)
    keys = [key_of_block(b, count, run.seed) for b in range(int(block.max()) + 1)]
    return _table(run, found, block, np.array(keys, np.int8)[block])


def _user(
    run: Drifting,
    rng: np.random.Generator,
    user: int,
    enough: int,
    times: NDArray[Any],
    done: NDArray[Any],
) -> dict[str, NDArray[Any]]:
    """One user's attempts: work of random size, done at the speed of the moment."""
    tries = np.minimum(rng.geometric(1 - run.conflict, enough), run.max_attempts)
    parent = np.repeat(np.arange(enough), tries)
    number = np.arange(len(parent)) - (np.cumsum(tries) - tries)[parent] + 1
    work = rng.lognormal(math.log(run.latency_ms / 1e3) - _SIGMA**2 / 2, _SIGMA, len(parent))
    ends_at = rng.uniform(0, run.latency_ms / 1e3) + np.cumsum(work)
    start = np.interp(ends_at - work, done, times, right=1e6)
    end = np.interp(ends_at, done, times, right=1e6)
    return {
        "transaction": parent + (user << 32),
        "attempt": number,
        "final": number == tries[parent],
        "user": np.full(len(parent), user),
        "intended_start_ns": (start[(np.cumsum(tries) - tries)[parent]] * 1e9).astype(np.int64),
        "start_ns": (start * 1e9).astype(np.int64),
        "took_ns": ((end - start) * 1e9).astype(np.int64),
    }


def _table(
    run: Drifting, found: dict[str, NDArray[Any]], block: NDArray[Any], key: NDArray[Any]
) -> pa.Table:
    size = len(block)
    took, start = found.pop("took_ns"), found.pop("start_ns") + BEGIN_NS
    codes = [OUTCOMES.index(Outcome.COMMITTED), OUTCOMES.index(Outcome.CONFLICT_DATA)]
    outcome = np.where(found["final"], *codes).astype(np.int8)
    accounts = np.tile(np.array([1, 2]), size)
    nothing = np.zeros(size, np.int8)
    arrays: dict[str, Any] = {
        **found,
        "intended_start_ns": found["intended_start_ns"] + BEGIN_NS,
        "begin_sent_ns": start,
        "begin_answered_ns": start,
        "first_answered_ns": start,
        "commit_sent_ns": start + took // 2,
        "ended_ns": start + took,
        "backoff_ns": nothing,
        "worker": nothing.astype(np.int16),
        "block": block,
        "operation": words(nothing.astype(np.int8), ("transfer",)),
        "target": words(nothing.astype(np.int8), ("embedded",)),
        "key_type": words(key, run.keys),
        "outcome": words(outcome, OUTCOMES),
        "rows": rows_touched(np.full(size, 2), np.repeat(key, 2), accounts),
    }
    return attempts_table(arrays, 0)
