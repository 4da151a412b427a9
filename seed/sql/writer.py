"""One connection that writes batches, each whole or not at all, and once."""

import threading
from contextlib import suppress

import psycopg
from psycopg import errors

from loadtest.errors import OccbenchError, TargetError
from loadtest.targets.base.sql import SqlTarget
from loadtest.targets.base.table import Table
from loadtest.workload.scenario import Scenario
from seed.batches import Batch
from seed.manifest import TABLES, Manifest
from seed.sql.encode import Encoder, RowEncoder, Values
from seed.sql.encode_text import TextRowEncoder
from seed.sql.ledger import BATCHES, is_complete
from seed.sql.statements import PASSING, Connection, backoff_s, execute, one_line
from seed.sql.wire import Wire

_TRIES = 12
COPY_ROWS = 125
"""Rows a COPY. PostgreSQL 18 keeps a slot for each row of a COPY, up to 1,000, and spends time on
them that grows with the square of their number: eight COPYs of 125 rows cost the server two thirds
of what one of 1,000 does."""


class Replaced(TargetError):  # noqa: N818 - what happened, not a bug
    """The table is not the one any more that this seeding is about."""


class BatchWriter:
    """Writes batches over a connection of its own, which it opens when it needs one."""

    def __init__(
        self, target: SqlTarget, scenario: Scenario, manifest: Manifest, stop: threading.Event
    ) -> None:
        self._target = target
        self._scenario = scenario
        self._manifest = manifest
        self._stop = stop
        self._open_pair: tuple[Connection, Wire] | None = None
        self._together = target.dialect.statements_together
        # What a crash of the server takes away it takes with its ledger rows, and the ledger is
        # counted at the end; the commit that calls the table complete is a durable one.
        self._begin = [b"BEGIN", *(setting.encode() for setting in target.dialect.loading_settings)]
        table = scenario.table(manifest.key_type)
        self._encoder, self._copy = _copying(table, target.dialect.copy_format)
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
                connection, wire = self._open()
                if attempt and self._is_there(connection, batch):
                    return False
                if self._write_once(wire, batch, values):
                    return True
                self._expect_complete(connection)
                return False
            except errors.UniqueViolation:
                connection, _ = self._open()
                if self._is_there(connection, batch):
                    return False
                raise
            except errors.QueryCanceled as error:
                raise self._why_canceled(error) from None
            except (psycopg.Error, TargetError) as error:
                if self._stop.is_set() or attempt == _TRIES - 1 or not self._may_pass(error):
                    raise
            self._stop.wait(backoff_s(attempt))
        raise AssertionError("the last attempt returns or raises")

    def close(self) -> None:
        """Close the connection; never raises."""
        if self._open_pair is not None:
            self._open_pair[0].close()
            self._open_pair = None

    def _open(self) -> tuple[Connection, Wire]:
        """A connection that is in no transaction."""
        if self._open_pair is None or self._open_pair[0].closed:
            connection = self._target.connect()
            self._open_pair = connection, Wire(connection)
        self._open_pair[1].roll_back()
        return self._open_pair

    def _write_once(self, wire: Wire, batch: Batch, values: Values) -> bool:
        """One transaction; False where the manifest says that there is nothing to load any more.

        The ledger's row comes first, so that a doubled batch is seen before its rows are sent.
        """
        if self._together:
            if not wire.run(b"; ".join([*self._begin, self._note % batch.number])):
                return False
            rows = self._encoder.encode(values, COPY_ROWS)
            wire.run(b"; ".join([*[self._copy] * len(rows), b"COMMIT"]), rows)
            return True
        for statement in self._begin:
            wire.run(statement)
        if not wire.run(self._note % batch.number):
            return False
        wire.run(self._copy, self._encoder.encode(values, len(batch.accounts)))
        wire.run(b"COMMIT")
        return True

    def _is_there(self, connection: Connection, batch: Batch) -> bool:
        """Whether the batch is loaded, by the ledger or because the whole table is complete."""
        found = execute(
            connection,
            f"SELECT 1 FROM {BATCHES.name} "  # noqa: S608
            "WHERE table_name = %s AND load_id = %s AND batch = %s",
            (self._manifest.table, self._manifest.load_id, batch.number),
        )
        return found.fetchone() is not None or is_complete(connection, self._manifest)

    def _expect_complete(self, connection: Connection) -> None:
        """Another command has loaded the rest; or it has replaced the table, which is an error."""
        if not is_complete(connection, self._manifest):
            raise Replaced(f"{self._manifest.table} was replaced by another command meanwhile")

    def _why_canceled(self, error: psycopg.Error) -> Exception:
        """PostgreSQL calls it the user's request where time runs out between two statements of one
        message; nobody here makes any.
        """
        row = None
        with suppress(psycopg.Error, TargetError):
            row = execute(self._open()[0], "SHOW statement_timeout").fetchone()
        if row is None or row[0] == "0":
            return error
        return TargetError(
            f"a statement took longer than the statement timeout of {row[0]} that the server has for "
            "this user (57014); raise statement_timeout, or give a smaller --batch"
        )

    def _may_pass(self, error: Exception) -> bool:
        """Whether the same batch may succeed a moment later: after a conflict, or reconnected.

        A target that restarts, or takes no more connections for now (53300, 53400), shows itself
        as a connection that is not there.
        """
        if isinstance(error, Replaced):
            return False
        reached = self._open_pair is not None and not self._open_pair[0].closed
        return not reached or isinstance(error, (*PASSING, TargetError))


def _copying(table: Table, copy_format: str) -> tuple[Encoder, bytes]:
    """What encodes the table's rows in this format of COPY, and the COPY that takes them."""
    columns = ", ".join(column.name for column in table.columns)
    copy = f"COPY {table.name} ({columns}) FROM STDIN"
    if copy_format == "binary":
        return RowEncoder(table), f"{copy} (FORMAT BINARY)".encode()
    # Text is what COPY takes where nothing is said.
    return TextRowEncoder(table), copy.encode()


def explain(error: Exception, target: SqlTarget) -> str:
    """Why a batch could not be written, on one line."""
    if isinstance(error, OccbenchError):
        return str(error)
    if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
        return str(target.explain(error))  # a connection was lost: it may have heard why
    if isinstance(error, errors.UniqueViolation):
        return f"{one_line(error)}: the table holds rows that no seeding wrote; --recreate replaces it"
    return one_line(error)
