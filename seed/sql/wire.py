"""Statements and COPY data over one connection with as few round trips as can be.

A batch is a handful of statements. Sent one by one through psycopg's COPY they cost more, on both
sides, than the rows do; several in one query string cost a third of that.
"""

import select
from collections.abc import Iterator, Sequence

import psycopg
from psycopg import pq
from psycopg.errors import error_from_result

from seed.sql.statements import Connection

_DONE = frozenset({pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK, pq.ExecStatus.EMPTY_QUERY})


class Wire:
    """A connection, spoken to in query strings; after an error it may be inside a transaction."""

    def __init__(self, connection: Connection) -> None:
        self._pgconn = connection.pgconn
        self._readable = select.poll()
        self._readable.register(self._pgconn.socket, select.POLLIN)
        self._either = select.poll()
        self._either.register(self._pgconn.socket, select.POLLIN | select.POLLOUT)

    def run(self, query: bytes, data: Sequence[bytes] = ()) -> int:
        """Run the statements of a query; each COPY … FROM STDIN takes the next piece of data.

        Returns how many rows the last statement touched. Raises psycopg.Error for the first that
        fails; none after it is run.
        """
        pieces = iter(data)
        rows = 0
        failed: pq.abc.PGresult | None = None
        self._pgconn.send_query(query)
        try:
            while (result := self._result()) is not None:
                if result.status == pq.ExecStatus.COPY_IN:
                    self._feed(pieces)
                elif result.status in _DONE:
                    rows = result.command_tuples or 0
                else:
                    failed = failed or result
                    if self._pgconn.status == pq.ConnStatus.BAD:
                        break
        except psycopg.OperationalError:
            # Where the server ended the session, what it said comes first.
            if failed is None:
                raise
        if failed is not None:
            raise error_from_result(failed)
        return rows

    def roll_back(self) -> None:
        """End a transaction that an error left open."""
        if self._pgconn.transaction_status != pq.TransactionStatus.IDLE:
            self.run(b"ROLLBACK")

    def _feed(self, pieces: Iterator[bytes]) -> None:
        piece = next(pieces)
        while not self._pgconn.put_copy_data(piece):
            self._either.poll()
        while not self._pgconn.put_copy_end():
            self._either.poll()

    def _result(self) -> pq.abc.PGresult | None:
        """The next result. Waiting is done here, because libpq would keep all other threads waiting."""
        while self._pgconn.flush():
            self._either.poll()
            self._pgconn.consume_input()
        while self._pgconn.is_busy():
            self._readable.poll()
            self._pgconn.consume_input()
        return self._pgconn.get_result()
