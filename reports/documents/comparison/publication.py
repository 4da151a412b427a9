"""A comparison as a publication."""

import reports.charts.drawing  # noqa: F401
from reports.charts.forest import draw_ratios, draw_shares
from reports.documents.comparison import words
from reports.documents.publication import Note, Publication
from reports.statistics.comparison.comparison import RunComparison


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
