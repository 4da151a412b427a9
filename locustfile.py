"""What `locust` loads: the user class and the event wiring, nothing else."""

import sys
from pathlib import Path
from typing import Any

from locust import events
from locust.env import Environment

from loadtest.config.options import STRICT, add_locust_arguments, add_locust_strict, keep_secrets
from loadtest.errors import TargetError
from loadtest.locust import page
from loadtest.locust.reporting import report_in_process, target_failed
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
    """Write the report; where there is nothing to report, that decides the status as an error does.

    So does a target that failed every attempt, and with --occ-strict every bad verdict.
    """
    strict = bool(getattr(environment.parsed_options, STRICT, False))
    status = report_in_process(folder, strict=strict)
    if (failed := target_failed(folder)) is not None:
        sys.stderr.write(f"occbench: {failed}\n")
        status = TargetError.exit_code
    elif not strict and (folder / "summary.json").exists():
        return
    if status and not environment.process_exit_code:
        environment.process_exit_code = status


events.init_command_line_parser.add_listener(add_locust_arguments)
events.init_command_line_parser.add_listener(add_locust_strict)
events.init_command_line_parser.add_listener(keep_secrets)
events.init.add_listener(_wire)
