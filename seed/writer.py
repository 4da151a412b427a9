"""One connection that writes batches, each whole or not at all, and once."""

import threading
from typing import Any

import psycopg
from psycopg import errors

from loadtest.errors import OccbenchError, TargetError
from loadtest.scenarios.base import Scenario
from loadtest.table import Table
from loadtest.targets.base import Target
from seed.batches import Batch
from seed.encode import RowEncoder
from seed.manifest import BATCHES, TABLES, Manifest, read_manifest
from seed.statements import CONFLICTS, Connection, backoff_s, one_line
from seed.wire import Wire

_TRIES = 6
COPY_ROWS = 250
"""Rows a COPY. PostgreSQL 18 keeps a slot for each row of a COPY, up to 1,000, and spends time that
grows with the square of their number on them; four COPYs of 250 rows cost a third less than one of
1,000."""

_PASSING: tuple[type[psycopg.Error], ...] = (
    *CONFLICTS,
    errors.TooManyConnections,
    errors.ConfigurationLimitExceeded,
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.IdleInTransactionSessionTimeout,
)
"""Errors that go away: conflicts, a target that asks for less, a server that restarts."""


class Replaced(TargetError):  # noqa: N818 - what happened, not a bug
    """The table is not the one any more that this seeding is about."""


class BatchWriter:
    """Writes batches over a connection of its own, which it opens when it needs one."""

    def __init__(
        self, target: Target, scenario: Scenario, manifest: Manifest, stop: threading.Event
    ) -> None:
        self._target = target
        self._scenario = scenario
        self._manifest = manifest
        self._stop = stop
        self._connection: Connection | None = None
        self._wire: Wire | None = None
        self._together = True
        table: Table = scenario.table(manifest.key_type)
        self._encoder = RowEncoder(table)
        columns = ", ".join(column.name for column in table.columns)
        self._copy = f"COPY {table.name} ({columns}) FROM STDIN (FORMAT BINARY)".encode()
        # Only while the manifest says that this very load goes on: a batch can never land in a
        # table that another command has made in the meantime, nor twice in one that is complete.
        self._note = (
            f"INSERT INTO {BATCHES.name} (table_name, load_id, batch) "  # noqa: S608
            f"SELECT table_name, load_id, %d FROM {TABLES.name} WHERE table_name = "
            f"'{manifest.table}' AND load_id = '{manifest.load_id}' AND state = 'loading'"
        ).encode()

    def write(self, batch: Batch) -> bool:
        """Write the batch; False where it was there already.

        A connection that breaks is opened again and the ledger asked what became of the batch, so
        that even a commit without an answer is safe to repeat.
        """
        values = self._scenario.first_rows(batch.accounts, batch.keys, self._manifest.balance)
        for attempt in range(_TRIES):
            try:
                self._open()
                if attempt and self._is_loaded(batch):
                    return False
                return self._write_once(batch, values)
            except errors.UniqueViolation as error:
                self._settle_doubled(batch, error)
                return False
            except (psycopg.Error, TargetError) as error:
                if attempt == _TRIES - 1 or not self._may_pass(error) or self._stop.is_set():
                    raise
            self._stop.wait(backoff_s(attempt))
        raise AssertionError("the last attempt returns or raises")

    def close(self) -> None:
        """Close the connection; never raises."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> Connection:
        """A connection that is in no transaction."""
        if self._connection is None or self._connection.closed:
            self._connection = self._target.connect()
            self._wire = Wire(self._connection)
            # What a crash of the server takes away it takes with its ledger rows, and the ledger
            # is counted at the end; the commit that calls the table complete is a durable one.
            with suppress(psycopg.NotSupportedError, psycopg.ProgrammingError):
                self._connection.execute("SET synchronous_commit = off")
        elif self._wire is not None:
            self._wire.roll_back()
        return self._connection

    def _write_once(self, batch: Batch, values: Values) -> bool:
        """One transaction: the ledger's row first, so that a doubled batch is seen at once."""
        self._run([b"BEGIN", self._note % batch.number])
    def _is_loaded(self, connection: Connection, batch: Batch) -> bool:
        found = connection.execute(
            f"SELECT 1 FROM {BATCHES.name} "  # noqa: S608
            "WHERE table_name = %s AND load_id = %s AND batch = %s",
            (self._manifest.table, self._manifest.load_id, batch.number),
        )
        return found.fetchone() is not None

    def _check_finished(self, connection: Connection) -> None:
        """Nothing to do where another command completed this load; else an error."""
        now = read_manifest(connection, self._manifest.table)
        if now is None or now.load_id != self._manifest.load_id or not now.complete:
            raise Replaced(f"{self._manifest.table} was replaced by another command meanwhile")

    def _settle_doubled(self, batch: Batch, error: psycopg.Error) -> None:
        """A row was there already: fine where somebody else loaded the batch, else an error."""
        connection = self._open()
        if self._is_loaded(connection, batch):
            return
        try:
            self._check_finished(connection)
        except OccbenchError:
            raise error from None

    def _may_pass(self, error: Exception) -> bool:
        """Whether the same batch may succeed a moment later."""
        if isinstance(error, Replaced):
            return False
        connection = self._connection
        if connection is None or connection.closed or isinstance(error, TargetError):
            return True
        return isinstance(error, _PASSING)


def explain(error: Exception) -> str:
    """Why a batch could not be written, on one line."""
    if isinstance(error, OccbenchError):
        return str(error)
    if isinstance(error, errors.UniqueViolation):
        return (
            f"{one_line(error)}: the table holds rows that no seeding wrote; --recreate replaces it"
        )
    return one_line(error)
