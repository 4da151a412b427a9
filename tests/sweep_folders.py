"""Writes folders of made-up sweeps: `sweep.json`, and of each point `run.json` and `summary.json`."""

import itertools
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from loadtest.record.sweep import SWEEP_FILE, SweepFile
from reports.write import write_report
from tests.pages import Page
from tests.run_folders import BEGIN_NS, FakeRun, run_json, write_run_json

_OVERLAP = {"uniform": 4.0, "zipf:0.8": 30.0, "zipf:1.1": 400.0}
"""About N · Σ q² of an access law."""


@dataclass(frozen=True)
class FakeSweep:
    """A sweep to make up: what a closed loop on a database with optimistic concurrency would do."""

    axes: dict[str, tuple[Any, ...]] = field(default_factory=lambda: {"users": (1, 4, 16, 64, 256)})
    keys: tuple[str, ...] = ("int", "uuid")
    targets: tuple[str, ...] = ("embedded",)
    repeats: int = 1
    accounts: int = 1000
    capacity_tps: float = 6000.0
    attempt_ms: float = 20.0
    backoff_ms: float = 8.0
    slower: dict[str, float] = field(default_factory=lambda: {"uuid": 1.08})
    noise: float = 0.02
    samples: int = 20_000
    pending: tuple[int, ...] = ()
    """Numbers of points that are still to be measured."""
    failed: dict[int, str] = field(default_factory=dict)
    """By number: why."""
    limited: tuple[int, ...] = ()
    """Numbers of points at which the generator was the limit."""
    broken: tuple[int, ...] = ()
    """Numbers of points whose invariant does not hold."""
    simulated: bool = False
    seed: int = 1
    config: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """Where a closed or open loop settles."""

    tps: float
    conflict_rate: float
    attempt_ms: float
    backoff_ms: float
    waiting_ms: float
    think_ms: float

    @property
    def attempts(self) -> float:
        """Attempts a transaction."""
        return 1 / (1 - self.conflict_rate)

    @property
    def latency_ms(self) -> float:
        return self.waiting_ms + self.attempts * self.attempt_ms + self.backoff_ms


def settle(fake: FakeSweep, values: dict[str, Any], key: str) -> State:
    """The fixed point of rate, conflicts and latency, by damped iteration."""
    settings: dict[str, Any] = {
        "users": 32, "rate": None, "accounts": fake.accounts, "skew": "uniform", "retry": "full-jitter",
        "think_time": 0.0, **fake.config, **values,
    }  # fmt: skip
    overlap = _OVERLAP.get(settings["skew"], 4.0) / settings["accounts"]
    users, rate, pause = settings["users"], settings["rate"], settings["think_time"] * 1e3
    base = fake.attempt_ms * fake.slower.get(key, 1.0)
    wait = 0.0 if settings["retry"] == "immediate" else fake.backoff_ms
    tps = 1.0
    for _ in range(400):
        p = -math.expm1(-tps * (users - 1) / users * base / 1e3 * overlap)
        p = min(p, 0.97)
        tries = 1 / (1 - p)
        attempt = (
            base + users / fake.capacity_tps * 1e3 * min(1.0, tps * tries / fake.capacity_tps) ** 4
        )
        latency = tries * attempt + (tries - 1) * wait
        able = users / (latency + pause) * 1e3
        tps += 0.2 * ((able if rate is None else min(able, rate)) - tps)
    late = 0.0 if rate is None or able > rate * 1.001 else 400.0 * (rate / able - 0.99)
    return State(tps, p, attempt, (tries - 1) * wait, late, pause)


def slice_of(state: State, fake: FakeSweep, rng: np.random.Generator) -> dict[str, Any]:
    """A slice of `summary.json`."""
    luck = float(np.exp(rng.normal(0, fake.noise)))
    seconds = fake.samples / state.tps
    attempts = round(fake.samples * state.attempts)
    conflicts = int(rng.binomial(attempts, state.conflict_rate))
    latency = state.latency_ms / luck
    committed = attempts - conflicts
    times = {
        "waiting": state.waiting_ms / luck,
        "statements": 0.7 * state.attempts * state.attempt_ms / luck,
        "commit": 0.3 * state.attempts * state.attempt_ms / luck, "backoff": state.backoff_ms / luck,
        "other": 0.05,
    }  # fmt: skip
    return {
        "attempts": attempts, "decided": attempts, "transactions": committed, "counted": committed,
        "unfinished": 0, "committed": committed, "refused": 0, "conflicts": conflicts,
        "conflicts_by_outcome": {"conflict_data": conflicts},
        "conflict_rate": conflicts / attempts, "retried": round(committed * state.conflict_rate),
        "retry_rate": state.conflict_rate, "retries_mean": state.attempts - 1, "retries_max": 9,
        "give_ups": round(committed * state.conflict_rate**10), "errors_by_outcome": {},
        "throughput_tps": state.tps * luck,
        "latency_ms": {
            "samples": committed, "mean": latency, "p50": latency * 0.9, "p90": latency * 1.6,
            "p95": latency * 1.9, "p99": latency * (2.5 + 6 * state.conflict_rate), "p999": None,
            "max": latency * 20,
        },
        "time_ms": times, "duration_s": seconds,
        "predicted_conflict_rate": {
            "low": state.conflict_rate * 0.85, "high": min(1.0, state.conflict_rate * 1.25)
        },
    }  # fmt: skip


