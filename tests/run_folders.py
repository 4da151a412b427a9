"""Writes result folders of made-up runs, as large as wanted, for tests and for trying reports."""

import argparse
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from loadtest.config.assignment import assign
from loadtest.record import attempt as record
from loadtest.record.attempt import ATTEMPT_SCHEMA, attempts_table, rows_touched, words
from loadtest.record.outcome import OUTCOME_CODE, OUTCOMES, Outcome
from loadtest.record.run import Run, write_run
from loadtest.workload.access import parse_access
from loadtest.workload.blocks import key_of_block

BEGIN_NS = 1_767_225_600_000_000_000
"""2026-01-01T00:00:00Z."""


@dataclass(frozen=True)
class FakeRun:
    """A run to make up; what is a dict is by key type."""

    keys: tuple[str, ...] = ("int", "uuid")
    targets: tuple[str, ...] = ("embedded",)
    tps: float = 2000.0
    duration_s: float = 40.0
    block_s: float = 2.0
    warmup_s: float = 3.0
    users: int = 32
    accounts: int = 1000
    skew: str = "uniform"
    rate: float | None = None
    conflict: float = 0.036
    errors: float = 0.0
    refused: float = 0.0
    max_attempts: int = 8
    latency_ms: float = 6.0
    slower: dict[str, float] = field(default_factory=dict)
    more_conflicts: dict[str, float] = field(default_factory=dict)
    commit_ms: dict[str, float] = field(default_factory=dict)
    """By target: what its way adds to each COMMIT."""
    weights: dict[str, int] = field(default_factory=dict)
    """By target: its share of the users; 1 where it is not named."""
    down: dict[str, tuple[float, float]] = field(default_factory=dict)
    """By target: from when to when, in seconds of the measured time, nobody gets an answer."""
    functions: tuple[str, ...] = ()
    """Targets that are functions: they show no COMMIT, but say their own time and retries."""
    charged: tuple[str, ...] = ()
    """Targets that show no COMMIT, but say what capacity they charged for."""
    systems: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By target: what `run.json` says of it, where it is not the embedded database."""
    noise: float = 0.03
    seed: int = 1
    rows_a_file: int = 200_000
    run: dict[str, Any] = field(default_factory=dict)


Rows = dict[str, NDArray[Any]]


def table_of(rows: list[dict[str, Any]]) -> pa.Table:
    """A table of hand-written attempts; what a row leaves out has a plain value.

    A row may have columns of the record, and in place of its moments how long each part took, as
    reports show it: `start_ns`, `statements_ns`, `commit_ns`, `window_low_ns`, `window_high_ns`.
    `rows` are numbers of rows in the first table.
    """
    full = [_attempt({"transaction": number, **row}) for number, row in enumerate(rows)]
    columns = {f.name: pa.array([r[f.name] for r in full], f.type) for f in ATTEMPT_SCHEMA}
    return attempts_table(columns, 0)


def _attempt(row: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "attempt": 1, "final": True, "user": 0, "worker": 0, "block": 0, "target": "embedded",
        "operation": "transfer", "key_type": "int", "rows": [1, 2], "intended_start_ns": BEGIN_NS,
        "backoff_ns": 0, "outcome": "committed",
    }  # fmt: skip
    took: dict[str, Any] = {
        "start_ns": BEGIN_NS, "statements_ns": 3_000_000, "commit_ns": 1_000_000,
        "window_low_ns": None, "window_high_ns": None,
    }  # fmt: skip
    took |= {name: row.pop(name) for name in list(row) if name in took}
    if strange := row.keys() - set(ATTEMPT_SCHEMA.names):
        raise KeyError(f"no columns of an attempt: {strange}")
    begin = took["start_ns"]
    sent = begin + took["statements_ns"]
    end = sent + took["commit_ns"]
    low, high = took["window_low_ns"], took["window_high_ns"]
    moments: dict[str, int | None] = {"begin_sent_ns": begin, "ended_ns": end}
    if took["commit_ns"]:
        moments |= {
            "begin_answered_ns": begin if high is None else end - high,
            "first_answered_ns": max(begin, sent - 2_000_000) if low is None else sent - low,
            "commit_sent_ns": sent,
        }
    empty = dict.fromkeys(ATTEMPT_SCHEMA.names)
    found = {**empty, **plain, **moments, **row}
    return {**found, "rows": [{"table": 0, "row": number} for number in found["rows"]]}


def run_json(fake: FakeRun, **changes: Any) -> dict[str, Any]:
    """What `run.json` says of a made-up run."""
    begin = BEGIN_NS
    measured = begin + round(fake.warmup_s * 1e9)
    until = measured + round(fake.duration_s * 1e9)
    return {
        "label": "made up",
        "config": {
            "target": list(fake.targets), "scenario": "transfer", "keys": list(fake.keys),
            "users": fake.users, "duration": fake.duration_s, "warmup": fake.warmup_s,
            "block": fake.block_s, "rate": fake.rate, "think_time": 0, "skew": fake.skew,
            "accounts": fake.accounts, "retry": "full-jitter", "max_attempts": fake.max_attempts,
            "retry_base_ms": 5, "retry_cap_ms": 500, "seed": fake.seed, "processes": 1,
            "label": "made up",
        },
        "targets": [
            {
                "name": name, "url": "embedded", "family": "embedded", "version": "PostgreSQL 18.1",
                "regime": "optimistic", "isolation": "repeatable read", "commit_delay_ms": 0,
                "durable": True, "data": "made up", **fake.systems.get(name, {}),
            }
            for name in fake.targets
        ],
        "versions": {"occbench": "0.1.0", "python": "3.11.7", "locust": "2.41"},
        "machine": {"cpus": 2, "model": "a made-up processor", "memory_gb": 8, "system": "Linux"},
        "accounts": fake.accounts,
        "key_seed": 1,
        "tables": [f"accounts_{key}" for key in fake.keys],
        "started_ns": begin,
        "measured_from_ns": measured,
        "measured_until_ns": until,
        "ended_ns": until + 50_000_000,
        "interrupted": False,
        "generators": [
            {
                "worker": 0, "pid": 1, "cpu_share": 0.61,
                "loop_lag_ms": {"p50": 0.1, "p99": 0.8, "max": 4.0},
            }
        ],
        "pacing": {"rate": fake.rate, "late": 0, "scheduled": 0 if fake.rate is None else 1000},
        "invariant": [
            {
                "target": fake.targets[0], "key_type": key, "what": "money conserved",
                "expected": "100000.00", "found": "100000.00", "negative": 0, "holds": True,
            }
            for key in fake.keys
        ],
        **changes,
    }  # fmt: skip


def write_run_json(folder: Path, content: dict[str, Any]) -> None:
    """Write `run.json`, making the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_run(folder, Run.model_validate(content))


