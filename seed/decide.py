"""What to do about a table, given what is there and what is asked for."""

from enum import Enum, auto

from loadtest.errors import InputError
from loadtest.process.in_use import refuse_during
from loadtest.targets import Target
from loadtest.targets.base.table import ColumnType, Table
from loadtest.workload.keyspace import KeyType
from loadtest.workload.seeded import COMPUTED
from seed.plan import SeedPlan
from seed.sql.manifest import Manifest

_TYPE_OIDS: dict[ColumnType, frozenset[int]] = {
    "bigint": frozenset({20}),
    "uuid": frozenset({2950}),
    "numeric": frozenset({1700}),
    "text": frozenset({25, 1043}),  # text, varchar
}


class Action(Enum):
    """What is to be done."""

    CREATE = auto()
    REPLACE = auto()
    RESUME = auto()
    EXTEND = auto()
    CHECK = auto()  # everything is there already


def decide(
    plan: SeedPlan,
    table: Table,
    source: str,
    accounts: int,
    found: Manifest | None,
    columns: list[tuple[str, int]] | None,
) -> Action:
    """What to do; raises InputError where something is in the way that must not just be replaced.

    Args:
        plan: what is asked for.
        table: the table as the scenario wants it.
        source: where the keys come from, as a manifest records it.
        accounts: how many accounts are asked for.
        found: what is recorded of the table.
        columns: the columns that the table has, None where there is no such table.
    """
    fits = None if columns is None else _same_columns(table, columns)
    return decide_by_fit(plan, table, source, accounts, found, fits)


def decide_by_fit(
    plan: SeedPlan,
    table: Table,
    source: str,
    accounts: int,
    found: Manifest | None,
    fits: bool | None,
) -> Action:
    """The same where the table was already compared; `fits` is None where there is no such table."""
    if fits is None:
        return Action.CREATE
    if plan.recreate:
        return Action.REPLACE
    if found is None:
        raise InputError(
            f"a table {table.name} is there that occbench did not make or did not finish making; "
            "--recreate replaces it, and everything in it is lost"
        )
    if not fits:
        raise InputError(
            f"table {table.name} has other columns than the scenario wants; --recreate replaces it"
        )
    differences = _differences(plan, source, found)
    if found.state == "creating":
        return Action.REPLACE
    if accounts < found.accounts or (accounts > found.accounts and not found.complete):
        differences.insert(0, f"{found.accounts:,} accounts, not {accounts:,}")
    if differences:
        begun = "holds" if found.complete else "is half loaded with"
        raise InputError(
            f"table {table.name} {begun} {', '.join(differences)}; "
            "ask for the same, or replace it with --recreate"
        )
    if not found.complete:
        if plan.batch != found.batch:
            raise InputError(
                f"table {table.name} is half loaded in batches of {found.batch:,}; "
                f"go on with --batch {found.batch}, or replace it with --recreate"
            )
        return Action.RESUME
    return Action.EXTEND if accounts > found.accounts else Action.CHECK


def refuse_in_use(plan: SeedPlan, target: Target, table: Table, action: Action) -> None:
    """Raises InputError where a run would lose its table, or find money in it that it did not make."""
    if action in (Action.REPLACE, Action.EXTEND) and not plan.force:
        refuse_during(target.in_use([table.name]), target.called)


def _same_columns(table: Table, columns: list[tuple[str, int]]) -> bool:
    return len(columns) == len(table.columns) and all(
        wanted.name == name and oid in _TYPE_OIDS[wanted.type]
        for wanted, (name, oid) in zip(table.columns, columns, strict=True)
    )


def _differences(plan: SeedPlan, source: str, found: Manifest) -> list[str]:
    """How the rows that are there differ from those asked for."""
    differences = []
    if source != found.key_source:
        there = "computed keys" if found.key_source == COMPUTED else "keys of another file"
        wanted = "computed ones" if source == COMPUTED else "those of the file"
        differences.append(f"{there}, not {wanted}")
    elif source == COMPUTED and found.key_type is not KeyType.INT and plan.seed != found.key_seed:
        # Integer keys are 1, 2, 3, … whatever the seed, and a file's keys are what they are.
        differences.append(f"the keys of seed {found.key_seed}, not {plan.seed}")
    if plan.balance != found.balance:
        differences.append(f"a balance of {found.balance:,}, not {plan.balance:,}")
    return differences
