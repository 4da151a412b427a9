"""What a table is, said without any product's SQL."""

from dataclasses import dataclass
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
