"""Counting what is in a table, against what should be."""

import numpy as np

from loadtest.errors import TargetError
from loadtest.workload.keyspace import KeySpace
from loadtest.workload.scenario import Scenario
from seed.sql.manifest import Manifest
from seed.sql.statements import Connection, execute


def check_loaded(control: Connection, scenario: Scenario, keys: KeySpace, found: Manifest) -> int:
    """Check a table that was just loaded; returns the scenario's total.

    A table that was loaded in one go must hold exactly the first rows' sums. One that was extended
    may have been through runs before, so there the part that is new must have added its share to
    the total, every account having begun with the same.
    """
    if found.part_start:
        count, total = _count_and_total(control, scenario, found)
        _compare(found, "accounts", count, found.accounts)
        if found.total % found.part_start == 0:
            expected = found.total // found.part_start * found.accounts
            _compare(found, "a total of", total, expected)
        return total
    sums = _constants(scenario, keys, found)
    selected = "".join(f", coalesce(sum({name}), 0)" for name in sums)
    row = execute(
        control,
        f"SELECT count(*){selected} FROM {found.table}",  # noqa: S608
    ).fetchone()
    assert row is not None  # noqa: S101 - an aggregate always has a row
    _compare(found, "accounts", int(row[0]), found.accounts)
    for name, value, there in zip(sums, sums.values(), row[1:], strict=True):
        _compare(found, f"a total {name} of", int(there), value * found.accounts)
    return _total(control, scenario, found)


def check_complete(control: Connection, scenario: Scenario, found: Manifest) -> None:
    """Check a table that runs may have changed since: nothing missing, and the total kept."""
    count, total = _count_and_total(control, scenario, found)
    _compare(found, "accounts", count, found.accounts)
    _compare(found, "a total of", total, found.total)


def _constants(scenario: Scenario, keys: KeySpace, found: Manifest) -> dict[str, int]:
    """The number columns that begin with the same value in every row."""
    first = np.zeros(1, np.int64)
    rows = scenario.first_rows(first, keys.binary(first), found.balance)
    numbers = {c.name for c in scenario.table(found.key_type).columns if c.type in _NUMBERS}
    return {n: v for n, v in rows.items() if isinstance(v, int) and n in numbers}


_NUMBERS = frozenset({"bigint", "numeric"})


def _total(control: Connection, scenario: Scenario, found: Manifest) -> int:
    row = execute(control, scenario.invariant(found.key_type).total_sql).fetchone()
    assert row is not None  # noqa: S101 - a total is one row
    return int(row[0])


def _count_and_total(control: Connection, scenario: Scenario, found: Manifest) -> tuple[int, int]:
    row = execute(control, f"SELECT count(*) FROM {found.table}").fetchone()  # noqa: S608
    assert row is not None  # noqa: S101 - an aggregate always has a row
    return int(row[0]), _total(control, scenario, found)


def _compare(found: Manifest, what: str, there: int, expected: int) -> None:
    if there != expected:
        raise TargetError(
            f"table {found.table} has {what} {there:,} where {expected:,} is right; "
            "something else changed it; --recreate replaces it"
        )
