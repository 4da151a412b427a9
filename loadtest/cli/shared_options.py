"""Options that several commands have; those of a run are the fields of `loadtest/config/run.py`."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, TypedDict

import typer

from loadtest.config.fields import flag_of

DataFolder = Annotated[
    Path | None,
    typer.Option(help="Its data folder.", show_default="OCCBENCH_DATA, or this user's data folder"),
]
FailOn = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-on",
        help="A gate: end with status 1 if this holds, as 'p99 > 50ms', 'uuid.conflict_rate > 5%' or "
        "'throughput < base - 10%'; as often as wanted. docs/ci.md has the figures and the grammar.",
        metavar="CONDITION",
        show_default="no gates",
    ),
]
Base = Annotated[
    str | None,
    typer.Option(
        "--base",
        help="What gates mean by base: the folder of an earlier run of the same workload (or sweep, of "
        "which the point of the same workload is taken), or its summary.json.",
        metavar="RUN",
        show_default="none",
    ),
]
JUnit = Annotated[
    str | None,
    typer.Option(
        "--junit",
        help="Write the gates to this file as JUnit's XML.",
        metavar="FILE",
        show_default="no",
    ),
]
Markdown = Annotated[
    str | None,
    typer.Option(
        "--markdown",
        help="Write what was found to this file as Markdown, fit for a CI job's summary.",
        metavar="FILE",
        show_default="no",
    ),
]


Strict = Annotated[
    bool | None,
    typer.Option(
        "--strict",
        help="End with status 1 if the report finds anything bad, as a gap, a busy load generator or "
        "transactions that failed.",
        show_default=False,
    ),
]


class Gates(TypedDict, total=False):
    """The options of gates, see `Gating.read`."""

    fail_on: FailOn
    base: Base
    junit: JUnit
    markdown: Markdown
    strict: Strict


def drop_old_files(*names: str | Path | None) -> None:
    """Remove what an earlier command wrote under these names: what is there is of this command.

    To be called before anything can fail. What only looks like a file is left, such as `/dev/stdout`.
    """
    for path in (Path(name) for name in names if name is not None):
        device = path.absolute().parts[1:2] in (("dev",), ("proc",))
        with suppress(OSError, RuntimeError):
            if not device and path.is_file():
                path.resolve().unlink()


def gate_words(gates: Mapping[str, Any]) -> list[str]:
    """The options of gates as they were typed."""
    words: list[str] = []
    for name, value in gates.items():
        flag = flag_of(name)
        if name == "strict":
            words += [flag] if value else []
        else:
            words += [
                word for one in ([value] if isinstance(value, str) else value) for word in (flag, one)
            ]
    return words
