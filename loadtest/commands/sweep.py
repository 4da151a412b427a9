"""`occbench sweep`."""

import sys
from collections.abc import Sequence
from datetime import datetime
from inspect import Parameter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loadtest.commands.gating import GATE_OPTIONS, GATING, Gating
from loadtest.config import RunConfig
from loadtest.errors import INTERRUPTED, InputError, TargetError
from loadtest.options import as_command

if TYPE_CHECKING:
    from loadtest.sweep.plan import Point, Sweep


def register(app: typer.Typer) -> None:
    """Add the command."""
    from loadtest.sweep.axes import SweepOptions

    app.command("sweep")(as_command(SweepOptions, _sweep, (_REPEATS, _RESUME, *GATING)))


def _sweep(repeats: int | None = None, resume: Path | None = None, **options: Any) -> None:
    """Run one workload at many settings, and write one report over all of them.

    Options with several values are the axes; every combination of values is a point, which is an
    ordinary run with all its key types. Points are measured in random order. Ctrl-C keeps what is
    measured, and `--resume` goes on. A point that fails is noted, and the others go on.

    Examples:

    `occbench sweep --users 1,8,32,128 --duration 30s --repeats 3`

    `occbench sweep --rate 250,500,1000 --retry immediate,full-jitter --accounts 1000`

    `occbench sweep --users 8,32 --target embedded --target embedded://locking`

    `occbench sweep --resume results/20260101-120000-sweep-users`
    """
    from loadtest.sweep.check import check_targets
    from loadtest.sweep.measure import alone
    from loadtest.sweep.plan import begin
    from loadtest.sweep.plan import resume as go_on
    from seed import contents, key_source

    gating = Gating.read(**{name: options.pop(name) for name in GATE_OPTIONS if name in options})

    def check(configs: Sequence[RunConfig]) -> None:
        for config in configs:
            gating.expect(config)
        check_targets(configs, contents, key_source)

    if resume is None:
        sweep = begin(options, 1 if repeats is None else repeats, datetime.now().astimezone(), check)
        with alone(sweep.folder) as lock:
            raise typer.Exit(_measure_and_conclude(sweep, lock, gating))
    targets = options.pop("target", [])
    if options or repeats is not None:
        raise InputError(
            "--resume goes on with the sweep as it was begun; besides it only --target, for what had a "
            "password, and gates can be given"
        )
    with alone(resume) as lock:
        raise typer.Exit(_measure_and_conclude(go_on(resume, targets, check), lock, gating))


def _measure_and_conclude(sweep: "Sweep", lock: int, gating: Gating) -> int:
    """Measure what is pending and report on what is done; the exit status."""
    from loadtest.sweep.measure import measure
    from loadtest.sweep.progress import progress_for

    all_tried = measure(sweep, lock, progress_for(_found))
    status = _conclude(sweep, gating)
    if all_tried:
        return status
    print(
        f"{len(sweep.pending)} of {len(sweep.file.points)} points are left; go on with:\n"
        f"occbench sweep --resume {sweep.folder}"
    )
    return INTERRUPTED


def _found(sweep: "Sweep", point: "Point") -> str:
    """What a measured point found, in a few words."""
    from reports.sweep.folder import figures_of_point

    return figures_of_point(sweep.folder / str(point.folder))


def _conclude(sweep: "Sweep", gating: Gating) -> int:
    """Write and print the report, name the points that failed, judge the gates; the exit status."""
    from reports.sweep import answer_of_sweep, write_sweep_report

    for point in sweep.failed:
        print(f"occbench: {sweep.describe(point)}: {point.reason}", file=sys.stderr)
    status = 0
    if sweep.done:
        report = write_sweep_report(sweep.folder)
        print(answer := answer_of_sweep(sweep.folder))
        print(report)
        status = gating.conclude(
            (
                gating.subject(sweep.folder / str(point.folder), sweep.describe(point))
                for point in sorted(sweep.done, key=sweep.place_of)
            ),
            answer=answer,
        )
    return TargetError.exit_code if sweep.failed else status


_REPEATS = Parameter(
    "repeats",
    Parameter.KEYWORD_ONLY,
    default=None,
    annotation=Annotated[
        int | None,
        typer.Option(
            "--repeats",
            help="Measure every point so many times, each time with other random numbers.",
            min=1,
            metavar="N",
            show_default="1",
        ),
    ],
)
_RESUME = Parameter(
    "resume",
    Parameter.KEYWORD_ONLY,
    default=None,
    annotation=Annotated[
        Path | None,
        typer.Option(
            "--resume",
            help="Go on with this sweep: measure what is pending, was interrupted or failed.",
            metavar="FOLDER",
            show_default="a new sweep",
        ),
    ],
)
