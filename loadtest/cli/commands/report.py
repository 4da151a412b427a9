"""`occbench report`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from loadtest.config.run import RunConfig
from loadtest.errors import InputError, OccbenchError, TargetError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(_report)


def _report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN…", help="Folders of runs, or of sweeps.")],
    formats: Annotated[
        str,
        typer.Option(
            "--format",
            help="What to write, with commas: html (one page), md (Markdown with pictures), pdf, png "
            "and svg (each chart as a picture with its title).",
            metavar="LIST",
        ),
    ] = "html",
    together: Annotated[
        Path | None,
        typer.Option(
            "--together",
            help="Write one report of all these runs to this file, and none of each by itself.",
            metavar="FILE",
            show_default="no",
        ),
    ] = None,
    refresh: Annotated[
        bool,
        typer.Option("--refresh", help="First fetch what Aurora DSQL counted, from CloudWatch."),
    ] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="End with status 1 if a report finds anything bad."),
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
    """Write the report of a run, or of a sweep, again from its record.

    Examples:

    `occbench report results/*`

    `occbench report --format html,pdf,png results/20260101-120000-transfer`

    `occbench report --together both.html results/monday results/tuesday`

    `occbench report --refresh results/20260101-120000-transfer`
    """
    from reports.render import parse_formats
    from reports.write import nothing_bad

    asked = parse_formats(formats)
    price = None if dpu_price is None else RunConfig.read(dpu_price=dpu_price).dpu_price
    _refuse(runs, together, dpu_price)
    complete = _refresh(runs) if refresh else True
    if together is not None:
        _write_together(runs, together, asked)
    elif not _write_each(runs, price, asked):
        raise typer.Exit(InputError.exit_code)
    if not complete:
        raise typer.Exit(TargetError.exit_code)
    if strict and not all(map(nothing_bad, runs)):
        raise typer.Exit(OccbenchError.exit_code)


def _refuse(runs: list[Path], together: Path | None, dpu_price: str | None) -> None:
    """Options that have no meaning for what is asked for, before anything is written."""
    if dpu_price is not None and together is not None:
        raise InputError("--dpu-price means nothing with --together, which shows no cost: leave it out")
    from loadtest.record.sweep import is_sweep

    sweeps = [run for run in runs if is_sweep(run)]
    if dpu_price is not None and sweeps:
        raise InputError(f"--dpu-price means nothing for {sweeps[0]}: a sweep's report shows no cost")
    if together is not None and together.is_dir():
        raise InputError(
            f"--together {together} is a folder: give the name of a page, such as all.html"
        )


def _write_each(runs: list[Path], price: float | None, formats: tuple[str, ...]) -> bool:
    """Write every report that can be written, and say why of the others; False if there are such."""
    from loadtest.cli.conclusion import write_and_print

    failed = 0
    for run in runs:
        try:
            write_and_print(run, price, formats)
        except InputError as error:
            if len(runs) == 1:
                raise
            print(f"occbench: {error}", file=sys.stderr)
            failed += 1
    return not failed


def _refresh(runs: list[Path]) -> bool:
    """Fetch what the service counted of each run; says whether all of it could be had.

    Where it could not, what can be reported without it still is.
    """
    from loadtest.targets.dsql import service_metrics

    complete = True
    for run in runs:
        try:
            print(f"{run}: {service_metrics.refresh(run)}", file=sys.stderr)
        except TargetError as error:
            print(f"occbench: {error}", file=sys.stderr)
            complete = False
    return complete


def _write_together(runs: list[Path], file: Path, formats: tuple[str, ...]) -> None:
    """One report of all; the file's name is that of the page, and the others' beside it."""
    from loadtest.cli.conclusion import say_where
    from reports.write import write_overview

    if file.suffix.lower() not in ("", ".html", ".htm"):
        raise InputError(
            f"--together {file}: the file is a page, give it a name that ends in .html; --format asks "
            "for others, which are written beside it"
        )
    say_where(write_overview(runs, file, formats))
