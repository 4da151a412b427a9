"""Seconds and memory of `occbench report` on the records of large runs, made by simulation."""

import json
import shutil
import sys
from pathlib import Path

from tests.bench.bed import Bed, say
from tests.bench.process import OCCBENCH, Finished, run
from tests.bench.table import Figure, Goal, Measurement, Ratio

_SECONDS = (Goal.most(10, unit=" s"), Goal.most(90, unit=" s"))
_MEMORY = (Goal.most(1.5, unit=" GB"), Goal.most(3, unit=" GB"))
"""Of the smaller and of the larger record."""
_USERS, _PER_S = 512, 29_400
"""Attempts in a second of simulated time."""
_REGIONS = {"regions": "east,west,north", "round_trips": "east/west=5,east/north=5,west/north=5"}
_SIMULATE = """
import sys
from loadtest.prediction.simulation import SimulateConfig, simulate
print(simulate(SimulateConfig.read(**dict(option.split("=", 1) for option in sys.argv[1:]))))
"""


def measure(bed: Bed) -> Measurement:
    """Simulated runs of two sizes, held against the aims; the smaller one also over three Regions."""
    found = Measurement("Report", "")
    for attempts, seconds, memory in zip(bed.sizes.attempts, _SECONDS, _MEMORY, strict=True):
        done, size = _report(bed, attempts)
        found.ratios += [
            Ratio(f"report on {size}", [done.seconds], seconds, " s"),
            Ratio(f"report on {size}, peak memory", [done.peak_mb / 1024], memory, " GB"),
        ]
        found.figures += _figures(done, size)
    done, size = _report(bed, bed.sizes.attempts[0], **_REGIONS)
    found.figures += _figures(done, f"{size} in three Regions")
    return found


def _figures(done: Finished, size: str) -> list[Figure]:
    return [
        Figure(f"{size}, s", [done.seconds]),
        Figure(f"{size}, processor s", [done.cpu_s]),
        Figure(f"{size}, peak memory, GB", [done.peak_mb / 1024]),
    ]


def _report(bed: Bed, attempts: int, **options: str) -> tuple[Finished, str]:
    """(what the report took, how many attempts it was on)."""
    say(f"report: simulating {attempts:,} attempts")
    options |= {
        "users": str(_USERS), "accounts": str(bed.sizes.accounts), "skew": "zipf:0.8",
        "duration": f"{attempts / _PER_S:.1f}s", "warmup": "1s", "out": str(bed.results),
    }  # fmt: skip
    settings = [f"{name}={value}" for name, value in options.items()]
    folder = Path(run([sys.executable, "-c", _SIMULATE, *settings]).output.split()[-1])
    say(f"report: on {attempts:,} attempts")
    done = run([*OCCBENCH, "report", folder])
    there = json.loads((folder / "summary.json").read_text())["overall"]["attempts"]
    shutil.rmtree(folder)
    return done, f"{round(there / 1e6, 1):g} M attempts"
