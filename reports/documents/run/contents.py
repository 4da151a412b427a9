"""Everything that a run's report says and shows, drawn once for whatever it is printed on."""

from dataclasses import dataclass

from reports.analysis.consistency import reading
from reports.charts.draw import Chart
from reports.charts.run import draw_all, draw_ratios, draw_target_ratios, draw_targets
from reports.documents.run import regions, tables
from reports.documents.run import service as service_section
from reports.documents.run.answer import Answer, answer
from reports.documents.run.regions import Matrix
from reports.documents.run.tables import Pairs
from reports.statistics.model import Model
from reports.statistics.service import Service
from reports.text.table import Table
from reports.text.verdict import Verdict
from reports.verdicts.rules import verdicts

NO_CONFLICT = (
    "No attempt conflicted, so there is nothing to draw of retries after conflicts or of hot accounts."
)
COURSE = "What happened"
TARGETS = "By target"
BY_BOTH = "By target and key type"
MATRIX = "Who failed whom"
CONSISTENCY = "Consistency between endpoints"
SERVICE = "What the service counted"
SETTINGS = "How it was run"


@dataclass(frozen=True, slots=True)
class Contents:
    """A run's report before it is laid out; what the run has nothing of is None or empty."""

    model: Model
    answer: Answer
    table: Table
    ratios: Chart | None
    """What stands beside the table."""
    verdicts: list[Verdict]
    charts: list[Chart]
    relation: str
    """What the targets are to one another."""
    region_table: Table | None
    region_ratios: Chart | None
    region_charts: list[Chart]
    matrix: Matrix | None
    target_table: Table | None
    consistency_table: Table | None
    consistency_reading: str
    service: service_section.Section | None
    facts: tuple[tuple[str, Pairs], ...]
    """How it was run: lists of names and values, each with its heading."""

    @property
    def title(self) -> str:
        """What the report is of."""
        return self.model.run.label or "run"

    @property
    def kicker(self) -> tuple[str, ...]:
        """The line above the headline, which pictures that stand alone have under them."""
        scenario = self.model.run.config.scenario
        return (
            "occbench",
            f"{scenario}, simulated" if self.model.run.simulated else scenario,
            self.title,
        )


def contents(model: Model, service: Service | None = None) -> Contents:
    """Draw and say all of it."""
    region_table, ratios, region_ratios = (
        tables.region_table(model),
        draw_ratios(model),
        draw_target_ratios(model),
    )
    if ratios is None and region_table is None:
        # The targets are in the first table: what compares them stands beside it.
        ratios, region_ratios = region_ratios, None
    return Contents(
        model=model,
        answer=answer(model),
        table=tables.answer_table(model),
        ratios=ratios,
        verdicts=verdicts(model, service),
        charts=draw_all(model),
        relation=regions.relation(model),
        region_table=region_table,
        region_ratios=region_ratios,
        region_charts=draw_targets(model),
        matrix=regions.matrix(model),
        target_table=tables.target_table(model),
        consistency_table=tables.consistency_table(model),
        consistency_reading=reading(model.consistency) if model.consistency else "",
        service=service_section.section(service),
        facts=(
            ("Run", tables.course(model)),
            ("Settings", tables.settings(model)),
            *((f"Target {name}", pairs) for name, pairs in tables.target_facts(model)),
            ("Machine and versions", tables.environment(model)),
        ),
    )
