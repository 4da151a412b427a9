"""How many examples a property is tried with, where those of the profile would take too long."""

from typing import Any

from hypothesis import settings


def at_most(number: int, **more: Any) -> settings:
    """So many, or the fewer of the profile (`conftest.py`, `--hypothesis-profile`)."""
    return settings(max_examples=min(number, settings().max_examples), **more)
