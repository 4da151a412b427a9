"""How sure a share is that was counted: its interval, and when it is too wide to be left unsaid."""

import math

Z95 = 1.959964
"""Standard normal deviate of a two-sided 95 % interval."""

FEW = 100
"""Counts below this leave a share unsure by more than a fifth: 1.96 / √100."""

FELT = 0.01
"""Share of transactions that failed, or gave up, from which a headline says so; and by which the shares
of two sides differ at least, for what is left of them to be of another load.
"""


def share_interval(hits: int, of: int, z: float = Z95) -> tuple[float, float] | None:
    """The interval in which the true share lies, from `hits` of `of` that are independent.

    Wilson's score interval, which holds its level for few hits and for none, where the usual
    ±1.96 standard errors shrinks to nothing (E. B. Wilson, "Probable Inference, the Law of
    Succession, and Statistical Inference", JASA 22, 1927, pp. 209–212). None where nothing was
    counted.
    """
    if of <= 0:
        return None
    share, square = hits / of, z * z / of
    middle = (share + square / 2) / (1 + square)
    reach = z / (1 + square) * math.sqrt(share * (1 - share) / of + square / (4 * of))
    # At the ends the formula gives exactly 0 and 1; rounding must not go past them.
    return (0.0 if hits == 0 else max(0.0, middle - reach)), (
        1.0 if hits == of else min(1.0, middle + reach)
    )
