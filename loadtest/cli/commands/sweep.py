"""`occbench sweep`."""

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loadtest.cli.reporter import Reporter
from loadtest.cli.shared_options import Gates, drop_old_files, gate_words
from loadtest.config.options import as_command
from loadtest.config.run import RunConfig
from loadtest.errors import INTERRUPTED, InputError, OccbenchError
from loadtest.errors.typed import whole_between

if TYPE_CHECKING:
    from loadtest.record.sweep import Point
    from loadtest.sweep.check import DataOfTargets
    from loadtest.sweep.plan import Sweep


def register(app: typer.Typer) -> None:
    """Add the command."""
    from loadtest.sweep.axes import sweep_options

    app.command("sweep")(as_command(sweep_options(), _sweep, Gates))


def _sweep(
    gates: Gates,
    /,
    *,
    repeats: Annotated[
        int | None,
        typer.Option(
            help="Measure every point so many times, each time with other random numbers.",
            parser=whole_between(1),
            metavar="N",
            show_default="1",
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            help="Go on with this sweep: measure what is pending, was interrupted or failed.",
            metavar="FOLDER",
            show_default="a new sweep",
        ),
    ] = None,
    **options: Any,
) -> None:
    """Run one workload at many settings, with one report over all.

    Options with several values are the axes; every combination of values is a point, which is an
    ordinary run with all its key types. Points are measured in random order. Ctrl-C keeps what is
    measured, and `--resume` goes on. A point that fails is noted, and the others go on.

    Examples:

    `occbench sweep --users 1,8,32,128 --duration 30s --repeats 3`

    `occbench sweep --rate 250,500,1000 --retry immediate,full-jitter --accounts 1000`

    `occbench sweep --users 8,32 --target embedded --target embedded://locking`

    `occbench sweep --resume results/20260101-120000-sweep-users`
    """
    from loadtest.sweep.check import check_same_data, check_targets, with_accounts
    from loadtest.sweep.measure import alone
    from loadtest.sweep.plan import begin
    from loadtest.sweep.plan import resume as go_on
    from seed import contents, key_source

    drop_old_files(gates.get("junit"), gates.get("markdown"))
    data: DataOfTargets = {}

    with Reporter(gates) as reporter:

        def check(configs: Sequence[RunConfig]) -> None:
            # Of a sweep that is gone on with these are the pending points; the gates are of all.
            reporter.expect(*(configs if resume is None else ()))
            data.update(check_targets(configs, contents, key_source))
            if resume is None:
                reporter.expect(*(with_accounts(config, data) for config in configs))

        if resume is None:
            now = datetime.now().astimezone()
            sweep = begin(options, 1 if repeats is None else repeats, now, check)
            with alone(sweep.folder) as lock:
                raise typer.Exit(_measure_and_conclude(sweep, lock, reporter, gate_words(gates)))
        targets = options.pop("target", [])
        if options or repeats is not None:
            raise InputError(
                "--resume goes on with the sweep as it was begun; besides it only --target, for what "
                "had a password, and gates can be given"
            )
        with alone(resume) as lock:
            sweep = go_on(resume, targets, check)
            check_same_data(sweep, data)
            reporter.expect(*(with_accounts(sweep.config_of(one), data) for one in sweep.file.points))
            raise typer.Exit(_measure_and_conclude(sweep, lock, reporter, gate_words(gates)))


def _measure_and_conclude(sweep: "Sweep", lock: int, reporter: Reporter, gates: Sequence[str]) -> int:
    """Measure what is pending and report on what is done; the exit status."""
    from loadtest.sweep.measure import measure
    from loadtest.sweep.progress import SweepProgress

    if measure(sweep, lock, SweepProgress(sweep, _figures)):
        return reporter.conclude(sweep.folder)
    # First of all, and to stderr: whatever becomes of the report, and of its reader.
    print(sweep.how_to_go_on(gates), file=sys.stderr, flush=True)
    try:
        if reporter.conclude(sweep.folder) == INTERRUPTED:
            print("occbench: interrupted before the report was written", file=sys.stderr)
    except OccbenchError as error:
        print(f"occbench: {error}", file=sys.stderr)
    # The status says that points are left, whatever else happened.
    return INTERRUPTED


def _figures(sweep: "Sweep", point: "Point") -> str:
    """Figures of a measured point in a few words."""
    from reports.statistics.sweep.measured import figures_of_point

    return figures_of_point(sweep.folder / str(point.folder))
