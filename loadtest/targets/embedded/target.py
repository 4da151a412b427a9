"""The embedded database as a target, in one of its two regimes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, cast
from urllib.parse import urlsplit

from psycopg import sql

from loadtest.errors import InputError
from loadtest.errors.messages import quoted
from loadtest.targets.base.table import Table
from loadtest.targets.base.target import TargetSpec
from loadtest.targets.embedded import optimistic
from loadtest.targets.embedded.address import Regime, libpq_options
from loadtest.targets.embedded.server import EmbeddedServer
from loadtest.targets.postgresql import libpq
from loadtest.targets.postgresql.libpq import Connection
from loadtest.targets.postgresql.target import PostgresTarget
from loadtest.targets.url import check_options, number

_LONGEST_DELAY_MS = 10_000
_CONNECT_S = 30.0


class EmbeddedTarget(PostgresTarget):
    """`embedded[://optimistic|locking][?commit_delay_ms=MS&data=FOLDER&isolation=LEVEL]`.

    `tcp_user_timeout=MS`: how long an answer is waited for, as libpq calls it and as in other URLs.
    """

    family: ClassVar[str] = "embedded"
    own_options: ClassVar[tuple[str, ...]] = (
        "commit_delay_ms",
        "data",
        "isolation",
        "tcp_user_timeout",
    )

    def __init__(self, spec: TargetSpec) -> None:
        super().__init__(spec)
        lead, options = f"target {spec.shown}", spec.options
        regime = urlsplit(spec.url).netloc or "optimistic"
        if regime not in ("optimistic", "locking"):
            raise InputError(
                f"{lead}: no regime {quoted(regime)}; there is embedded://optimistic "
                "(the default) and embedded://locking"
            )
        check_options(spec, self.own_options)
        self.regime = cast("Regime", regime)
        self.commit_delay_ms = number(spec, "commit_delay_ms", 0, 0, _LONGEST_DELAY_MS)
        if not options.get("tcp_user_timeout", "0").isdecimal():
            raise InputError(
                f"{lead}: tcp_user_timeout={options['tcp_user_timeout']} is no number of "
                "milliseconds; 0 waits for an answer as long as it takes"
            )
        if self.commit_delay_ms and regime == "locking":
            raise InputError(f"{lead}: commit_delay_ms belongs to the optimistic regime only")
        if "isolation" in options and regime == "optimistic":
            raise InputError(
                f"{lead}: isolation belongs to the locking regime only; the optimistic one is snapshot "
                "isolation, as Aurora DSQL's"
            )
        data = options.get("data")
        self.server = EmbeddedServer(Path(data) if data else None)

    def use(self, data_folder: Path) -> None:
        """Take another data folder than the one in the URL."""
        self.server = EmbeddedServer(data_folder)

    def start(self) -> None:
        """Start the server if it does not run, and have the optimistic regime in place."""
        self.server.start()
        with self.connect() as connection:
            optimistic.install(connection)

    def conninfo(self) -> str:
        """The libpq connection string of load sessions: the regime is in it."""
        delay = self.commit_delay_ms
        settings = {"occ.commit_delay_ms": f"{delay:g}"} if delay else {}
        patience = {k: v for k, v in self.spec.options.items() if k == "tcp_user_timeout"}
        return self.server.conninfo(options=libpq_options(self.regime, settings), **patience)

    def admin_conninfo(self) -> str:
        """The tables themselves, whatever the regime."""
        return self.server.conninfo(options="-c search_path=public")

    def open_connection(self, conninfo: str) -> Connection:
        """A connection that heeds nothing of libpq's environment, which is meant for other servers."""
        return libpq.connect_apart(conninfo, _CONNECT_S)

    def libpq_variables(self) -> dict[str, list[str]]:
        """Nothing."""
        return {}

    def after_create(self, connection: Connection, table: Table) -> None:
        """Let the table be used in both regimes."""
        optimistic.cover(connection, table.name)

    def before_drop(self, connection: Connection, name: str) -> None:
        """Take the regime's view away, which would keep the table from being dropped."""
        optimistic.uncover(connection, name)

    def settle(self, table: str) -> None:
        """Clean up after loading and earlier runs, or autovacuum would do it while it is measured."""
        with self.connect() as connection:
            connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier("public", table)))

    def server_id(self) -> str:
        """The server of this data folder, in whichever regime."""
        return str(self.server.data_folder)

    def notes_folder(self, server_id: str | None = None) -> Path:  # noqa: ARG002
        """In the data folder, whether the server runs or not."""
        return self.server.data_folder / "going-on"

    def in_use(self, tables: Sequence[str]) -> list[str]:  # noqa: ARG002
        """The runs of this machine: no other can reach the server."""
        return super().in_use([])

    def describe(self) -> dict[str, Any]:
        """Describe the regime, too."""
        told = {"regime": self.regime, "commit_delay_ms": self.commit_delay_ms}
        return {**super().describe(), **told}
