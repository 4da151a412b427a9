"""Whether a measured conflict rate lies in its predicted band: one rule for whatever says so."""

from typing import Literal, Protocol

Side = Literal["below", "inside", "edge", "above"]

BAND_MARGIN = 0.1
"""How far outside the band the measured rate may lie: the formula's own accuracy."""


class Predicted(Protocol):
    """A slice of a run, or of a sweep's point, with its measured rate and its predicted band."""

    @property
    def predicted_low(self) -> float | None: ...  # noqa: D102

    @property
    def predicted_high(self) -> float | None: ...  # noqa: D102

    @property
    def conflict_rate(self) -> float | None: ...  # noqa: D102

    @property
    def decided(self) -> int: ...  # noqa: D102


def side_of_band(f: Predicted) -> Side | None:
    """Where the rate lies; None where there is no rate, or no band.

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
    return 3 * float((rate * (1 - rate) / attempts) ** 0.5) + 1 / attempts
