"""A comparison as one self-contained HTML page, and as a publication for other formats."""

from pathlib import Path

import reports.drawing  # noqa: F401
from loadtest.errors import OccbenchError
from reports.compare import words
from reports.compare.comparison import RunComparison
from reports.compare.effect import Verdict
from reports.compare.forest import draw_ratios, draw_shares
from reports.html import render_page
from reports.publication import Note, Publication
from reports.summary import write_atomically

_STATES = {Verdict.WORSE: "bad", Verdict.BETTER: "good"}


def publication(comparison: RunComparison, *, charts: bool = True) -> Publication:
    """The comparison's content; without charts it is the tables and notes alone."""
    drawn = (draw_ratios(comparison), draw_shares(comparison)) if charts else ()
    return Publication(
        title="comparison",
        kicker=("occbench", "comparison", words.settings_line(comparison)),
        headline=words.headline(comparison),
        lede=words.lede(comparison),
        tables=(words.effects_table(comparison), words.sides_table(comparison)),
        notes=tuple(Note(state, text) for state, text in words.notes(comparison)),
        charts=tuple(chart for chart in drawn if chart is not None),
        name="comparison",
    )


def render(comparison: RunComparison) -> str:
    """The page as HTML text: no script, nothing loaded from elsewhere."""
    found = publication(comparison)
    groups = [
        (
            words.slice_name(comparison, where),
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
    from reports.formats.markdown import to_markdown as written

    return written(publication(comparison, charts=False))
