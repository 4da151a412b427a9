"""Seconds and memory of `occbench report` on the record of a large run."""

import json
import shutil
import sys

from tests.bench.bed import Bed, say
from tests.bench.process import OCCBENCH, Finished, run
from tests.bench.table import Figure, Goal, Measurement, Ratio

_SECONDS = Goal.most(30, aim=20, unit=" s")
_MEMORY = Goal.most(4, aim=3, unit=" GB")
_RUN_S = 600
_ONE, _THREE = ("embedded",), ("east", "west", "north")
_CONFLICTS = 0.036
"""The made-up runs' own: a transaction is 1 / (1 − this) attempts."""


def measure(bed: Bed) -> Measurement:
    """Made-up runs of two sizes, the larger one also over three targets and held against the aims."""
    found = Measurement("Report", "")
    small, large = bed.sizes.attempts
    for attempts, targets in ((small, _ONE), (large, _ONE), (large, _THREE)):
        done, there = _report(bed, attempts, targets)
        size = f"{round(there / 1e6, 1):g} M attempts"
        if len(targets) > 1:
            size += f" on {len(targets)} targets"
        if attempts == large:
            found.ratios += [
                Ratio(f"report on {size}", [done.seconds], _SECONDS, " s"),
                Ratio(f"report on {size}, peak memory", [done.peak_mb / 1024], _MEMORY, " GB"),
            ]
        found.figures += [
            Figure(f"{size}, s", [done.seconds]),
            Figure(f"{size}, processor s", [done.cpu_s]),
            Figure(f"{size}, peak memory, GB", [done.peak_mb / 1024]),
        ]
    return found


def _report(bed: Bed, attempts: int, targets: tuple[str, ...]) -> tuple[Finished, int]:
    folder = bed.folder / f"made-up-{attempts}"
    say(f"report: making up {attempts:,} attempts on {', '.join(targets)}")
    # A few too many, for their number is left to chance.
    rate = 1.002 * attempts * (1 - _CONFLICTS) / _RUN_S
    run(
        [
            *(sys.executable, "-m", "tests.run_folders", folder, "--tps", str(rate)),
            *("--duration-s", str(_RUN_S), "--conflict", str(_CONFLICTS)),
            *("--accounts", str(bed.sizes.accounts), "--targets", ",".join(targets)),
        ]
    )
    say(f"report: on {attempts:,} attempts")
    done = run([*OCCBENCH, "report", folder])
    there = json.loads((folder / "summary.json").read_text())["overall"]["attempts"]
    shutil.rmtree(folder)
    return done, int(there)
