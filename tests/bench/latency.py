"""Latency at a fixed rate both programs keep easily, beside pgbench."""

import math

from tests.bench.bed import Bed, say
from tests.bench.occbench import run_occbench
from tests.bench.pgbench import Pgbench
from tests.bench.table import Figure, Measurement, Ratio

_RATE = 1_000
_CLIENTS = 32
_ROUNDS = 2


def measure(bed: Bed) -> Measurement:
    """Percentiles over all transfers, from the moment each should have started."""
    bed.have_accounts()
    found = Measurement(f"Latency at {_RATE:,}/s", "pgbench")
    rounds = _ROUNDS if bed.sizes.full else 1
    pgbench, seconds = Pgbench(bed), bed.sizes.latency_s
    ours, theirs = [], []
    for turn in range(rounds):
        say(f"latency: {_RATE:,} a second, round {turn + 1} of {rounds}")
        ours.append(
            run_occbench(bed, "locking", users=_CLIENTS, seconds=seconds, seed=turn + 1, rate=_RATE)
        )
        all_of = seconds + bed.sizes.warmup_s
        theirs.append(pgbench.run("locking", clients=_CLIENTS, seconds=all_of, rate=_RATE))
    for name, share, values in (
        ("p50", 0.5, [run.p50_ms for run in ours]),
        ("p99", 0.99, [run.p99_ms for run in ours]),
    ):
        beside = [_percentile(run.latencies_ms, share) for run in theirs]
        ratios = [a / b for a, b in zip(values, beside, strict=True)]
        found.ratios.append(Ratio(f"{name} ÷ pgbench's at {_RATE:,}/s", ratios))
        found.figures.append(Figure(f"{name}, ms", values, beside))
    found.remarks += [
        f"{_CLIENTS} clients, plain tables, from the scheduled start. occbench spaces the starts",
        "evenly; pgbench draws the spaces at random, which by itself makes its tail longer.",
    ]
    return found


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[math.ceil(share * len(ordered)) - 1]
