"""Values and limits of gates as text: with their unit, and digits enough to tell them apart."""

import math

from reports.gates.conditions import Kind, Limit
from reports.text.rounding import MINUS, THIN

_MOST_DIGITS = 9


_SHOWN = {
    Kind.TIME: (1.0, f"{THIN}ms"),
    Kind.SHARE: (100.0, f"{THIN}%"),
    Kind.SPEED: (1.0, "/s"),
    Kind.NUMBER: (1.0, ""),
}
"""By what a value is multiplied, and the unit that it then has."""
_LONG_MS = 10_000
"""Times from here on are shown in seconds."""


def shown(
    kind: Kind, value: float, digits: int = 3, *, given: bool = False, like: float | None = None
) -> str:
    """A value with its unit and so many significant digits; whole digits are never rounded away.

    `given` says that it was typed and not measured: zeros at its end then mean nothing. The unit is
    that of `like`, a value in the same row.
    """
    factor, unit = _SHOWN[kind]
    if kind is Kind.TIME and abs(value if like is None else like) >= _LONG_MS:
        factor, unit = 1e-3, f"{THIN}s"
    size = abs(value * factor)
    decimals = 0
    if size and not (kind is Kind.NUMBER and size == int(size)):
        # Rounding may bring a digit: 9.996 is 10.0, not 10.00.
        rounded = round(size, digits - 1 - math.floor(math.log10(size)))
        decimals = max(0, digits - 1 - math.floor(math.log10(rounded)))
    text = f"{size:,.{decimals}f}"
    if given and "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"{MINUS if value < 0 else ''}{text}{unit}"


def apart(
    kind: Kind, value: float, other: float | None, like: float | None, *, given: bool = False
) -> str:
    """A value with the fewest digits, from three on, that tell it from the other one."""
    digits = 3
    while (
        other not in (None, value)
        and digits < _MOST_DIGITS
        and shown(kind, value, digits, given=True, like=like)
        == shown(kind, other, digits, given=True, like=like)
    ):
        digits += 1
    return shown(kind, value, digits, given=given, like=like)


def change(kind: Kind, limit: Limit) -> str:
    """How a limit differs from the base, as in ` + 10 %`; nothing where it does not."""
    if limit.amount == 0:
        return ""
    sign = MINUS if limit.amount < 0 else "+"
    amount = abs(limit.amount)
    if limit.relative:
        return f" {sign} {shown(Kind.SHARE, amount, given=True)}"
    if kind is Kind.SHARE:
        return f" {sign} {shown(Kind.NUMBER, amount * 100, given=True)} points"
    return f" {sign} {shown(kind, amount, given=True)}"
