"""What the other side said of attempts: a function's own time and retries, a service's capacity units.

Most targets say nothing of the kind: their slices have no such figures, rather than zeros.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from loadtest.record.pricing import a_million, dynamodb_cost
from loadtest.record.run import Run
from reports.analysis import percentiles
from reports.analysis.percentiles import Distribution, describe
from reports.analysis.ranks import Chosen, Ordered, Ranks, chosen_of
from reports.analysis.reading.attempts import Attempts

_UNITS = ("read_units", "write_units")
_PARTS = 1 << 30
"""Of a unit, to sum them up in."""


@dataclass(frozen=True, slots=True)
class Remote:
    """What a function said of itself; a part is None where it said nothing of that."""

    duration: Distribution | None
    """The time it took by its own clock, in milliseconds."""
    retries_mean: float | None
    """Of the attempts that it said it of, as the other two."""
    retry_rate: float | None
    retries_max: int | None


@dataclass(frozen=True, slots=True)
class Capacity:
    """The units that a service charged for, and how many of them a committed transaction took.

    Failed attempts are charged for, too, but a service may not say how much. Where only a part of a
    slice's targets say their units, the committed transactions are those of that part.
    """

    read_units: float | None
    write_units: float | None
    read_units_per_committed: float | None
    write_units_per_committed: float | None
    cost_usd: float | None
    """On demand, at the prices in `record.pricing`; None where nobody sends a bill, as with DynamoDB
    Local. In a slice of several targets it is that of those that do."""
    cost_usd_per_million: float | None
    """For a million of those targets' committed transactions."""
    unsaid: int
    """Attempts on the same targets of which the service did not say what they were charged."""


class Said:
    """Everything that was said of these slices; their names are what it is asked by."""

    def __init__(self, run: Run, attempts: Attempts, slices: Mapping[Any, Chosen]) -> None:
        local = {target.name for target in run.targets if target.is_stand_in}
        self._slices = slices
        self._times: Mapping[Any, Ordered] = {}
        self._cells: pd.DataFrame | None = None
        if not attempts.remote:
            return
        self._cells = _said_by_cell(attempts)
        self._cells["billed"] = ~self._cells["target"].isin(local)
        if "remote_ns" in attempts.remote:
            ranks = Ranks(
                attempts,
                "whole WHERE remote_ns IS NOT NULL",
                "remote_ns",
                ("key_type", "target", "operation"),
            )
            mine = {name: ranks.where(chosen) for name, chosen in slices.items()}
            self._times = ranks.pick(mine, percentiles.ranks_described)

    def of(self, name: Any) -> tuple[Remote | None, Capacity | None]:
        """What was said of the attempts in a slice."""
        if self._cells is None:
            return None, None
        cells = self._cells[chosen_of(self._cells, self._slices[name])]
        return self._remote(self._times.get(name), cells), _capacity(cells)

    def _remote(self, times: Ordered | None, cells: pd.DataFrame) -> Remote | None:
        duration = describe(times) if times else None
        told = int(cells["retries_told"].sum())
        if not told:
            return Remote(duration, None, None, None) if duration else None
        mean, rate = (float(cells[name].sum()) / told for name in ("retries", "retried"))
        return Remote(duration, mean, rate, int(cells["retries_max"].max()))


def _said_by_cell(attempts: Attempts) -> pd.DataFrame:
    return attempts.frame(
        f"""
        SELECT key_type, target, operation, count(*) AS attempts,
            count(*) FILTER (final AND committed) AS committed,
            count(remote_retries) AS retries_told, sum(remote_retries) AS retries,
            count(*) FILTER (remote_retries > 0) AS retried, max(remote_retries) AS retries_max,
            count(read_units) AS read_units_told, {_sum("read_units")} AS read_units,
            count(write_units) AS write_units_told, {_sum("write_units")} AS write_units
        FROM whole GROUP BY ALL ORDER BY ALL
        """
    ).fillna(0)


def _sum(units: str) -> str:
    """The sum of units in SQL, as whole numbers: it does not depend on an order."""
    return f"sum(({units}::DOUBLE * {_PARTS})::BIGINT) / {_PARTS}"


def _capacity(cells: pd.DataFrame) -> Capacity | None:
    """The units charged for in these cells."""
    told = {name: int(cells[f"{name}_told"].sum()) for name in _UNITS}
    if not any(told.values()):
        return None
    charged = cells[(cells["read_units_told"] > 0) | (cells["write_units_told"] > 0)]
    paying = charged[charged["billed"]]
    committed = int(charged["committed"].sum())
    read, write = (float(cells[name].sum()) if told[name] else None for name in _UNITS)
    cost = None
    if len(paying):
        cost = dynamodb_cost(*(float(paying[name].sum()) for name in _UNITS))
    # What is said last of an attempt is what it wrote.
    most_told = told["write_units"] or told["read_units"]
    return Capacity(
        read_units=read,
        write_units=write,
        read_units_per_committed=_each(read, committed),
        write_units_per_committed=_each(write, committed),
        cost_usd=cost,
        cost_usd_per_million=None if cost is None else a_million(cost, int(paying["committed"].sum())),
        unsaid=max(0, int(charged["attempts"].sum()) - most_told),
    )


def _each(units: float | None, committed: int) -> float | None:
    return units / committed if units is not None and committed else None
