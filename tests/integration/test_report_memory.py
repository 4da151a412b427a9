"""A large run's report in bounded memory; `make bench` measures its time."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.run_folders import FakeRun, write_fake_run

# Not `ru_maxrss`: it begins with what the process had that started this one.
_MEASURE = """
import re, sys
from pathlib import Path
import reports
reports.write_report(Path(sys.argv[1]))
status = Path("/proc/self/status")
print(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1] if status.exists() else 0)
"""


@pytest.mark.slow
def test_half_a_million_attempts(tmp_path: Path) -> None:
    write_fake_run(tmp_path, FakeRun(tps=25_000, duration_s=20, accounts=1_000_000))
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(tmp_path)], check=True, capture_output=True, text=True
    )
    assert int(done.stdout) / 1024 < 700
