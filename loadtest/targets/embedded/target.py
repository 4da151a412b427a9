"""The embedded database as a target, in one of its two regimes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, cast
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from loadtest.errors import InputError
from loadtest.errors.messages import quoted
from loadtest.errors.typed import number_of
from loadtest.targets.base.table import Table
from loadtest.targets.base.target import TargetSpec
from loadtest.targets.embedded import optimistic
from loadtest.targets.embedded.server.lifecycle import EmbeddedServer, Regime, libpq_options
from loadtest.targets.postgresql import libpq
from loadtest.targets.postgresql.target import PostgresTarget
from loadtest.targets.url import check_options, said_option

_OPTIONS = ("commit_delay_ms", "data", "isolation", "tcp_user_timeout")
_LONGEST_DELAY_MS = 10_000.0
_CONNECT_S = 30.0


class EmbeddedTarget(PostgresTarget):
    """`embedded[://optimistic|locking][?commit_delay_ms=MS&data=FOLDER&isolation=LEVEL]`.

    `tcp_user_timeout=MS`: how long an answer is waited for, as libpq calls it and as in other URLs.
    """

    family: ClassVar[str] = "embedded"
    own_options: ClassVar[tuple[str, ...]] = _OPTIONS

    def __init__(self, spec: TargetSpec) -> None:
        super().__init__(spec)
        regime = urlsplit(spec.url).netloc or "optimistic"
        if regime not in ("optimistic", "locking"):
            raise InputError(
                f"target {spec.shown}: no regime {quoted(regime)}; there is embedded://optimistic "
                "(the default) and embedded://locking"
            )
        self.regime = cast("Regime", regime)
        check_options(spec, _OPTIONS)
        self.commit_delay_ms = _delay(spec)
        self._patience = spec.options.get("tcp_user_timeout")
        if self._patience is not None and not self._patience.isdecimal():
            raise InputError(
                f"target {spec.shown}: tcp_user_timeout={self._patience} is no number of milliseconds; "
                "0 waits for an answer as long as it takes"
            )
        if self.commit_delay_ms and regime == "locking":
            raise InputError(
                f"target {spec.shown}: commit_delay_ms belongs to the optimistic regime only"
            )
        if "isolation" in spec.options and regime == "optimistic":
            raise InputError(
                f"target {spec.shown}: isolation belongs to the locking regime only; the optimistic "
                "one is snapshot isolation, as Aurora DSQL's"
            )
        data = spec.options.get("data")
        self.server = EmbeddedServer(Path(data) if data else None)

    def use(self, data_folder: Path) -> None:
        """Another data folder than the one in the URL."""
        self.server = EmbeddedServer(data_folder)

    def start(self) -> None:
        """Start the server if it does not run, and have the optimistic regime in place."""
        self.server.start()
        with self.connect() as connection:
            optimistic.install(connection)

    def conninfo(self) -> str:
        """The libpq connection string of load sessions: the regime is in it."""
        settings = {}
        if self.commit_delay_ms:
            settings["occ.commit_delay_ms"] = f"{self.commit_delay_ms:g}"
        options = libpq_options(self.regime, settings)
        patience = {} if self._patience is None else {"tcp_user_timeout": self._patience}
        return self.server.conninfo(options=options, **patience)

    def open_connection(self, conninfo: str) -> libpq.Connection:
        """Whatever libpq's environment says is meant for other servers than the tool's own."""
        return libpq.connect_apart(conninfo, _CONNECT_S)

    def heard(self) -> dict[str, list[str]]:
        """Nothing."""
        return {}

    def admin_conninfo(self) -> str:
        """The tables themselves, whatever the regime."""
        return self.server.conninfo(options="-c search_path=public")

    def after_create(self, connection: psycopg.Connection[tuple[Any, ...]], table: Table) -> None:
        """Every table that is seeded can be used in both regimes."""
        optimistic.cover(connection, table.name)

    def before_drop(self, connection: psycopg.Connection[tuple[Any, ...]], name: str) -> None:
        """The regime's view would keep the table from being dropped."""
        optimistic.uncover(connection, name)

    def settle(self, table: str) -> None:
        """Clean up after loading and earlier runs, or autovacuum would do it while it is measured."""
        with self.connect() as connection:
            connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier("public", table)))

    def place(self) -> str:
        """The server of this data folder, in whichever regime."""
        return str(self.server.data_folder)

    def notes_folder(self, place: str | None = None) -> Path:  # noqa: ARG002
        """In the data folder, whether the server runs or not."""
        return self.server.data_folder / "going-on"

    def in_use(self, tables: Sequence[str]) -> list[str]:  # noqa: ARG002
        """The runs: nobody on another machine can reach it."""
        return super().in_use([])

    def describe(self) -> dict[str, Any]:
        """What a report should know."""
        return {
            **super().describe(),
            "regime": self.regime,
            "commit_delay_ms": self.commit_delay_ms,
        }


def _delay(spec: TargetSpec) -> float:
    delay = number_of(spec.options.get("commit_delay_ms", "0"))
    if delay is None or not 0 <= delay <= _LONGEST_DELAY_MS:
        raise InputError(
            f"target {spec.shown}: {said_option(spec, 'commit_delay_ms')} is not between 0 and "
            f"{_LONGEST_DELAY_MS:g}"
        )
    return delay
