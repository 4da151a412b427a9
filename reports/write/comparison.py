"""A comparison as one self-contained HTML page, and as a publication for other formats."""

from pathlib import Path

import reports.charts.drawing  # noqa: F401
from loadtest.errors import OccbenchError
from loadtest.record.files import write_atomically
from reports.documents.comparison import words
from reports.documents.comparison.publication import publication
from reports.render.html import render_page
from reports.statistics.comparison import changes
from reports.statistics.comparison.comparison import RunComparison
from reports.statistics.comparison.effect import Verdict

_STATES = {Verdict.WORSE: "bad", Verdict.BETTER: "good"}


def render(comparison: RunComparison) -> str:
    """The page as HTML text: no script, nothing loaded from elsewhere."""
    found = publication(comparison)
    groups = [
        (
            changes.slice_name(comparison, where),
            [
                (e.metric.name, words.row(e), _STATES.get(e.verdict, ""))
                for e in comparison.effects
                if e.slice == where
            ],
        )
        for where in comparison.slices
    ]
    return render_page(
        "compare.html.j2",
        title=found.title,
        found=found,
        groups=groups,
        how=words.HOW,
    )


def write_page(comparison: RunComparison, path: Path) -> None:
    """Write the page; raises OccbenchError if that cannot be done."""
    text = render(comparison)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text)
    except OSError as error:
        raise OccbenchError(f"cannot write {path}: {error.strerror}") from error


def to_markdown(comparison: RunComparison) -> str:
    """The comparison as Markdown, fit for a CI job's summary."""
    from reports.render.markdown import to_markdown as written

    return written(publication(comparison, charts=False))
