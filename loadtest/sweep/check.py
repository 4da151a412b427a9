"""Before hours of load: is everything there that the points need?"""

from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.config.run import RunConfig
from loadtest.engine.preflight import make_plan
from loadtest.engine.probes.table import check_endpoints
from loadtest.errors import InputError
from loadtest.record.run import read_run
from loadtest.sweep.plan import Sweep
from loadtest.targets import open_target
from loadtest.workload.seeded import KeySource, ReadSeeded


@dataclass(frozen=True, slots=True)
class Data:
    """What a point's target holds."""

    marks: tuple[str | None, ...]
    """The mark of the data behind each of its endpoints; None where it has none."""
    accounts: int
    """How many of its accounts a point draws from that does not say how many."""


DataOfTargets = dict[tuple[str, ...], Data]
"""By the target of a point."""


def check_targets(
    configs: Sequence[RunConfig], read_seeded: ReadSeeded, source_of: KeySource
) -> DataOfTargets:
    """See that the most demanding points of each target can be run, by a run's own preflight.

    That starts the embedded database too, so that the first point does not differ from the others by
    what a server does when it has just been started. Returns what data there are. Raises InputError or
    TargetError.
    """
    data: DataOfTargets = {}
    for config in most_demanding(configs):
        if config.consistency is not None:
            check_endpoints([open_target(spec) for spec in config.specs()])
        # Without probes, whose rows would stay behind in the database.
        plan = make_plan(config.model_copy(update={"consistency": None}), read_seeded, source_of)
        data[config.target] = Data(tuple(target["data"] for target in plan.targets), plan.accounts)
    return data


def most_demanding(configs: Sequence[RunConfig]) -> list[RunConfig]:
    """For each target the run with most users, and that with most accounts where it is another one.

    What a run needs of a target is that many connections, and that many accounts in its tables.
    """
    of_target: dict[tuple[str, ...], list[RunConfig]] = {}
    for config in configs:
        of_target.setdefault(config.target, []).append(config)
    chosen = []
    for mine in of_target.values():
        users = max(mine, key=lambda one: (one.users, one.accounts or 0))
        accounts = max(mine, key=lambda one: (one.accounts or 0, one.users))
        chosen += [users] if (users.accounts or 0) == (accounts.accounts or 0) else [users, accounts]
    return chosen


def with_accounts(config: RunConfig, data: DataOfTargets) -> RunConfig:
    """A point with the number of accounts that it will have; without --accounts the tables say it."""
    if config.accounts is not None or config.target not in data:
        return config
    return config.model_copy(update={"accounts": data[config.target].accounts})


def check_same_data(sweep: Sweep, data: DataOfTargets) -> None:
    """See that the targets hold what they held when points were measured; raises InputError."""
    first_points = {sweep.config_of(point).target: point for point in reversed(sweep.done)}
    for target, point in first_points.items():
        if target not in data:
            continue
        measured = read_run(sweep.folder / str(point.folder)).targets
        for then, now in zip(measured, data[target].marks, strict=False):
            if then.data is not None and now is not None and then.data != now:
                raise InputError(
                    f"target {then.name} holds other data than when {sweep.describe(point)} was "
                    "measured: it was seeded again, or is another database; what is measured now could "
                    "not be compared with it. Begin a new sweep"
                )
