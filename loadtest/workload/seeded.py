"""The seeded tables of a target, as a run must know them."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol
from uuid import UUID

from loadtest.targets import Target

COMPUTED = "computed"
"""The key source of a table whose keys are a function of its seed."""


class Seeded(Protocol):
    """One loaded table."""

    @property
    def table(self) -> str:
        """Its name."""

    @property
    def complete(self) -> bool:
        """Whether every account is there."""

    @property
    def key_source(self) -> str | None:
        """`computed`, or which file the keys came from; None where they are as the run says."""

    @property
    def key_seed(self) -> int:
        """What the keys were computed from."""

    @property
    def accounts(self) -> int:
        """How many accounts it holds."""

    @property
    def load_id(self) -> UUID | None:
        """The mark that seeding gave the table; None where it cannot be read."""

    @property
    def total(self) -> int | None:
        """What the scenario's invariant says must be conserved; None where it is not known."""


ReadSeeded = Callable[[Target], Iterable[Seeded]]
"""Reads the tables of a target, as far as they are recorded."""

KeySource = Callable[[Path], str]
"""Returns the key source that a file of keys stands for."""
