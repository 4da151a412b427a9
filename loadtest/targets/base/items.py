"""Targets that take a whole transaction over items in one request, such as DynamoDB."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from loadtest.targets.base.target import Session


class Item(NamedTuple):
    """An item as it was read."""

    value: int
    version: int
    """Goes up with every change; what an optimistic write is conditioned on."""


class Change(NamedTuple):
    """A change of one item in a transaction."""

    table: str
    key: bytes
    """In the key space's binary form."""
    amount: int
    """Added to the item's value."""
    at_least: int | None = None
    """The value must be at least this before."""
    version: int | None = None
    """The item must still have this version, as `read` gave it."""


class Refused(Exception):  # noqa: N818 - the scenario's own rule, not a failure
    """A change's `at_least` did not hold; nothing was written."""


class ItemSession(Session, Protocol):
    """One user's way to the items."""

    optimistic: bool
    """Whether the user of this target wants transactions to read first and write on condition."""

    def begin(self) -> None:
        """Forget the last attempt's times; nothing is sent."""

    def read(self, table: str, keys: Sequence[bytes]) -> list[Item | None]:
        """Read items, consistently; None for one that is not there."""

    def write(self, changes: Sequence[Change]) -> None:
        """All changes or none; raises Refused, or StatementFailed for whatever else."""
