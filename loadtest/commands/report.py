"""`occbench report`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from loadtest.config import RunConfig
from loadtest.errors import TargetError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(_report)


def write_and_print(folder: Path, dpu_price: float | None = None) -> None:
    """Write the run's report, say what it found, and where it is."""
    from reports import answer_of, write_report

    path = write_report(folder, dpu_price)
    print(answer_of(folder))
    print(path)


def _report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN…", help="Folders of runs.")],
    refresh: Annotated[
        bool,
        typer.Option("--refresh", help="First fetch what Aurora DSQL counted, from CloudWatch."),
    ] = False,
    dpu_price: Annotated[
        str | None,
        typer.Option(
            help=RunConfig.model_fields["dpu_price"].description,
            show_default="the run's own",
            metavar="USD",
        ),
    ] = None,
) -> None:
    """Write the report of a run again, from its record.

    Examples:

    `occbench report results/*`

    `occbench report --refresh results/20260101-120000-transfer`
    """
    from loadtest import service_metrics

    price = None if dpu_price is None else RunConfig.read(dpu_price=dpu_price).dpu_price
    failed = False
    for run in runs:
        if refresh:
            try:
                print(f"{run}: {service_metrics.refresh(run)}", file=sys.stderr)
            except TargetError as error:
                # What can be reported without it is.
                print(f"occbench: {error}", file=sys.stderr)
                failed = True
        write_and_print(run, price)
    if failed:
        raise typer.Exit(TargetError.exit_code)