def summary_of(
    fake: FakeSweep, values: dict[str, Any], number: int, rng: np.random.Generator
) -> dict[str, Any]:
    """The parts of `summary.json` that are read of a sweep's point."""
    targets = str(values.get("target", " ".join(fake.targets))).split()
    slices = {
        target: {key: slice_of(settle(fake, values, key), fake, rng) for key in fake.keys}
        for target in targets
    }
    rate = values.get("rate", fake.config.get("rate"))
    return {
        "format": 1, "label": "made up", "interrupted": False,
        "answer": {"headline": "Made up.", "lede": ""},
        "overall": slices[targets[0]][fake.keys[0]],
        "key_types": slices[targets[0]],
        "targets": {target: slices[target][fake.keys[0]] for target in targets},
        "targets_by_key_type": slices if len(targets) > 1 else {},
        "generator": {"was_limit": number in fake.limited, "cpu_share_max": 0.5},
        "pacing": {
            "loop": "closed" if rate is None else "open", "rate": rate, "late": 0, "never_started": 0,
            "scheduled": None if rate is None else 1000,
        },
        "invariant": {"holds": number not in fake.broken, "checks": []},
        "verdicts": [],
    }  # fmt: skip


def write_fake_sweep(folder: Path, fake: FakeSweep) -> Path:
    """A sweep's folder, its points in random order."""
    rng = np.random.default_rng(fake.seed)
    (folder / "points").mkdir(parents=True)
    cells = [
        (dict(zip(fake.axes, values, strict=True)), repeat)
        for values in itertools.product(*fake.axes.values())
        for repeat in range(1, fake.repeats + 1)
    ]
    points = []
    for number, place in enumerate(rng.permutation(len(cells)), 1):
        values, repeat = cells[place]
        state = "pending" if number in fake.pending else "failed" if number in fake.failed else "done"
        name = f"points/p{number:03}"
        if state == "done":
            where = folder / name
            plain = FakeRun(keys=fake.keys, targets=tuple(fake.targets), accounts=fake.accounts)
            run = run_json(plain, simulated=fake.simulated)
            run["config"] |= {**fake.config, **values}
            if "target" in values:
                run["config"]["target"] = values["target"].split()
            write_run_json(where, run)
            (where / "summary.json").write_text(json.dumps(summary_of(fake, values, number, rng)))
        points.append(
            {
                "number": number, "values": values, "repeat": repeat, "label": f"p{number}",
                "state": state, "folder": name if state == "done" else None,
                "exit_status": {"done": 0, "failed": 3}.get(state), "reason": fake.failed.get(number),
                "started_ns": BEGIN_NS, "ended_ns": BEGIN_NS + 10**10,
            }
        )  # fmt: skip
    sweep: dict[str, Any] = {
        "label": "made-up",
        "config": {
            "scenario": "transfer", "keys": list(fake.keys), "duration": 20.0, "warmup": 3.0,
            "users": 32, "rate": None, "accounts": fake.accounts, "skew": "uniform",
            "retry": "full-jitter", "max_attempts": 10, "think_time": 0.0, "seed": fake.seed,
            "target": ["embedded"], **fake.config,
        },
        "repeats": fake.repeats,
        "axes": [
            {"name": name, "values": list(values), "labels": [_label(v) for v in values]}
            for name, values in fake.axes.items()
        ],
        "points": points,
        "started_ns": BEGIN_NS, "ended_ns": None if fake.pending else BEGIN_NS + 10**12,
        "interrupted": bool(fake.pending),
    }  # fmt: skip
    for name in fake.axes:
        sweep["config"].pop(name, None)
    SweepFile.model_validate(sweep).write(folder / SWEEP_FILE)
    return folder


def _label(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def made(folder: Path, **changes: Any) -> Path:
    """The folder of a made-up sweep with these parts of `FakeSweep`."""
    return write_fake_sweep(folder / "sweep", FakeSweep(**changes))


def page_of(folder: Path) -> Page:
    """The page of a sweep's report, written anew."""
    return Page(write_report(folder).read_text(encoding="utf-8"))


def written_summary(folder: Path) -> dict[str, Any]:
    """What is written beside the page."""
    return dict(json.loads((folder / "sweep-summary.json").read_text(encoding="utf-8")))


def rewritten(folder: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> Path:
    """Each point's summary, changed by what is called with the point and the summary."""
    for point in json.loads((folder / "sweep.json").read_text())["points"]:
        path = folder / point["folder"] / "summary.json"
        summary = json.loads(path.read_text())
        change(point, summary)
        path.write_text(json.dumps(summary))
    return folder
