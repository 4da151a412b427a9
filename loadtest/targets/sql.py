"""Targets that speak SQL, in PostgreSQL's protocol: statements, sessions, dialects."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from loadtest.errors import TargetError
from loadtest.invariant import Standing
from loadtest.targets.base import Language, Session, StatementFailed, Target

if TYPE_CHECKING:
    # Not imported in earnest: psycopg looks at its first import whether gevent is there, and
    # options are read before anybody knows whether this process is going to run load.
    from collections.abc import Callable, Mapping, Sequence

    import psycopg

    from loadtest.invariant import Invariant
    from loadtest.table import Table

    Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement that sessions prepare when they open and run many times.

    `parameter_types` names the type of $1, $2, … ("bigint", "uuid", "numeric"); keys travel in
    binary, numbers as text.
    """

    name: str
    sql: str
    parameter_types: tuple[str, ...] = ()


class SqlSession(Session, Protocol):
    """One connection, used by one user."""

    def begin(self) -> None:
        """Start a transaction and forget the last one's times; one round trip."""

    def execute(self, statement: str, parameters: Sequence[bytes]) -> int:
        """Run a prepared statement; returns how many rows it touched."""

    def fetch(self, statement: str, parameters: Sequence[bytes]) -> bytes | None:
        """Run a prepared statement; returns the first column of its first row as text, or None."""

    def commit(self) -> None:
        """Commit; returns only when the target said that it did."""


class Dialect:
    """How PostgreSQL says things; families differ by overriding."""

    begin: str = "BEGIN ISOLATION LEVEL REPEATABLE READ"
    isolation: str = "repeatable read"
    column_types: ClassVar[Mapping[str, str]] = {
        "bigint": "bigint",
        "uuid": "uuid",
        "numeric": "numeric",
        "text": "text",
    }
    advisory_locks: ClassVar[bool] = True
    """Whether `pg_try_advisory_lock` is there; without it the seeder relies on its ledger alone."""
    statements_together: ClassVar[bool] = True
    """Whether one message may hold several statements, COPY among them."""
    copy_format: ClassVar[str] = "binary"
    """The format that COPY … FROM STDIN takes: `binary` or `text`."""
    loading_settings: ClassVar[tuple[str, ...]] = ("SET synchronous_commit = off",)
    """What a loading connection says first; durability of the whole is the last commit's."""

    def create_table(self, table: Table) -> list[str]:
        """The statements that make the table, each to be run in a transaction of its own."""
        columns = [f"{c.name} {self.column_types[c.type]} NOT NULL" for c in table.columns]
        key = ", ".join(table.primary_key)
        return [f"CREATE TABLE {table.name} ({', '.join(columns)}, PRIMARY KEY ({key}))"]

    def create_index(self, table: Table, columns: Sequence[str]) -> str:
        """The statement that makes an index on these columns."""
        name = f"{table.name}_{'_'.join(columns)}"
        return f"CREATE INDEX {name} ON {table.name} ({', '.join(columns)})"

    def drop_table(self, name: str) -> list[str]:
        """The statements that remove the table if it is there."""
        return [f"DROP TABLE IF EXISTS {name}"]


class SqlTarget(Target):
    """A database that is spoken to in SQL."""

    language: ClassVar[Language] = Language.SQL
    dialect: Dialect = Dialect()

    @abstractmethod
    def connect(self) -> Connection:
        """A plain blocking connection in autocommit, for schema, loading and checks.

        It works on the tables themselves: what it loads does not pass through a regime.
        """

    def after_create(self, connection: Connection, table: Table) -> None:  # noqa: ARG002
        """What the target wants done once a table exists, before it is loaded."""
        return

    def before_drop(self, connection: Connection, name: str) -> None:  # noqa: ARG002
        """What the target wants done before a table goes."""
        return

    def check(self, invariant: Invariant) -> Standing:
        """Ask for the total and the violations."""
        with closing(self.connect()) as connection:
            total = connection.execute(invariant.total_sql).fetchone()
            violations = connection.execute(invariant.violations_sql).fetchone()
        assert total is not None  # noqa: S101 - aggregates always have a row
        assert violations is not None  # noqa: S101
        return Standing(total[0], int(violations[0]))

    @abstractmethod
    def explain_failed(self, failure: StatementFailed) -> TargetError:
        """One line for what a session raised: the target, the cause, the remedy."""

    def rehearse(
        self, statements: Sequence[Statement], attempt: Callable[[SqlSession], object]
    ) -> None:
        """Run one attempt that ends in ROLLBACK."""
        try:
            session = self.open_session(statements)
        except StatementFailed as failure:
            raise self.explain_failed(failure) from None
        try:
            attempt(_Rehearsal(session))  # type: ignore[arg-type]
        except StatementFailed as failure:
            # Somebody else may be at work on the same rows: that is what the run is to measure.
            if not failure.sqlstate.startswith("40"):
                raise self.explain_failed(failure) from None
        finally:
            session.rollback()
            session.close()


class _Rehearsal:
    """A session whose commit takes everything back."""

    def __init__(self, session: Any) -> None:
        self.begin, self.execute, self.fetch = session.begin, session.execute, session.fetch
        self.commit = self.rollback = session.rollback
