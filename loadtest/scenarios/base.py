"""What a scenario is made of."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadtest.access import AccessLaw
from loadtest.keyspace import KeySpace, KeyType
from loadtest.table import Table
from loadtest.targets.base import Dialect, Session, Statement


class Work(NamedTuple):
    """One transaction's worth of work, drawn once and repeated as it is on every attempt."""

    accounts: tuple[int, ...]
    """The account numbers that it touches."""
    parameters: tuple[bytes, ...]
    """What the scenario's statements need, encoded for the wire."""


@dataclass(frozen=True, slots=True)
class Invariant:
    """A fact that holds before and after any run: the two queries give it on one table."""

    what: str
    total_sql: str
    violations_sql: str


class Scenario(ABC):
    """A workload; see `transfer.py` for one to copy."""

    name: ClassVar[str]
    summary: ClassVar[str]

    @abstractmethod
    def table(self, key_type: KeyType) -> Table:
        """The table that holds the accounts of this key type."""

    @abstractmethod
    def first_rows(
        self, numbers: NDArray[np.int64], keys: NDArray[np.void], balance: int
    ) -> Mapping[str, NDArray[np.void] | int]:
        """The first contents of these accounts: column name → an array, or one value for all."""

    @abstractmethod
    def statements(self, dialect: Dialect, key_types: Sequence[KeyType]) -> list[Statement]:
        """Every statement of the transaction, for each key type."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, law: AccessLaw, keys: KeySpace, size: int) -> list[Work]:
        """The next `size` transactions of one user; the same generator state gives the same work."""

    @abstractmethod
    def run(self, session: Session, key_type: KeyType, work: Work) -> bool:
        """One attempt, BEGIN to COMMIT. True: committed; False: refused by the scenario's own rule.

        Whatever the target answers instead comes as the session's StatementFailed.
        """

    @abstractmethod
    def invariant(self, key_type: KeyType) -> Invariant:
        """What must hold for the table of this key type."""