def change_json(path: Path, **changes: Any) -> None:
    """Change a file of a record by hand, to what no program writes."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def write_attempts(folder: Path, *tables: pa.Table) -> None:
    """Write each table as one file of attempts."""
    where = folder / "attempts"
    where.mkdir(parents=True, exist_ok=True)
    for number, table in enumerate(tables):
        record.write_attempts(where / f"0-{number:05}.parquet", table)


def hand_made(folder: Path, rows: list[dict[str, Any]], **changes: Any) -> Path:
    """A folder with these attempts and the `run.json` of one second's measuring of int keys."""
    targets = tuple(sorted({row.get("target", "embedded") for row in rows} or {"embedded"}))
    fake = FakeRun(keys=("int",), targets=targets, duration_s=1.0, warmup_s=0.0, block_s=1.0)
    write_run_json(folder, run_json(fake, **changes))
    write_attempts(folder, table_of(rows))
    return folder


def write_fake_run(folder: Path, fake: FakeRun) -> Path:
    """A whole made-up run: closed loop, lognormal times, retries, paired blocks in random order."""
    rng = np.random.default_rng(fake.seed)
    write_run_json(folder, run_json(fake) | fake.run)
    law = parse_access(fake.skew, fake.accounts)
    heat = _heat(fake)
    number = transaction = 0
    pending: list[pa.Table] = []
    waiting = 0
    where = folder / "attempts"
    where.mkdir(parents=True, exist_ok=True)
    for block, key, begin_ns, seconds in _blocks(fake):
        slower = fake.slower.get(key, 1.0) * float(np.exp(rng.normal(0, fake.noise)))
        size = rng.poisson(fake.tps / slower * seconds)
        payer, payee = law.draw_pairs(rng, size)
        rows = _transactions(fake, rng, key, slower, heat, payer, payee)
        rows["transaction"] += transaction
        transaction += size
        rows["intended_start_ns"] += (
            begin_ns + np.sort(rng.integers(0, int(seconds * 1e9), size))[rows.pop("parent")]
        )
        rows["start_ns"] += rows["intended_start_ns"]
        rows["block"] = np.full(len(rows["attempt"]), block, np.int32)
        table = _table(fake, rows, key, rng)
        pending.append(table)
        waiting += len(table)
        while waiting >= fake.rows_a_file:
            together = pa.concat_tables(pending, promote_options="permissive")
            record.write_attempts(
                where / f"0-{number:05}.parquet", _plain(together[: fake.rows_a_file])
            )
            pending = [together[fake.rows_a_file :]]
            waiting = len(pending[0])
            number += 1
    if waiting:
        record.write_attempts(where / f"0-{number:05}.parquet", _plain(pa.concat_tables(pending)))
    return folder


