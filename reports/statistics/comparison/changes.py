"""Changes as text, with as many digits as are certain."""

import math

from reports.statistics.comparison.comparison import RunComparison
from reports.statistics.comparison.effect import Effect
from reports.statistics.comparison.metrics import Metric
from reports.statistics.comparison.pieces import SliceName
from reports.text.rounding import MINUS, THIN, TOO_FEW, milliseconds, number, percent

_FAR = 9.995
"""Changes by more than so many times the base are told as a multiple."""


def figure(metric: Metric, value: float | None) -> str:
    """A side's figure with its unit."""
    if value is None:
        return TOO_FEW
    if metric.kind == "throughput":
        return f"{number(value)}{THIN}/s"
    return milliseconds(value) if metric.kind == "latency" else percent(value)


def _decimals(half_width: float) -> int:
    """So many decimals that the interval's half width has two digits, and not more than two."""
    if half_width <= 0 or not math.isfinite(half_width):
        return 0
    return min(2, max(0, 1 - math.floor(math.log10(half_width))))


def _signed(value: float, decimals: int) -> str:
    text = f"{abs(value):,.{decimals}f}"
    if not float(text.replace(",", "")):
        return text
    return ("+" if value > 0 else MINUS) + text


def _texts(effect: Effect) -> tuple[str, str, str, str] | None:
    """(change, low, high, unit) as text; None where there is too little data."""
    if effect.change is None or effect.low is None or effect.high is None:
        return None
    values = [v * 100 for v in (effect.change, effect.low, effect.high)]
    decimals = _decimals((values[2] - values[1]) / 2)
    while decimals < 2 and any(v and not round(v, decimals) for v in values[1:]):
        # On which side of no change an end lies is what the reader looks for.
        decimals += 1
    if effect.metric.kind != "share" and max(map(abs, values)) > _FAR * 100:
        return (*(f"×{THIN}{number(1 + v / 100)}" for v in values), "")  # type: ignore[return-value]
    unit = f"{THIN}pp" if effect.metric.kind == "share" else f"{THIN}%"
    change, low, high = (_signed(v, decimals) for v in values)
    return change, low, high, unit


def change(effect: Effect) -> str:
    """`+9.1 %`, `−0.42 pp` (percentage points), `× 12`."""
    texts = _texts(effect)
    return TOO_FEW if texts is None else texts[0] + texts[3]


def interval(effect: Effect, *, unit: bool = True) -> str:
    """`+4.0 to +14.2 %`, or the numbers alone."""
    texts = _texts(effect)
    return "" if texts is None else f"{texts[1]} to {texts[2]}{texts[3] if unit else ''}"


def slice_name(comparison: RunComparison, where: SliceName) -> str:
    """A slice as tables name it: its key type, with its target where there are several."""
    if comparison.several_targets:
        return f"{where.target} / {where.key_type}"
    return where.key_type
