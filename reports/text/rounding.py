"""Figures as text: one rounding for headline, table and chart, with no more digits than are sure."""

import math
from collections.abc import Sequence

MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"
THIN = "\N{NO-BREAK SPACE}"
TOO_FEW = "too few"


_ONE_SECOND_MS = 999.5
"""What rounds to a second is one."""


def number(value: float | None, error: float | None = None) -> str:
    """Three significant digits, thousands separated; whole numbers from 100 on.

    With a standard error, no digit after that in which the error begins: 29.2 ± 1.4 is 29.
    """
    if value is None:
        return TOO_FEW
    if value < 0:
        return MINUS + number(-value, error)
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    if error and math.isfinite(error):
        last = min(math.floor(math.log10(error)), math.floor(math.log10(value)))
        if last > min(0, math.floor(math.log10(value)) - 2):
            return f"{round(value, -last):,.{max(0, -last)}f}"
    digits = 2 - math.floor(math.log10(value))
    rounded = round(value, digits)
    return (
        f"{rounded:,.{max(0, 2 - math.floor(math.log10(rounded)))}f}"
        if rounded < 100
        else (f"{value:,.0f}")
    )


def count(value: int) -> str:
    """A whole number, thousands separated."""
    return f"{value:,}"


def plural(value: int, noun: str) -> str:
    """`1 give-up`, `2 give-ups`."""
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"


def percent(share: float | None, error: float | None = None) -> str:
    """A share as a percentage with three significant digits, or as many as its standard error lets
    stand.
    """
    if share is None:
        return TOO_FEW
    if share == 0:
        return f"0{THIN}%"
    value = share * 100
    if 99.95 <= value < 100:
        # Never rounded up to all: as many digits as it takes to see what is missing.
        digits = min(6, -math.floor(round(math.log10(100 - value), 6)))
        return f"{math.floor(round(value * 10**digits, 3)) / 10**digits:.{digits}f}{THIN}%"
    return f"{number(value, error and error * 100)}{THIN}%"


def between(low: float, high: float) -> str:
    """Two shares as one range, `2.48 %` to `4.80 %` with the sign once; one if they read alike."""
    if percent(low) == percent(high):
        return percent(low)
    return f"{percent(low).removesuffix(f'{THIN}%')}{DASH}{percent(high)}"


def about(share: float, error: float | None = None) -> str:
    """A share as a percentage with two significant digits, for sentences; with a standard error, no
    digit after that in which the error begins.
    """
    value = share * 100
    if value == 0 or not math.isfinite(value):
        return f"0{THIN}%"
    # Rounded first: 9.99 has its two digits as 10, not as 10.0.
    rounded = round(value, 1 - math.floor(math.log10(value)))
    finest = 10.0 ** (math.floor(math.log10(rounded)) - 1)
    if error and math.isfinite(error) and error * 100 > finest:
        return f"{number(value, error * 100)}{THIN}%"
    digits = max(0, 1 - math.floor(math.log10(rounded)))
    return f"{value:.{digits}f}{THIN}%"


def shortened(name: str, most: int) -> str:
    """A name that has room for `most` characters, cut in the middle: both ends tell names apart."""
    if len(name) <= most:
        return name
    head = (most - 1) // 2
    return f"{name[:head]}…{name[len(name) - (most - 1 - head) :]}"


def milliseconds(value: float | None, error: float | None = None) -> str:
    """A time in milliseconds, in seconds from one second on; with no digit that its standard error
    leaves no meaning.
    """
    if value is None:
        return TOO_FEW
    if value >= _ONE_SECOND_MS:
        return f"{number(value / 1000, error and error / 1000)}{THIN}s"
    return f"{number(value, error)}{THIN}ms"


def seconds(value: float) -> str:
    """A length of time: milliseconds, seconds, minutes or hours."""
    if 0 < value < _ONE_SECOND_MS / 1000:
        return f"{value * 1000:.3g}{THIN}ms"
    if value < 120:
        return f"{value:.3g}{THIN}s"
    if value < 7200:
        return f"{value / 60:.3g}{THIN}min"
    return f"{number(value / 3600)}{THIN}h" if value >= 360_000 else f"{value / 3600:.3g}{THIN}h"


def interval(ratio: float, low: float, high: float) -> str:
    """A ratio with its interval, with enough decimals to see on which side of 1 the ends lie."""
    ends = [abs(end - 1) for end in (low, high) if end != 1]
    decimals = 2 if min(ends, default=1.0) >= 0.005 else 3
    return f"{ratio:.{decimals}f} ({low:.{decimals}f}{DASH}{high:.{decimals}f})"


def listed(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def capital(text: str) -> str:
    """The text as a sentence begins."""
    return text[:1].upper() + text[1:]
