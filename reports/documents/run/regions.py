"""Several targets in words: what they are to one another, and who failed whom."""

from loadtest.record.run import Target
from reports.statistics.model import Model, Regions
from reports.text.rounding import count, listed, percent
from reports.text.table import Cell, Table


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


def matrix(model: Model) -> Table | None:
    """Who failed whom: a row for each target whose attempts lost, a column for each that won.

    Under each number, the share of the row's conflicts whose winner is known, and what it would be if
    every commit of another user were as likely to win; — where the two cannot meet, or the record does
    not say whether they can. None where there is no conflict, or no winner is known.
    """
    regions = model.regions
    if regions is None or regions.attribution is None or not regions.attribution.counts.sum():
        return None
    names = tuple(model.targets)
    rows = tuple((name, tuple(_lost(regions, name, other) for other in names)) for name in names)
    return Table(
        names,
        rows,
        "Who failed whom",
        _reading(regions, names),
        "attempt on",
        "lost to a commit through",
    )


def _meet(regions: Regions, failed: str, won: str) -> bool:
    met = regions.attribution
    if met is None or not (met.asked[regions.codes[failed]] and met.asked[regions.codes[won]]):
        return False
    return bool(regions.one_database(failed, won))


def _lost(regions: Regions, failed: str, won: str) -> Cell:
    met, i, j = regions.attribution, regions.codes[failed], regions.codes[won]
    if met is None or not _meet(regions, failed, won):
        return Cell("—", shade=0.0)
    conflicts, total = int(met.counts[i, j]), int(met.counts[i].sum())
    if not total:
        return Cell(count(conflicts), shade=0.0)
    share = conflicts / total
    note = f"{percent(share)}\nexpected {percent(float(met.expected[i, j]))}"
    return Cell(count(conflicts), note, shade=share)


def _reading(regions: Regions, names: tuple[str, ...]) -> str:
    met = regions.attribution
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
    for failed in names:
        i = regions.codes[failed]
        others = [won for won in names if won != failed]
        crossed += sum(int(met.counts[i, regions.codes[won]]) for won in others)
        shares = (float(met.expected[i, regions.codes[w]]) for w in others if _meet(regions, failed, w))
        expected += int(met.counts[i].sum()) * sum(shares)
    return (
        f"{text} {percent(crossed / known)} of the known were lost to a commit through another target; "
        "if every commit of another user were as likely to win, it would be "
        f"{percent(expected / known)}."
    )
