"""Targets that do the whole transaction where they are, when called: a Lambda function."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from loadtest.targets.base.target import Language, Session, Target

INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
"""The `errorCode` of a function whose transfer would have taken the payer below zero."""


class CallSession(Session, Protocol):
    """One user's way to the function."""

    def call(self, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call it and return its answer, INSUFFICIENT_FUNDS being one.

        Raises StatementFailed where it failed, or says so.
        """


@dataclass(frozen=True, slots=True)
class Declared:
    """What the user says is seeded behind a function, where the tool cannot look."""

    accounts: int
    key_seed: int
    balance: int | None = None
    """Every account's first balance, if it is known."""


class CallTarget(Target):
    """A function. Its accounts lie in a database that it knows and the tool may know."""

    language: ClassVar[Language] = Language.CALLS

    database: Target | None
    """The database behind it, for seeding and checks; None where it is not named."""
    declared: Declared | None
    """What is seeded there, where the database is not named."""
