"""Before any load: does everything that the run needs exist?

What is found is the *plan*: the options with all that was open filled in, the same for every process
of the run. Whatever is missing is said here, once, before a user starts or a folder is made.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import psycopg

from loadtest.access import AccessLaw, parse_access
from loadtest.config import RunConfig
from loadtest.errors import InputError, TargetError
from loadtest.keyspace import ComputedKeys, KeySpace, KeyType, read_keys
from loadtest.scenarios import Scenario, find_scenario
from loadtest.schedule import blocks_for
from loadtest.targets import Target, open_target, parse_target

COMPUTED = "computed"
"""The key source of a table whose keys are a function of its seed."""


class Seeded(Protocol):
    """What is known of one loaded table."""

    @property
    def table(self) -> str:
        """Its name."""

    @property
    def complete(self) -> bool:
        """Whether every account is there."""

    @property
    def key_source(self) -> str:
        """`computed`, or which file the keys came from."""

    @property
    def key_seed(self) -> int:
        """What the keys were computed from."""

    @property
    def accounts(self) -> int:
        """How many accounts it holds."""

    @property
    def total(self) -> int:
        """What the scenario's invariant says must be conserved."""


ReadSeeded = Callable[[psycopg.Connection[tuple[Any, ...]]], Iterable[Seeded]]
KeySource = Callable[[Path], str]


