"""One chart a module; each draws from the model and says in a sentence what it shows."""

from collections.abc import Callable

import matplotlib as mpl

from reports.charts import ratios
from reports.charts.figure import SETTINGS, Chart
from reports.charts.run import (
    accounts,
    conflicts,
    distribution,
    latency,
    outcomes,
    parts,
    popularity,
    retries,
    throughput,
)
from reports.charts.targets import conflicts as target_conflicts
from reports.charts.targets import distribution as target_distribution
from reports.charts.targets import throughput as target_throughput
from reports.statistics.model import Model

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


_OF_ONE_TARGET = (latency.draw, distribution.draw, parts.draw)
"""Times of several targets together are nobody's times."""
_OF_ONE_DATABASE = (
    throughput.draw, conflicts.draw, retries.draw, outcomes.draw, popularity.draw,
)  # fmt: skip
"""Nor are rates those of anything, unless all targets are known to be one database."""


def draw_all(model: Model) -> list[Chart]:
    """Every chart that the run has data for, in the order of the report; with several targets, only
    those that mean something for all of them together.
    """
    left_out: tuple[Callable[[Model], Chart | None], ...] = ()
    if model.regions is not None:
        left_out = _OF_ONE_TARGET + (() if model.regions.pooled else _OF_ONE_DATABASE)
    with mpl.rc_context(SETTINGS):
        chosen = [draw for draw in _IN_ORDER if draw not in left_out]
        return [chart for draw in chosen if (chart := draw(model)) is not None]


_BY_TARGET = (target_throughput.draw, target_distribution.draw, target_conflicts.draw)


def draw_targets(model: Model) -> list[Chart]:
    """The charts by target; none where there is one."""
    with mpl.rc_context(SETTINGS):
        return [chart for draw in _BY_TARGET if (chart := draw(model)) is not None]


def draw_target_ratios(model: Model) -> Chart | None:
    """The targets' comparison, which stands beside its table."""
    with mpl.rc_context(SETTINGS):
        return ratios.draw_targets(model)


def draw_ratios(model: Model) -> Chart | None:
    """The comparison's chart, which stands beside its table."""
    with mpl.rc_context(SETTINGS):
        return ratios.draw(model)
