"""A simulated optimistic database whose every conflict has a known winner."""

import heapq
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.run_folders import BEGIN_NS

_TRIP_NS = 300_000


@dataclass
class History:
    """Attempts as `run_folders.table_of` takes them, and for each the targets that failed it."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    failed_by: list[set[str]] = field(default_factory=list)


def simulate(
    delays_ms: dict[str, float], *, users: int, accounts: int, seconds: float, seed: int = 1
) -> History:
    """Users in turn on the targets; a commit is decided somewhere within its target's delay.

    An attempt sees what was decided up to its snapshot, one trip after its start, and fails if
    another commit of one of its accounts was decided between that and its own decision.
    """
    rng = np.random.default_rng(seed)
    names = list(delays_ms)
    history = History()
    commits: dict[int, list[tuple[int, str]]] = {}
    waiting: list[tuple[int, int, dict[str, Any]]] = []
    transactions = iter(range(1 << 40))

    def begin(user: int, at_ns: int, before: dict[str, Any] | None) -> None:
        target = names[user % len(names)]
        statements = round(rng.gamma(8, 3e6 / 8))
        commit = round(delays_ms[target] * 1e6 * rng.uniform(1.0, 1.3)) + _TRIP_NS
        payer, payee = rng.choice(accounts, 2, replace=False)
        retry = before is not None and before["outcome"] != "committed"
        row = {
            "user": user, "target": target, "start_ns": at_ns, "statements_ns": statements,
            "commit_ns": commit, "window_low_ns": statements - _TRIP_NS,
            "window_high_ns": statements + commit,
            "rows": [int(payer), int(payee)],
            "transaction": next(transactions), "attempt": 1, "intended_start_ns": at_ns,
        }  # fmt: skip
        if retry and before is not None:
            same = ("rows", "transaction", "intended_start_ns")
            row |= {name: before[name] for name in same} | {"attempt": before["attempt"] + 1}
        decided = at_ns + statements + round(commit * rng.uniform(0.3, 0.9))
        heapq.heappush(waiting, (decided, user, row))

    for user in range(users):
        begin(user, BEGIN_NS + round(rng.uniform(0, 5e6)), None)
    while waiting:
        decided, user, row = heapq.heappop(waiting)
        snapshot = row["start_ns"] + _TRIP_NS
        won = {t for a in row["rows"] for at, t in commits.get(a, []) if at > snapshot}
        row["outcome"] = "conflict_data" if won else "committed"
        row["final"] = not won
        row["sqlstate"] = "40001" if won else None
        if not won:
            for account in row["rows"]:
                commits.setdefault(account, []).append((decided, row["target"]))
        history.rows.append(row)
        history.failed_by.append(won)
        end = row["start_ns"] + row["statements_ns"] + row["commit_ns"]
        if end < BEGIN_NS + seconds * 1e9:
            begin(user, end + 50_000, row)
    return history
