"""What is to be loaded, and what came of it."""

from dataclasses import dataclass
from pathlib import Path

from loadtest.errors import InputError
from loadtest.workload.keyspace import KeyType

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
