"""How sure a figure is against the same figure of a base: what a gate against a base is decided by.

It is the interval that `occbench compare` would give: from the pieces of both records, with what runs
of the same thing differ by. Where the base is a summary alone, its figures are taken to scatter as the
run's own do, over its own time; for shares the counts of both are enough.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from loadtest.errors import InputError
from loadtest.record.run import read_run
from reports.statistics.comparison.effect import MOST_FREEDOM, WIDEST, gap
from reports.statistics.comparison.estimates import DRAWS, Estimate, estimates
from reports.statistics.comparison.levels import ERROR_RATE, judged_of, levels_of
from reports.statistics.comparison.metrics import GATED, Metric
from reports.statistics.comparison.pieces import WHOLE, Pieces, SliceName, read_pieces
from reports.statistics.intervals import student_t

Slice = Mapping[str, Any]
"""A slice of summary.json."""
Where = tuple[str | None, str | None]
"""Key type and target; both None of the whole run."""
_SPEED = ("throughput", "committed", "p50")
"""Figures that a comparison judges among those of speed."""
_FARTHEST = 700.0
"""A ratio's logarithm beyond which nothing is a number any more."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a figure may lie from the one that was measured, the base being what it is."""

    low: float
    high: float
    """In the figure's own unit."""
    wide: bool
    """Whether not even twice the figure could be told from it."""


class AgainstBase:
    """A run and its base: their records, as far as there are any."""

    def __init__(self, new: Path | None, base: Path | None, allowance: float | None) -> None:
        self._new, self._base = _pieces(new), _pieces(base)
        self._allowance = allowance
        if allowance is None and self._new and self._base and new is not None and base is not None:
            # As in a comparison: simulations differ by nothing but chance.
            alike = read_run(new).simulated and read_run(base).simulated
            self._allowance = 0.0 if alike else None

    @cached_property
    def _levels(self) -> dict[bool, float]:
        """As a comparison of the two would have them."""
        new, base = (
            {name: estimates(pieces) for name, pieces in side.items() if name != WHOLE}
            for side in (self._new, self._base)
        )
        if len({name.target for name in new}) == len({name.target for name in base}) == 1:
            new, base = (
                {SliceName(name.key_type, ""): figures for name, figures in side.items()}
                for side in (new, base)
            )
        # Where the base has no record, it would have the figures of the run.
        common = [name for name in new if not base or name in base]
        return levels_of(judged_of([[base or new], [new]], common, self._allowance))

    def reach(
        self, figure: str, value: float, where: Where, mine: Slice, base: Slice, times: float
    ) -> Reach | None:
        """How sure a figure is against `times` the base's; None where there is too little to tell.

        Args:
            figure: one of GATED.
            value: what the run's summary says of it.
            where: of which slice.
            mine: the run's slice in its summary.
            base: the base's.
            times: by how much the base's figure is multiplied.
        """
        metric = GATED[figure]
        own, other = _of(self._new, where), _of(self._base, where)
        new = _counted(metric, mine, None) if own is None else estimates(own, [metric])[figure]
        if other is not None:
            old = estimates(other, [metric])[figure]
        elif own is None:
            old = _counted(metric, base, None)
        else:
            here, there = mine.get("duration_s"), base.get("duration_s")
            old = _counted(metric, base, new, here / there if here and there else 1.0)
        if new is None or old is None:
            return None
        between = gap(metric, [old], [new], self._allowance)
        variance = between.variance
        if not metric.is_ratio:
            of_base, of_new = between.within
            variance = between.between / 2 * (1 + times**2) + of_new + times**2 * of_base
        level = self._levels[figure in _SPEED] if self._new else ERROR_RATE / 2
        freedom = min(between.freedom, MOST_FREEDOM)
        reach = math.sqrt(variance) * student_t(freedom, 1 - level / 2)
        if metric.is_ratio:
            reach = min(reach, _FARTHEST)
            return Reach(value * math.exp(-reach), value * math.exp(reach), reach > WIDEST)
        reach *= new.trials if metric.below == "seconds" else 1.0
        most = 1.0 if metric.kind == "share" else math.inf
        return Reach(max(0.0, value - reach), min(most, value + reach), wide=False)


def _pieces(folder: Path | None) -> dict[SliceName, Pieces]:
    if folder is None or not (folder / "attempts").is_dir():
        return {}
    try:
        return read_pieces(folder, read_run(folder), whole=True)
    except InputError:
        # Of a base the summary is enough; the run itself has a report by now.
        return {}


def _of(record: Mapping[SliceName, Pieces], where: Where) -> Pieces | None:
    key, target = where
    if key is None:
        return record.get(WHOLE)
    names = [n for n in record if n.key_type == key and target in (None, n.target)]
    return record[names[0]] if len(names) == 1 else None


def _counted(
    metric: Metric, figures: Slice, like: Estimate | None, longer: float = 1.0
) -> Estimate | None:
    """The estimate of a slice of which only the summary is there.

    It scatters as `like`, whose time is `longer` by a factor; without that, as counts of independent
    events do.
    """
    variance, freedom = (like.variance * longer, like.freedom) if like else (0.0, int(MOST_FREEDOM))
    none = np.zeros(DRAWS)
    if metric.kind == "latency":
        times = figures.get("latency_ms" if metric.above == "latency" else "commit_ms") or {}
        figure = times.get(metric.key.removeprefix("commit_"))
        if like is None or not figure or figure <= 0:
            return None
        return Estimate(figure, math.log(figure), variance, freedom, none)
    try:
        above, below = (float(_COUNTS[name](figures)) for name in (metric.above, metric.below))
    except (KeyError, TypeError, ZeroDivisionError):
        return None
    if not below:
        return None
    if not metric.is_ratio:
        return Estimate(above / below, above / below, variance, freedom, none, above, below)
    if above <= 0:
        return Estimate(0.0, math.log(0.5 / below), 2.0, freedom, none)
    return Estimate(above / below, math.log(above / below), variance or 1 / above, freedom, none)


def _ended(figures: Slice) -> int:
    """Transactions that committed or gave up."""
    return int(figures["committed"] + figures["give_ups"])


_COUNTS: dict[str, Callable[[Slice], float]] = {
    "committed": lambda s: s["committed"],
    "conflicts": lambda s: s["conflicts"],
    "given_up": lambda s: s["give_ups"],
    "decided": lambda s: s["committed"] + s["conflicts"],
    "counted": _ended,
    "ended": lambda s: s["transactions"],
    "failed": lambda s: s["failed"],
    "attempts": lambda s: s["attempts"],
    "errors": lambda s: sum(s["errors_by_outcome"].values()),
    "retried": lambda s: _ended(s) * s["retry_rate"],
    "retries": lambda s: _ended(s) * s["retries_mean"],
    "seconds": lambda s: s.get("duration_s") or s["committed"] / s["throughput_tps"],
}
"""The counts of `Pieces`, as a slice of a summary has them."""
