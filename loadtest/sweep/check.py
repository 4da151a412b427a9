"""Before hours of load: is everything there that the points need?"""

from collections.abc import Sequence

from loadtest.config import RunConfig
from loadtest.preflight import KeySource, ReadSeeded, make_plan
from loadtest.probe_table import check_endpoints
from loadtest.targets import open_target

Data = dict[tuple[str, ...], list[str | None]]
"""Target of a point → the mark of the data behind each of its endpoints; None where it has none."""


def check_targets(configs: Sequence[RunConfig], read_seeded: ReadSeeded, source_of: KeySource) -> Data:
    """See that the most demanding points of each target can be run, by a run's own preflight.

    That starts the embedded database too, so that the first point does not differ from the others by
    what a server does when it has just been started. Returns what data there are. Raises InputError or
    TargetError.
    """
    data: Data = {}
    for config in most_demanding(configs):
        if config.consistency is not None:
            check_endpoints([open_target(spec) for spec in config.specs()])
        # Without probes, whose rows would stay behind in the database.
        plan = make_plan(config.model_copy(update={"consistency": None}), read_seeded, source_of)
        data[config.target] = [target["data"] for target in plan.targets]
    return data


def most_demanding(configs: Sequence[RunConfig]) -> list[RunConfig]:
    """For each target the run with most users, and that with most accounts where it is another one.

    What a run needs of a target is that many connections, and that many accounts in its tables.
    """
    of_target: dict[tuple[str, ...], list[RunConfig]] = {}
    for config in configs:
        of_target.setdefault(config.target, []).append(config)
    found = []
    for mine in of_target.values():
        users = max(mine, key=lambda one: (one.users, one.accounts or 0))
        accounts = max(mine, key=lambda one: (one.accounts or 0, one.users))
        found += [users] if (users.accounts or 0) == (accounts.accounts or 0) else [users, accounts]
    return found
