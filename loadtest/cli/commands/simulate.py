"""`occbench simulate`."""

from pathlib import Path
from time import monotonic
from typing import Any

import typer

from loadtest.cli.reporter import Reporter
from loadtest.config.options import as_command, options_of
from loadtest.errors import INTERRUPTED
from loadtest.prediction.simulation.config import SimulateConfig
from loadtest.process.progress import Progress, how_long
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
            with Progress() as progress:
                began = monotonic()

                def show(share: float) -> None:
                    if 0 < share < 1:
                        left_s = (monotonic() - began) * (1 - share) / share
                        progress.show(f"simulated {share:.0%}, {how_long(left_s)} left", share)

                folder, interrupted = simulate(config, show), False
        except KeyboardInterrupt as stopped:
            if not stopped.args:
                # Before anything was simulated, or the second time: nothing is kept.
                raise
            folder, interrupted = stopped.args[0], True
        print(_speed(folder))
        # A simulation fails no invariant and no gate.
        if reporter.conclude(folder, interrupted=interrupted) == INTERRUPTED:
            raise typer.Exit(INTERRUPTED)


def _speed(folder: Path) -> str:
    """How much was simulated, and how fast."""
    facts = read_run(folder).simulation
    assert facts is not None  # noqa: S101 - a simulation wrote it
    return (
        f"{facts.transactions:,} transactions ({facts.attempts:,} attempts) simulated in "
        f"{facts.cpu_s.simulating:.1f} s of processor time, and written in "
        f"{facts.cpu_s.writing:.1f} s"
    )
