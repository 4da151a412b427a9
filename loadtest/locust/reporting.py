"""Work that is done by another process: reports from within Locust, the steps of the demo."""

import json
import subprocess
from pathlib import Path
from typing import Any

from loadtest.process.child import occbench_command
from loadtest.process.interrupts import asked_to_end
from loadtest.targets.dsql.service_metrics import counted_elsewhere


def target_failed(run_folder: Path) -> str | None:
    """In one line that every attempt of a reported run failed, and not by conflicts; None if not so.

    No figure of such a report is of anything that the target did.
    """
    summary = _read(run_folder / "summary.json")
    overall = summary.get("overall") or {}
    errors: dict[str, int] = overall.get("errors_by_outcome") or {}
    attempts = overall.get("attempts") or 0
    if not attempts or sum(errors.values()) < attempts:
        return None
    generators = _read(run_folder / "run.json").get("generators") or ()
    states = ", ".join(summary.get("errors_by_sqlstate") or ())
    said = next((g["why_no_session"] for g in generators if g.get("why_no_session")), states)
    named = ", ".join(f"{number:,} {outcome}" for outcome, number in errors.items())
    return f"{run_folder}: every attempt failed: {named}{f' ({said})' if said else ''}"


def _read(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


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
