"""`occbench …`: the application, its commands in the order of its help."""

import typer

from loadtest.commands import (
    choices,
    cluster,
    compare,
    db,
    predict,
    report,
    run,
    seed,
    simulate,
    sweep,
)

app = typer.Typer(
    name="occbench",
    help="What does contention cost on a database with optimistic concurrency control?",
    epilog="Start with: occbench demo",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

for _commands in (run, seed, sweep, report, compare, predict, simulate, choices, db, cluster):
    _commands.register(app)
