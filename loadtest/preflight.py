"""Before any load: does everything that the run needs exist?

What is found is the *plan*: the options with all that was open filled in, the same for every process
of the run. Whatever is missing is said here, once, before a user starts or a folder is made.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg

from loadtest.access import AccessLaw, parse_access
from loadtest.config import RunConfig
from loadtest.errors import InputError
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
    be reached.
    """
    targets = [open_target(parse_target(text)) for text in config.target]
    scenario = find_scenario(config.scenario)
    wanted_source = COMPUTED if config.keys_from is None else source_of(config.keys_from)
    accounts: int | None = config.accounts
    key_seeds: dict[KeyType, int] = {}
    totals: dict[tuple[str, KeyType], int] = {}
    smallest: int | None = None
    for index, target in enumerate(targets):
        target.start()
        _check_connections(config, index, target)
        with target.connect() as connection:
            seeded = {found.table: found for found in read_seeded(connection)}
        for key_type in config.keys:
            table = scenario.table(key_type).name
            found = seeded.get(table)
            command = (
                f"occbench seed --target {target.spec.shown} --scenario {scenario.name} "
                f"--keys {key_type}"
            )
            if found is None:
                raise InputError(
                    f"target {target.name}: table {table} is not seeded; run `{command}` first"
                )
            if not found.complete:
                raise InputError(
                    f"target {target.name}: table {table} is loaded only in part; "
                    f"run `{command}` again, it goes on from there"
                )
            if found.key_source != wanted_source:
                raise InputError(
                    f"target {target.name}: the keys of {table} are {found.key_source}, not "
                    f"{wanted_source}; "
                    + (
                        "give the same file with --keys-from"
                        if config.keys_from is None
                        else "give the file it was seeded from, or none"
                    )
                )
            if accounts is not None and found.accounts < accounts:
                raise InputError(
                    f"target {target.name}: table {table} holds {found.accounts:,} accounts, "
                    f"fewer than --accounts {accounts}; ask for fewer, or run "
                    f"`{command} --accounts {accounts}`"
                )
            if key_seeds.setdefault(key_type, found.key_seed) != found.key_seed:
                raise InputError(
                    f"target {target.name}: the keys of {table} were made from another seed than "
                    "those of the first target; seed both with the same --seed"
                )
            smallest = min(smallest or found.accounts, found.accounts)
            totals[target.name, key_type] = found.total
    assert smallest is not None  # noqa: S101 - there is at least one target and one key type
    block = blocks_for(config.duration, config.block, len(config.keys))
    plan = Plan(
        config=config.model_copy(update={"block": block}),
        accounts=accounts or smallest,
        key_seeds=key_seeds,
        totals=totals,
        targets=[target.describe() for target in targets],
    )
    plan.law()
    plan.keys()
    for target in targets:
        with target.connect() as connection:
            for key_type in config.keys:
                target.settle(connection, scenario.table(key_type).name)
    return plan


def _check_connections(config: RunConfig, index: int, target: Target) -> None:
    limit = target.connection_limit()
    users = len(range(index, config.users, len(config.target)))
    if limit is not None and users > limit:
        raise InputError(
            f"target {target.name} has room for {limit:,} more connections, not for {users:,} "
            f"users; use at most --users {limit * len(config.target)}"
        )
