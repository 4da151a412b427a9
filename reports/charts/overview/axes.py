"""Axes that several of these charts share."""

from typing import Any

from matplotlib.ticker import LogLocator, NullFormatter

from reports.charts.figure import thousands_axis

_STEPS = ((1.0,), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0))
_FEWEST_TICKS = 3


def log_milliseconds(axis: Any) -> None:
    """Round labels on a logarithmic axis of milliseconds, also where it spans less than a decade."""
    low, high = sorted(axis.get_view_interval())
    for steps in _STEPS:
        locator = LogLocator(base=10, subs=steps)
        ticks = [tick for tick in locator.tick_values(low, high) if low <= tick <= high]
        axis.set_major_locator(locator)
        if len(ticks) >= _FEWEST_TICKS:
            break
    axis.set_minor_formatter(NullFormatter())
    thousands_axis(axis)
