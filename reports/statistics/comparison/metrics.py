"""The figures that are compared between runs: what each is called, and which way is better."""

from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["throughput", "latency", "share", "count"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a slice.

    Throughput and latency are compared as ratios, shares and counts as differences: 2 give-ups where
    there was 1 are twice as many, and nothing to speak of. Counts are a second, or a transaction.
    """

    key: str
    name: str
    kind: Kind
    more_is_better: bool
    allowance: float
    """What two runs of the same thing may differ by though their blocks do not show it: the standard
    deviation of one run's figure as a share of the figure. `python -m tests.calibrate` measures it;
    see "Comparing runs" in docs/methodology.md."""
    quantile: float | None = None
    """Of a latency; None: its mean."""
    lasting: float = 0.0
    """How many times the variance that a run's own blocks show is allowed for between runs, on top of
    `allowance`: on a machine that is busy with other things, what changes from second to second changes
    from minute to minute as well. Only of figures that hardly scatter by counting alone."""
    above: str = ""
    """What is counted in `Pieces`; of a latency the times it is of."""
    below: str = ""
    """Of what it is the share, or in what time."""

    @property
    def is_ratio(self) -> bool:
        """Whether it is compared as a ratio, on a logarithmic scale."""
        return self.kind in ("throughput", "latency")


def _share(key: str, name: str, above: str, below: str) -> Metric:
    return Metric(key, name, "share", False, 0.03, above=above, below=below)


METRICS = (
    Metric("throughput_tps", "throughput", "throughput", True, 0.01, None, 2.0, "committed", "seconds"),
    Metric("latency_p50_ms", "latency p50", "latency", False, 0.01, 0.5, 2.0, "latency"),
    Metric("latency_p99_ms", "latency p99", "latency", False, 0.03, 0.99, above="latency"),
    _share("conflict_rate", "conflict rate", "conflicts", "decided"),
    _share("retry_rate", "retry rate", "retried", "counted"),
    _share("give_ups", "give-ups", "given_up", "counted"),
)
FAILURES = _share("failures", "failed or refused", "lost", "ended")
JUDGED = (*METRICS, FAILURES)
"""What `compare` judges; failures only where there are any."""
LIKE_LOAD = ("give_ups", FAILURES.key)
"""What says whether the others are of a like load."""


def _times(before: str, of: str) -> dict[str, Metric]:
    marks = {"mean": None, "p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}
    median, tail = METRICS[1], METRICS[2]
    return {
        f"{before}{mark}": replace(
            median if (quantile or 0) <= 0.5 else tail,
            key=f"{before}{mark}",
            name=mark,
            quantile=quantile,
            above=of,
        )
        for mark, quantile in marks.items()
    }


def _count(key: str, above: str, below: str = "seconds") -> Metric:
    return Metric(key, key, "count", False, 0.03, above=above, below=below)


GATED: dict[str, Metric] = {
    **_times("", "latency"),
    **_times("commit_", "commit"),
    **{
        metric.key: metric
        for metric in (
            replace(METRICS[0], key="throughput"),
            replace(METRICS[0], key="committed"),
            METRICS[3],
            METRICS[4],
            replace(METRICS[5], key="give_up_rate"),
            _share("failure_rate", "failed", "failed", "ended"),
            _share("error_rate", "errors", "errors", "attempts"),
            _count("retries_mean", "retries", "counted"),
            _count("conflicts", "conflicts"),
            _count("give_ups", "given_up"),
            _count("failures", "failed"),
            _count("errors", "errors"),
        )
    },
}
"""By the name of a gate's figure: how it is compared with a base. A largest value has no interval."""
