"""A comparison as a publication."""

import reports.drawing  # noqa: F401
from reports.compare import words
from reports.compare.comparison import RunComparison
from reports.compare.forest import draw_ratios, draw_shares
from reports.publication import Note, Publication


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
