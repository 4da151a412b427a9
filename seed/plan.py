"""What is asked for, what to do about it given what is there, and what came of it."""

from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from loadtest.errors import InputError
from loadtest.workload.keyspace import KeyType
from loadtest.workload.seeded import COMPUTED
from seed.manifest import Manifest

LARGEST_BATCH = 2_900
"""Aurora DSQL changes at most 3,000 rows in a transaction, and the ledger's row is one of them; what
another target says of itself (`Limits.batch_rows`) counts as well."""

LARGEST_BALANCE = 10**18
LARGEST_SEED = 2**63 - 1
MOST_WORKERS = 1_000


@dataclass(frozen=True, slots=True)
class SeedPlan:
    """One seeding, checked: the tables of these key types, each with this many accounts.

    `accounts` may be None with `keys_from`: every key of the file becomes an account then.
    """

    key_types: tuple[KeyType, ...]
    accounts: int | None
    workers: int = 4
    batch: int = 1_000
    seed: int = 1
    balance: int = 10_000
    recreate: bool = False
    keys_from: Path | None = None
    force: bool = False
    """Replace and extend tables that are in use as well."""

    def __post_init__(self) -> None:
        if not self.key_types:
            raise InputError("no key type was given; --keys takes int, uuid, uuid7")
        if len(set(self.key_types)) != len(self.key_types):
            raise InputError("a key type is given twice in --keys")
        if self.accounts is None and self.keys_from is None:
            raise InputError("the number of accounts is missing; give --accounts")
        if self.keys_from is not None and len(self.key_types) > 1:
            raise InputError("--keys-from holds keys of one type; give one type in --keys")
        if self.accounts is not None:
            _within("--accounts", self.accounts, 2, 10**12)
        _within("--workers", self.workers, 1, MOST_WORKERS)
        _within("--batch", self.batch, 1, LARGEST_BATCH)
        _within("--seed", self.seed, 0, LARGEST_SEED)
        _within("--balance", self.balance, 0, LARGEST_BALANCE)


def _within(option: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise InputError(f"{option} {value} is not between {least:,} and {most:,}")


@dataclass(frozen=True, slots=True)
class TableResult:
    """What was done about one table; `loaded` is 0 where everything was there already."""

    table: str
    key_type: KeyType
    accounts: int
    loaded: int
    seconds: float
    """From the first batch to the last, without schema and check."""

    @property
    def already_complete(self) -> bool:
        """Whether there was nothing to load."""
        return self.loaded == 0


@dataclass(frozen=True, slots=True)
class SeedResult:
    """What was done, table by table."""

    tables: tuple[TableResult, ...]
    seconds: float


class Action(Enum):
    """What is to be done."""

    CREATE = auto()
    REPLACE = auto()
    RESUME = auto()
    EXTEND = auto()
    CHECK = auto()  # everything is there already


def decide(
    plan: SeedPlan,
    table: str,
    source: str,
    accounts: int,
    found: Manifest | None,
    fits: bool | None,
) -> Action:
    """What to do; raises InputError where something is in the way that must not just be replaced.

    Args:
        plan: what is asked for.
        table: the table's name.
        source: where the keys come from, as a manifest records it.
        accounts: how many accounts are asked for.
        found: what is recorded of the table.
        fits: whether it has the columns that the scenario wants; None where there is no such table.
    """
    if fits is None:
        return Action.CREATE
    if plan.recreate:
        return Action.REPLACE
    if found is None:
        raise InputError(
            f"a table {table} is there that occbench did not make or did not finish making; "
            "--recreate replaces it, and everything in it is lost"
        )
    if not fits:
        raise InputError(
            f"table {table} has other columns than the scenario wants; --recreate replaces it"
        )
    differences = _differences(plan, source, found)
    if found.state == "creating":
        return Action.REPLACE
    if accounts < found.accounts or (accounts > found.accounts and not found.complete):
        differences.insert(0, f"{found.accounts:,} accounts, not {accounts:,}")
    if differences:
        begun = "holds" if found.complete else "is half loaded with"
        raise InputError(
            f"table {table} {begun} {', '.join(differences)}; "
            "ask for the same, or replace it with --recreate"
        )
    if not found.complete:
        if plan.batch != found.batch:
            raise InputError(
                f"table {table} is half loaded in batches of {found.batch:,}; "
                f"go on with --batch {found.batch}, or replace it with --recreate"
            )
        return Action.RESUME
    return Action.EXTEND if accounts > found.accounts else Action.CHECK


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
