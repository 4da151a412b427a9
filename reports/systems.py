"""Which of a run's targets are endpoints of one database, and which are systems of their own.

Only what shares a database can conflict, so the prediction and the matrix of conflicts ask here.
"""

from collections.abc import Sequence

from reports.run_file import Run, Target

_MANY_ENDPOINTS = frozenset({"dsql", "cockroachdb", "yugabytedb", "spanner"})
"""Families of which one database is reached at several places: Regions, nodes, proxies."""


def databases(run: Run, names: Sequence[str]) -> tuple[int, ...]:
    """A number for the database of each named target: equal where they serve the same tables.

    One place is one database. At different places it is still one if the family is made to be
    reached at several, or if the record does not say the place of both.
    """
    known = {target.name: target for target in run.targets}
    found: list[int] = []
    for name in names:
        same = [
            found[i]
            for i, other in enumerate(names[: len(found)])
            if _one_database(known.get(name), known.get(other))
        ]
        found.append(min(same, default=len(found)))
    return tuple(found)


def _one_database(a: Target | None, b: Target | None) -> bool:
    if a is None or b is None:
        return True
    if a.place is not None and a.place == b.place:
        return True
    if _kind(a.family) != _kind(b.family):
        return False
    return _kind(a.family) in _MANY_ENDPOINTS or a.place is None or b.place is None


def _kind(family: str | None) -> str | None:
    return "dsql" if family == "dsql-cluster" else family
