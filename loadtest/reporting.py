"""Making a run's report without standing in the way of what goes on in this process."""

import subprocess
import sys
from pathlib import Path


def report_in_process(run_folder: Path) -> None:
    """Write the report of this run in another process, and say where it is.

    Drawing takes seconds of pure computing, in which Locust's page would not answer.
    """
    command = [sys.executable, "-m", "loadtest.cli", "report", str(run_folder)]
    subprocess.run(command, check=False)
