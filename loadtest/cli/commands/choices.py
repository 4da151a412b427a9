"""`occbench list`."""

from typing import Annotated

import typer

from loadtest.errors import InputError
from loadtest.errors.messages import quoted


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("list")(_list)


def _list(
    what: Annotated[
        str | None, typer.Argument(metavar="WHAT", help="scenarios, targets or retries; all without.")
    ] = None,
) -> None:
    """List what can be chosen: scenarios, targets and retry policies.

    Examples:

    `occbench list`

    `occbench list retries`
    """
    from loadtest.targets import FAMILIES
    from loadtest.workload.builtin import SCENARIOS
    from loadtest.workload.retry import POLICIES

    lists = {
        "scenarios": {name: scenario.summary for name, scenario in SCENARIOS.items()},
        "targets": {name: text for name, (_, text) in FAMILIES.items()},
        "retries": {name: text for name, (_, text) in POLICIES.items()},
    }
    if what is not None and what not in lists:
        raise InputError(f"there is no list of {quoted(what)}; there is {', '.join(lists)}")
    for number, kind in enumerate(lists if what is None else [what]):
        if what is None:
            print(f"\n{kind}:" if number else f"{kind}:")
        indent = "  " if what is None else ""
        width = max(map(len, lists[kind]))
        for name, text in lists[kind].items():
            print(f"{indent}{name:<{width}}  {text}")
