"""The report of a comparison."""

from reports.charts.forest import draw_ratios, draw_shares
from reports.documents.comparison import words
from reports.documents.document import Document, Note, Section
from reports.statistics.comparison.comparison import RunComparison


def comparison_document(comparison: RunComparison, *, charts: bool = True) -> Document:
    """The comparison's content; without charts it is the tables and notes alone."""
    drawn = (draw_ratios(comparison), draw_shares(comparison)) if charts else ()
    notes = tuple(Note(state, text) for state, text in words.notes(comparison))
    sections = (
        Section("", tuple(chart for chart in drawn if chart is not None), "changes-drawn"),
        Section("Figures", (words.effects_table(comparison), words.HOW), "figures"),
        Section("Before you believe it", notes, "verdicts"),
        Section("Runs", (words.sides_table(comparison),), "runs"),
    )
    return Document(
        title="comparison",
        kicker=("occbench", "comparison", words.settings_line(comparison)),
        headline=words.headline(comparison),
        lede=words.lede(comparison),
        sections=tuple(section for section in sections if section.blocks),
        footer="Made by occbench. `docs/methodology.md`, “Comparing runs”, says how each interval is "
        "computed.",
    )
