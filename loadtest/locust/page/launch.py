"""`occbench ui`: Locust's own program, with the run's options."""

import socket
import sys

from loadtest.config.run import RunConfig
from loadtest.errors import InputError
from loadtest.locust.arguments import locust_arguments
from loadtest.locust.program import locustfile
from loadtest.locust.program import main as locust_main


def launch(config: RunConfig, host: str, port: int) -> int:
    """Run Locust's page until it is ended; returns the exit status."""
    _check_free(host, port)
    sys.argv = [
        "locust", "-f", locustfile(),
        "--web-host", host, "--web-port", str(port), *locust_arguments(config),
    ]  # fmt: skip
    try:
        locust_main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


def _check_free(host: str, port: int) -> None:
    """Locust would find out too late, and say it in a traceback."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise InputError(
                f"the page cannot listen on {host}:{port}: {(error.strerror or '').lower()}; "
                "give another with --port"
            ) from None
