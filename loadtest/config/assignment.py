"""Which user works on which target, and in which process."""

from collections.abc import Collection, Sequence

_NOTHING = 1e-10
"""Rounding error of a debt that is paid, as a share of the weights' sum."""


def assign(users: int, weights: Sequence[float]) -> list[int]:
    """Return each user's target, as an index into `weights`.

    The targets' counts are in proportion to their weights, to the nearest user, in any first part
    of the list too: each user goes to the target that is furthest behind its share (the smooth
    weighted round-robin that load balancers use).
    """
    total = sum(weights)
    due = [0.0] * len(weights)
    assignment: list[int] = []
    for _ in range(users):
        due = [owed + weight for owed, weight in zip(due, weights, strict=True)]
        # The first of equals: rounding must not decide between equal weights.
        target = max(range(len(due)), key=lambda i: (round(due[i] / total, 9), -i))
        due[target] -= total
        assignment.append(target)
        if max(map(abs, due)) < _NOTHING * total:
            # No target is behind, as at the beginning: from here on it repeats itself.
            return (assignment * (users // len(assignment) + 1))[:users]
    return assignment


def users_of_process(assignment: Sequence[int], worker: int, workers: int) -> list[int]:
    """Return the numbers of one process's users, in the order in which it starts them.

    `assignment` has each user's target; processes are numbered from 0 to `workers` − 1. Each has its
    share of the users, and of the users of every target, to the nearest user. Together they have all
    users, each once. User n works on `assignment[n % len(assignment)]`, however many processes run.

    With more processes than users the list goes on with numbers beyond them, so that none is empty.
    """
    users = len(assignment)
    rounds = -(-workers // users)
    by_target = sorted(range(rounds * users), key=lambda n: (n // users, assignment[n % users], n))
    return sorted(by_target[worker::workers])


def budget_share(
    assignment: Sequence[int], targets: Collection[int], worker: int, workers: int
) -> float:
    """Return one process's part of a server's budget, in proportion to its users of that server.

    `targets` are those that are this server. The parts of all processes add up to one, and none is
    0: a process without such a user may get one later, from Locust's page.
    """
    counts = [
        max(1, sum(assignment[n % len(assignment)] in targets for n in users))
        for users in (users_of_process(assignment, one, workers) for one in range(workers))
    ]
    return counts[worker] / sum(counts)
