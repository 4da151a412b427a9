"""The predicted band of the conflict rate, from the formula in docs/methodology.md, and which side of
it a measured rate lies.
"""

import math
from typing import Literal

import numpy as np
import pandas as pd

from loadtest.errors import InputError
from loadtest.prediction.formula import conflict_probability, conflict_rate_of_attempts
from loadtest.record.outcome import COUNTED, Outcome
from loadtest.record.run import Run
from loadtest.workload.access import AccessLaw, parse_access
from reports.analysis.figures import CELL, Figures, Tally
from reports.analysis.over_time.blocks import Blocks
from reports.analysis.ranks import Chosen, chosen_of
from reports.analysis.reading.attempts import Attempts
from reports.analysis.reading.systems import Databases
from reports.statistics.sweep.measured import Measured

Side = Literal["below", "inside", "edge", "above"]

BAND_MARGIN = 0.1
"""How far outside the band the measured rate may lie: the formula's own accuracy."""


class Band:
    """Predicts the conflict rate of each cell; a slice is the mean of its cells by attempts.

    Nothing is predicted for a target that may share its database with another, which is not known, nor
    for a slice of different databases: their mean would be a band of nothing.
    """

    def __init__(
        self, run: Run, attempts: Attempts, blocks: Blocks, counts: Tally, databases: Databases
    ) -> None:
        self._run, self._attempts, self._databases = run, attempts, databases
        self._cells = _by_cell(counts)
        number = dict(zip(attempts.targets, databases.numbers, strict=True))
        self._cells["database"] = self._cells["target"].map(number)
        bounds = [self._bounds(cell, blocks) for _, cell in self._cells.iterrows()]
        self._cells[["low", "high"]] = np.array(bounds).reshape(-1, 2)

    def _bounds(self, cell: pd.Series, blocks: Blocks) -> tuple[float, float]:
        """(low, high) of a cell; NaN where it cannot be predicted."""
        overlapping = overlap_of(self._run, cell["operation"])
        seconds = blocks.duration_of(cell["key_type"])
        settled = self._databases.settled(self._attempts.targets.index(cell["target"]))
        if not cell["reached"] or overlapping is None or seconds <= 0 or not settled:
            return math.nan, math.nan
        # Whichever endpoint of the same database committed, it can fail an attempt.
        same = {name: cell[name] for name in ("key_type", "operation", "database")}
        commits = float(self._cells["committed"][chosen_of(self._cells, same)].sum())
        rate = self._others(cell["database"]) * commits / seconds
        low_s, high_s = (
            float(cell[f"window_{bound}"] / cell["reached"] / 1e9) for bound in ("low", "high")
        )
        delays = {target.name: target.decides_after_s for target in self._run.targets}
        low_s = min(low_s + delays.get(cell["target"], 0.0), high_s)
        if not isinstance(overlapping, AccessLaw):
            low, high = (
                conflict_probability(rate, window_s, overlapping) for window_s in (low_s, high_s)
            )
            return low, high
        most_attempts = 1 if self._run.config.retry == "none" else self._run.config.max_attempts
        # Commits at random moments make the fewest conflicts that are possible, commits
        # evenly spaced the most; where access is uniform the two hardly differ.
        low, high = (
            conflict_rate_of_attempts(
                overlapping, rate, window_s, max_attempts=most_attempts, evenly=evenly
            )
            for window_s, evenly in ((low_s, False), (high_s, True))
        )
        return low, high

    def _others(self, database: int) -> float:
        """The share of commits that other users make: none waits for, or can fail, its own."""
        users, names = self._run.config.users, self._attempts.targets
        same = [name for name, n in zip(names, self._databases.numbers, strict=True) if n == database]
        if len(same) < len(names):
            users = sum(self._attempts.users.get(name, 0) for name in same)
        return (users - 1) / users if users else 1.0

    def of(self, chosen: Chosen) -> tuple[float, float] | None:
        """(low, high) of the chosen cells, None where one of them cannot be predicted."""
        cells = self._cells[chosen_of(self._cells, chosen)]
        # A target that commits without showing when has no window, and no prediction.
        if ((cells["committed"] > 0) & (cells["reached"] == 0)).any():
            return None
        if cells["database"][cells["decided"] > 0].nunique() > 1:
            return None
        # A cell whose attempts never came as far as COMMIT has no window to predict from.
        used = cells[cells["reached"] > 0]
        if not len(used) or used[["low", "high"]].isna().any(axis=None):
            return None
        low, high = (
            float(np.average(used[bound], weights=used["decided"])) for bound in ("low", "high")
        )
        return low, high


def _by_cell(counts: Tally) -> pd.DataFrame:
    rows = counts.attempts
    rows = rows.assign(
        decided=rows["attempts"].where(rows["outcome"].isin(COUNTED), 0),
        committed=rows["attempts"].where(rows["final"] & (rows["outcome"] == Outcome.COMMITTED), 0),
    )
    columns = ["decided", "committed", "reached", "window_low", "window_high"]
    return rows.groupby(list(CELL), as_index=False)[columns].sum()


def overlap_of(run: Run, scenario: str) -> AccessLaw | float | None:
    """How a scenario's writes meet: its access law, or Σ_k q_k² where `run.json` gives only that."""
    if scenario in run.sum_q_squared:
        return run.sum_q_squared[scenario]
    if scenario != "transfer" or run.size is None:
        return None
    try:
        return parse_access(run.config.skew, run.size)
    except InputError:
        return None


def side_of_band(f: Figures | Measured) -> Side | None:
    """Where the rate of a slice lies; None where there is no rate, or no band.

    "edge" is outside by no more than the formula's accuracy and three standard errors.
    """
    low, high, rate = f.predicted_low, f.predicted_high, f.conflict_rate
    if low is None or high is None or rate is None:
        return None
    if low <= rate <= high:
        return "inside"
    if rate < low * (1 - BAND_MARGIN) - _chance(low, f.decided):
        return "below"
    return "above" if rate > high * (1 + BAND_MARGIN) + _chance(high, f.decided) else "edge"


def _chance(rate: float, attempts: int) -> float:
    """How far chance alone may carry a measured rate: three standard errors and one conflict."""
    return 3 * math.sqrt(rate * (1 - rate) / attempts) + 1 / attempts
