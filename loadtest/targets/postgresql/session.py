"""The hot path: one user's connection, spoken to through libpq's own calls under gevent.

A cursor costs psycopg several times what the statement costs libpq, and its wait under gevent builds
a poll object at every round trip. Here a statement is one `send_query_prepared` and one wait on a
watcher of the hub that the connection keeps for its whole life.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic_ns
from typing import Any, cast

import psycopg
from gevent import get_hub, spawn
from greenlet import getcurrent
from psycopg import generators, pq, waiting

from loadtest.targets.base.dialect import Dialect, Statement
from loadtest.targets.base.target import ABSENT, StatementFailed
from loadtest.targets.postgresql import libpq
from loadtest.targets.postgresql.errors import cause_of, refused_sqlstate
from loadtest.targets.postgresql.libpq import patience_s
from loadtest.targets.postgresql.silence import Resume, unwatch, watch

_TYPE_OID = {"bigint": 20, "uuid": 2950, "numeric": 1700, "text": 25}
_IN_BINARY = frozenset({"bigint", "uuid"})

_OK = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)
_FATAL = (b"FATAL", b"PANIC")
_CONNECTION_OK = pq.ConnStatus.OK
_IDLE = pq.TransactionStatus.IDLE
_READ, _WRITE = 1, 2
_CANCEL_S = 10.0


class PostgresSession:
    """One connection with its statements prepared; see `sql.SqlSession` for what the times mean."""

    def __init__(
        self,
        conninfo: str,
        dialect: Dialect,
        statements: Sequence[Statement],
        connect: Callable[[str], libpq.Connection] = libpq.connect,
    ) -> None:
        self.begin_answered_ns = self.first_answered_ns = 0
        self.commit_sent_ns = self.ended_ns = 0
        self.closed = False
        self.remote = ABSENT
        try:
            # psycopg's own connect: it resolves names, tries hosts in turn and waits under gevent.
            self._connection = connect(conninfo)
        except psycopg.Error as error:
            text = str(error)
            sqlstate = error.sqlstate or refused_sqlstate(text)
            raise StatementFailed(
                sqlstate, cause_of(text), commit_sent=False, connected=False
            ) from None
        self._pgconn: pq.abc.PGconn = self._connection.pgconn
        self._pgconn.nonblocking = 1
        hub = get_hub()
        self._to_hub: Callable[[], object] = hub.switch
        self._readable: Any = hub.loop.io(self._pgconn.socket, _READ)
        self._either: Any = hub.loop.io(self._pgconn.socket, _READ | _WRITE)
        self.patience_s = patience_s(self._connection.info.get_parameters())
        if self.patience_s:
            watch(self)
        # Name → (name on the wire, format of each parameter).
        self._prepared: dict[str, tuple[bytes, list[int] | None]] = {}
        # Name on the wire → (statement, type of each parameter); empty where the server holds them.
        self._texts: dict[bytes, tuple[bytes, list[int]]] = {}
        try:
            for name, text in (("begin", dialect.begin), ("commit", "COMMIT")):
                self._prepare(Statement(name, text))
            for statement in statements:
                self._prepare(statement)
        except BaseException:
            self.close()
            raise

    def _prepare(self, statement: Statement) -> None:
        name = statement.name.encode()
        self._pgconn.send_prepare(
            name, statement.sql.encode(), [_TYPE_OID[t] for t in statement.parameter_types]
        )
        self._answer()
        formats = [int(t in _IN_BINARY) for t in statement.parameter_types]
        self._prepared[statement.name] = (name, formats or None)

    def begin(self) -> None:
        """Start a transaction; one round trip."""
        self.begin_answered_ns = self.first_answered_ns = self.commit_sent_ns = 0
        self._exchange(b"begin", None, None)
        self.begin_answered_ns = monotonic_ns()

    def execute(self, statement: str, parameters: Sequence[bytes]) -> int:
        """Run a prepared statement; returns how many rows it touched."""
        return self._run(statement, parameters).command_tuples or 0

    def fetch(self, statement: str, parameters: Sequence[bytes]) -> bytes | None:
        """Run a prepared statement; returns the first column of its first row as text, or None."""
        result = self._run(statement, parameters)
        return result.get_value(0, 0) if result.ntuples else None

    def _run(self, statement: str, parameters: Sequence[bytes]) -> pq.abc.PGresult:
        name, formats = self._prepared[statement]
        result = self._exchange(name, parameters, formats)
        if not self.first_answered_ns:
            self.first_answered_ns = monotonic_ns()
        return result

    def commit(self) -> None:
        """Commit; returns only once the server has confirmed it."""
        self.commit_sent_ns = monotonic_ns()
        result = self._exchange(b"commit", None, None)
        self.ended_ns = monotonic_ns()
        if result.command_status != b"COMMIT":
            # A transaction that had failed before is rolled back without an error.
            raise StatementFailed("25P02", "rolled back", commit_sent=True, connected=True)

    def rollback(self) -> None:
        """Give the transaction up; never raises, the session is usable or closed afterwards."""
        try:
            if self._pgconn.transaction_status != _IDLE:
                self._pgconn.send_query(b"ROLLBACK")
                self._answer()
        except (StatementFailed, psycopg.Error):
            self.close()
        self.ended_ns = monotonic_ns()

    def close(self) -> None:
        """Close the connection; never raises."""
        self.closed = True
        unwatch(self)
        self._readable.close()
        self._either.close()
        self._connection.close()

    def waiting(self) -> Resume | None:
        """The callback that ends the present wait, one object for each; None if there is none."""
        for watcher in (self._readable, self._either):
            if watcher.active:
                return cast("Resume", watcher.callback)
        return None

    def give_up(self) -> None:
        """Have the server stop what it may still be at.

        While it waits for a lock it does not notice that a client is gone. A COMMIT is left alone, for
        it is not known how far it has come.
        """
        if not self.commit_sent_ns:
            with suppress(psycopg.Error):  # A libpq that is older than this.
                spawn(_cancel, self._pgconn.cancel_conn())

    def _exchange(
        self, name: bytes, parameters: Sequence[bytes] | None, formats: list[int] | None
    ) -> pq.abc.PGresult:
        """One round trip with a prepared statement."""
        try:
            self._pgconn.send_query_prepared(name, parameters, formats)
        except psycopg.OperationalError as error:
            raise self._broken(str(error)) from None
        return self._answer()

    def _answer(self) -> pq.abc.PGresult:
        """Send what is queued, wait for the whole answer, give its result or raise its error."""
        pgconn, result = self._pgconn, None
        try:
            if pgconn.flush():
                self._flush()
            self._wait_readable()
            pgconn.consume_input()
            while True:
                while pgconn.is_busy():
                    self._wait_readable()
                    pgconn.consume_input()
                following = pgconn.get_result()
                if following is None:
                    break
                result = following
        except psycopg.OperationalError as error:
            if result is not None and result.status not in _OK:
                # What the server said before it closed the connection.
                raise self._failed(result) from None
            raise self._broken(str(error)) from None
        if result is None:
            raise self._broken("no answer")
        if result.status in _OK:
            return result
        raise self._failed(result)

    def _wait_readable(self) -> None:
        watcher = self._readable
        watcher.start(getcurrent().switch)
        try:
            self._to_hub()
        finally:
            watcher.stop()

    def _flush(self) -> None:
        """The socket's buffer was full: wait until all is sent, reading what comes meanwhile."""
        while self._pgconn.flush():
            self._either.start(getcurrent().switch)
            try:
                self._to_hub()
            finally:
                self._either.stop()
            self._pgconn.consume_input()

    def _failed(self, result: pq.abc.PGresult) -> StatementFailed:
        self.ended_ns = monotonic_ns()
        severity = result.error_field(pq.DiagnosticField.SEVERITY_NONLOCALIZED)
        # After a FATAL the session is over, whether that is already seen here or not.
        connected = severity not in _FATAL and self._pgconn.status == _CONNECTION_OK
        sqlstate = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
        message = result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or result.error_message
        return StatementFailed(
            sqlstate,
            message.decode(errors="replace"),
            commit_sent=self.commit_sent_ns != 0,
            connected=connected,
        )

    def _broken(self, message: str) -> StatementFailed:
        self.ended_ns = monotonic_ns()
        lines = message.strip().splitlines() or ["connection lost"]
        return StatementFailed("", lines[0], commit_sent=self.commit_sent_ns != 0, connected=False)


class UnnamedSession(PostgresSession):
    """A session behind a pooler that holds no named statements: each is sent whole, every time."""

    def _prepare(self, statement: Statement) -> None:
        types = statement.parameter_types
        formats = [int(t in _IN_BINARY) for t in types]
        self._prepared[statement.name] = (statement.name.encode(), formats or None)
        self._texts[statement.name.encode()] = (statement.sql.encode(), [_TYPE_OID[t] for t in types])

    def _exchange(
        self, name: bytes, parameters: Sequence[bytes] | None, formats: list[int] | None
    ) -> pq.abc.PGresult:
        """One round trip with a statement."""
        sql, types = self._texts[name]
        try:
            self._pgconn.send_query_params(sql, parameters, types, formats)
        except psycopg.OperationalError as error:
            raise self._broken(str(error)) from None
        return self._answer()


def _cancel(request: pq.abc.PGcancelConn) -> None:
    with suppress(psycopg.Error, TimeoutError):
        request.start()
        waiting.wait_conn(generators.cancel(request), interval=1.0, timeout=_CANCEL_S)
    request.finish()
