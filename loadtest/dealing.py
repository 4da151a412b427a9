"""Which user works on which target."""

from collections.abc import Sequence


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
    return dealt
