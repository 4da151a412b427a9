"""Work that is done by another process: reports from within Locust, the steps of the demo."""

import subprocess
from pathlib import Path

from loadtest.process.child import occbench_command
from loadtest.process.interrupts import asked_to_end
from loadtest.targets.dsql.service_metrics import counted_elsewhere


def report_in_process(run_folder: Path, *, strict: bool = False) -> int:
    """Write the report of this run in another process, and say where it is; returns its exit status.

    Drawing takes seconds of pure computing, in which Locust's page would not answer. What the service
    counted is asked for as well, where it counts.
    """
    refresh = ["--refresh"] if counted_elsewhere(run_folder) else []
    asked = ["--strict"] if strict else []
    # A session of its own: whoever ends Locust with Ctrl-C, and some more, gets the report.
    process = subprocess.Popen(
        occbench_command("report", *refresh, *asked, str(run_folder)), start_new_session=True
    )
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def wait_for(command: list[str]) -> int:
    """Run a command to its end, also where this process is asked to end; returns its exit status.

    The command then has something to save. Ctrl-C in the terminal reaches it as well.
    """
    process = subprocess.Popen(command)
    with asked_to_end(process.terminate):
        return process.wait()
