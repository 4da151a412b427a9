"""Runs compared with one another: which figures became better or worse, by how much, how sure.

`compare_runs` reads the runs' folders and computes; the other modules show what it found.
"""

from reports.compare.comparison import RunComparison, compare_runs
from reports.compare.effect import Effect, Verdict
from reports.compare.metrics import METRICS, Metric
from reports.compare.pieces import SliceName

__all__ = [
    "METRICS",
    "Effect",
    "Metric",
    "RunComparison",
    "SliceName",
    "Verdict",
    "compare_runs",
]
