"""Taking options out of a target's URL, without touching the rest of it."""

from collections.abc import Collection
from urllib.parse import unquote_plus


def without_options(url: str, names: Collection[str]) -> str:
    """The URL without these options; all else stays byte by byte, for libpq reads it its own way."""
    head, mark, query = url.partition("?")
    if not mark:
        return url
    kept = [part for part in query.split("&") if unquote_plus(part.partition("=")[0]) not in names]
    return f"{head}?{'&'.join(kept)}" if kept else head
