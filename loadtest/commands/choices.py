"""`occbench list`."""

from typing import Annotated

import typer

from loadtest.errors import InputError
from loadtest.messages import quoted


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("list")(_list)


def _list(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="scenarios, targets or retries")],
) -> None:
    """List what can be chosen: scenarios, targets or retries.

    Example: `occbench list retries`
    """
    from loadtest.retry import POLICIES
    from loadtest.scenarios import SCENARIOS
    from loadtest.targets import FAMILIES

    lists = {
        "scenarios": {name: scenario.summary for name, scenario in SCENARIOS.items()},
        "targets": {name: text for name, (_, text) in FAMILIES.items()},
        "retries": {name: text for name, (_, text) in POLICIES.items()},
    }
    if what not in lists:
        raise InputError(f"there is no list of {quoted(what)}; there is {', '.join(lists)}")
    width = max(map(len, lists[what]))
    for name, text in lists[what].items():
        print(f"{name:<{width}}  {text}")