@dataclass(frozen=True, slots=True)
class Plan:
    """A run, ready to go. It is handed from process to process as JSON (`to_json`)."""

    config: RunConfig
    accounts: int
    key_seeds: dict[KeyType, int]
    totals: dict[tuple[str, KeyType], int]
    """(target, key type) → what the invariant's total must be."""
    targets: list[dict[str, Any]]
    """What each target says of itself."""

    def to_json(self) -> str:
        """For another process of the same run; holds the targets' secrets, so it is never kept."""
        return json.dumps(
            {
                "config": self.config.model_dump(mode="json"),
                "accounts": self.accounts,
                "key_seeds": self.key_seeds,
                "totals": [[*where, total] for where, total in self.totals.items()],
                "targets": self.targets,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> "Plan":
        """What `to_json` wrote."""
        facts = json.loads(text)
        return cls(
            config=RunConfig.read(**facts["config"]),
            accounts=facts["accounts"],
            key_seeds={KeyType(name): seed for name, seed in facts["key_seeds"].items()},
            totals={(name, KeyType(key)): total for name, key, total in facts["totals"]},
            targets=facts["targets"],
        )

    def with_processes(self, processes: int) -> "Plan":
        """The same plan for the number of processes that there really are."""
        return replace(self, config=self.config.model_copy(update={"processes": processes}))

    def law(self) -> AccessLaw:
        """The distribution of accesses over the accounts."""
        return parse_access(self.config.skew, self.accounts)

    def scenario(self) -> Scenario:
        """The workload."""
        return find_scenario(self.config.scenario)

    def keys(self) -> list[KeySpace]:
        """The keys of each key type, in the config's order."""
        return key_spaces(self.config, self.key_seeds)

    def open_targets(self) -> list[Target]:
        """The targets, in the config's order."""
        return [open_target(parse_target(text)) for text in self.config.target]


def key_spaces(config: RunConfig, key_seeds: dict[KeyType, int]) -> list[KeySpace]:
    """The keys of each key type, in the config's order."""
    if config.keys_from is not None:
        return [read_keys(config.keys_from, config.keys[0])]
    return [ComputedKeys(key_type, key_seeds[key_type]) for key_type in config.keys]


def make_plan(config: RunConfig, read_seeded: ReadSeeded, source_of: KeySource) -> Plan:
    """Reach every target and see that the run can be done.

    Raises InputError when something must be asked for differently, TargetError when a target cannot
    be reached or refuses what is asked of it.
    """
    targets = [open_target(parse_target(text)) for text in config.target]
    scenario = find_scenario(config.scenario)
    wanted_source = COMPUTED if config.keys_from is None else source_of(config.keys_from)
    found: dict[tuple[str, KeyType], Seeded] = {}
    described = []
    for target in targets:
        target.start()
        with _asking(target), target.connect() as connection:
            seeded = {one.table: one for one in read_seeded(connection)}
            described.append(target.describe())
        for key_type in config.keys:
            table = scenario.table(key_type).name
            one = seeded.get(table)
            _check_seeded(config, target, key_type, table, one, wanted_source)
            assert one is not None  # noqa: S101 - it has just been checked
            found[target.name, key_type] = one
    _check_connections(config, targets)
    block = blocks_for(config.duration, config.block, len(config.keys))
    plan = Plan(
        config=config.model_copy(update={"block": block}),
        accounts=config.accounts or min(one.accounts for one in found.values()),
        key_seeds=_one_seed_each(found),
        totals={where: one.total for where, one in found.items()},
        targets=described,
    )
    plan.law()
    plan.keys()
    for target in targets:
        with _asking(target), target.connect() as connection:
            for key_type in config.keys:
                target.settle(connection, scenario.table(key_type).name)
    return plan


@contextmanager
def _asking(target: Target) -> Iterator[None]:
    """What a target answers to a question of ours instead of what was asked, in one line."""
    try:
        yield
    except psycopg.Error as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise TargetError(
            f"target {target.name} ({target.spec.shown}) refuses: {said}; "
            "check what its user is allowed to do"
        ) from None


def _check_seeded(
    config: RunConfig,
    target: Target,
    key_type: KeyType,
    table: str,
    found: Seeded | None,
    wanted_source: str,
) -> None:
    command = (
        f"occbench seed --target {target.spec.shown} --scenario {config.scenario} --keys {key_type}"
    )
    lead = f"target {target.name}: "
    if found is None:
        raise InputError(f"{lead}table {table} is not seeded; run `{command}` first")
    if not found.complete:
        raise InputError(
            f"{lead}table {table} is loaded only in part; run `{command}` again, it goes on from there"
        )
    if found.key_source != wanted_source:
        remedy = "give the file it was seeded from, or none"
        if config.keys_from is None:
            remedy = "give the same file with --keys-from"
        raise InputError(
            f"{lead}the keys of {table} are {found.key_source}, not {wanted_source}; {remedy}"
        )
    if config.accounts is not None and found.accounts < config.accounts:
        raise InputError(
            f"{lead}table {table} holds {found.accounts:,} accounts, fewer than --accounts "
            f"{config.accounts}; ask for fewer, or run `{command} --accounts {config.accounts}`"
        )


def _one_seed_each(found: Mapping[tuple[str, KeyType], Seeded]) -> dict[KeyType, int]:
    """Key type → what its keys are computed from, which must be the same on all targets."""
    seeds: dict[KeyType, int] = {}
    for (name, key_type), one in found.items():
        if seeds.setdefault(key_type, one.key_seed) != one.key_seed:
            raise InputError(
                f"target {name}: the keys of {one.table} were made from another seed than those of "
                "the first target; seed both with the same --seed"
            )
    return seeds


def _check_connections(config: RunConfig, targets: Sequence[Target]) -> None:
    """Users are dealt out to the targets in turn; several targets may be one and the same server."""
    users: dict[str, int] = {}
    limits: dict[str, int] = {}
    for index, target in enumerate(targets):
        with _asking(target):
            place, limit = target.place(), target.connection_limit()
        users[place] = users.get(place, 0) + len(range(index, config.users, len(targets)))
        if limit is not None:
            limits[place] = limit
    for place, limit in limits.items():
        if users[place] > limit:
            of_all = config.users * limit // users[place]
            names = [t.name for t in targets if t.place() == place]
            raise InputError(
                f"target {' and '.join(names)} has room for {limit:,} more connections, not for "
                f"{users[place]:,} users; use at most --users {of_all}"
            )
