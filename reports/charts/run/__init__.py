"""The charts of a run, one a module: each draws from the model and says in a sentence what it shows."""

from collections.abc import Callable, Iterator

from reports.charts import ratios
from reports.charts.figure import Chart, chart_settings
from reports.charts.run import (
    accounts,
    conflicts,
    distribution,
    latency,
    outcomes,
    parts,
    popularity,
    retries,
    target_conflicts,
    throughput,
)
from reports.statistics.model import Model

_Draw = Callable[[Model], Chart | None]
_OF_ONE_TARGET: tuple[_Draw, ...] = (latency.draw, distribution.draw, parts.draw)
"""Times of several targets together are the times of none."""
_OF_ONE_DATABASE: tuple[_Draw, ...] = (
    throughput.draw, conflicts.draw, retries.draw, outcomes.draw, popularity.draw,
)  # fmt: skip
"""Nor are rates those of anything, unless all targets are known to be one database."""
_IN_ORDER: tuple[_Draw, ...] = (
    throughput.draw, conflicts.draw, latency.draw, distribution.draw, retries.draw, parts.draw,
    outcomes.draw, accounts.draw, popularity.draw,
)  # fmt: skip
_BY_TARGET: tuple[_Draw, ...] = (
    throughput.draw_targets, distribution.draw_targets, target_conflicts.draw,
)  # fmt: skip


def draw_all(model: Model) -> list[Chart]:
    """Every chart that the run has data for, in the order of the report; with several targets, only
    those that mean something for all of them together.
    """
    left_out: tuple[_Draw, ...] = ()
    if model.regions is not None:
        left_out = _OF_ONE_TARGET + (() if model.regions.pooled else _OF_ONE_DATABASE)
    return list(_drawn(model, (draw for draw in _IN_ORDER if draw not in left_out)))


def draw_targets(model: Model) -> list[Chart]:
    """The charts by target; none where there is one."""
    return list(_drawn(model, iter(_BY_TARGET))) if model.regions is not None else []


def draw_ratios(model: Model) -> Chart | None:
    """The key types' comparison, which stands beside its table."""
    return next(_drawn(model, iter([ratios.draw])), None)


def draw_target_ratios(model: Model) -> Chart | None:
    """The targets' comparison, which stands beside its table; None where there is one target."""
    return next(_drawn(model, iter([ratios.draw_targets])), None)


def _drawn(model: Model, charts: Iterator[_Draw]) -> Iterator[Chart]:
    for draw in charts:
        with chart_settings():
            chart = draw(model)
        if chart is not None:
            yield chart
