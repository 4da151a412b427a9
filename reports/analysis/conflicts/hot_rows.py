"""Which accounts were hot, and what popularity does to the conflict rate."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reports.analysis.over_time.blocks import Blocks
from reports.analysis.reading.attempts import Attempts
from reports.analysis.reading.systems import Databases
from reports.analysis.reading.views import literals

TOP = 15
_POPULARITY_BINS = 14
_FEWEST_ACCESSES = 300


@dataclass(frozen=True, slots=True)
class HotAccount:
    """An account and the attempts that touched it; a conflict counts for each account touched.

    The same number in another database, or of another key type, is another account.
    """

    targets: tuple[str, ...]
    """The endpoints of its database."""
    key_type: str
    number: int
    accesses: int
    conflicts: int
    times_mean: float
    """How often it was touched, in units of the mean account of its table."""


@dataclass(frozen=True, slots=True)
class Popularity:
    """A key type's conflict rate of accounts grouped by how many transactions want them."""

    transactions_per_s: NDArray[np.float64]
    conflict_rate: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class HotRows:
    """Accesses and conflicts by account."""

    conflicts: int
    """Of all accounts together."""
    top: tuple[HotAccount, ...]
    popularity: dict[str, Popularity]
    """By key type; empty where the targets are not known to be one database."""


def find_hot_rows(
    attempts: Attempts, blocks: Blocks, databases: Databases, size: int | None, *, even: bool
) -> HotRows:
    """Count accesses and conflicts of every account.

    Args:
        attempts: the run's attempts.
        blocks: its blocks.
        databases: those of the attempts' targets; where nothing is known of two, each counts for
            itself.
        size: how many accounts a table has, None where the record does not say.
        even: whether accesses are; then no account is popular.
    """
    _count(attempts, databases)
    tables = _tables(attempts).set_index(["database", "key_type"])
    popular = {}
    if databases.whole and not even:
        for (_, key_type), wanted in _by_wish(attempts).groupby(["database", "key_type"]):
            curve = _popularity(wanted, blocks.duration_of(key_type))
            if curve is not None:
                popular[key_type] = curve
    top = []
    for row in _hottest(attempts).itertuples():
        table = tables.loc[(row.database, row.key_type)]
        mean = int(table["accesses"]) / max(size or 0, int(table["used"]))
        served = [
            name
            for name, number in zip(attempts.targets, databases.numbers, strict=True)
            if number == row.database
        ]
        top.append(
            HotAccount(
                tuple(served),
                row.key_type,
                int(row.account),
                int(row.accesses),
                int(row.conflicts),
                int(row.accesses) / mean,
            )
        )
    attempts.connection.execute("DROP TABLE account_counts")
    return HotRows(conflicts=int(tables["conflicts"].sum()), top=tuple(top), popularity=popular)


def _count(attempts: Attempts, databases: Databases) -> None:
    """Make the table `account_counts`: what was counted of each account that was touched.

    `wanted` are transactions, not attempts: a conflict brings its own second access, and would make
    every account that had one look popular.
    """
    kinds, numbers = list(attempts.key_types), databases.numbers
    # One number tells the rows of all tables apart: to group by several columns takes longer.
    table = f"list_position([{literals(kinds)}], key_type) - 1"
    if len(set(numbers)) > 1:
        of_target = f"{list(numbers)}[list_position([{literals(attempts.targets)}], target)]"
        table += f" + {len(kinds)} * {of_target}"
    tables = (max(numbers) + 1) * len(kinds)
    attempts.execute(
        f"""
        CREATE TEMP TABLE account_counts AS
        SELECT part % {tables} // {len(kinds)} AS database,
            [{literals(kinds)}][part % {len(kinds)} + 1] AS key_type,
            part // {tables} AS account, accesses, conflicts, wanted
        FROM (
            SELECT "row" * {tables} + {table} AS part, count(*)::INTEGER AS accesses,
                sum(conflicted::INTEGER)::INTEGER AS conflicts, sum(counted::INTEGER)::INTEGER AS wanted
            FROM accesses WHERE decided GROUP BY ALL
        )
        """
    )


def _tables(attempts: Attempts) -> pd.DataFrame:
    """Accesses and conflicts of each table, and how many of its accounts were touched."""
    return attempts.frame(
        """
        SELECT database, key_type, sum(accesses) AS accesses, sum(conflicts) AS conflicts,
            count(*) AS used
        FROM account_counts GROUP BY ALL
        """
    )


def _hottest(attempts: Attempts) -> pd.DataFrame:
    """The accounts with most conflicts, of those with as many the most accessed."""
    return attempts.frame(
        f"""
        SELECT * FROM account_counts
        ORDER BY conflicts DESC, accesses DESC, database, key_type, account LIMIT {TOP}
        """
    )


def _by_wish(attempts: Attempts) -> pd.DataFrame:
    """Accounts that equally many transactions wanted, taken together."""
    return attempts.frame(
        """
        SELECT database, key_type, wanted, count(*) AS accounts, sum(accesses) AS accesses,
            sum(conflicts) AS conflicts
        FROM account_counts WHERE wanted > 0 GROUP BY ALL
        """
    )


def _popularity(accounts: pd.DataFrame, seconds: float) -> Popularity | None:
    """The conflict rate by popularity; `accounts` is a table's part of `_by_wish`."""
    if seconds <= 0:
        return None
    wanted = accounts["wanted"].to_numpy()
    # Group i holds accounts with edges[i] ≤ wanted < edges[i + 1], evenly apart in logarithm.
    edges = np.geomspace(1, wanted.max() + 1, _POPULARITY_BINS + 1)
    groups = accounts.assign(
        group=np.searchsorted(edges, wanted, side="right") - 1,
        transactions=wanted * accounts["accounts"],
    )
    sums = groups.groupby("group")[["accounts", "transactions", "accesses", "conflicts"]].sum()
    shown = sums[sums["accesses"] >= _FEWEST_ACCESSES]
    if len(shown) < 3:
        return None
    return Popularity(
        (shown["transactions"] / shown["accounts"] / seconds).to_numpy(),
        (shown["conflicts"] / shown["accesses"]).to_numpy(),
    )
