"""Numbers as people type them: digits alone, where Python also takes 1_000 and blanks."""

import re

_WHOLE = re.compile(r"-?[0-9]+")
_NUMBER = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|-?inf|nan")


def whole_of(text: str) -> int | None:
    """The whole number that this is; None where it is none."""
    return int(text) if _WHOLE.fullmatch(text) and len(text) <= 40 else None


def number_of(text: str) -> float | None:
    """The number that this is; None where it is none."""
    return float(text) if _NUMBER.fullmatch(text) else None
