"""From a folder to its report's files, for every kind of report."""

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loadtest.errors import OccbenchError
from loadtest.record.files import write_atomically
from loadtest.record.sweep import is_sweep
from reports.documents.run.summary import to_summary as to_run_summary
from reports.documents.run.summary_file import bad_verdicts, read_summary
from reports.documents.sweep.summary import to_summary as to_sweep_summary
from reports.statistics.model import build_model
from reports.statistics.service import read_service, to_summary_part
from reports.statistics.sweep.study import read_study
from reports.verdicts.rules import attention

if TYPE_CHECKING:
    from reports.documents.document import Document
    from reports.statistics.comparison.comparison import RunComparison

# Documents and render are imported where they are needed: drawing takes half a second to import.
"""What tells a sweep's folder from a run's."""
_SUMMARY, _SWEEP_SUMMARY = "summary.json", "sweep-summary.json"


def write_report(folder: Path, dpu_price: float | None = None) -> Path:
    """Write the summary and `report.html` into the folder of a run or a sweep; returns the page's path.

    `dpu_price` and what is raised are those of `write_as`.
    """
    return write_as(folder, ("html",), dpu_price)[0]


def write_as(folder: Path, formats: Collection[str], dpu_price: float | None = None) -> list[Path]:
    """Write the summary and the report, in each of these formats, into the folder of a run or a sweep;
    returns the report's files, documents before pictures.

    `formats` are of `reports.render.FORMATS`. `dpu_price` is USD a million DPU; without it that of the
    run's options holds. Of a sweep, only `sweep.json` and the points' `run.json` and `summary.json` are
    read; points that are pending or failed are left out and said to be.

    Raises:
        InputError: if the folder is neither's, a file in it is broken, or none of a sweep's points can
            be reported.
        OccbenchError: if the files cannot be written.
    """
    from reports.render import write

    document, name, summary = _read_sweep(folder) if is_sweep(folder) else _read_run(folder, dpu_price)
    _write_json(folder / name, summary)
    return write(document, formats, folder)


def _read_run(folder: Path, dpu_price: float | None) -> tuple["Document", str, dict[str, Any]]:
    from reports.documents.run.document import run_document

    model = build_model(folder)
    service = read_service(folder, model, dpu_price)
    summary = {**to_run_summary(model, service), **to_summary_part(service)}
    return run_document(model, service), _SUMMARY, summary


def _read_sweep(folder: Path) -> tuple["Document", str, dict[str, Any]]:
    from reports.documents.sweep.document import sweep_document

    study = read_study(folder)
    return sweep_document(study), _SWEEP_SUMMARY, to_sweep_summary(study)


def write_overview(
    folders: Sequence[Path], file: Path, formats: Collection[str] = ("html",)
) -> list[Path]:
    """Write one report of all these runs; `file` is the page, other formats are written beside it.

    Raises:
        InputError: with fewer than two different runs, or if one of them is broken.
        OccbenchError: if a file cannot be written.
    """
    from reports.documents.overview.document import overview_document
    from reports.documents.overview.read import read_runs
    from reports.render import write

    document = overview_document(read_runs(folders))
    return write(document, formats, file.parent, file.stem, page=file.name)


def write_comparison(
    comparison: "RunComparison", page: Path | None = None, summary: Path | None = None
) -> None:
    """Write a comparison as a page, and its figures as JSON, as far as there are files for them.

    Raises:
        OccbenchError: if a file cannot be written.
    """
    if summary is not None:
        from reports.documents.comparison.summary import to_summary

        _write_json(summary, to_summary(comparison))
    if page is not None:
        from reports.documents.comparison.document import comparison_document
        from reports.render import write

        write(comparison_document(comparison), ("html",), page.parent, page=page.name)


def _write_json(file: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, text)
    except OSError as error:
        raise OccbenchError(f"cannot write {file}: {error.strerror}") from error


def comparison_markdown(comparison: "RunComparison") -> str:
    """The comparison as Markdown, fit for a CI job's summary."""
    from reports.documents.comparison.document import comparison_document
    from reports.render.markdown import to_markdown

    return to_markdown(comparison_document(comparison, charts=False))


def comparison_text(comparison: "RunComparison") -> str:
    """The comparison as text for the terminal."""
    from reports.documents.comparison.document import comparison_document
    from reports.render.terminal import to_terminal

    return to_terminal(comparison_document(comparison, charts=False))


def answer_of(folder: Path) -> str:
    """What a run or sweep with a report found: headline, lede, what is bad, and of a run what its
    consistency probes found.
    """
    name = _SWEEP_SUMMARY if is_sweep(folder) else _SUMMARY
    summary = json.loads((folder / name).read_text(encoding="utf-8"))
    lines = [summary["answer"]["headline"], summary["answer"]["lede"]]
    if is_sweep(folder):
        lines += summary["answer"]["attention"]
    else:
        lines += [one["text"] for one in bad_verdicts(summary) if one["about"] != "consistency"]
        probes = [one["text"] for one in summary["verdicts"] if one["about"] == "consistency"]
        lines += [f"Consistency: {text}" for text in probes[-1:]]
    return "\n".join(line for line in lines if line)


def nothing_bad(folder: Path) -> bool:
    """Whether the report of a run, or those of a sweep and of its measured points, have no bad verdict.

    Raises:
        InputError: if the folder is neither's, or what it says of a run cannot be read.
    """
    if not is_sweep(folder):
        return not bad_verdicts(read_summary(folder))
    study = read_study(folder)
    return not attention(study) and not any(
        bad_verdicts(read_summary(folder / str(point.folder))) for point in study.sweep.done
    )
