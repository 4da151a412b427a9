"""Workloads: one file each, registered here by name.

A scenario is its tables, their first rows as a pure function of the account number, one transaction,
and an invariant that must hold after any run.
"""

from loadtest.errors import InputError
from loadtest.invariant import Invariant
from loadtest.messages import quoted
from loadtest.scenarios.base import Scenario, Work
from loadtest.scenarios.transfer import Transfer

SCENARIOS: dict[str, Scenario] = {scenario.name: scenario for scenario in (Transfer(),)}


def find_scenario(name: str) -> Scenario:
    """The scenario of this name; raises InputError that lists those there are."""
    try:
        return SCENARIOS[name]
    except KeyError:
        raise InputError(f"no scenario {quoted(name)}; there is {', '.join(SCENARIOS)}") from None


__all__ = ["SCENARIOS", "Invariant", "Scenario", "Work", "find_scenario"]
