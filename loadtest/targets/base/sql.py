"""Targets that speak SQL, in PostgreSQL's protocol, and their sessions."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import closing
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from loadtest.errors import TargetError
from loadtest.targets.base.dialect import Dialect, Statement
from loadtest.targets.base.table import Standing
from loadtest.targets.base.target import Language, Session, StatementFailed, Target

if TYPE_CHECKING:
    # Not imported at run time: psycopg looks at its first import whether gevent is there, and
    # options are read before it is known whether this process is going to run load.
    from collections.abc import Callable, Sequence

    import psycopg

    from loadtest.targets.base.table import Invariant, Table

    Connection = psycopg.Connection[tuple[Any, ...]]


_CONFLICT = "40"
_REHEARSALS = 4


class SqlSession(Session, Protocol):
    """One connection, used by one user."""

    def begin(self) -> None:
        """Start a transaction and forget the last one's times; one round trip."""

    def execute(self, statement: str, parameters: Sequence[bytes]) -> int:
        """Run a prepared statement; returns how many rows it touched."""

    def fetch(self, statement: str, parameters: Sequence[bytes]) -> bytes | None:
        """Run a prepared statement; returns the first column of its first row as text, or None."""

    def commit(self) -> None:
        """Commit; returns only once the target has confirmed it."""


class SqlTarget(Target):
    """A database that speaks SQL."""

    language: ClassVar[Language] = Language.SQL
    dialect: Dialect = Dialect()

    @abstractmethod
    def connect(self) -> Connection:
        """A plain blocking connection in autocommit, for schema, loading and checks.

        It works on the tables themselves: what it loads does not pass through a regime.
        """

    @abstractmethod
    def open_session(self, statements: Sequence[Statement]) -> SqlSession:
        """A session for one user, with these statements prepared; raises StatementFailed."""

    def after_create(self, connection: Connection, table: Table) -> None:
        """Do what the target needs once a table exists, before it is loaded."""

    def before_drop(self, connection: Connection, name: str) -> None:
        """Do what the target needs before a table goes."""

    def build_index(self, connection: Connection, table: Table, columns: Sequence[str]) -> None:
        """Have an index on these columns, and return when it can be used.

        The connection is in autocommit: one statement of DDL a transaction. Raises TargetError
        where the target gave up building it, and the driver's errors.
        """
        if self.dialect.asynchronous_indexes:
            # Imported here because it needs the driver.
            from loadtest.targets.base import index_jobs

            try:
                index_jobs.build_index(self.dialect, connection, table, columns)
            except TargetError as error:
                raise TargetError(f"{self.called}: {error}") from None
        else:
            connection.execute(self.dialect.create_index(table, columns).encode())

    def check(self, invariant: Invariant) -> Standing:
        """Ask for the total and the violations."""
        with closing(self.connect()) as connection:
            total = connection.execute(invariant.total_sql).fetchone()
            violations = connection.execute(invariant.violations_sql).fetchone()
        assert total is not None  # noqa: S101 - aggregates always have a row
        assert violations is not None  # noqa: S101
        return Standing(total[0], int(violations[0]))

    def rehearse(
        self, statements: Sequence[Statement], attempt: Callable[[SqlSession], object]
    ) -> None:
        """Run one attempt that ends in ROLLBACK."""
        session = self._open_to_rehearse(statements)
        try:
            attempt(_Rehearsal(session))  # type: ignore[arg-type]
        except StatementFailed as failure:
            # Others may be at work on the same rows: that is what the run is to measure.
            if not failure.sqlstate.startswith(_CONFLICT):
                raise self.explain(failure) from None
        finally:
            session.rollback()
            session.close()

    def _open_to_rehearse(self, statements: Sequence[Statement]) -> SqlSession:
        """A session, asked for again where it only met a change of the schema."""
        left = _REHEARSALS
        while True:
            left -= 1
            try:
                return self.open_session(statements)
            except StatementFailed as failure:
                if not left or not failure.sqlstate.startswith(_CONFLICT):
                    raise self.explain(failure) from None


class _Rehearsal:
    """A session whose commit takes everything back."""

    def __init__(self, session: Any) -> None:
        self.begin, self.execute, self.fetch = session.begin, session.execute, session.fetch
        self.commit = self.rollback = session.rollback
