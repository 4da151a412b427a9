"""The interface of every target: sessions, limits, and a description of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import StrEnum
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from loadtest.errors import TargetError, printable
from loadtest.errors.messages import one_line, without
from loadtest.process import in_use

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from loadtest.targets.base.dialect import Statement
    from loadtest.targets.base.table import Invariant, Standing


class Language(StrEnum):
    """The language of a target's sessions; a workload has its transaction in each that it can."""

    SQL = "sql"  # statement by statement: `sql.SqlSession`
    ITEMS = "items"  # a whole transaction over items in one request: `items.ItemSession`
    CALLS = "calls"  # a function that does the transaction where it runs: `calls.CallSession`


@dataclass(frozen=True, slots=True)
class TargetSpec:
    """One `--target [NAME=]URL`, taken apart but not yet opened."""

    name: str
    family: str
    url: str = field(repr=False)
    """The text behind the name, without the options that every family has (`weight`);
    may hold a password and never leaves the process."""
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The part after `?`; may hold a password too."""
    shown: str = ""
    """The URL without secrets, for files, logs and reports."""
    secrets: Sequence[str] = field(default=(), repr=False)
    """The parts that `shown` leaves out."""
    weight: float = 1.0
    """This target's share of the users, in proportion to the other targets' weights."""
    sslrootcert: str | None = None
    """The file of certificate authorities to trust, where the URL names none itself."""

    def without_secrets(self, text: str) -> str:
        """A server's or a library's message about this target, without what it may quote of it."""
        return one_line(without(text, self.secrets))


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a target; None where there is none, or it is not known."""

    connections_per_s: float | None = None
    """New connections a second, once `connection_burst` is used up."""
    connection_burst: int = 0
    session_age_s: float | None = None
    """The target closes a session of this age; sessions are replaced before."""
    batch_rows: int | None = None
    """Rows that a loading transaction may write."""


class Remote(NamedTuple):
    """Figures of an attempt from the other side; −1 or NaN where they are absent, as in the record."""

    duration_ns: int = -1
    """The time that a function took by its own clock."""
    retries: int = -1
    """The number of times that a function tried again by itself."""
    read_units: float = nan
    write_units: float = nan
    """Capacity that a service charged for."""


ABSENT = Remote()
"""Nothing from the other side."""


class StatementFailed(Exception):  # noqa: N818 - a name of the field, not a bug in the program
    """The target answered an error, or the connection broke; `attempt.outcome_of` says what it means.

    `sqlstate` is "" where the target gave none (a broken connection); what does not speak SQL gives
    the SQLSTATE that means the same. `message` is the target's own first line, in which control
    characters are escapes, and is never used to decide anything but the code in brackets. `final`
    forbids another attempt whatever the policy.
    """

    __slots__ = ("commit_sent", "connected", "final", "message", "sqlstate")

    def __init__(
        self, sqlstate: str, message: str, *, commit_sent: bool, connected: bool, final: bool = False
    ) -> None:
        message = printable(message)
        super().__init__(f"{sqlstate or 'connection lost'}: {message}")
        self.sqlstate = sqlstate
        self.message = message
        self.commit_sent = commit_sent
        self.connected = connected
        self.final = final


class Session(Protocol):
    """One user's way to the target, with the moments of the current attempt.

    All times are `time.monotonic_ns()`, and 0 while that has not happened and where the target does not
    show it. They belong to the current attempt: `begin_answered_ns` (from then on its first statement
    could be sent), `first_answered_ns` (its first statement), `commit_sent_ns`, `ended_ns` (the last
    answer).
    """

    begin_answered_ns: int
    first_answered_ns: int
    commit_sent_ns: int
    ended_ns: int
    closed: bool
    remote: Remote
    """Figures of the attempt from the other side; ABSENT for most."""

    def rollback(self) -> None:
        """Give the transaction up; never raises, the session is usable or closed afterwards."""

    def close(self) -> None:
        """Close it; never raises."""


class Target(ABC):
    """One endpoint with a name."""

    family: ClassVar[str]
    language: ClassVar[Language]
    errors: ClassVar[tuple[type[Exception], ...]] = ()
    """The exceptions of its driver; `explain` makes a line for the user of them."""

    def __init__(self, spec: TargetSpec) -> None:
        self.spec = spec
        self.name = spec.name

    @property
    def limits(self) -> Limits:
        """The target's limits."""
        return Limits()

    @property
    def called(self) -> str:
        """Name and address without secrets, to begin an error with."""
        return f"target {self.name} ({self.spec.shown})"

    @abstractmethod
    def start(self) -> None:
        """Make sure the target answers; raises TargetError with the cause and the remedy."""

    def warm(self) -> None:  # noqa: B027 - most have nothing to do
        """Get ready what all sessions of this process share, without a connection of its own.

        Called before the first user of a process starts, who would keep the others waiting. May raise
        TargetError, InputError or one of `errors`.
        """

    @abstractmethod
    def open_session(self, statements: Sequence[Statement]) -> Session:
        """A session for one user; raises StatementFailed.

        `statements` are prepared where the target speaks SQL, and are empty where it does not.
        """

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Describe the target for a report: name, url, family, version, regime, isolation, …"""

    @abstractmethod
    def check(self, invariant: Invariant) -> Standing:
        """Look where the invariant stands now; raises TargetError or one of `errors`."""

    @abstractmethod
    def explain(self, error: Exception) -> TargetError:
        """One line for what the driver or a session raised: target, cause, remedy; no secret."""

    def settle(self, table: str) -> None:  # noqa: B027
        """Do what the target would else do by itself in the middle of a run."""

    def rehearse(  # noqa: B027
        self, statements: Sequence[Statement], attempt: Callable[[Any], object]
    ) -> None:
        """Try an attempt without effect, so that what would fail in all is known before the load.

        Raises TargetError. A target where nothing can be tried without effect checks what it can.
        """

    def server_id(self) -> str:
        """The server's identity: targets that have the same share its limits; by default their name."""
        return self.name

    def notes_folder(self, server_id: str | None = None) -> Path:
        """Return the folder where this machine notes which runs use its data.

        Asks the target for its `server_id` where that is not given.
        """
        return in_use.folder_for(server_id or self.server_id())

    def in_use(self, tables: Sequence[str]) -> list[str]:  # noqa: ARG002
        """Say what uses its data and these tables now; empty where nothing is known to."""
        return in_use.noted_in(self.notes_folder())

    def connection_limit(self) -> int | None:
        """Return the number of connections that are free for users; None where it is not known."""
        return None
