"""`occbench run` as a user runs it: a process of its own, read from what it leaves."""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loadtest.targets.embedded.address import Regime
from tests.bench.process import OCCBENCH, BenchError, run

if TYPE_CHECKING:
    from tests.bench.bed import Bed

_COUNT = (
    "import sys, pyarrow.dataset as d; "
    "rows, committed = d.dataset(sys.argv[1]), d.field('outcome').cast('string') == 'committed'; "
    "print(rows.count_rows(), rows.count_rows(filter=committed))"
)

REHEARSED: dict[Regime, int] = {"locking": 1, "optimistic": 0}
"""Attempts that the server has counted besides those of the record: the preflight's rehearsal is rolled
back. Its two rows are updated by then, except where that happens at COMMIT."""


@dataclass(frozen=True, slots=True)
class OccbenchRun:
    """What one `occbench run` gave."""

    tps: float
    cpu_us: float
    """Processor time of the generator for each committed transfer."""
    p50_ms: float
    p99_ms: float
    recorded: int
    """Attempts in the record, those of the warm-up too."""


def run_occbench(
    bed: "Bed", regime: Regime, *, users: int, seconds: int, seed: int, rate: int | None = None
) -> OccbenchRun:
    """Transfers by so many users in one process; raises BenchError where its record has a hole."""
    before = bed.updates_counted()
    done = run(
        [
            *OCCBENCH, "run", "--target", bed.target_url(regime), "--keys", "int",
            "--users", str(users), "--duration", f"{seconds}s", "--warmup", f"{bed.sizes.warmup_s}s",
            "--retry", "immediate", "--max-attempts", "0", "--seed", str(seed),
            "--out", bed.results, *(["--rate", str(rate)] if rate else []),
        ]
    )  # fmt: skip
    folder = Path(done.output.splitlines()[-1]).parent
    overall = json.loads((folder / "summary.json").read_text())["overall"]
    facts = json.loads((folder / "run.json").read_text())
    # In another process: reading Parquet takes memory, see process.Finished.
    counts = run([sys.executable, "-c", _COUNT, folder / "attempts"]).output
    recorded, committed = map(int, counts.split())
    updates = bed.updates_counted() - before - 2 * REHEARSED[regime]
    # Two rows an attempt, or fewer where it fails: in either regime, as the server has counted.
    if not overall["committed"] <= overall["attempts"] <= recorded:
        raise BenchError(f"{recorded} attempts in the record, in the summary {overall['attempts']}")
    if not 2 * committed <= updates <= 2 * recorded:
        raise BenchError(
            f"{recorded} attempts in the record, {committed} of them committed; the server "
            f"updated {updates} rows, and each attempt updates two"
        )
    if not all(check["holds"] for check in facts["invariant"]):
        raise BenchError(f"the money does not add up: {facts['invariant']}")
    shutil.rmtree(folder)
    tps = overall["throughput_tps"]
    return OccbenchRun(
        tps=tps,
        cpu_us=sum(process["cpu_share"] for process in facts["generators"]) / tps * 1e6,
        p50_ms=overall["latency_ms"]["p50"],
        p99_ms=overall["latency_ms"]["p99"],
        recorded=recorded,
    )
