"""Numbers as people type them: digits alone, where Python also takes 1_000 and blanks."""

import re
from collections.abc import Callable

from loadtest.errors.messages import quoted

_WHOLE = re.compile(r"-?[0-9]+")
_NUMBER = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|-?inf|nan")


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
