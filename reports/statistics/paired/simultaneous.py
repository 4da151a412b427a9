"""Ratios that are judged together: one rule for what differs, in headline, table and chart."""

from collections.abc import Sequence
from dataclasses import replace

from reports.analysis.shares import Z95
from reports.statistics.paired.blocks import NO_DIFFERENCE, Comparison, Ratio


def simultaneous(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The comparisons of one report with intervals that all hold together for 95 %.

    Bonferroni: each of m intervals needs the level 1 − 0.05 / m. The bootstrap's are widened, on the
    logarithm, as Student's t of pairs − 1 degrees of freedom is. What differs by the wider interval
    differs; the verdicts say so.
    """
    tests = sum(ratio.judged for c in comparisons for ratio in c.ratios)
    return [
        replace(c, ratios=tuple(_widened(c, ratio, tests) for ratio in c.ratios)) for c in comparisons
    ]


def _widened(c: Comparison, one: Ratio, tests: int) -> Ratio:
    if one.low is None or one.high is None or not one.ratio:
        return one
    # Here, for importing it takes longer than everything else that a summary needs.
    from scipy.special import stdtrit

    freedom = max(1, c.pairs - 1)
    wider = float(stdtrit(freedom, 1 - 0.025 / tests) / stdtrit(freedom, 0.975))
    low, high = (one.ratio * (end / one.ratio) ** wider for end in (one.low, one.high))
    verdict = f"{c.other} is {'higher' if one.ratio > 1 else 'lower'}"
    error = (one.high - one.low) / 2 / Z95
    return replace(
        one, low=low, high=high, error=error, verdict=NO_DIFFERENCE if low <= 1 <= high else verdict
    )
