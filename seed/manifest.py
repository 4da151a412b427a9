"""What a seeded table holds, whichever way the target keeps it."""

from dataclasses import asdict
from typing import Any, Literal
from uuid import UUID

from pydantic.dataclasses import dataclass

from loadtest.targets.base.table import Column, Table
from loadtest.workload.keyspace import KeyType
from seed.batches import Layout

TABLES = Table(
    "occbench_tables",
    (
        Column("table_name", "text"),
        Column("load_id", "uuid"),
        Column("state", "text"),
        Column("key_type", "text"),
        Column("key_source", "text"),
        Column("key_seed", "bigint"),
        Column("balance", "bigint"),
        Column("accounts", "bigint"),
        Column("part_start", "bigint"),
        Column("batch", "bigint"),
        Column("block", "bigint"),
        Column("total", "numeric"),
    ),
    ("table_name",),
)
"""Where it is kept: a row, or an item, for each table."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one table holds; its fields are the columns of `TABLES`, in their order."""

    table: str
    load_id: UUID
    """New for every new table."""
    state: Literal["creating", "loading", "complete"]
    key_type: KeyType
    key_source: str
    """`computed`, or `file:` and the beginning of the file's SHA-256."""
    key_seed: int
    balance: int
    accounts: int
    part_start: int
    """Accounts below this were complete before the part that is, or was last, being loaded."""
    batch: int
    block: int
    total: int = 0
    """What the scenario's total was when the table was complete; no transaction may change it."""

    @property
    def complete(self) -> bool:
        """Whether all accounts are there."""
        return self.state == "complete"

    @property
    def layout(self) -> Layout:
        """The batches of the part that is being loaded."""
        return Layout(self.part_start, self.accounts, self.batch, self.block)

    def row(self) -> dict[str, Any]:
        """Column name → value."""
        columns = (column.name for column in TABLES.columns)
        return dict(zip(columns, asdict(self).values(), strict=True))
