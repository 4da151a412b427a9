"""The database's address: what clients connect with, and to which regime."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from loadtest.targets.postgresql.libpq import overruled

Regime = Literal["optimistic", "locking"]

DATABASE = "occbench"
"""The name of the database and of its superuser."""
NAMES = {"user": DATABASE, "dbname": DATABASE}
NEWEST = 99
"""A major version of PostgreSQL that is not there yet."""
PORT = 5432
"""Only a part of the socket's file name: the server listens on no network."""

_SEARCH_PATHS: Mapping[str, str] = {"optimistic": "optimistic,public", "locking": "public"}
# What keeps a client away from here, or takes it elsewhere, where its environment says so.
_ALWAYS = {
    "hostaddr": "",
    "sslmode": "disable",
    "gssencmode": "disable",
    "channel_binding": "disable",
    "target_session_attrs": "any",
}


def socket(socket_folder: Path) -> dict[str, str]:
    """libpq's options for where the server listens."""
    return {"host": str(socket_folder), "port": str(PORT)}


def url(
    socket_folder: Path, regime: Regime, settings: Mapping[str, str] | None = None, major: int = NEWEST
) -> str:
    """The database in one of its regimes, as a URL of libpq's kind.

    It overrules what the environment says now, so that a psql of that major version is led nowhere
    else by it.
    """
    given = {**socket(socket_folder), "options": libpq_options(regime, settings), **_ALWAYS}
    given |= overruled({**given, **NAMES}, major)
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in given.items())
    return f"postgresql://{DATABASE}@/{DATABASE}?{query}"


def libpq_options(regime: Regime, settings: Mapping[str, str] | None = None) -> str:
    """The value of libpq's `options` that puts a connection into a regime."""
    everything = {
        "search_path": _SEARCH_PATHS[regime],
        "default_transaction_isolation": "repeatable read",
        **(settings or {}),
    }
    return " ".join(f"-c {name}={_escaped(value)}" for name, value in everything.items())


def _escaped(value: str) -> str:
    """`options` is cut at spaces, but for those behind a backslash."""
    return re.sub(r"([\\\s])", r"\\\1", value)
