"""The contract of a scenario."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from loadtest.errors import InputError
from loadtest.targets.base.calls import CallSession
from loadtest.targets.base.dialect import Dialect, Statement
from loadtest.targets.base.items import ItemSession
from loadtest.targets.base.sql import SqlSession
from loadtest.targets.base.table import Invariant, Table
from loadtest.targets.base.target import Language
from loadtest.workload.key_type import KeyType

if TYPE_CHECKING:
    # Scenarios are listed in help texts, which have no use for it.
    import numpy as np
    from numpy.typing import NDArray

    from loadtest.workload.access import AccessLaw
    from loadtest.workload.keyspace import KeySpace

_DRAWN_AT_ONCE = 256


class Work(NamedTuple):
    """One transaction's worth of work, drawn once and repeated as it is on every attempt."""

    rows: tuple[int, ...]
    """The numbers of the rows that it touches."""
    parameters: tuple[bytes, ...]
    """What the scenario's statements need, encoded for the wire."""


Operation = Callable[[Any, KeyType, Work], bool]
"""One attempt on a session of the right language; True: committed, False: refused."""


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
        """Return every statement of the transaction, for each key type."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, law: AccessLaw, keys: KeySpace, size: int) -> list[Work]:
        """The next `size` transactions of one user; the same generator state gives the same work."""

    def stream(self, law: AccessLaw, keys: KeySpace, seed: int, user: int) -> Iterator[Work]:
        """One user's endless work for one key type, a function of (seed, user).

        The key type is not part of the seed: every key type meets the same accounts in the same order,
        so that a comparison is not blurred by luck of the draw.
        """
        import numpy as np

        rng = np.random.default_rng([seed, user])
        while True:
            yield from self.draw(rng, law, keys, _DRAWN_AT_ONCE)

    @abstractmethod
    def run(self, session: SqlSession, key_type: KeyType, work: Work) -> bool:
        """One attempt, BEGIN to COMMIT. True: committed; False: refused by the scenario's own rule.

        Whatever the target answers instead comes as the session's StatementFailed.
        """

    def run_items(self, session: ItemSession, key_type: KeyType, work: Work) -> bool:
        """The same for a target that takes a transaction over items in one request."""
        raise NotImplementedError

    def run_call(self, session: CallSession, key_type: KeyType, work: Work) -> bool:
        """The same for a target that does the transaction itself when it is called."""
        raise NotImplementedError

    def operation(self, language: Language) -> Operation:
        """One attempt as a target of this language takes it.

        Raises InputError where the scenario has none in the language.
        """
        name = _OPERATIONS[language]
        if getattr(type(self), name) is getattr(Scenario, name):
            raise InputError(f"scenario {self.name} cannot run on a target that takes {language}")
        operation: Operation = getattr(self, name)
        return operation

    @abstractmethod
    def invariant(self, key_type: KeyType) -> Invariant:
        """Return what must hold for the table of this key type."""


_OPERATIONS = {Language.SQL: "run", Language.ITEMS: "run_items", Language.CALLS: "run_call"}
