"""Targets that do the whole transaction where they are, when called: a Lambda function."""

from collections.abc import Mapping
from typing import Any, Protocol

from loadtest.targets.base import Session


class CallSession(Session, Protocol):
    """One user's way to the function."""

    def call(self, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call it and return its answer; raises StatementFailed where it failed or says so."""
