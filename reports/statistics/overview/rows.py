"""A row for each run, or for each target of a run that has several: what tables and charts go by."""

from collections.abc import Sequence
from dataclasses import dataclass

from reports.statistics.overview.naming import Collection
from reports.statistics.overview.runs import Line, OneRun


@dataclass(frozen=True, slots=True)
class Row:
    """One run on one target."""

    run: OneRun
    name: str
    within: str
    """The name without what `group` says."""
    group: str | None
    """What neighbouring rows have in common; they stand under it."""
    lines: tuple[Line, ...]

    def of(self, key_type: str) -> Line | None:
        """The line of this key type."""
        return next((line for line in self.lines if line.key_type == key_type), None)


def rows_of(collection: Collection) -> tuple[Row, ...]:
    """All rows in the order of the report."""
    found = []
    called = zip(collection.runs, collection.names, collection.within, collection.groups, strict=True)
    for run, name, within, group in called:
        for target in dict.fromkeys(line.target for line in run.lines):
            lines = tuple(line for line in run.lines if line.target == target)
            full, inner = (x if target is None else f"{x} · {target}" for x in (name, within))
            found.append(Row(run, full, inner, group, lines))
    return tuple(found)


def key_types(rows: tuple[Row, ...]) -> tuple[str, ...]:
    """Every key type that some row has, in the order of appearance."""
    return tuple(dict.fromkeys(line.key_type for row in rows for line in row.lines))


_MOST_NAMED = 4


def left_out(rows: Sequence[Row]) -> str:
    """A sentence on runs of several targets and several key types: their course and distribution are
    kept by target or by key type, not by both. Empty where there are none.
    """
    found = list(
        dict.fromkeys(
            row.name.removesuffix(f" · {line.target}")
            for row in rows
            for line in row.lines
            if line.target is not None
            and line.series is None
            and len({other.key_type for other in row.run.lines}) > 1
        )
    )
    if not found:
        return ""
    named = "; ".join(found[:_MOST_NAMED])
    more = f"; and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    return f"Not drawn, for they have several targets and several key types: {named}{more}."
