"""How sure a figure is beside the same figure of a base: what a gate against a base is decided by.

It is the interval that `occbench compare` would give: from the pieces of both records, with what runs
of the same thing differ by. Where the base is a summary alone, its figures are taken to scatter as the
run's own do, over its own time; for shares the counts of both are enough.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from loadtest.errors import InputError
from loadtest.record.run import read_run
from reports.statistics.comparison.comparison import ERROR_RATE, judged_of, levels_of
from reports.statistics.comparison.effect import WIDEST, gap
from reports.statistics.comparison.metrics import GATED, Metric
from reports.statistics.comparison.pieces import WHOLE, Pieces, SliceName, read_pieces
from reports.statistics.comparison.spread import DRAWS, Estimate, estimates

Slice = Mapping[str, Any]
"""A slice of summary.json."""
_SPEED = ("throughput", "committed", "p50")
"""Figures that a comparison judges among those of speed."""
_FARTHEST = 700.0
"""A ratio's logarithm beyond which nothing is a number any more."""
_SURE = 1_000_000
"""Degrees of freedom of what is only counted."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a figure may lie from the one that was measured, the base being what it is."""

    low: float
    high: float
    """In the figure's own unit."""
    wide: bool
    """Whether not even twice the figure could be told from it."""


class Beside:
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
        new = {name: estimates(pieces) for name, pieces in self._new.items() if name != WHOLE}
        base = {name: estimates(pieces) for name, pieces in self._base.items() if name != WHOLE}
        if len({name.target for name in new}) == len({name.target for name in base}) == 1:
            new, base = (
                {SliceName(name.key_type, ""): found for name, found in side.items()}
                for side in (new, base)
            )
        # Where the base has no record, it would have the figures of the run.
        common = [name for name in new if not base or name in base]
        return levels_of(judged_of([[base or new], [new]], common, self._allowance))

    def reach(
        self,
        figure: str,
        value: float,
        where: tuple[str | None, str | None],
        found: Slice,
        beside: Slice,
        times: float,
    ) -> Reach | None:
        """How sure a figure is beside `times` the base's; None where nobody can tell.

        Args:
            figure: one of GATED.
            value: what the run's summary says of it.
            where: key type and target; both None of the whole run.
            found: the run's slice in its summary.
            beside: the base's.
            times: by how much the base's figure is multiplied.
        """
        metric = GATED[figure]
        own, other = _of(self._new, where), _of(self._base, where)
        new = estimates(own, [metric])[figure] if own is not None else None
        base = estimates(other, [metric])[figure] if other is not None else None
        if own is None:
            new = _counted(metric, found, None, 1.0)
        if other is None:
            longer = _ratio(found.get("duration_s"), beside.get("duration_s"))
            base = _counted(metric, beside, new if own is not None else None, longer)
        if new is None or base is None:
            return None
        between = gap(metric, [base], [new], self._allowance)
        variance = between.variance
        if not metric.is_ratio:
            parts = between.between / 2, between.within
            variance = parts[0] * (1 + times**2) + parts[1][1] + times**2 * parts[1][0]
        from scipy.special import stdtrit

        level = self._levels[figure in _SPEED] if self._new else ERROR_RATE / 2
        reach = math.sqrt(variance) * float(stdtrit(min(between.freedom, _SURE), 1 - level / 2))
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


def _of(record: dict[SliceName, Pieces], where: tuple[str | None, str | None]) -> Pieces | None:
    key, target = where
    if key is None:
        return record.get(WHOLE)
    found = [
        pieces
        for name, pieces in record.items()
        if name.key_type == key and (target is None or name.target == target)
    ]
    return found[0] if len(found) == 1 else None


def _ratio(above: float | None, below: float | None) -> float:
    return above / below if above and below else 1.0


def _counted(metric: Metric, found: Slice, like: Estimate | None, longer: float) -> Estimate | None:
    """The estimate of a slice of which only the summary is there.

    It scatters as `like`, whose time is `longer` by a factor; without that, as counts of independent
    events do.
    """
    variance, freedom = (like.variance * longer, like.freedom) if like else (0.0, _SURE)
    none = np.zeros(DRAWS)
    if metric.kind == "latency":
        mark = metric.key.removeprefix("commit_")
        figure = (found.get("latency_ms" if metric.above == "latency" else "commit_ms") or {}).get(mark)
        if like is None or not figure or figure <= 0:
            return None
        return Estimate(figure, math.log(figure), variance, freedom, none)
    above, below = _count(found, metric.above), _count(found, metric.below)
    if above is None or not below:
        return None
    if metric.is_ratio:
        if above <= 0:
            return Estimate(0.0, math.log(0.5 / below), 2.0, freedom, none)
        return Estimate(above / below, math.log(above / below), variance or 1 / above, freedom, none)
    return Estimate(above / below, above / below, variance, freedom, none, above, below)


def _count(found: Slice, name: str) -> float | None:
    """A count of `Pieces` in a slice; None where the slice does not say it."""
    parts = {
        "committed": ("committed",),
        "conflicts": ("conflicts",),
        "given_up": ("give_ups",),
        "decided": ("committed", "conflicts"),
        "counted": ("committed", "give_ups"),
        "ended": ("transactions",),
        "failed": ("failed",),
        "attempts": ("attempts",),
        "errors": (),
        "retried": ("committed", "give_ups"),
        "retries": ("committed", "give_ups"),
        "seconds": (),
    }[name]
    try:
        total = float(sum(found[part] for part in parts))
        if name == "errors":
            return float(sum(found["errors_by_outcome"].values()))
        if name == "seconds":
            return float(found.get("duration_s") or found["committed"] / found["throughput_tps"])
        if name in ("retried", "retries"):
            return total * float(found["retry_rate" if name == "retried" else "retries_mean"])
    except (KeyError, TypeError, ZeroDivisionError):
        return None
    return total
