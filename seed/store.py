"""What seeding needs of a target: SQL and items keep tables, and the record of them, their own way."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from threading import Event
from typing import ClassVar, Protocol

from loadtest.errors import InputError
from loadtest.targets import Target
from loadtest.workload.keyspace import KeySpace, KeyType
from loadtest.workload.scenario import Scenario
from seed.batches import Batch
from seed.manifest import Manifest

Run = list[Batch]
"""Batches that one worker writes one after another."""


class Writer(Protocol):
    """A worker's connection."""

    def write(self, batch: Batch) -> bool:
        """Write a batch, again after errors that may pass; False where it was there already."""

    def close(self) -> None:
        """Close the connection; never raises."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What is in a table."""

    accounts: int
    total: int
    """The total of the scenario's invariant."""
    sums: Mapping[str, int] = field(default_factory=dict)
    """Column → its sum, for the columns that were asked for."""


class Store(ABC):
    """One table of a target, and the record of what is in it.

    Methods raise the errors of the target's driver as they are, and InputError where another command
    is at work on the table.
    """

    fixed_batch: ClassVar[int | None] = None
    """How many accounts a batch has where that is not for users to say."""

    def __init__(self, target: Target, scenario: Scenario, key_type: KeyType) -> None:
        self.target = target
        self.scenario = scenario
        self.key_type = key_type
        self.table = scenario.table(key_type)

    @abstractmethod
    def make(self) -> None:
        """Make what keeps the record, where it is not there yet."""

    @abstractmethod
    def recorded(self) -> Manifest | None:
        """What is recorded of the table, whether it is there or not."""

    @abstractmethod
    def fits(self) -> bool | None:
        """Whether the table is such a one as would be made; None where there is none."""

    def locked(self) -> AbstractContextManager[bool]:
        """Keep other commands off the table; gives whether that is certain."""
        return nullcontext(True)

    @abstractmethod
    def create(self, manifest: Manifest, before: Manifest | None, *, drop: bool) -> Manifest:
        """Make the table, in place of what was recorded `before`; `drop` removes one first.

        The record comes before the table, for a table without one is taken for a stranger's.
        """

    @abstractmethod
    def extend(self, before: Manifest, manifest: Manifest) -> Manifest:
        """Record that a complete table is being loaded again, with more accounts."""

    @abstractmethod
    def resume(self, manifest: Manifest) -> Manifest:
        """Go on with a table that is half loaded."""

    @abstractmethod
    def missing(
        self, manifest: Manifest, keys: KeySpace, workers: int, *, resumed: bool
    ) -> tuple[int, Iterator[Run]]:
        """How many accounts are there, and the batches that are not."""

    @abstractmethod
    def open_writer(self, manifest: Manifest, stop: Event) -> Writer:
        """A writer for the calling thread; it gives up early once `stop` is set."""

    @abstractmethod
    def count_in(self, batch: Batch) -> None:
        """Take note that a batch is loaded."""

    def keep(self) -> None:
        """Record, once a second while the table is loaded, how far that is."""
        return

    @abstractmethod
    def how_far(self, manifest: Manifest) -> str:
        """How much is loaded, for a message; the last that is asked once loading was broken off."""

    @abstractmethod
    def explain(self, error: Exception) -> str:
        """Why a batch could not be written, in one line."""

    @abstractmethod
    def is_loaded(self, manifest: Manifest) -> bool:
        """Whether every batch is still there: a server that crashed may have lost the latest."""

    def build_indexes(self) -> None:
        """Build the table's other indexes, once all rows are there."""
        return

    @abstractmethod
    def count(self, columns: tuple[str, ...] = ()) -> Counted:
        """Count the accounts and add up these columns."""

    @abstractmethod
    def complete(self, manifest: Manifest) -> None:
        """Record that the table is complete."""

    def close(self) -> None:
        """Close what is open."""
        return


def taken(table: str) -> InputError:
    """What is raised where another command is at work on the table."""
    return InputError(f"another command is seeding table {table}; wait until it has ended")