def _plain(table: pa.Table) -> pa.Table:
    return table.unify_dictionaries().combine_chunks()


def _blocks(fake: FakeRun) -> list[tuple[int, str, int, float]]:
    """(number, key type, begin, seconds) of the warm-up and every block."""
    found = []
    if fake.warmup_s:
        found.append((-1, fake.keys[0], BEGIN_NS, fake.warmup_s))
    begin = BEGIN_NS + round(fake.warmup_s * 1e9)
    for number in range(max(1, math.ceil(fake.duration_s / fake.block_s - 1e-9))):
        key = fake.keys[key_of_block(number, len(fake.keys), fake.seed)]
        start = begin + round(number * fake.block_s * 1e9)
        found.append((number, key, start, min(fake.block_s, fake.duration_s - number * fake.block_s)))
    return found


def _heat(fake: FakeRun) -> NDArray[np.float64] | None:
    """How much more often than the mean an account conflicts; None when all are alike."""
    if fake.skew == "uniform":
        return None
    law = parse_access(fake.skew, fake.accounts)
    q = np.concatenate(list(law.writes_per_transfer()))
    share = np.empty(fake.accounts)
    share[law.spread(np.arange(fake.accounts))] = q
    return share / float(np.sum(q * q) / 2)


def _transactions(
    fake: FakeRun,
    rng: np.random.Generator,
    key: str,
    slower: float,
    heat: NDArray[np.float64] | None,
    payer: NDArray[np.int64],
    payee: NDArray[np.int64],
) -> Rows:
    size = len(payer)
    odds = np.full(size, fake.conflict * fake.more_conflicts.get(key, 1.0))
    if heat is not None:
        odds = np.clip(odds * (heat[payer] + heat[payee]) / 2, 0, 0.9)
    wanted = np.minimum(rng.geometric(np.maximum(1 - odds, 1e-9)), fake.max_attempts + 1)
    tries = np.minimum(wanted, fake.max_attempts)
    parent = np.repeat(np.arange(size), tries)
    total = len(parent)
    head = np.cumsum(tries) - tries
    attempt = np.arange(total) - head[parent] + 1
    final = attempt == tries[parent]
    gave_up = (wanted > fake.max_attempts)[parent]
    outcome = np.where(
        final & ~gave_up, OUTCOME_CODE[Outcome.COMMITTED], OUTCOME_CODE[Outcome.CONFLICT_DATA]
    )
    fate = rng.random(total)
    good = outcome == OUTCOME_CODE[Outcome.COMMITTED]
    outcome[good & (fate < fake.errors)] = OUTCOME_CODE[Outcome.ERROR]
    outcome[good & (fate > 1 - fake.refused)] = OUTCOME_CODE[Outcome.REFUSED]
    scale = fake.latency_ms * slower * 1e6
    statements = (0.7 * scale * rng.lognormal(0, 0.25, total)).astype(np.int64)
    commit = (0.3 * scale * rng.lognormal(0, 0.5, total)).astype(np.int64)
    trip = statements // 4
    backoff = (rng.random(total) * 5e6 * np.minimum(2.0 ** np.maximum(attempt - 2, 0), 100)).astype(
        np.int64
    )
    backoff[attempt == 1] = 0
    sent = outcome != OUTCOME_CODE[Outcome.REFUSED]
    sent &= outcome != OUTCOME_CODE[Outcome.ERROR]
    commit[~sent] = 0
    spent = np.cumsum(statements + commit + backoff)
    before = spent - statements - commit
    base = np.where(head[parent] > 0, spent[np.maximum(head[parent] - 1, 0)], 0)
    return {
        "transaction": parent.astype(np.int64), "parent": parent,
        "attempt": attempt.astype(np.int32),
        "final": final, "intended_start_ns": np.zeros(total, np.int64), "start_ns": before - base,
        "statements_ns": statements, "commit_ns": commit,
        "window_low_ns": np.where(sent, statements - trip, 0),
        "window_high_ns": np.where(sent, statements + commit, 0), "backoff_ns": backoff,
        "outcome": outcome.astype(np.int8), "payer": payer[parent], "payee": payee[parent],
    }  # fmt: skip


