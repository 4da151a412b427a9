"""What people type: lists, durations and numbers.

Numbers are digits alone, where Python also takes 1_000 and blanks.
"""

import re
from collections.abc import Callable

from loadtest.errors.messages import quoted

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_WHOLE = re.compile(r"-?[0-9]+")
_NUMBER = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|-?inf|nan")


def listed(value: object) -> object:
    """A list from `a,b`, without what is empty; what is no text goes to the validator."""
    return words_of(value) if isinstance(value, str) else value


def words_of(text: str) -> list[str]:
    """The words of `a,b`, without what is empty."""
    return [part.strip() for part in text.split(",") if part.strip()]


def parse_duration(value: object) -> object:
    """Seconds from `90`, `90s`, `1m30s`, `250ms` or `2h`; what is no text goes to the validator."""
    if not isinstance(value, str):
        return value
    text = value.strip().lower()
    if re.fullmatch(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h))+|[0-9]+(?:\.[0-9]+)?", text):
        parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|)", text)
        return sum(float(number) * _UNITS_S[unit] for number, unit in parts)
    raise ValueError(f"{quoted(value)} is not a duration such as 90s, 1m30s or 250ms")


def whole_of(text: str) -> int | None:
    """The whole number that this is; None where it is none."""
    return int(text) if _WHOLE.fullmatch(text) and len(text) <= 40 else None


def whole_between(least: int, most: int = 2**31 - 1) -> Callable[[object], int]:
    """What typer reads an option with that takes a whole number from `least` to `most`."""

    def parse(value: object) -> int:
        import typer

        found = value if isinstance(value, int) else whole_of(str(value))
        if found is None or not least <= found <= most:
            raise typer.BadParameter(f"{quoted(value)} is no whole number from {least:,} to {most:,}")
        return found

    parse.__name__ = "INTEGER"
    return parse


def number_of(text: str) -> float | None:
    """The number that this is; None where it is none."""
    return float(text) if _NUMBER.fullmatch(text) else None
