"""A large run's report in bounded time and memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.run_folders import FakeRun, write_fake_run

_MEASURE = """
import json, resource, sys
from pathlib import Path
import reports
reports.write_report(Path(sys.argv[1]))
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""


@pytest.mark.slow
def test_half_a_million_attempts(tmp_path: Path) -> None:
    """Ten million take twenty times the work; the bounds leave room for a slow machine.

    Time is the process's own on all cores, which others on the machine hardly change.
    """
    write_fake_run(tmp_path, FakeRun(tps=25_000, duration_s=20, accounts=1_000_000))
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(tmp_path)], check=True, capture_output=True, text=True
    )
    seconds, megabytes = json.loads(done.stdout)
    assert seconds < 15
    assert megabytes < 700
