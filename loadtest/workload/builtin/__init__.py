"""Workloads: one file each, registered here by name.

A scenario is its tables, their first rows as a pure function of the account number, one transaction,
and an invariant that must hold after any run.
"""

from loadtest.errors import InputError
from loadtest.errors.messages import quoted
from loadtest.targets.base.table import Invariant
from loadtest.workload.builtin.transfer import Transfer
from loadtest.workload.scenario import Scenario, Work

SCENARIOS: dict[str, Scenario] = {scenario.name: scenario for scenario in (Transfer(),)}


def find_scenario(name: str) -> Scenario:
    """The scenario of this name; raises InputError that lists those there are."""
    try:
        return SCENARIOS[name]
    except KeyError:
        raise InputError(f"no scenario {quoted(name)}; there is {', '.join(SCENARIOS)}") from None


__all__ = ["SCENARIOS", "Invariant", "Scenario", "Work", "find_scenario"]
