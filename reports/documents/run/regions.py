"""Several targets in words: what they are to one another, and who failed whom."""

from collections.abc import Sequence

from loadtest.record.run import Target
from reports.statistics.model import Model, Regions
from reports.text.rounding import count, listed, percent
from reports.text.table import Cell, Table


def relation(model: Model) -> str:
    """Whether the targets are endpoints of one database, of different ones, or that is not known; and
    how many users each had.
    """
    regions = model.regions
    if regions is None:
        return ""
    known = {target.name: target for target in model.run.targets}
    groups: dict[int, list[str]] = {}
    for name in model.targets:
        groups.setdefault(regions.databases.numbers[regions.codes[name]], []).append(name)
    # Endpoints of one database may be of several families: a function, and what it calls.
    named = [f"{listed(names)}{_systems(known, names)}" for names in groups.values()]
    unsure = [name for name in model.targets if not regions.databases.settled(regions.codes[name])]
    if len(groups) == 1:
        systems = _systems(known, list(model.targets))
        text = (
            f"{listed(list(model.targets))} are endpoints of one database{systems}, used at the same "
            "time: a commit through one can fail an attempt through another."
        )
    elif unsure:
        which = "all" if len(unsure) > 2 else listed(unsure)
        text = (
            f"{listed(list(model.targets))} were used at the same time. The record does not say of "
            f"{which} whether they hold the same data, so no conflict rate is predicted for them, and "
            "which failed which is not known."
        )
    else:
        several = len({known[name].family for name in model.targets if name in known}) > 1
        what = "different databases" + (" on different systems" if several else "")
        text = (
            f"{listed(named)} are {what}, used at the same time: no commit in one can fail an attempt "
            "in another. The ratios compare them whole, as they were set up, with the way to each."
        )
    return f"{text} {_users(model, regions)}".strip()


def _systems(known: dict[str, Target], names: Sequence[str]) -> str:
    """Family, version and regime of these targets, in brackets; nothing where none says it."""
    targets = [known[name] for name in names if name in known]
    kinds = (", ".join(filter(None, (t.family, t.version, t.regime))) for t in targets)
    text = " and ".join(dict.fromkeys(filter(None, kinds)))
    return f" ({text})" if text else ""


def _users(model: Model, regions: Regions) -> str:
    """How many users each target had; throughput cannot be compared without knowing it."""
    users = {name: regions.users[name] for name in model.targets if name in regions.users}
    if len(users) < len(model.targets) or set(users.values()) == {1}:
        return ""
    if len(set(users.values())) == 1:
        return f"Each had {next(iter(users.values()))} users."
    each = listed([f"{count(n)} on {name}" for name, n in users.items()])
    return f"Throughput follows the number of users: {each}."


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
    known, several, none = int(met.counts.sum()), int(met.ambiguous.sum()), int(met.unknown.sum())
    total = known + several + none
    looked = f" in {percent(met.sampled)} of the time, evenly spread," if met.sampled < 1 else ","
    left = [
        f"{count(several)} fit commits of more than one target" if several else "",
        f"{count(none)} fit none in the record" if none else "",
    ]
    rest = "; ".join(["", " and ".join(filter(None, left))]) if any(left) else ""
    crossed, expected = 0, 0.0
    for failed in names:
        i = regions.codes[failed]
        others = [regions.codes[won] for won in names if won != failed]
        crossed += sum(int(met.counts[i, j]) for j in others)
        shares = (float(met.expected[i, regions.codes[won]]) for won in names
                  if won != failed and _meet(regions, failed, won))  # fmt: skip
        expected += int(met.counts[i].sum()) * sum(shares)
    return (
        f"Of {count(total)} conflicts{looked} {count(known)} ({percent(known / total)}) have a known "
        f"winner{rest}. {percent(crossed / known)} of the known were lost to a commit through another "
        "target; if every commit of another user were as likely to win, it would be "
        f"{percent(expected / known)}."
    )
