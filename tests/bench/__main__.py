"""`python -m tests.bench`: measure, print, remove everything again."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable

from loadtest.errors import OccbenchError
from loadtest.record.folder import machine, versions
from loadtest.targets.embedded.binaries import server_version
from tests.bench import analysing, latency, loading, rate
from tests.bench.bed import FULL, QUICK, Bed, bed, say
from tests.bench.process import BenchError
from tests.bench.table import Measurement, show

_MEASUREMENTS: dict[str, Callable[[Bed], Measurement]] = {
    "rate": rate.measure,
    "latency": latency.measure,
    "loading": loading.measure,
    "analysing": analysing.measure,
}
_INTERRUPTED = 130
_QUIET = 0.25
"""A load average, for each processor, up to which a machine counts as idle."""


def main() -> int:
    """Measure what is asked for; missing an aim is no failure, a program that fails is."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, under 90 seconds")
    parser.add_argument("--only", action="append", choices=_MEASUREMENTS, help="may be repeated")
    options = parser.parse_args()
    sizes = QUICK if options.quick else FULL
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    head = _head()
    began = time.monotonic()
    done: list[Measurement] = []
    status = 0
    try:
        with bed(sizes) as made:
            for name in options.only or _MEASUREMENTS:
                say(name)
                done.append(_MEASUREMENTS[name](made))
    except KeyboardInterrupt:
        print("interrupted; everything is removed again", file=sys.stderr)
        status = _INTERRUPTED
    except (BenchError, OccbenchError) as error:
        print(error, file=sys.stderr)
        status = 1
    if done:
        print(head)
        print(f"took       {time.monotonic() - began:.0f} s")
        if not sizes.full:
            print("sizes      QUICK: smaller than what the aims are for, so nothing is held to them")
        print("\n" + show(done, aims_hold=sizes.full))
    return status


def _head() -> str:
    here, of = machine(), versions()
    names = ("occbench", "python", "locust", "psycopg", "pyarrow")
    packages = ", ".join(f"{name} {of[name]}" for name in names if name in of)
    load, processors = os.getloadavg()[0], os.cpu_count() or 1
    busy = "busy with other work" if load > _QUIET * processors else "quiet"
    return "\n".join(
        (
            f"machine    {here.cpus} × {here.model}, {here.memory_gb} GB, {here.system}",
            f"versions   {packages},",
            f"           PostgreSQL {server_version()} with its pgbench and psql, fsync on",
            f"noise      the machine was {busy} before the start (load average {load:.1f}).",
            "           Seconds and rates differ from hour to hour, ratios within one run less.",
        )
    )


if __name__ == "__main__":
    sys.exit(main())
