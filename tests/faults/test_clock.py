"""The wall clock is set while a run goes on."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.commands import command, environment, results_in, wait_for
from tests.faults.conftest import Measured

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
pytestmark = pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not installed")
RATE = 50
LONG = pytest.mark.long


@pytest.mark.parametrize(
    ("step_s", "seconds", "processes"),
    [
        (-3600, 2, 1),
        pytest.param(-3, 8, 1, marks=LONG),
        pytest.param(3, 8, 1, marks=LONG),
        pytest.param(3600, 8, 1, marks=LONG),
        pytest.param(-3600, 8, 2, marks=LONG),
        pytest.param(3600, 8, 2, marks=LONG),
    ],
)
def test_a_step_of_the_wall_clock_changes_nothing(
    seeded: str, tmp_path: Path, measured: Measured, step_s: int, seconds: int, processes: int
) -> None:
    """A run in which the wall clock is set back or forth is as long as was asked for, and no block,
    rate or count of it is another."""
    out, offset = tmp_path / "results", tmp_path / "offset"
    offset.write_text("+0\n")
    # The last one because libfaketime otherwise ends every wait on a condition of the monotonic clock
    # at once: two threads that pass Python's lock to one another then keep the processor busy, and
    # users wait for a second while the first file of attempts is written, whatever the clock does.
    faked = environment(
        LD_PRELOAD=str(FAKETIME), FAKETIME_TIMESTAMP_FILE=str(offset), FAKETIME_NO_CACHE="1",
        FAKETIME_DONT_FAKE_MONOTONIC="1", FAKETIME_FORCE_MONOTONIC_FIX="0",
    )  # fmt: skip
    process = subprocess.Popen(
        command(
            "run", "--target", seeded, "--keys", "int", "--users", 4, "--rate", RATE, "--processes",
            processes, "--duration", f"{seconds}s", "--warmup", "2s", "--out", out,
        ),
        cwd=tmp_path, env=faked, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        wait_for(lambda: list(out.glob("*/run.json")), "the run's folder")
        time.sleep(2 + seconds / 2)
        # At once, or a process that reads it meanwhile has no time at all.
        after = tmp_path / "after"
        after.write_text(f"{step_s:+d}\n")
        os.replace(after, offset)  # noqa: PTH105
        stepped = time.monotonic()
        _, said = process.communicate(timeout=seconds + 60)
    finally:
        process.kill()
    assert process.returncode == 0, said
    took = time.monotonic() - stepped
    (result,) = results_in(out)
    begin, end = result.run["measured_from_ns"], result.run["measured_until_ns"]
    assert end - begin == seconds * 10**9
    assert result.run["interrupted"] is False
    inside = [row for row in result.rows if row["block"] >= 0]
    assert all(begin <= row["start_ns"] < end for row in inside if row["attempt"] == 1)
    pacing = result.summary["pacing"]
    assert abs(pacing["scheduled"] - RATE * seconds) <= processes
    # On a machine that is busy with other things some are late; a step would move them by seconds.
    assert len({row["transaction"] for row in inside}) >= 0.5 * RATE * seconds
    lag_ms = max(one["loop_lag_ms"]["p99"] for one in result.run["generators"])
    measured(
        f"{step_s:+,} s: {(end - begin) / 1e9:g} s measured, {pacing['scheduled']} scheduled, "
        f"{pacing['never_started']} never started, {lag_ms:.0f} ms late (p99), over {took:.1f} s "
        "after the step"
    )
