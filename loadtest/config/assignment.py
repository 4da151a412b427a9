"""Which user works on which target."""

from collections.abc import Collection, Sequence

_NOTHING = 1e-10
"""What rounding leaves of a debt that is paid, as a share of the weights' sum."""


def deal(users: int, weights: Sequence[float]) -> list[int]:
    """The target of each user, by its place in `weights`.

    The targets' counts are in proportion to their weights, to the nearest user, in any first part
    of the list too: each user goes to the target that is furthest behind its share (the smooth
    weighted round-robin that load balancers use).
    """
    total = sum(weights)
    due = [0.0] * len(weights)
    dealt = []
    for _ in range(users):
        due = [owed + weight for owed, weight in zip(due, weights, strict=True)]
        # The first of equals: rounding must not decide between equal weights.
        place = max(range(len(due)), key=lambda i: (round(due[i] / total, 9), -i))
        due[place] -= total
        dealt.append(place)
        if max(map(abs, due)) < _NOTHING * total:
            # Nobody is owed anything, as at the beginning: from here on it repeats itself.
            return (dealt * (users // len(dealt) + 1))[:users]
    return dealt


def hand_out(dealt: Sequence[int], worker: int, workers: int) -> list[int]:
    """The numbers of the users of one process, in the order in which it starts them.

    `dealt` is the target of each user (`deal`); processes number `worker` = 0 … `workers` − 1. Each
    has its share of the users, and of the users of every target, to the nearest user: those of a
    target go to the processes in turn. Together they have all users, each once. The target of a
    number is that of number % len(dealt), whatever the number of processes.

    Where there are more processes than users the list goes on with numbers beyond them, so that none
    is empty.
    """
    users = len(dealt)
    rounds = -(-workers // users)
    by_target = sorted(range(rounds * users), key=lambda n: (n // users, dealt[n % users], n))
    return sorted(by_target[worker::workers])


def share_of(dealt: Sequence[int], places: Collection[int], worker: int, workers: int) -> float:
    """Which part of a server's budget is a process's: in proportion to its users of that server.

    `places` are the targets that are this server. The parts of all processes add up to one, and none
    is nothing: a process that has no such user now may get one later, from Locust's page.
    """
    counts = [
        max(1, sum(dealt[user % len(dealt)] in places for user in hand_out(dealt, one, workers)))
        for one in range(workers)
    ]
    return counts[worker] / sum(counts)
