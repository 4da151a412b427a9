"""What every target offers: a dialect, sessions, its limits, and a description of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    # Not imported in earnest: psycopg looks at its first import whether gevent is there, and
    # options are read before anybody knows whether this process is going to run load.
    from collections.abc import Mapping, Sequence

    import psycopg

    from loadtest.table import Table


@dataclass(frozen=True, slots=True)
class TargetSpec:
    """One `--target [NAME=]URL`, taken apart but not yet opened."""

    name: str
    family: str
    url: str = field(repr=False)
    """What the user typed behind the name; may hold a password and never leaves the process."""
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The part after `?`; may hold a password too."""
    shown: str = ""
    """The URL without secrets, for files, logs and reports."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement that sessions prepare when they open and run many times.

    `parameter_types` names the type of $1, $2, … ("bigint", "uuid", "numeric"); keys travel in
    binary, numbers as text.
    """

    name: str
    sql: str
    parameter_types: tuple[str, ...] = ()


class StatementFailed(Exception):  # noqa: N818 - a name of the field, not a bug in the program
    """The target answered an error, or the connection broke; `attempt.outcome_of` says what it means.

    `sqlstate` is "" where the target gave none (a broken connection). `message` is the target's own
    first line and is never used to decide anything but the code in brackets.
    """

    __slots__ = ("commit_sent", "connected", "message", "sqlstate")

    def __init__(self, sqlstate: str, message: str, *, commit_sent: bool, connected: bool) -> None:
        super().__init__(f"{sqlstate or 'connection lost'}: {message}")
        self.sqlstate = sqlstate
        self.message = message
        self.commit_sent = commit_sent
        self.connected = connected


class Session(Protocol):
    """One connection, used by one user, that notes when things happened.

    All times are `time.monotonic_ns()`. They belong to the current attempt and are reset by
    `begin`: `first_sent_ns` and `first_answered_ns` (the first statement),
    `commit_sent_ns` (0 while COMMIT has not been sent), `ended_ns` (the last answer).
    """

    first_sent_ns: int
    first_answered_ns: int
    commit_sent_ns: int
    ended_ns: int
    closed: bool

    def begin(self) -> None:
        """Start a transaction; one round trip."""

    def execute(self, statement: str, parameters: Sequence[bytes]) -> int:
        """Run a prepared statement; returns how many rows it touched."""

    def fetch(self, statement: str, parameters: Sequence[bytes]) -> bytes | None:
        """Run a prepared statement; returns the first column of its first row as text, or None."""

    def commit(self) -> None:
        """Commit; returns only when the target said that it did."""

    def rollback(self) -> None:
        """Give the transaction up; never raises, the session is usable or closed afterwards."""

    def close(self) -> None:
        """Close the connection; never raises."""


class Dialect:
    """How PostgreSQL says things; families differ by overriding."""

    begin: ClassVar[str] = "BEGIN ISOLATION LEVEL REPEATABLE READ"
    isolation: ClassVar[str] = "repeatable read"
    column_types: ClassVar[Mapping[str, str]] = {
        "bigint": "bigint",
        "uuid": "uuid",
        "numeric": "numeric",
        "text": "text",
    }

    def create_table(self, table: Table) -> list[str]:
        """The statements that make the table, each to be run in a transaction of its own."""
        columns = [f"{c.name} {self.column_types[c.type]} NOT NULL" for c in table.columns]
        key = ", ".join(table.primary_key)
        return [f"CREATE TABLE {table.name} ({', '.join(columns)}, PRIMARY KEY ({key}))"]

    def drop_table(self, name: str) -> list[str]:
        """The statements that remove the table if it is there."""
        return [f"DROP TABLE IF EXISTS {name}"]


class Target(ABC):
    """One database endpoint with a name."""

    dialect: Dialect = Dialect()

    def __init__(self, spec: TargetSpec) -> None:
        self.spec = spec
        self.name = spec.name

    @abstractmethod
    def start(self) -> None:
        """Make sure the target answers; raises TargetError with the cause and the remedy."""

    @abstractmethod
    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A plain blocking connection in autocommit, for schema, loading and checks.

        It works on the tables themselves: what it loads does not pass through a regime.
        """

    def after_create(
        self,
        connection: psycopg.Connection[tuple[Any, ...]],  # noqa: ARG002 - for those who override
        table: Table,  # noqa: ARG002
    ) -> None:
        """What the target wants done once a table exists, before it is loaded."""
        return

    def before_drop(
        self,
        connection: psycopg.Connection[tuple[Any, ...]],  # noqa: ARG002
        name: str,  # noqa: ARG002
    ) -> None:
        """What the target wants done before a table goes."""
        return

    def settle(
        self,
        connection: psycopg.Connection[tuple[Any, ...]],  # noqa: ARG002
        table: str,  # noqa: ARG002
    ) -> None:
        """What the target wants done before a run, so that it does not happen in the middle of it."""
        return

    @abstractmethod
    def open_session(self, statements: Sequence[Statement]) -> Session:
        """A session for one user, with these statements prepared; raises StatementFailed."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What a report should know: name, url, family, version, regime, isolation, durable, …"""

    def place(self) -> str:
        """Which server this is, to tell whether two targets are the same; by default its name."""
        return self.name

    @abstractmethod
    def connection_limit(self) -> int | None:
        """How many connections are free for users, or None where nobody can say."""
