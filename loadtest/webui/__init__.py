"""What occbench adds to Locust's page: a form that is checked."""

from argparse import Namespace
from typing import TYPE_CHECKING

from flask import Response, jsonify, request

from loadtest.errors import OccbenchError
from loadtest.options import LOCUST_PREFIX, config_from_locust

if TYPE_CHECKING:
    from loadtest.wiring import Wiring


def install(wiring: "Wiring") -> None:
    """Add to the environment's page, where it has one."""
    web_ui = wiring.environment.web_ui
    if web_ui is None or web_ui.app is None:
        return
