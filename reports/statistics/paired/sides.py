"""One side of every pair that is compared: counts and latency histograms, by block or piece of time."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from loadtest.record.outcome import Outcome
from reports.analysis import percentiles
from reports.analysis.ranks import Ordered, Ranks
from reports.analysis.reading.attempts import Attempts
from reports.analysis.reading.views import literals
from reports.statistics.intervals import Floats

PERCENTILES = {"latency_p50_ms": 0.5, "latency_p99_ms": 0.99}
"""The percentiles that are compared."""
LOST = {"failed": "failed", "were refused": "refused", "gave up": "gave_up"}
"""How transactions end that do not commit, in words → the column that counts them."""
_STEP = math.log(1.004)
_MAX_BINS = 4000


@dataclass(frozen=True, slots=True)
class Side:
    """One side of P pairs.

    `counts` has a row a pair: its `seconds`, the attempts `decided` and their `conflicts`, and the
    transactions `committed`, `ended` and those of LOST. `latency` are histograms, (P, bins).
    """

    counts: pd.DataFrame
    latency: Floats
    ordered_ns: Ordered

    def weighted(self, weights: Floats, above: str, below: str) -> Floats:
        """The ratio of two counts in each set of weights of the pairs."""
        return np.asarray(
            (weights @ self.counts[above].to_numpy(float))
            / (weights @ self.counts[below].to_numpy(float))
        )

    def share(self, above: str, below: str) -> float | None:
        """The ratio of two counts over all pairs; None where there is nothing below the line."""
        whole = float(self.counts[below].sum())
        return float(self.counts[above].sum()) / whole if whole > 0 else None


class Table:
    """Counts and latency histograms by unit: a block or several, on a target.

    `source` are the attempts with their `unit`, made with the table `units`; `seconds` has each unit's
    length; `sides` are, by name, a target and its units.
    """

    def __init__(
        self,
        attempts: Attempts,
        source: str,
        seconds: Floats,
        sides: Mapping[Any, tuple[str, list[int]]],
        units: pd.DataFrame,
    ) -> None:
        self._seconds, self._sides = seconds, sides
        targets = sorted({target for target, _ in sides.values()})
        if len(targets) < len(attempts.targets):
            source = f"(SELECT * FROM {source} WHERE target IN ({literals(targets)}))"
        tables = {"units": units}
        self._counts = attempts.frame(
            f"""
            SELECT target, unit, count(*) FILTER (decided) AS decided,
                count(*) FILTER (conflicted) AS conflicts,
                count(*) FILTER (final AND committed) AS committed, count(*) FILTER (final) AS ended,
                count(*) FILTER (final AND NOT decided AND outcome <> '{Outcome.REFUSED}') AS failed,
                count(*) FILTER (final AND outcome = '{Outcome.REFUSED}') AS refused,
                count(*) FILTER (final AND conflicted) AS gave_up,
                min(latency_ns) FILTER (counted) AS least, max(latency_ns) FILTER (counted) AS most
            FROM {source} GROUP BY ALL
            """,
            **tables,
        )
        # Bins of equal logarithmic width from the least to the largest latency.
        timed = self._counts.dropna(subset=["least", "most"])
        ends = (timed["least"].min(), timed["most"].max()) if len(timed) else (1, 1)
        low, high = (math.log(max(1, end)) for end in ends)
        high = max(high, math.log(2))
        self._bins = min(_MAX_BINS, max(1, math.ceil((high - low) / _STEP)) + 1)
        self.edges = np.exp(np.linspace(low, max(high, low + _STEP), self._bins + 1))
        """The histograms' bins lie between these."""
        per_bin = self._bins / (math.log(self.edges[-1]) - low)
        bin_of = f'trunc((ln(greatest("value", 1)) - {low!r}) * {per_bin!r})'
        ranks = Ranks(
            attempts,
            f"(SELECT * FROM {source}) WHERE counted",
            "latency_ns",
            ("target", "unit"),
            bin_of=f"greatest(0, least({self._bins - 1}, {bin_of}))",
            **tables,
        )
        self._latency = ranks.table()
        groups = {
            name: ranks.where({"target": target, "unit": chosen})
            for name, (target, chosen) in sides.items()
        }
        self._ordered = ranks.pick(
            groups, lambda samples: percentiles.ranks_of(samples, *PERCENTILES.values())
        )

    def side(self, name: Any) -> Side:
        """The units of a side, in their order."""
        target, chosen = self._sides[name]
        counts = self._counts[self._counts["target"] == target].set_index("unit").drop(columns="target")
        counts = counts.reindex(chosen, fill_value=0).assign(seconds=self._seconds[chosen])
        latency = self._latency[self._latency["target"] == target]
        histogram = np.zeros((len(self._seconds), self._bins))
        histogram[latency["unit"], latency["bin"]] = latency["samples"]
        return Side(counts, histogram[chosen], self._ordered[name])
