"""Figures as text, with the digits that their samples carry.

A figure is printed to the digit in which its standard error begins, and to three digits at most.
summary.json has all of them.
"""

from reports.figures import Figures
from reports.percentiles import Distribution
from reports.shares import FEW, Z95, share_interval
from reports.style import between, milliseconds, percent


def counted_share(hits: int, of: int) -> str:
    """A share of what was counted, as a percentage.

    The standard error is that of Wilson's interval, which is not zero where nothing was hit.
    """
    interval = share_interval(hits, of)
    if interval is None:
        return percent(None)
    return percent(hits / of, (interval[1] - interval[0]) / 2 / Z95)


def conflict_rate(f: Figures) -> str:
    """The conflict rate."""
    return counted_share(f.conflicts, f.attempts)


def unsure_conflict_rate(f: Figures) -> str:
    """The 95 % interval of a conflict rate of so few conflicts that it has to be said; else empty."""
    interval = share_interval(f.conflicts, f.attempts)
    return between(*interval) if interval is not None and f.conflicts < FEW else ""


def retry_rate(f: Figures) -> str:
    """The share of transactions with at least one retry."""
    return counted_share(f.retried, f.transactions)


def percentile(times: Distribution, name: str) -> str:
    """A percentile, by its name in `percentiles.QUANTILES`."""
    return milliseconds(getattr(times, name), times.errors.get(name))
