"""Tables and invariants, in the words of no product."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

ColumnType = Literal["bigint", "uuid", "numeric", "text"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column; every column is NOT NULL, a benchmark has no use for unknown values."""

    name: str
    type: ColumnType


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a primary key of one or more of its columns."""

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    indexes: tuple[tuple[str, ...], ...] = ()
    """The columns of each further index; none of them is unique."""


@dataclass(frozen=True, slots=True)
class Invariant:
    """A fact about one table: a total that no transaction changes, and rows that must not be.

    The two queries give it where a target speaks SQL; where it does not, the total is the sum of
    the column `value`, and the violations are the rows in which that is below zero.
    """

    what: str
    table: str
    value: str
    total_sql: str
    violations_sql: str


@dataclass(frozen=True, slots=True)
class Standing:
    """An invariant as a target finds it."""

    total: Decimal | int
    violations: int
