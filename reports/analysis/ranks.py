"""Values of millions of attempts by their rank: exactly, in two passes and little memory.

The first pass counts the values in narrow bins; the second reads those of the few bins in which a
wanted rank lies. So nothing is sorted but what lies in these.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.analysis.reading.attempts import Attempts

Chosen = Mapping[str, Any]
"""Which groups a slice takes: a column's value, or several, by its name. Empty: all."""
FINE = 4096
"""Bins for each time that a value is e times as large: each is 0.024 % wide."""
COARSE = 64
"""The same where there are many groups, of which few ranks are wanted."""
_Name = TypeVar("_Name")


@dataclass(frozen=True, slots=True)
class Ordered:
    """Values in ascending order, of which those at the ranks that were asked for are known."""

    samples: int
    total: float
    known: dict[int, int]

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, rank: int) -> int:
        return self.known[int(rank)]

    def mean(self) -> float:
        """The mean of all of them."""
        return self.total / self.samples


class Ranks:
    """A column of whole numbers by groups.

    Args:
        attempts: the run's attempts.
        source: what follows FROM in a query: a view, as a rule with a condition.
        value: the column, or an expression.
        by: the columns that make the groups.
        steps: bins for each time that a value is e times as large.
        bin_of: the number of a value's bin as an expression of "value", where it is another one; of a
            larger value it is not smaller.
        tables: those that `source` needs.
    """

    def __init__(
        self,
        attempts: Attempts,
        source: str,
        value: str,
        by: Sequence[str] = (),
        steps: int = FINE,
        bin_of: str = "",
        **tables: pd.DataFrame,
    ) -> None:
        self._attempts, self._tables, self._by = attempts, tables, list(by)
        columns = ", ".join(f'"{name}"' for name in by) or "1 AS everything"
        bin_of = bin_of or f'floor(ln(greatest("value", 1)) * {steps})'
        self._binned = (
            f'SELECT {columns}, {value} AS "value", ({bin_of})::INTEGER AS "bin" FROM {source}'
        )
        bins = attempts.frame(
            f"""
            SELECT * EXCLUDE "value", count(*) AS samples, sum("value")::DOUBLE AS total
            FROM ({self._binned}) GROUP BY ALL ORDER BY ALL
            """,
            **tables,
        )
        number = bins.groupby(self._by, sort=True).ngroup() if by else pd.Series(0, bins.index)
        self.groups = bins[self._by].groupby(number).first() if by else pd.DataFrame(index=[0])
        """The groups that have values, one a row."""
        self._bins = bins
        self._bin, self._count, self._total = (
            bins[name].to_numpy() for name in ("bin", "samples", "total")
        )
        self._starts = np.searchsorted(number.to_numpy(), np.arange(len(self.groups) + 1))
        self._read: dict[int, NDArray[np.int64]] = {}
        """The values that were read, by the row of their bin."""

    def where(self, chosen: Chosen) -> NDArray[np.intp]:
        """The numbers of the groups that a slice takes."""
        return np.flatnonzero(chosen_of(self.groups, chosen))

    def bins(self, groups: NDArray[np.intp]) -> pd.DataFrame:
        """(bin, samples, total) of these groups together, by bin."""
        rows = self._rows(groups)
        found = pd.DataFrame(
            {"bin": self._bin[rows], "samples": self._count[rows], "total": self._total[rows]}
        )
        return found.groupby("bin", as_index=False).sum() if len(groups) > 1 else found

    def pick(
        self, slices: Mapping[_Name, NDArray[np.intp]], wanted: Callable[[int], Iterable[int]]
    ) -> dict[_Name, Ordered]:
        """Each slice's values, of which those at the ranks `wanted` of so many samples are read."""
        asked = {}
        needed: set[tuple[int, int]] = set()
        for name, groups in slices.items():
            bins = self.bins(groups)
            stops = np.cumsum(bins["samples"].to_numpy())
            samples = int(stops[-1]) if len(stops) else 0
            ranks = (
                np.unique(np.fromiter(wanted(samples), np.int64)) if samples else np.empty(0, np.int64)
            )
            place = np.searchsorted(stops, ranks, "right")
            within = ranks - (stops - bins["samples"].to_numpy())[place]
            which = bins["bin"].to_numpy()[place]
            asked[name] = samples, float(bins["total"].sum()), ranks, which, within
            rows = self._rows(groups)
            needed.update(rows[np.isin(self._bin[rows], which)].tolist())
        self._read_values(np.array(sorted(needed - self._read.keys()), np.intp))
        return {
            name: Ordered(samples, total, self._known(slices[name], ranks, which, within))
            for name, (samples, total, ranks, which, within) in asked.items()
        }

    def table(self) -> pd.DataFrame:
        """How many values of each group are in each bin."""
        return self._bins

    def _rows(self, groups: NDArray[np.intp]) -> NDArray[np.intp]:
        """The rows of the bins of these groups."""
        ranges = [np.arange(self._starts[group], self._starts[group + 1]) for group in groups]
        return np.concatenate(ranges) if ranges else np.empty(0, np.intp)

    def _read_values(self, rows: NDArray[np.intp]) -> None:
        """Read the values that lie in these rows' bins."""
        if not len(rows):
            return
        needed = self._bins.iloc[rows][[*self._by, "bin"]].assign(row_number=rows)
        same = " AND ".join(f'b."{name}" = needed."{name}"' for name in [*self._by, "bin"])
        found = self._attempts.frame(
            f'SELECT row_number, "value" FROM ({self._binned}) b JOIN needed ON {same} ORDER BY ALL',
            needed=needed,
            **self._tables,
        )
        starts = np.searchsorted(found["row_number"].to_numpy(), rows)
        self._read.update(
            zip(rows.tolist(), np.split(found["value"].to_numpy(), starts[1:]), strict=True)
        )

    def _known(
        self,
        groups: NDArray[np.intp],
        ranks: NDArray[np.int64],
        which: NDArray[np.int64],
        within: NDArray[np.int64],
    ) -> dict[int, int]:
        """The values at these ranks: those `within` so many places of the begin of their bin."""
        rows = self._rows(groups)
        merged: dict[int, list[NDArray[np.int64]]] = {}
        for row in rows[np.isin(self._bin[rows], which)].tolist():
            merged.setdefault(int(self._bin[row]), []).append(self._read[row])
        ordered = {number: np.sort(np.concatenate(parts)) for number, parts in merged.items()}
        return {
            int(rank): int(ordered[int(number)][inside])
            for rank, number, inside in zip(ranks, which, within, strict=True)
        }


def chosen_of(frame: pd.DataFrame, chosen: Chosen) -> NDArray[np.bool_]:
    """Which rows of a frame a slice takes."""
    kept = np.ones(len(frame), bool)
    for column, value in chosen.items():
        several = isinstance(value, Collection) and not isinstance(value, str)
        found = frame[column].isin(value) if several else frame[column] == value
        kept &= found.to_numpy(bool)
    return kept
