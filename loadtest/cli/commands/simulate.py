"""`occbench simulate`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from loadtest.cli.reporter import Reporter
from loadtest.config.options import as_command, options_of
from loadtest.errors import INTERRUPTED
from loadtest.prediction.simulation.config import SimulateConfig
from loadtest.record.run import read_run


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("simulate")(as_command(options_of(SimulateConfig), _simulate))


def _simulate(**options: Any) -> None:
    """Simulate a run without a database, and write a report.

    Optimistic commit as it is meant: a snapshot, a decision, the first to commit wins. Faster than
    time passes, for as many users, accounts and Regions as wanted.

    Examples:

    `occbench simulate --users 64 --accounts 1000 --duration 10m`

    `occbench simulate --rate 5000 --arrivals random --skew zipf:0.8 --retry decorrelated-jitter`

    `occbench simulate --regions east:2,west --round-trips east/west=62 --users 1000`
    """
    from loadtest.prediction.simulation import simulate

    config = SimulateConfig.read(**options)
    with Reporter() as reporter:
        reporter.expect()
        try:
            with _shown() as progress:
                folder, interrupted = simulate(config, progress), False
        except KeyboardInterrupt as stopped:
            if not stopped.args:
                # Before anything was simulated, or the second time: nothing is kept.
                raise
            folder, interrupted = stopped.args[0], True
        print(_speed(folder))
        # A simulation fails no invariant and no gate.
        if reporter.conclude(folder, interrupted=interrupted) == INTERRUPTED:
            raise typer.Exit(INTERRUPTED)


@contextmanager
def _shown() -> Iterator[Callable[[float], None]]:
    """A bar on the terminal, if there is one, that shows how much of the simulated time has passed."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("simulating"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("simulating", total=1.0)
        yield lambda share: bar.update(task, completed=share)


def _speed(folder: Path) -> str:
    """How much was simulated, and how fast."""
    facts = read_run(folder).simulation
    assert facts is not None  # noqa: S101 - a simulation wrote it
    return (
        f"{facts.transactions:,} transactions ({facts.attempts:,} attempts) simulated in "
        f"{facts.cpu_s.simulating:.1f} s of processor time, and written in "
        f"{facts.cpu_s.writing:.1f} s"
    )
