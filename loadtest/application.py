"""The commands of `occbench`, in the order of its help; each is imported when it is called."""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

_COMMANDS = {
    "demo": (
        "run",
        "Everything once, in about two minutes: seed, run, report; needs nothing but this machine.",
    ),
    "run": ("run", "Run transactions and write a report."),
    "ui": ("run", "Open Locust's web page, with the run's options as fields of its form."),
    "seed": ("seed", "Load the accounts: tables, rows, and a check that all of them are there."),
    "sweep": ("sweep", "Run one workload at many settings, and write one report over all of them."),
    "report": ("report", "Write the report of a run, or of a sweep, again from its record."),
    "compare": (
        "compare",
        "Compare runs: which figures became better or worse, by how much, and how sure that is.",
    ),
    "predict": (
        "predict",
        "Say how often transfers will conflict and what retrying will cost, without running any.",
    ),
    "simulate": ("simulate", "Simulate a run without a database, and write a report."),
    "list": ("choices", "List what can be chosen: scenarios, targets and retry policies."),
    "db": ("db", "The PostgreSQL that comes with the tool: start it, look into it, throw it away."),
    "cluster": (
        "cluster",
        "Clusters of Aurora DSQL: make them, list them, delete those that this tool made.",
    ),
}
"""Name → its module in `loadtest/commands`, and the first sentence of its own help."""
_LOOK: Any = {
    "rich_markup_mode": "markdown",
    "pretty_exceptions_enable": False,
    "add_completion": False,
}


@cache
def _of_module(name: str) -> TyperGroup:
    """The commands that a module registers."""
    registered = typer.Typer(**_LOOK)
    import_module(f"loadtest.commands.{name}").register(registered)
    return typer.main.get_group(registered)


class _Commands(Mapping[str, Any]):
    """Every command by its name, made when it is asked for."""

    def __getitem__(self, name: str) -> Any:
        return _of_module(_COMMANDS[name][0]).commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_COMMANDS)

    def __len__(self) -> int:
        return len(_COMMANDS)


class _Group(TyperGroup):
    """The application: its own help imports no command."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Commands()  # type: ignore[assignment]

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order of the help."""
        del ctx
        return list(_COMMANDS)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """A line for each command, which is all that is shown of it."""
        lines = {name: TyperCommand(name, help=line) for name, (_, line) in _COMMANDS.items()}
        self.commands, whole = lines, self.commands  # type: ignore[assignment]
        super().format_help(ctx, formatter)
        self.commands = whole


app = typer.Typer(
    name="occbench",
    cls=_Group,
    help="What does contention cost on a database with optimistic concurrency control?",
    epilog="Start with: occbench demo",
    no_args_is_help=True,
    **_LOOK,
)
app.callback()(lambda: None)