def _go_down(fake: FakeRun, rows: Rows, target: NDArray[np.int8]) -> None:
    """Nobody starts anything on a target that is down but a try to connect now and then."""
    begin = BEGIN_NS + round(fake.warmup_s * 1e9)
    end = rows["start_ns"] + rows["statements_ns"] + rows["commit_ns"]
    stays = np.ones(len(target), bool)
    for name, (since_s, until_s) in fake.down.items():
        since, until = begin + round(since_s * 1e9), begin + round(until_s * 1e9)
        hit = (target == fake.targets.index(name)) & (end > since) & (rows["start_ns"] < until)
        cut = hit & (rows["start_ns"] < since)
        tried = hit & ~cut & (rows["transaction"] % 19 == 0)
        stays &= ~hit | cut | tried
        in_commit = cut & (rows["start_ns"] + rows["statements_ns"] < since) & (rows["commit_ns"] > 0)
        rows["outcome"][cut] = OUTCOME_CODE[Outcome.CONNECTION_LOST]
        rows["outcome"][in_commit] = OUTCOME_CODE[Outcome.AMBIGUOUS]
        rows["outcome"][tried] = OUTCOME_CODE[Outcome.CONNECT_FAILED]
        rows["statements_ns"][tried] = 200_000
        for column in ("commit_ns", "window_low_ns", "window_high_ns"):
            rows[column][cut & ~in_commit | tried] = 0
        rows["final"][cut | tried] = True
    for column in rows:
        rows[column] = rows[column][stays]


def _said(fake: FakeRun, rows: Rows, target: NDArray[np.int8], rng: np.random.Generator) -> Rows:
    """What the other sides said of the attempts; without it no column is written."""
    found: Rows = {}
    total = len(target)
    function = np.isin(target, [fake.targets.index(name) for name in fake.functions])
    charged = np.isin(target, [fake.targets.index(name) for name in fake.charged])
    if fake.functions:
        own = (rows["statements_ns"] * 0.8).astype(np.int64)
        retries = np.minimum(rng.geometric(0.9, total) - 1, 9).astype(np.int16)
        found["remote_ns"] = pa.array(own, pa.int64(), mask=~function)
        found["remote_retries"] = pa.array(retries, pa.int16(), mask=~function)
    if fake.charged:
        for name, units in (("read_units", 2.0), ("write_units", 4.0)):
            found[name] = pa.array(np.full(total, units, np.float32), pa.float32(), mask=~charged)
    return found


