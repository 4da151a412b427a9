"""What `locust` loads: the user class and the event wiring, nothing else."""

import sys
from pathlib import Path
from typing import Any

from locust import events
from locust.env import Environment

from loadtest.cli.reporter import Reporter
from loadtest.errors import OccbenchError
from loadtest.errors.messages import without_secrets
from loadtest.locust import page
from loadtest.locust.arguments import STRICT, add_locust_arguments, keep_secrets
from loadtest.locust.signals import end_in_order
from loadtest.locust.user import OccUser
from loadtest.locust.workers import wire
from seed import contents, key_source

__all__ = ["OccUser"]


def _wire(environment: Environment, **_: Any) -> None:
    wiring = wire(environment, contents, key_source, lambda folder: _report(environment, folder))
    end_in_order(wiring)
    wiring.check_at_once()
    page.install(wiring)


def _report(environment: Environment, folder: Path) -> None:
    """Report on a run. The status of the program tells of a run without figures of the target, and
    with --occ-strict of every bad verdict.
    """
    strict = bool(getattr(environment.parsed_options, STRICT, False))
    try:
        with Reporter({"strict": strict}) as reporter:
            # Locust that is ended with Ctrl-C, and once more, still leaves the report.
            status = reporter.conclude(folder, ends_early=False)
            if not strict:
                return
    except OccbenchError as error:
        sys.stderr.write(f"occbench: {without_secrets(str(error))}\n")
        status = error.exit_code
    if status and not environment.process_exit_code:
        environment.process_exit_code = status


events.init_command_line_parser.add_listener(add_locust_arguments)
events.init_command_line_parser.add_listener(keep_secrets)
events.init.add_listener(_wire)
