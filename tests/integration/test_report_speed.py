"""A large run's report in bounded time and memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.run_folders import FakeRun, write_fake_run

_MEASURE = """
import json, resource, sys, time
from pathlib import Path
begin = time.perf_counter()
import reports
reports.write_report(Path(sys.argv[1]))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([time.perf_counter() - begin, peak / 1024]))
"""


@pytest.mark.slow
def test_a_million_attempts(tmp_path: Path) -> None:
    """Ten million take ten times the work; the bounds leave room for a busy machine."""
    write_fake_run(tmp_path, FakeRun(tps=25_000, duration_s=40, accounts=1_000_000))
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(tmp_path)], check=True, capture_output=True, text=True
    )
    seconds, megabytes = json.loads(done.stdout)
    assert seconds < 15
    assert megabytes < 900
