"""What `locust` loads: the user class and the event wiring, nothing else."""

from typing import Any

from locust import events
from locust.env import Environment

from loadtest import webui
from loadtest.options import add_locust_arguments, keep_secrets
from loadtest.reporting import report_in_process
from loadtest.wiring import OccUser, Wiring
from seed import contents, key_source

__all__ = ["OccUser"]


def _wire(environment: Environment, **_: Any) -> None:
    wiring = Wiring(environment, contents, key_source, report_in_process)
    wiring.check_at_once()
    webui.install(wiring)


events.init_command_line_parser.add_listener(add_locust_arguments)
events.init_command_line_parser.add_listener(keep_secrets)
events.init.add_listener(_wire)
