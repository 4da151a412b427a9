"""The formula and the embedded database, at a few telling points.

`python -m tests.bench.agreement` goes over the whole grid, the simulation beside them; formula and
simulation are compared over the whole grid in tests/unit/test_forecast.py.
"""

from pathlib import Path

import pytest

from loadtest.prediction.forecast import forecast
from tests.agreement import WITHIN, Case, agree, embedded, predicted_from

# Of one kind in a closed and in an open loop each; the whole grid is `make bench`'s.
POINTS = [
    Case(1_000, "zipf:1.1", 50, 32),
    Case(1_000, "uniform", 20, 64, rate=400, retry="immediate"),
]


@pytest.mark.timed
@pytest.mark.parametrize("case", POINTS, ids=str)
def test_formula_and_database_agree(case: Case, seeded: str, tmp_path: Path) -> None:
    outcome, folder = embedded(case, seeded, 3, tmp_path / "results")
    workload = predicted_from(folder, case)
    told = forecast(workload).conflict_rate
    measured = outcome.conflict_rate
    # How much of COMMIT is window the client cannot see: the formula gives a range for it.
    within = told.low * (1 - WITHIN) <= measured.high and measured.low <= told.high * (1 + WITHIN)
    assert within or agree(outcome, told.best), f"measured {measured}, formula {told}"
    # Not vacuous, on a busy machine neither, where the attempts' windows differ more from one another.
    assert told.high / told.low < 4
