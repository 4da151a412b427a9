"""The way from a sweep's folder to its two files."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from loadtest.errors import OccbenchError
from loadtest.record.files import write_atomically
from reports.documents.run.summary_file import bad_verdicts, read_summary
from reports.documents.sweep.summary import to_summary
from reports.statistics.sweep.study import read_study
from reports.verdicts.rules import attention

if TYPE_CHECKING:
    from reports.documents.publication import Publication

SUMMARY_FILE, PAGE_FILE = "sweep-summary.json", "report.html"


def write_sweep_report(folder: Path) -> Path:
    """Write `sweep-summary.json` and `report.html` into the sweep's folder; returns the page's path.

    Only `sweep.json` and the points' `run.json` and `summary.json` are read. Points that are pending or
    failed are left out and said to be.

    Raises:
        InputError: if the folder is not a sweep's, or none of its points can be reported.
        OccbenchError: if the files cannot be written.
    """
    # Drawing needs matplotlib, which takes half a second to import.
    import reports.charts.drawing  # noqa: F401
    from reports.write.sweep_page import render

    study = read_study(folder)
    summary = json.dumps(to_summary(study), indent=2, allow_nan=False) + "\n"
    page = render(study)
    path = folder / PAGE_FILE
    try:
        write_atomically(folder / SUMMARY_FILE, summary)
        write_atomically(path, page)
    except OSError as error:
        raise OccbenchError(f"cannot write into {folder}: {error.strerror}") from error
    return path


def publish_sweep(folder: Path) -> "Publication":
    """The report's content, to be written in other formats than the page.

    Raises:
        InputError: if the folder is not a sweep's, or none of its points can be reported.
    """
    import reports.charts.drawing  # noqa: F401
    from reports.documents.sweep.contents import publication_of

    return publication_of(read_study(folder))


def nothing_bad(folder: Path) -> bool:
    """Whether neither the report of a sweep nor that of any of its measured points has a bad verdict.

    Raises:
        InputError: if the folder is not a sweep's, or what it says of a point cannot be read.
    """
    study = read_study(folder)
    return not attention(study) and not any(
        bad_verdicts(read_summary(folder / str(point.folder))) for point in study.sweep.done
    )


def answer_of_sweep(folder: Path) -> str:
    """What a sweep with a report found, in two lines or three."""
    summary = json.loads((folder / SUMMARY_FILE).read_text(encoding="utf-8"))
    lines = [summary["answer"]["headline"], summary["answer"]["lede"], *summary["answer"]["attention"]]
    return "\n".join(line for line in lines if line)
