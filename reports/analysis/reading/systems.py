"""Which of a run's targets are endpoints of one database, which are not, and of which nobody knows.

Only what shares a database can conflict, so the prediction, the matrix of conflicts and the hottest
accounts ask here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.record.run import Run


@dataclass(frozen=True, slots=True)
class Databases:
    """What is known of the targets' databases; elements are in the order in which they were named."""

    numbers: tuple[int, ...]
    """Equal for targets that are known to be endpoints of one database."""
    said: tuple[bool, ...]
    """Whether the record says which data a target holds: two such with other numbers share none."""

    def one(self, a: int, b: int) -> bool | None:
        """Whether the targets at these two places are one database; None where nobody knows."""
        if self.numbers[a] == self.numbers[b]:
            return True
        return False if self.said[a] and self.said[b] else None

    def settled(self, place: int) -> bool:
        """Whether it is known of every other target if it shares this one's database.

        Where it is not, commits that nobody counts may fail attempts: nothing can be predicted.
        """
        return all(self.one(place, other) is not None for other in range(len(self.numbers)))

    @property
    def whole(self) -> bool:
        """Whether all targets are known to be one database."""
        return len(set(self.numbers)) <= 1


def find_databases(run: Run, names: Sequence[str]) -> Databases:
    """What `run.json` says of the named targets' databases.

    The mark that seeding left in the tables decides. A record without any mark is older than they
    are: then one place is one database, and of two places nothing is known.
    """
    known = {target.name: target for target in run.targets}
    found = [known.get(name) for name in names]
    marks = [target.data if target else None for target in found]
    marked = any(target.data is not None for target in run.targets)
    words = marks if marked else [target.place if target else None for target in found]
    numbers = tuple(place if word is None else words.index(word) for place, word in enumerate(words))
    return Databases(numbers, tuple(mark is not None for mark in marks))
