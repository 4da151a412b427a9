"""The figures that are compared between runs: what each is called, and which way is better."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["throughput", "latency", "share"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a slice.

    Throughput and latency are compared as ratios, shares as differences: 2 give-ups where there was 1
    are twice as many, and nothing to speak of.
    """

    key: str
    """As in `summary.json`."""
    name: str
    kind: Kind
    more_is_better: bool
    allowance: float
    """What two runs of the same thing may differ by though their blocks do not show it: the standard
    deviation of one run's figure as a share of the figure. `python -m tests.calibrate` measures it;
    see "Comparing runs" in docs/methodology.md."""
    quantile: float | None = None
    """Of a latency."""
    lasting: float = 0.0
    """How many times the variance that a run's own blocks show is allowed for between runs, beside
    `allowance`: on a machine that is busy with other things, what changes from second to second changes
    from minute to minute as well. Only of figures that hardly scatter by counting alone."""


METRICS = (
    Metric("throughput_tps", "throughput", "throughput", True, 0.01, lasting=2.0),
    Metric("latency_p50_ms", "latency p50", "latency", False, 0.01, 0.5, lasting=2.0),
    Metric("latency_p99_ms", "latency p99", "latency", False, 0.03, 0.99),
    Metric("conflict_rate", "conflict rate", "share", False, 0.03),
    Metric("retry_rate", "retry rate", "share", False, 0.03),
    Metric("give_ups", "give-ups", "share", False, 0.03),
)

QUANTILES = tuple(metric.quantile for metric in METRICS if metric.quantile is not None)
