"""Before hours of load: is everything there that the points need?"""

from collections.abc import Sequence

from loadtest.config import RunConfig
from loadtest.preflight import KeySource, ReadSeeded, make_plan
from loadtest.probe_table import check_endpoints
from loadtest.targets import open_target


def check_targets(configs: Sequence[RunConfig], read_seeded: ReadSeeded, source_of: KeySource) -> None:
    """See that the most demanding point of each target can be run, by a run's own preflight.

    That starts the embedded database too, so that the first point does not differ from the others by
    what a server does when it has just been started. Raises InputError or TargetError.
    """
    for config in most_demanding(configs):
        if config.consistency is not None:
            check_endpoints([open_target(spec) for spec in config.specs()])
        # Without probes, whose rows would stay behind in the database.
        make_plan(config.model_copy(update={"consistency": None}), read_seeded, source_of)


def most_demanding(configs: Sequence[RunConfig]) -> list[RunConfig]:
    """For each target the run with most users and, among those, with most accounts.

    What a run needs of a target is that many connections, and that many accounts in its tables.
    """
    found: dict[tuple[str, ...], RunConfig] = {}
    for config in configs:
        beside = found.get(config.target)
        if beside is None or _demand(config) > _demand(beside):
            found[config.target] = config
    return list(found.values())


def _demand(config: RunConfig) -> tuple[int, int]:
    return config.users, config.accounts or 0
