"""Seeding any kind of target: each keeps tables, and a record of what is in them, its own way."""

from collections.abc import Iterable

from loadtest.errors import InputError
from loadtest.preflight import Seeded
from loadtest.scenarios.base import Scenario
from loadtest.targets import SqlTarget, Target
from seed import manifest, seeding
from seed.plan import SeedPlan, SeedResult
from seed.progress import Progress


def seed(plan: SeedPlan, target: Target, scenario: Scenario, progress: Progress) -> SeedResult:
    """Make and load the scenario's table for each of the plan's key types.

    Raises InputError where something else is in the way, TargetError where the target fails, and
    SeedInterrupted after Ctrl-C. After the last two the same command goes on from where it was.
    """
    if isinstance(target, SqlTarget):
        return seeding.seed(plan, target, scenario, progress)
    raise InputError(f"{target.called} cannot be seeded")


def contents(target: Target) -> Iterable[Seeded]:
    """Every seeded table of a target, by name."""
    if isinstance(target, SqlTarget):
        with target.connect() as connection:
            return manifest.contents(connection)
    return []
