"""What is seeded, as a run must know it."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol
from uuid import UUID

from loadtest.targets import Target

COMPUTED = "computed"
"""The key source of a table whose keys are a function of its seed."""


class Seeded(Protocol):
    """What is known of one loaded table."""

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
        """The mark that seeding gave the table; None where nobody can look."""

    @property
    def total(self) -> int | None:
        """What the scenario's invariant says must be conserved; None where nobody knows."""


ReadSeeded = Callable[[Target], Iterable[Seeded]]
"""What a target's accounts are, as far as anybody recorded it."""


KeySource = Callable[[Path], str]