def _targets_of_users(fake: FakeRun) -> NDArray[np.int8]:
    return np.array(assign(fake.users, [fake.weights.get(t, 1) for t in fake.targets]), np.int8)


def _table(fake: FakeRun, rows: Rows, key: str, rng: np.random.Generator) -> pa.Table:
    target = _targets_of_users(fake)[rows["transaction"] % fake.users]
    if fake.commit_ms:
        more = np.array([round(fake.commit_ms.get(name, 0.0) * 1e6) for name in fake.targets])
        added = np.where(rows["commit_ns"] > 0, more[target], 0)
        rows["commit_ns"] += added
        rows["window_high_ns"] += added
        # What takes longer puts off the attempts after it.
        before = np.cumsum(added) - added
        first = np.maximum.accumulate(np.where(rows["attempt"] == 1, np.arange(len(added)), 0))
        rows["start_ns"] += before - before[first]
    hidden = np.isin(target, [fake.targets.index(t) for t in (*fake.functions, *fake.charged)])
    rows["statements_ns"][hidden] += rows["commit_ns"][hidden]
    for column in ("commit_ns", "window_low_ns", "window_high_ns"):
        rows[column][hidden] = 0
    if fake.down:
        _go_down(fake, rows, target)
        target = _targets_of_users(fake)[rows["transaction"] % fake.users]
    total = len(rows["attempt"])
    user = (rows["transaction"] % fake.users).astype(np.int32)
    zero = np.zeros(total, np.int8)
    pairs = np.column_stack([rows["payer"], rows["payee"]]).ravel()
    key_code = np.full(2 * total, fake.keys.index(key), np.int8)
    sent = rows["start_ns"] + rows["statements_ns"]
    ended = sent + rows["commit_ns"]
    hidden = rows["commit_ns"] == 0
    states = np.array([None] * len(OUTCOMES), object)
    for outcome, state in ((Outcome.CONFLICT_DATA, "40001"), (Outcome.ERROR, "XX000")):
        states[OUTCOME_CODE[outcome]] = state
    null = np.array([s is None for s in states])[rows["outcome"]]
    arrays: dict[str, Any] = {
        **{n: rows[n] for n in ("transaction", "attempt", "final", "block", "backoff_ns")},
        "user": user,
        "worker": zero.astype(np.int16),
        "operation": words(zero, ("transfer",)),
        "target": words(target, fake.targets),
        "key_type": words(zero, (key,)),
        "rows": rows_touched(np.full(total, 2), key_code, pairs),
        "intended_start_ns": rows["intended_start_ns"],
        "begin_sent_ns": rows["start_ns"],
        "begin_answered_ns": pa.array(ended - rows["window_high_ns"], mask=hidden),
        "first_answered_ns": pa.array(sent - rows["window_low_ns"], mask=hidden),
        "commit_sent_ns": pa.array(sent, mask=hidden),
        "ended_ns": ended,
        "outcome": words(rows["outcome"], OUTCOMES),
        "sqlstate": pa.array(states[rows["outcome"]], pa.string(), mask=null),
        **_said(fake, rows, target, rng),
    }
    return attempts_table(arrays, 0)


def main() -> None:
    """Write one made-up run from the command line."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    for name in (
        "tps",
        "duration_s",
        "block_s",
        "warmup_s",
        "conflict",
        "latency_ms",
        "errors",
        "refused",
    ):
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=getattr(FakeRun, name))
    parser.add_argument("--keys", default="int,uuid")
    parser.add_argument("--targets", default="embedded")
    parser.add_argument("--skew", default="uniform")
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--slower-uuid", type=float, default=1.0)
    options = vars(parser.parse_args())
    folder = options.pop("folder")
    options["slower"] = {"uuid": options.pop("slower_uuid")}
    options["keys"] = tuple(options["keys"].split(","))
    options["targets"] = tuple(options["targets"].split(","))
    write_fake_run(folder, FakeRun(**options))


if __name__ == "__main__":
    main()
