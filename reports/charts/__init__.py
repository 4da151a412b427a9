"""One chart a module; each draws from the model and says in a sentence what it shows."""

from collections.abc import Callable

import matplotlib as mpl

from reports.charts import (
    accounts,
    conflicts,
    distribution,
    latency,
    outcomes,
    parts,
    popularity,
    ratios,
    retries,
    throughput,
)
from reports.charts.draw import SETTINGS, Chart
from reports.model import Model

_IN_ORDER: tuple[Callable[[Model], Chart | None], ...] = (
    throughput.draw,
    conflicts.draw,
    latency.draw,
    distribution.draw,
    retries.draw,
    parts.draw,
    outcomes.draw,
    accounts.draw,
    popularity.draw,
)


def draw_all(model: Model) -> list[Chart]:
    """Every chart that the run has data for, in the order of the report."""
    with mpl.rc_context(SETTINGS):
        return [chart for draw in _IN_ORDER if (chart := draw(model)) is not None]


def draw_ratios(model: Model) -> Chart | None:
    """The comparison's chart, which stands beside its table."""
    with mpl.rc_context(SETTINGS):
        return ratios.draw(model)
