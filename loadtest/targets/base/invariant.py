"""What must hold before and after any run, said without any driver."""

from dataclasses import dataclass
from decimal import Decimal


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
    """What a target found."""

    total: Decimal | int
    violations: int
