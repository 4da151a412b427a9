"""`occbench compare`."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from loadtest.cli.shared_options import FailOn, JUnit, Markdown, drop_old_files
from loadtest.errors import InputError, OccbenchError
from loadtest.errors.messages import quoted
from loadtest.errors.typed import number_of, words_of


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compare")(_compare)


def _compare(
    base: Annotated[Path, typer.Argument(metavar="BASE", help="Folder of the run to compare with.")],
    new: Annotated[
        list[Path],
        typer.Argument(metavar="NEW…", help="Folders of the runs to judge: one, or several repeats."),
    ],
    more_bases: Annotated[
        list[Path] | None,
        typer.Option(
            "--base",
            help="Another repeat of BASE; as often as wanted. Gates mean the first BASE alone.",
            metavar="RUN",
        ),
    ] = None,
    allow_different: Annotated[
        str,
        typer.Option(
            help="Settings of the workload in which the sides may differ, and facts of the system in "
            "which the repeats of a side may, with commas between.",
            metavar="users,accounts",
            show_default="none",
        ),
    ] = "",
    allowance: Annotated[
        str | None,
        typer.Option(
            help="What runs of the same thing differ by on your machines, of every figure, as one "
            "run's standard deviation; where several runs a side show more, that holds.",
            metavar="1.5%",
            show_default="1% of throughput and median, more where they vary within a run, 3% of other "
            "figures; 0% of simulations",
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(help="Write a page with a chart to this file.", metavar="FILE", show_default="no"),
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json",
            help="Write every figure to this file, for scripts.",
            metavar="FILE",
            show_default="no",
        ),
    ] = None,
    markdown: Markdown = None,
    fail_on_worse: Annotated[
        bool, typer.Option("--fail-on-worse", help="End with status 1 if any figure is worse.")
    ] = False,
    fail_on: FailOn = None,
    junit: JUnit = None,
) -> None:
    """Say which figures became better or worse, and how sure that is.

    Runs of the same thing differ as well. A verdict allows for it, and for several figures being judged
    at once. Several runs a side, measured in turn, find smaller changes: name more of NEW after the
    first, and more of BASE with --base.

    Examples:

    `occbench compare results/before results/after`

    `occbench compare before-1 after-1 after-2 --base before-2 --html compare.html`

    `occbench compare results/main results/branch --fail-on 'p99 > +10%' --markdown summary.md`
    """
    drop_old_files(junit, markdown)
    bases, news = [base, *(more_bases or [])], list(new)
    _check_files_differ({"--html": html, "--json": json_file, "--markdown": markdown, "--junit": junit})
    from loadtest.cli.gating import Gating, to_write

    json_file, html = to_write("--json", json_file), to_write("--html", html)
    from reports.documents.run.summary_file import read_summary
    from reports.statistics.comparison.comparison import compare_runs
    from reports.statistics.comparison.effect import Verdict
    from reports.write import comparison_markdown, comparison_text, write_comparison

    comparison = compare_runs(
        bases,
        news,
        allow_different=words_of(allow_different),
        allowance=_share(allowance),
    )
    # With several bases, gates mean the first by base.
    gates = Gating.read(
        fail_on=fail_on, base=base if fail_on else None, junit=junit, markdown=markdown, has_base=True
    )
    gates.expect_slices(
        [where.key_type for where in comparison.slices],
        [target.name for target in comparison.new.targets],
    )
    # The output may be closed: everything that was asked for is written first.
    write_comparison(comparison, html, json_file)
    text = comparison_markdown(comparison) if markdown is not None else None
    subjects = [gates.subject(folder) for folder in news] if fail_on or junit else []
    if comparison.allowed and fail_on:
        # Gates hold against a base of another workload only where that was asked for, as it was here.
        summary = read_summary(base)
        subjects = [
            replace(one, base=summary, no_base="", notes=(), base_folder=base) for one in subjects
        ]
    subjects = [replace(one, allowance=comparison.allowance) for one in subjects]
    first = comparison_text(comparison)
    status = gates.conclude(
        subjects, markdown=text, first=first if html is None else f"{first}\n{html}"
    )
    if status or (fail_on_worse and comparison.of(Verdict.WORSE)):
        raise typer.Exit(status or OccbenchError.exit_code)


def _check_files_differ(files: Mapping[str, str | Path | None]) -> None:
    """One file written twice would hold the last alone; raises InputError."""
    seen: dict[Path, str] = {}
    for flag, file in files.items():
        if file is None:
            continue
        if (other := seen.setdefault(Path(file).resolve(), flag)) != flag:
            raise InputError(f"{other} and {flag} are both {file}; name two files")


def _share(text: str | None) -> float | None:
    """`1.5%` or `0.015` as a share."""
    if text is None:
        return None
    value = number_of(text.strip().removesuffix("%"))
    if value is not None and text.strip().endswith("%"):
        value /= 100
    if value is None or not 0 <= value < 1:
        raise InputError(
            f"--allowance: {quoted(text)} will not do; give a share of the figures, as 1.5%"
        )
    return value
