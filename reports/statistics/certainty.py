"""Figures as text, with the digits that their samples carry.

A figure is printed to the digit in which its standard error begins, and to three digits at most.
summary.json has all of them.
"""

import math
from collections.abc import Callable, Sequence
from typing import Self

from reports.analysis.figures import Figures
from reports.analysis.percentiles import Distribution
from reports.analysis.shares import FEW, Z95, share_interval
from reports.statistics.paired.blocks import Ratio
from reports.text.rounding import about, between, milliseconds, number, percent


class RoundedText(str):
    """A figure as text, which can be rounded again to fewer digits."""

    __slots__ = ("error", "say", "value")
    say: Callable[[float | None, float | None], str]
    value: float | None
    error: float
    """Its standard error; 0 where it is not known."""

    def __new__(
        cls, say: Callable[[float | None, float | None], str], value: float | None, error: float | None
    ) -> Self:
        """The value as `say` says it with this standard error."""
        made = super().__new__(cls, say(value, error))
        made.say, made.value, made.error = say, value, error or 0.0
        return made


def one_rounding(texts: Sequence[str]) -> list[str]:
    """Round the figures of one row, those of one size to the same digit: 61 and 59, not 60.6 and 59.

    Two digits of each are left where it has them by itself; other texts are as they were."""
    figures = [one for one in texts if isinstance(one, RoundedText) and one.value]

    def again(one: RoundedText) -> str:
        alike = (
            f for f in figures if f.say is one.say and 0.1 < (f.value or 0) / (one.value or 1) < 10
        )
        error = min(max(f.error for f in alike), abs(one.value or 0) / 10)
        return one.say(one.value, max(one.error, error))

    return [again(one) if isinstance(one, RoundedText) and one.value else one for one in texts]


def share_error(hits: int, of: int) -> float:
    """The standard error of a counted share: that of Wilson's interval, which is not zero where nothing
    was hit. 0 where nothing was counted.
    """
    low, high = share_interval(hits, of) or (0.0, 0.0)
    return (high - low) / 2 / Z95


def counted_share(hits: int, of: int) -> str:
    """A share of what was counted, as a percentage."""
    return RoundedText(percent, hits / of, share_error(hits, of)) if of > 0 else percent(None)


def throughput(f: Figures) -> str:
    """Transactions a second, to the digit in which the error of their count begins, √n of n."""
    if not f.committed or not f.throughput_tps:
        return number(f.throughput_tps)
    return RoundedText(number, f.throughput_tps, f.throughput_tps / math.sqrt(f.committed))


def change(ratio: Ratio) -> str:
    """How far a ratio is from 1, as a percentage to the digits that its error leaves."""
    return about(abs((ratio.ratio or 1.0) - 1), ratio.error)


def times(ratio: Ratio) -> str:
    """A ratio to the digits that its error leaves."""
    return number(ratio.ratio or 1.0, ratio.error)


def conflict_rate(f: Figures) -> str:
    """The conflict rate."""
    return counted_share(f.conflicts, f.decided)


def unsure_conflict_rate(f: Figures) -> str:
    """The 95 % interval of a conflict rate of so few conflicts that it is shown; else empty."""
    interval = share_interval(f.conflicts, f.decided)
    return between(*interval) if interval is not None and f.conflicts < FEW else ""


def retry_rate(f: Figures) -> str:
    """The share of transactions with at least one retry."""
    return counted_share(f.retried, f.counted)


def percentile(times: Distribution, name: str) -> str:
    """A percentile, by its name in `percentiles.QUANTILES`."""
    return RoundedText(milliseconds, getattr(times, name), times.errors.get(name))
