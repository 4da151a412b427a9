"""The way from a result folder to its summary and its report."""

import json
from collections.abc import Collection
from pathlib import Path

from loadtest.errors import OccbenchError
from loadtest.record.files import write_atomically
from reports.documents.run.summary import to_summary, write_summary
from reports.documents.run.summary_file import bad_verdicts
from reports.statistics.model import build_model
from reports.statistics.service import read_service, to_summary_part


def write_report(run_folder: Path, dpu_price: float | None = None) -> Path:
    """Write `summary.json` and `report.html` into the run's folder; returns the page's path.

    `dpu_price` and what is raised are those of `write_as`.
    """
    return write_as(run_folder, ("html",), dpu_price)[0]


def write_as(run_folder: Path, formats: Collection[str], dpu_price: float | None = None) -> list[Path]:
    """Write `summary.json` and the report, in each of these formats, into the run's folder; returns the
    report's files, documents before pictures.

    `formats` are of `reports.render.FORMATS`. `dpu_price` is USD a million DPU; without it that of the
    run's options holds.

    Raises:
        InputError: if the folder is not a run's, or a file in it is broken.
        OccbenchError: if the files cannot be written.
    """
    # Drawing needs matplotlib, which takes half a second to import; figures alone do not.
    import reports.charts.drawing
    from reports.documents.run.contents import contents
    from reports.write.run_page import render

    model = build_model(run_folder)
    service = read_service(run_folder, model, dpu_price)
    summary = {**to_summary(model, service), **to_summary_part(service)}
    found = contents(model, service)
    written = []
    try:
        write_summary(run_folder, summary)
        if "html" in formats:
            path = run_folder / "report.html"
            write_atomically(path, render(found))
            written.append(path)
    except OSError as error:
        raise OccbenchError(f"cannot write into {run_folder}: {error.strerror}") from error
    if set(formats) - {"html"}:
        import reports.charts.drawing  # noqa: F401
        from reports.documents.run.publication import publication_of
        from reports.render import write

        written += write(publication_of(found), formats, run_folder)
    return written


def answer_of(run_folder: Path) -> str:
    """What a run with a report found: two lines, one more for each bad verdict, and one for the
    consistency probes if there were to be any.
    """
    summary = json.loads((run_folder / "summary.json").read_text(encoding="utf-8"))
    said = {verdict["about"]: verdict["text"] for verdict in summary["verdicts"]}
    lines = [summary["answer"]["headline"], summary["answer"]["lede"]]
    lines += [one["text"] for one in bad_verdicts(summary) if one["about"] != "consistency"]
    if "consistency" in said:
        lines.append(f"Consistency: {said['consistency']}")
    return "\n".join(lines)
