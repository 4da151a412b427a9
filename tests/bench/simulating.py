"""How many simulated transactions a second of processor time: `python -m tests.bench.simulating`.

Each round simulates every workload twice: the engine alone, its outcomes kept in memory, and the whole
of `simulate` with the record written. The processor time of all threads counts.
"""

import argparse
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import process_time
from typing import Any

from loadtest.prediction.simulation import SimulateConfig, simulate
from loadtest.prediction.simulation.run import ROWS_A_FILE
from loadtest.prediction.simulation.simulation import Simulation
from loadtest.prediction.simulation.state import BATCH, empty_attempts
from tests.bench.table import Figure, Goal, Measurement, Ratio, show

_GOAL = Goal.least(1.0, unit=" M/s")
_THREE_REGIONS: dict[str, Any] = {
    "rate": 1_000_000, "arrivals": "random", "accounts": 100_000_000,
    "regions": "us-east-1,us-east-2,us-west-2",
    "round_trips": "us-east-1/us-east-2=14,us-east-1/us-west-2=62,us-east-2/us-west-2=52",
}  # fmt: skip

WORKLOADS: dict[str, dict[str, Any]] = {
    "8 users, 200 accounts": {"users": 8, "accounts": 200, "duration": "1600s"},
    "64 users, zipf:1.1, 100,000 accounts": {
        "users": 64, "accounts": 100_000, "skew": "zipf:1.1", "duration": "600s",
    },
    "100,000 users, 100,000,000 accounts": {
        "users": 100_000, "accounts": 100_000_000, "duration": "50ms", "warmup": "50ms",
    },
    "1,000,000 /s over three Regions": {**_THREE_REGIONS, "duration": "2s", "warmup": "500ms"},
}  # fmt: skip
"""About two million transactions each."""


@dataclass(slots=True)
class Samples:
    """Of one workload: a million transactions a second of processor time, one value a round."""

    engine: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)


def main() -> None:
    """Measure, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    # Compiled by now, and neither measures the other's first steps.
    _whole(SimulateConfig.read(duration="1s"))
    found = {name: Samples() for name in WORKLOADS}
    for _ in range(rounds):
        for name, options in WORKLOADS.items():
            config = SimulateConfig.read(**options)
            found[name].engine.append(_per_second(_engine, config))
            found[name].whole.append(_per_second(_whole, config))
    measured = Measurement("Simulated transactions a second of CPU", "")
    for name, samples in found.items():
        measured.ratios.append(Ratio(name, samples.engine, _GOAL, " M/s"))
        measured.figures.append(Figure(f"{name}, M/s", samples.engine))
        measured.figures.append(Figure("  … with the record written, M/s", samples.whole))
    print(show([measured], aims_hold=True))


def _per_second(simulated: Callable[[SimulateConfig], int], config: SimulateConfig) -> float:
    """Millions of transactions in a second of processor time."""
    began = process_time()
    transactions = simulated(config)
    return transactions / (process_time() - began) / 1e6


def _engine(config: SimulateConfig) -> int:
    """The simulation alone; outcomes are overwritten when there are as many as a file holds."""
    simulation, rows, written = Simulation(config), empty_attempts(ROWS_A_FILE + BATCH), 0
    while not simulation.over:
        written = simulation.advance(rows, written)
        written = 0 if written >= ROWS_A_FILE else written
    return simulation.transactions


def _whole(config: SimulateConfig) -> int:
    """With everything that `occbench simulate` does before the report."""
    out = Path(tempfile.mkdtemp(prefix="occbench-"))
    try:
        folder = simulate(config.model_copy(update={"out": out}))
        return int(json.loads((folder / "run.json").read_text())["simulation"]["transactions"])
    finally:
        shutil.rmtree(out)


if __name__ == "__main__":
    main()
