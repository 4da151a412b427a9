"""Seeding any kind of target: each keeps tables, and a record of what is in them, its own way."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from loadtest.errors import InputError
from loadtest.targets import Language, SqlTarget, Target
from loadtest.targets.base.calls import CallTarget, Declared
from loadtest.workload.builtin import SCENARIOS
from loadtest.workload.keyspace import KeyType
from loadtest.workload.scenario import Scenario
from loadtest.workload.seeded import Seeded
from seed.plan import SeedPlan, SeedResult
from seed.progress import SeedProgress
from seed.sql import manifest, seeding


def seed(
    plan: SeedPlan, target: Target, scenario: Scenario, progress: SeedProgress | None = None
) -> SeedResult:
    """Make and load the scenario's table for each of the plan's key types.

    Raises InputError where something else is in the way, TargetError where the target fails, and
    SeedInterrupted after Ctrl-C. After the last two the same command goes on from where it was.
    """
    progress = progress or SeedProgress()
    if isinstance(target, SqlTarget):
        return seeding.seed(plan, target, scenario, progress)
    if target.language is Language.ITEMS:
        # Imported where it is needed: boto3 takes its time, and gevent must be there before it.
        from seed.items import seeding as items

        assert isinstance(target, items.DynamoTarget)  # noqa: S101 - nothing else takes items
        return items.seed(plan, target, scenario, progress)
    if isinstance(target, CallTarget):
        if target.database is None:
            raise InputError(
                f"{target.called} cannot be seeded: its database is not named; add database=URL, "
                "percent-encoded"
            )
        return seed(plan, target.database, scenario, progress)
    raise InputError(f"{target.called} cannot be seeded")


def contents(target: Target) -> Iterable[Seeded]:
    """Every seeded table of a target, by name."""
    if isinstance(target, SqlTarget):
        with target.connect() as connection:
            return manifest.contents(connection)
    if target.language is Language.ITEMS:
        from seed.items import seeding as items

        assert isinstance(target, items.DynamoTarget)  # noqa: S101 - as above
        return items.contents(target)
    if isinstance(target, CallTarget):
        if target.database is not None:
            return _behind(target.database)
        if target.declared is not None:
            return _as_declared(target.declared)
    return []


def _behind(database: Target) -> list[Seeded]:
    """The tables of the database behind a function; raises TargetError where that fails."""
    try:
        return list(contents(database))
    except database.errors as error:
        raise database.explain(error) from None


@dataclass(frozen=True, slots=True)
class _Declared:
    """A table of which the user says what is in it; see `preflight.Seeded`."""

    table: str
    key_seed: int
    accounts: int
    total: int | None
    complete: bool = True
    key_source: str | None = None
    load_id: UUID | None = None


def _as_declared(declared: Declared) -> list[Seeded]:
    """Every table there may be: nobody can look which there are."""
    total = None if declared.balance is None else declared.accounts * declared.balance
    return [
        _Declared(scenario.table(key_type).name, declared.key_seed, declared.accounts, total)
        for scenario in SCENARIOS.values()
        for key_type in KeyType
    ]
