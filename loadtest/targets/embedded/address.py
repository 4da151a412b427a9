"""The database's address: what clients connect with, and to which regime."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from psycopg.conninfo import make_conninfo

Regime = Literal["optimistic", "locking"]

DATABASE = "occbench"
"""The name of the database and of its superuser."""
PORT = 5432
"""Only a part of the socket's file name: the server listens on no network."""

_SEARCH_PATHS: Mapping[str, str] = {"optimistic": "optimistic,public", "locking": "public"}


def conninfo(socket_folder: Path, options: Mapping[str, str]) -> str:
    """What to give to `psycopg.connect`; options are libpq's and win over the server's own."""
    place = {"host": str(socket_folder), "port": str(PORT)}
    return make_conninfo(**{**place, "user": DATABASE, "dbname": DATABASE, **options})


def url(socket_folder: Path, regime: Regime, settings: Mapping[str, str] | None = None) -> str:
    """The database in one of its regimes, as a URL of libpq's kind."""
    host = quote(str(socket_folder), safe="")
    options = quote(libpq_options(regime, settings), safe="")
    return f"postgresql://{DATABASE}@/{DATABASE}?host={host}&port={PORT}&options={options}"


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
