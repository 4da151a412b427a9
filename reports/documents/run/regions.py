"""Several targets in words: what they are to one another, and who failed whom."""

from dataclasses import dataclass

from reports.analysis.reading.run_file import Target
from reports.statistics.model import Model, Regions
from reports.text.rounding import count, listed, percent

NAME_ROOM = 20
"""Letters that a name has room for in the matrix."""
_CELL, _HALF = 13, 60
"""Letters in a cell, and in half of the page."""


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """How often attempts on the row's target lost to commits through the column's."""

    conflicts: int
    share: float | None
    """Of the row's conflicts whose winner is known."""
    expected: float | None
    """What the share would be if every commit of another user were as likely to win; None: the two
    cannot meet, or nobody knows whether they can."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """The conflicts by pair of targets, ready for a table."""

    names: tuple[str, ...]
    rows: tuple[tuple[str, tuple[MatrixCell, ...]], ...]
    reading: str

    @property
    def wide(self) -> bool:
        """Whether it needs more than half of the page."""
        heads = [min(len(name), NAME_ROOM) for name in self.names]
        return sum(max(head, _CELL) for head in heads) + max(heads) > _HALF


def relation(model: Model) -> str:
    """Whether the targets are endpoints of one database, of different ones, or nobody knows; and who
    used them.
    """
    regions = model.regions
    if regions is None:
        return ""
    known = {target.name: target for target in model.run.targets}
    groups: dict[int, list[str]] = {}
    for name in model.targets:
        groups.setdefault(regions.databases.numbers[regions.codes[name]], []).append(name)
    # Endpoints of one database may be of several families: a function, and what it calls.
    kinds = {
        number: " and ".join(dict.fromkeys(filter(None, (_kind(known.get(n)) for n in names))))
        for number, names in groups.items()
    }
    unsure = [name for name in model.targets if not regions.databases.settled(regions.codes[name])]
    if len(groups) == 1:
        text = (
            f"{listed(list(model.targets))} are endpoints of one database"
            f"{_bracketed(next(iter(kinds.values())))}, used at the same time: a commit through one "
            "can fail an attempt through another."
        )
    elif unsure:
        text = (
            f"{listed(list(model.targets))} were used at the same time. The record does not say of "
            f"{'all' if len(unsure) > 2 else listed(unsure)} whether they hold the same data, so no "
            "conflict rate is predicted for them, and nobody can say who failed whom."
        )
    else:
        parts = [f"{listed(names)}{_bracketed(kinds[number])}" for number, names in groups.items()]
        families = {t.family for t in known.values() if t.name in model.targets}
        what = "different databases" + (" on different systems" if len(families) > 1 else "")
        text = (
            f"{listed(parts)} are {what}, used at the same time: no commit in one can fail an attempt "
            "in another. The ratios compare them whole, as they were set up, with the way to each."
        )
    return f"{text} {_dealt(model, regions)}".strip()


def _dealt(model: Model, regions: Regions) -> str:
    """How many users each target had; throughput cannot be compared without knowing it."""
    users = [(name, regions.users[name]) for name in model.targets if name in regions.users]
    if len(users) < len(model.targets) or sum(n for _, n in users) == len(users):
        return ""
    if len({n for _, n in users}) == 1:
        return f"Each had {users[0][1]} users."
    dealt = listed([f"{count(n)} on {name}" for name, n in users])
    return f"Throughput follows the number of users: {dealt}."


def _kind(target: Target | None) -> str:
    if target is None:
        return ""
    return ", ".join(word for word in (target.family, target.version, target.regime) if word)


def _bracketed(text: str) -> str:
    return f" ({text})" if text else ""


def matrix(model: Model) -> Matrix | None:
    """The matrix of conflicts, None where there is none or no winner is known."""
    regions = model.regions
    if regions is None or regions.opponents is None or not regions.opponents.counts.sum():
        return None
    met, names = regions.opponents, tuple(model.targets)
    rows = []
    for failed in names:
        i = regions.codes[failed]
        total = int(met.counts[i].sum())
        cells = []
        for won in names:
            j = regions.codes[won]
            n = int(met.counts[i, j])
            meet = met.asked[i] and met.asked[j] and regions.one_database(failed, won)
            cells.append(
                MatrixCell(n, n / total if total else None, float(met.expected[i, j]) if meet else None)
            )
        rows.append((failed, tuple(cells)))
    return Matrix(names, tuple(rows), _reading(regions, rows))


def _reading(regions: Regions, rows: list[tuple[str, tuple[MatrixCell, ...]]]) -> str:
    met = regions.opponents
    assert met is not None  # noqa: S101 - there is a matrix
    known, several, nobody = int(met.counts.sum()), int(met.ambiguous.sum()), int(met.unknown.sum())
    total = known + several + nobody
    looked = f" in {percent(met.sampled)} of the time, evenly spread," if met.sampled < 1 else ","
    text = f"Of {count(total)} conflicts{looked} {count(known)} "
    text += f"({percent(known / total)}) have a known winner"
    left = []
    if several:
        left.append(f"{count(several)} fit commits of more than one target")
    if nobody:
        left.append(f"{count(nobody)} fit none in the record")
    text += f"; {' and '.join(left)}." if left else "."
    crossed, expected = 0, 0.0
    for i, (_, cells) in enumerate(rows):
        lost = sum(cell.conflicts for cell in cells)
        others = [cell for j, cell in enumerate(cells) if i != j]
        crossed += sum(cell.conflicts for cell in others)
        expected += lost * sum(cell.expected or 0.0 for cell in others)
    return (
        f"{text} {percent(crossed / known)} of the known were lost to a commit through another target; "
        "if every commit of another user were as likely to win, it would be "
        f"{percent(expected / known)}."
    )
