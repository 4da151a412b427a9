"""The report of a comparison."""

from reports.documents.comparison import words
from reports.documents.document import Block, Document, Section
from reports.statistics.comparison.comparison import RunComparison


def comparison_document(comparison: RunComparison, *, charts: bool = True) -> Document:
    """The comparison's content; without charts it is the tables and notes alone."""
    drawn: tuple[Block, ...] = ()
    if charts:
        # To import what draws takes half a second, for which the terminal need not wait.
        from reports.charts import forest

        both = forest.draw_ratios(comparison), forest.draw_shares(comparison)
        drawn = tuple(chart for chart in both if chart is not None)
    sections = (
        Section("", drawn, "changes-drawn"),
        Section("Figures", (words.effects_table(comparison), words.HOW), "figures"),
        Section("Before you believe it", tuple(words.notes(comparison)), "verdicts"),
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
