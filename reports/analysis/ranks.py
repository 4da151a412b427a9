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
        bin_of = bin_of or f'floor(ln(greatest("value", 1)) * {steps})'
        columns = [
            *(f'"{name}"' for name in by),
            f'{value} AS "value"',
            f'({bin_of})::INTEGER AS "bin"',
        ]
        self._binned = f"SELECT {', '.join(columns)} FROM {source}"
        keys = "".join(f'"{name}", ' for name in by)
        self._values: NDArray[np.int64] | None = None
        """All values in the order of the bins, where there are few."""
        if attempts.few:
            rows = self._ask(f'SELECT {keys}"bin", "value" FROM ({self._binned}) ORDER BY ALL')
            self._values = rows.pop("value")
            self._begins = _changes([*rows.values()])
            rows = {name: column[self._begins] for name, column in rows.items()}
            self._count = np.diff(np.append(self._begins, len(self._values)))
            self._total = (
                np.add.reduceat(self._values.astype(float), self._begins)
                if len(self._begins)
                else np.empty(0)
            )
        else:
            rows = self._ask(
                f'SELECT {keys}"bin", count(*) AS samples, sum("value")::DOUBLE AS total '
                f"FROM ({self._binned}) GROUP BY ALL ORDER BY ALL"
            )
            self._count, self._total = rows.pop("samples"), rows.pop("total")
        self._bin = rows["bin"]
        self._rows = rows
        groups = _changes([rows[name] for name in by]) if by else np.zeros(1, np.intp)
        self._starts = np.append(groups, len(self._bin))
        self.groups = pd.DataFrame(
            {name: pd.Series(rows[name][groups], dtype=rows[name].dtype) for name in by},
            index=range(len(groups)),
        )
        """The groups that have values, one a row."""
        self._read: dict[int, NDArray[np.int64]] = {}
        """The values that were read, by the row of their bin."""

    def where(self, chosen: Chosen) -> NDArray[np.intp]:
        """The numbers of the groups that a slice takes."""
        return np.flatnonzero(chosen_of(self.groups, chosen))

    def bins(self, groups: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.int64], float]:
        """(bins of these groups together, the samples in each, the sum of all samples)."""
        rows = self._rows_of(groups)
        total = float(self._total[rows].sum())
        if len(groups) == 1:
            return self._bin[rows], self._count[rows], total
        numbers, place = np.unique(self._bin[rows], return_inverse=True)
        return numbers, np.bincount(place, self._count[rows], len(numbers)).astype(np.int64), total

    def pick(
        self, slices: Mapping[_Name, NDArray[np.intp]], wanted: Callable[[int], Iterable[int]]
    ) -> dict[_Name, Ordered]:
        """Each slice's values, of which those at the ranks `wanted` of so many samples are read."""
        asked = {}
        needed: set[int] = set()
        for name, groups in slices.items():
            bins, counts, total = self.bins(groups)
            stops = np.cumsum(counts)
            samples = int(stops[-1]) if len(stops) else 0
            ranks = np.unique(np.fromiter(wanted(samples) if samples else (), np.int64))
            place = np.searchsorted(stops, ranks, "right")
            rows = self._rows_of(groups)
            rows = rows[np.isin(self._bin[rows], bins[place])]
            needed.update(rows.tolist())
            asked[name] = samples, total, rows, ranks, bins[place], ranks - (stops - counts)[place]
        self._read_values(np.array(sorted(needed - self._read.keys()), np.intp))
        return {
            name: Ordered(samples, total, self._known(*where))
            for name, (samples, total, *where) in asked.items()
        }

    def table(self) -> pd.DataFrame:
        """How many values of each group are in each bin."""
        return pd.DataFrame({**self._rows, "samples": self._count})

    def _ask(self, query: str, **tables: pd.DataFrame) -> dict[str, NDArray[Any]]:
        return self._attempts.columns(query, **self._tables, **tables)

    def _rows_of(self, groups: NDArray[np.intp]) -> NDArray[np.intp]:
        """The rows of the bins of these groups."""
        ranges = [np.arange(self._starts[group], self._starts[group + 1]) for group in groups]
        return np.concatenate(ranges) if ranges else np.empty(0, np.intp)

    def _read_values(self, rows: NDArray[np.intp]) -> None:
        """Read the values that lie in these rows' bins."""
        if not len(rows):
            return
        if self._values is not None:
            ends = self._begins + self._count
            for row in rows.tolist():
                self._read[row] = self._values[self._begins[row] : ends[row]]
            return
        needed = pd.DataFrame({name: column[rows] for name, column in self._rows.items()})
        same = " AND ".join(f'b."{name}" = needed."{name}"' for name in self._rows)
        found = self._ask(
            f'SELECT row_number, "value" FROM ({self._binned}) b JOIN needed ON {same} ORDER BY ALL',
            needed=needed.assign(row_number=rows),
        )
        starts = np.searchsorted(found["row_number"], rows)
        self._read.update(zip(rows.tolist(), np.split(found["value"], starts[1:]), strict=True))

    def _known(
        self,
        rows: NDArray[np.intp],
        ranks: NDArray[np.int64],
        which: NDArray[np.int64],
        within: NDArray[np.int64],
    ) -> dict[int, int]:
        """The values at these ranks: those `within` so many places of the begin of their bin `which`;
        `rows` are those of the bins.
        """
        if not len(rows):
            return {}
        values = np.concatenate([self._read[row] for row in rows.tolist()])
        bins = np.repeat(self._bin[rows], self._count[rows])
        order = np.lexsort((values, bins))
        begins = np.searchsorted(bins[order], which)
        return dict(zip(ranks.tolist(), values[order][begins + within].tolist(), strict=True))


def _changes(columns: Sequence[NDArray[Any]]) -> NDArray[np.intp]:
    """The first row of sorted columns, and every one that differs from the row before."""
    if not len(columns[0]):
        return np.empty(0, np.intp)
    changed = np.zeros(len(columns[0]) - 1, bool)
    for column in columns:
        changed |= column[1:] != column[:-1]
    return np.append(0, np.flatnonzero(changed) + 1)


def chosen_of(frame: pd.DataFrame, chosen: Chosen) -> NDArray[np.bool_]:
    """Which rows of a frame a slice takes."""
    kept = np.ones(len(frame), bool)
    for column, value in chosen.items():
        several = isinstance(value, Collection) and not isinstance(value, str)
        found = frame[column].isin(value) if several else frame[column] == value
        kept &= found.to_numpy(bool)
    return kept
