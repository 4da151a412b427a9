"""The predicted band of the conflict rate, from the formula in docs/methodology.md."""

import numpy as np
from numpy.typing import NDArray

from loadtest.errors import InputError
from loadtest.prediction.formula import conflict_probability, conflict_rate_of_attempts
from loadtest.record.attempt import OUTCOME_CODE, Outcome
from loadtest.record.run import Run
from loadtest.workload.access import AccessLaw, parse_access
from reports.analysis.blocks import Blocks
from reports.analysis.figures import Tally
from reports.analysis.reading.load import COUNTED_CODES, Attempts
from reports.analysis.reading.systems import Databases


class Band:
    """Predicts the conflict rate of each cell; a slice is the mean of its cells by attempts.

    Nothing is predicted for a target that may share its database with another without anybody
    knowing, nor for a slice of different databases: their mean would be a band of nothing.
    """

    def __init__(
        self, run: Run, attempts: Attempts, blocks: Blocks, counts: Tally, databases: Databases
    ) -> None:
        overlap = [overlap_of(run, name) for name in attempts.scenarios]
        most_attempts = 1 if run.config.retry == "none" else run.config.max_attempts
        commits = counts.final_outcomes[..., OUTCOME_CODE[Outcome.COMMITTED]]
        system = np.array(databases.numbers)
        settled = np.array([databases.settled(t) for t in range(len(system))])
        shape = counts.reached_commit.shape
        self._weights = counts.outcomes[..., COUNTED_CODES].sum(axis=-1)
        self._reached = counts.reached_commit > 0
        self._hidden = (commits > 0) & ~self._reached
        self._system = np.broadcast_to(system[:, None], shape)
        self._bounds = {bound: np.full(shape, np.nan) for bound in ("low", "high")}
        delays = {target.name: target.decides_after_s for target in run.targets}
        for cell in zip(*np.nonzero(counts.reached_commit), strict=True):
            key, target, scenario = cell
            overlapping = overlap[scenario]
            seconds = blocks.duration_of(key)
            if overlapping is None or seconds <= 0 or not settled[target]:
                continue
            # Whichever endpoint of the same database committed, it can fail an attempt.
            same = system == system[target]
            rate = _others(run, attempts, same) * float(commits[key, same, scenario].sum()) / seconds
            low_s, high_s = (
                float(counts.sums_ms[f"window_{bound}"][cell] / counts.reached_commit[cell] / 1e3)
                for bound in ("low", "high")
            )
            low_s = min(low_s + delays.get(attempts.targets[target], 0.0), high_s)
            for bound, window_s in (("low", low_s), ("high", high_s)):
                values = self._bounds[bound]
                if isinstance(overlapping, AccessLaw):
                    # Commits at random moments make the fewest conflicts that are possible, commits
                    # evenly spaced the most; where access is uniform the two hardly differ.
                    values[cell] = conflict_rate_of_attempts(
                        overlapping,
                        rate,
                        window_s,
                        max_attempts=most_attempts,
                        evenly=bound == "high",
                    )
                else:
                    values[cell] = conflict_probability(rate, window_s, overlapping)

    def of(self, chosen: tuple[slice | int, slice | int, slice | int]) -> tuple[float, float] | None:
        """(low, high) of the chosen cells, None where one of them cannot be predicted."""
        # A target that commits without showing when has no window, and no prediction.
        if np.any(self._hidden[chosen]):
            return None
        attempted = self._weights[chosen] > 0
        if len(np.unique(self._system[chosen][attempted])) > 1:
            return None
        weights = np.ravel(self._weights[chosen])
        # A cell whose attempts never came as far as COMMIT has no window to predict from.
        used = np.ravel(self._reached[chosen])
        low = _mean(np.ravel(self._bounds["low"][chosen])[used], weights[used])
        high = _mean(np.ravel(self._bounds["high"][chosen])[used], weights[used])
        return None if low is None or high is None else (low, high)


def _others(run: Run, attempts: Attempts, same: NDArray[np.bool_]) -> float:
    """The share of commits that other users make: none waits for, or can fail, its own."""
    users = run.config.users
    if not same.all():
        users = sum(attempts.users.get(attempts.targets[t], 0) for t in np.flatnonzero(same))
    return (users - 1) / users if users else 1.0


def _mean(values: NDArray[np.float64], weights: NDArray[np.int64]) -> float | None:
    if not len(values) or np.isnan(values).any():
        return None
    return float(np.average(values, weights=weights))


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
