"""A table of a SQL database, and the record of what is in it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from threading import Event
from typing import Any

import psycopg

from loadtest.errors import OccbenchError
from loadtest.targets.base.sql import SqlTarget
from loadtest.targets.base.table import ColumnType
from loadtest.workload.keyspace import KeySpace, KeyType
from loadtest.workload.scenario import Scenario
from seed.batches import Batch, runs
from seed.manifest import Manifest
from seed.sql import ledger, writer
from seed.sql.statements import Connection, again, column_types, execute, pause
from seed.store import Counted, Run, Store, taken

_TYPE_OIDS: dict[ColumnType, frozenset[int]] = {
    "bigint": frozenset({20}),
    "uuid": frozenset({2950}),
    "numeric": frozenset({1700}),
    "text": frozenset({25, 1043}),  # text, varchar
}
_LOCK_TRIES = 5
_LOCK_KEY = "hashtextextended('occbench seed ' || current_schema() || '.' || %s, 0)"
_LOCK_SQL = f"SELECT pg_try_advisory_xact_lock({_LOCK_KEY})"
# The transaction is idle for as long as the loading takes.
_KEEP_SQL = (
    "SELECT set_config(name, '0', true) FROM pg_settings "
    "WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')"
)


class SqlStore(Store):
    """One table; the ledger lets every batch in once, whoever else may be loading it."""

    target: SqlTarget

    def __init__(self, target: SqlTarget, scenario: Scenario, key_type: KeyType) -> None:
        super().__init__(target, scenario, key_type)
        self._connection: Connection | None = None
        self._batches = 0
        """How many batches are there, as far as is known here."""

    @property
    def _control(self) -> Connection:
        """A connection for everything but loading."""
        if self._connection is None or self._connection.closed:
            self._connection = self.target.connect()
        return self._connection

    @property
    def _living(self) -> Connection:
        """The same, or another one where it did not outlive the loading."""
        try:
            execute(self._control, "SELECT 1")
        except psycopg.OperationalError:
            self.close()
        return self._control

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def make(self) -> None:
        ledger.make_tables(self._control, self.target.dialect)

    def recorded(self) -> Manifest | None:
        return ledger.recorded(self._control, self.table.name)

    def fits(self) -> bool | None:
        columns = column_types(self._control, self.table.name)
        if columns is None:
            return None
        return len(columns) == len(self.table.columns) and all(
            wanted.name == name and oid in _TYPE_OIDS[wanted.type]
            for wanted, (name, oid) in zip(self.table.columns, columns, strict=True)
        )

    def locked(self) -> AbstractContextManager[bool]:
        if self.target.dialect.advisory_locks:
            return locked(self.target, self.table.name)
        return nullcontext(False)

    def create(self, manifest: Manifest, before: Manifest | None, *, drop: bool) -> Manifest:
        if before is not None:
            ledger.forget(self._control, before)
        if drop:
            self.target.before_drop(self._control, self.table.name)
            for statement in self.target.dialect.drop_table(self.table.name):
                execute(self._control, statement)
        if before is not None:
            ledger.clear(self._control, before, self.target.limits.batch_rows)
        if not ledger.insert(self._control, manifest):
            raise taken(self.table.name)
        for statement in self.target.dialect.create_table(self.table):
            execute(self._control, statement)
        self.target.after_create(self._control, self.table)
        loading = replace(manifest, state="loading")
        ledger.update(self._control, manifest, loading)
        return loading

    def extend(self, before: Manifest, manifest: Manifest) -> Manifest:
        if not ledger.update(self._control, before, manifest):
            raise taken(self.table.name)
        return manifest

    def resume(self, manifest: Manifest) -> Manifest:
        return manifest

    def missing(
        self, manifest: Manifest, keys: KeySpace, workers: int, *, resumed: bool
    ) -> tuple[int, Iterator[Run]]:
        layout = manifest.layout
        control = self._living
        there, self._batches = layout.start, 0
        for block in layout.blocks() if resumed else ():
            loaded = ledger.loaded_batches(control, manifest, block.start, block.stop)
            self._batches += len(loaded)
            there += sum(layout.accounts_in(number) for number in loaded)

        def missing_runs() -> Iterator[Run]:
            loaded: set[int] = set()
            for block in layout.blocks():
                if resumed:
                    loaded = ledger.loaded_batches(control, manifest, block.start, block.stop)
                if len(loaded) < len(block.batch_numbers):
                    yield from runs([b for b in block.batches(keys) if b.number not in loaded], workers)

        return there, missing_runs()

    def open_writer(self, manifest: Manifest, stop: Event) -> writer.BatchWriter:
        return writer.BatchWriter(self.target, self.scenario, manifest, stop)

    def count_in(self, batch: Batch) -> None:
        del batch
        self._batches += 1

    def how_far(self, manifest: Manifest) -> str:
        # Ctrl-C can strike between taking an event and counting it, so what was counted here is only
        # for a target that answers no more. What it broke off may have left the other connection in
        # the middle of something.
        with (
            suppress(psycopg.Error, OccbenchError),
            closing(self.target.connect()) as connection,
        ):
            self._batches = ledger.count_loaded(connection, manifest)
        return f"{self._batches:,} of {manifest.layout.batch_count:,} batches are loaded"

    def explain(self, error: Exception) -> str:
        return writer.explain(error, self.target)

    def is_loaded(self, manifest: Manifest) -> bool:
        return ledger.count_loaded(self._living, manifest) == manifest.layout.batch_count

    def build_indexes(self) -> None:
        for columns in self.table.indexes:
            # Where sessions are closed at a certain age, a long wait needs one that is new.
            with closing(self.target.connect()) as connection:
                again(partial(self.target.build_index, connection, self.table, columns))

    def count(self, columns: tuple[str, ...] = ()) -> Counted:
        selected = "".join(f", coalesce(sum({name}), 0)" for name in columns)
        control = self._living
        accounts, *sums = _row(
            control,
            f"SELECT count(*){selected} FROM {self.table.name}",  # noqa: S608
        )
        [total] = _row(control, self.scenario.invariant(self.key_type).total_sql)
        return Counted(int(accounts), int(total), dict(zip(columns, map(int, sums), strict=True)))

    def complete(self, manifest: Manifest) -> None:
        control = self._living
        ledger.update(control, replace(manifest, state="loading"), manifest)
        ledger.clear(control, manifest, self.target.limits.batch_rows)


def _row(connection: Connection, sql: str) -> tuple[Any, ...]:
    row = execute(connection, sql).fetchone()
    assert row is not None  # noqa: S101 - an aggregate always has a row
    return row


@contextmanager
def locked(target: SqlTarget, table: str) -> Iterator[bool]:
    """Keep other seedings of the table away; gives True, for that is certain.

    The lock is a transaction's, on a connection of its own: a session's would stay in the session of
    a pooler, for its next user. The transaction holds no snapshot. Where there are no advisory locks
    (Aurora DSQL), the ledger's unique key still lets every batch in only once.
    """
    with closing(target.connect()) as holder:
        if not _lock(holder, table):
            raise taken(table)
        try:
            yield True
        finally:
            # It would go with the connection, but a moment later than the next command may come.
            with suppress(psycopg.Error):
                holder.rollback()


def _lock(holder: Connection, table: str) -> bool:
    """Whether the lock was there to be had.

    A command that was killed a moment ago is still holding it, so a little patience is in order.
    """
    for attempt in range(_LOCK_TRIES):
        holder.execute(f"BEGIN; {_KEEP_SQL}".encode())
        row = holder.execute(_LOCK_SQL.encode(), (table,)).fetchone()
        if row is not None and row[0]:
            return True
        holder.rollback()
        pause(attempt)
    return False
