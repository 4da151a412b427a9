"""What the other side said of attempts: a function's own time and retries, a service's capacity units.

Most targets say nothing of the kind: their slices have no such figures, rather than zeros.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loadtest.record.pricing import a_million, dynamodb_cost
from loadtest.record.run import Run
from reports.analysis.percentiles import Distribution, describe
from reports.analysis.reading.load import Attempts

Chosen = tuple[slice | int, ...]
"""Which (key type, target, scenario) cells a slice takes."""


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
    """Everything that was said, by cell; asked for slice by slice."""

    def __init__(self, run: Run, attempts: Attempts, cells: NDArray[np.int32]) -> None:
        local = {target.name for target in run.targets if target.is_stand_in}
        self._billed = np.array([name not in local for name in attempts.targets])[:, None]
        self._shape = (len(attempts.key_types), len(attempts.targets), len(attempts.scenarios))
        said = attempts.measured.remote
        size = int(np.prod(self._shape))
        self._attempts = np.bincount(cells, minlength=size).reshape(self._shape)
        self._times = _known(said.get("remote_ns"), cells)
        self._retries = _known(said.get("remote_retries"), cells)
        self._units = {
            name: self._sums(values, cells)
            for name in ("read_units", "write_units")
            if (values := said.get(name)) is not None
        }

    def remote(self, chosen: Chosen) -> Remote | None:
        """What a function said of the attempts in these cells."""
        wanted = self._wanted(chosen)
        duration = None
        if self._times is not None:
            values, where = self._times
            times = values[wanted[where]]
            times.sort()
            duration = describe(times) if len(times) else None
        mean, rate, most = None, None, None
        if self._retries is not None:
            values, where = self._retries
            retries = values[wanted[where]]
            if len(retries):
                mean, rate = float(retries.mean()), float(np.mean(retries > 0))
                most = int(retries.max())
        return None if duration is None and mean is None else Remote(duration, mean, rate, most)

    def capacity(self, chosen: Chosen, commits: NDArray[np.int64]) -> Capacity | None:
        """The units charged for in these cells; `commits` has each cell's committed transactions."""
        found: dict[str, float] = {}
        billed: dict[str, float] = {}
        charged = np.zeros(self._shape, bool)
        most_said = 0
        for name, (sums, counts) in self._units.items():
            charged |= counts > 0
            # What is said last of an attempt is what it wrote.
            most_said = int(counts[chosen].sum()) or most_said
            if counts[chosen].sum():
                found[name] = float(sums[chosen].sum())
                billed[name] = float((sums * self._billed)[chosen].sum())
        if not found:
            return None
        committed = int((commits * charged)[chosen].sum())
        read, write = found.get("read_units"), found.get("write_units")
        paying = charged & self._billed
        cost = None
        if paying[chosen].any():
            cost = dynamodb_cost(billed.get("read_units", 0.0), billed.get("write_units", 0.0))
        return Capacity(
            read_units=read,
            write_units=write,
            read_units_per_committed=_each(read, committed),
            write_units_per_committed=_each(write, committed),
            cost_usd=cost,
            cost_usd_per_million=(
                None if cost is None else a_million(cost, int((commits * paying)[chosen].sum()))
            ),
            unsaid=max(0, int((self._attempts * charged)[chosen].sum()) - most_said),
        )

    def _wanted(self, chosen: Chosen) -> NDArray[np.bool_]:
        member = np.zeros(self._shape, bool)
        member[chosen] = True
        return member.ravel()

    def _sums(
        self, values: NDArray[Any], cells: NDArray[np.int32]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """(sum, how many) of each cell."""
        known = ~np.isnan(values)
        size = int(np.prod(self._shape))
        sums = np.bincount(cells[known], values[known], size).astype(np.float64)
        counts = np.bincount(cells[known], minlength=size)
        return sums.reshape(self._shape), counts.reshape(self._shape)


def _each(units: float | None, committed: int) -> float | None:
    return units / committed if units is not None and committed else None


def _known(
    values: NDArray[Any] | None, cells: NDArray[np.int32]
) -> tuple[NDArray[Any], NDArray[np.int32]] | None:
    """(values, cells) of the attempts of which something was said."""
    if values is None:
        return None
    known = values >= 0
    return values[known], cells[known]
