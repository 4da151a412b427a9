"""The commands of `occbench`, in the order of its help; each is imported when it is called."""

from functools import cache
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

_COMMANDS = {
    "demo": (
        "run",
        "Seed, run and report in two minutes, on this machine alone.",
    ),
    "run": ("run", "Run transactions and write a report."),
    "ui": ("run", "Open Locust's web page, with the run's options in its form."),
    "seed": ("seed", "Load the accounts, and check that all of them are there."),
    "sweep": ("sweep", "Run one workload at many settings, with one report over all."),
    "report": ("report", "Write the report of a run, or of a sweep, again from its record."),
    "compare": (
        "compare",
        "Say which figures became better or worse, and how sure that is.",
    ),
    "predict": (
        "predict",
        "Predict conflicts and the cost of retries, without a run.",
    ),
    "simulate": ("simulate", "Simulate a run without a database, and write a report."),
    "list": ("choices", "List what can be chosen: scenarios, targets and retry policies."),
    "db": ("db", "Start, show and remove the PostgreSQL that comes with the tool."),
    "cluster": (
        "cluster",
        "Make, list and delete clusters of Aurora DSQL.",
    ),
}
"""Name → its module in `loadtest/cli/commands`, and the first sentence of its own help."""
_UNBROKEN = "\b\n"
"""Before lines that the help shows as they are."""
_LOOK: Any = {
    # Plain text: what draws panels takes longer to import than all else that help needs.
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "add_completion": False,
    "context_settings": {"max_content_width": 100},
}


@cache
def _of_module(name: str) -> TyperGroup:
    """The commands that a module registers."""
    registered = typer.Typer(**_LOOK)
    import_module(f"loadtest.cli.commands.{name}").register(registered)
    group = typer.main.get_group(registered)
    _to_plain(group)
    return group


def _to_plain(command: Any) -> None:
    """Turn the Markdown of a command's help, and of all below it, into plain text."""
    command.help = _plain(command.help or "")
    for parameter in command.params:
        if getattr(parameter, "help", None):
            parameter.help = parameter.help.replace("`", "")
    for below in getattr(command, "commands", {}).values():
        _to_plain(below)


def _plain(markdown: str) -> str:
    """Without backticks, and with examples as lines that are not broken."""
    blocks: list[str] = []
    for paragraph in markdown.split("\n\n"):
        is_example = paragraph.startswith("`occbench")
        text = " ".join(paragraph.split()).replace("`", "")
        if not is_example:
            blocks.append(text)
        elif blocks and blocks[-1].startswith(_UNBROKEN):
            blocks[-1] += f"\n  {text}"
        else:
            blocks.append(f"{_UNBROKEN}  {text}")
    return "\n\n".join(blocks)


def command(name: str) -> Any:
    """The command of this name; its module is imported."""
    return _of_module(_COMMANDS[name][0]).commands[name]


class _Group(TyperGroup):
    """The application: its own help shows a line for each command, and imports none."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = {name: TyperCommand(name, help=line) for name, (_, line) in _COMMANDS.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command itself in place of its line."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, command(str(name)), rest


app = typer.Typer(
    name="occbench",
    cls=_Group,
    help="What does contention cost on a database with optimistic concurrency control?",
    epilog="Start with: occbench demo",
    no_args_is_help=True,
    **_LOOK,
)
app.callback()(lambda: None)
