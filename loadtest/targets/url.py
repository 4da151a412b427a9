"""The options of a target's URL: which there may be, and how to take some out of it."""

from collections.abc import Collection, Sequence
from urllib.parse import unquote_plus

from loadtest.errors import InputError
from loadtest.targets.base import TargetSpec

COMMON_OPTIONS = ("weight",)
"""What every family has; no target sees them, for the tool itself does what they ask."""


def check_options(spec: TargetSpec, known: Sequence[str], more: str = "") -> None:
    """Refuse an option that is not among a family's own; raises InputError that lists all there are.

    `more` is added to the line, as in "; its value must be …".
    """
    if unknown := set(spec.options) - set(known):
        there_is = ", ".join((*known, *COMMON_OPTIONS))
        raise InputError(f"target {spec.shown}: no option {min(unknown)!r}; there is {there_is}{more}")


def without_options(url: str, names: Collection[str]) -> str:
    """The URL without these options; all else stays byte by byte, for libpq reads it its own way."""
    head, mark, query = url.partition("?")
    if not mark:
        return url
    kept = [part for part in query.split("&") if unquote_plus(part.partition("=")[0]) not in names]
    return f"{head}?{'&'.join(kept)}" if kept else head
