"""Locust's own program, as occbench starts it: on its own locustfile, with no settings but its own."""

from importlib.util import find_spec
from typing import Any


def locustfile() -> str:
    """The path of `locustfile.py`; found and not imported, for Locust would then load it twice."""
    spec = find_spec("locustfile")
    if spec is None or spec.origin is None:
        raise RuntimeError("locustfile.py is not installed with the package")
    return spec.origin


def command_line_only() -> None:
    """From now on Locust reads its options from the command line alone.

    `locust.conf`, `pyproject.toml` and the environment are read where Locust's program is started
    itself, for a project of its own.
    """
    from locust import argument_parser

    class CommandLineOnly(argument_parser.LocustArgumentParser):
        def parse_known_args(self, *given: Any, **more: Any) -> Any:
            self._default_config_files: list[str] = []
            return super().parse_known_args(*given, **{**more, "env_vars": {}})

    argument_parser.LocustArgumentParser = CommandLineOnly  # type: ignore[misc]


def main() -> None:
    """Locust's own program; its arguments are this process's."""
    command_line_only()
    from locust.main import main as locust_main

    locust_main()
