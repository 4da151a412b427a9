"""Before any load: does everything that the run needs exist?

What is found is the *plan*: the options with all that was open filled in, the same for every process
of the run. Whatever is missing is said here, once, before a user starts or a folder is made.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from shlex import quote
from typing import Any

import numpy as np

from loadtest.config.run import RunConfig
from loadtest.engine.probes.table import check_endpoints, endpoints_of, prepare
from loadtest.engine.users.pacing import held_back_s
from loadtest.errors import InputError, TargetError
from loadtest.targets import SqlTarget, Statement, Target, open_target
from loadtest.workload.access import AccessLaw, parse_access
from loadtest.workload.blocks import blocks_for
from loadtest.workload.builtin import Scenario, Work, find_scenario
from loadtest.workload.keyspace import ComputedKeys, KeySpace, KeyType, read_keys
from loadtest.workload.seeded import COMPUTED, KeySource, ReadSeeded, Seeded


@dataclass(frozen=True, slots=True)
class Plan:
    """A run, ready to go. It is handed from process to process as JSON (`to_json`)."""

    config: RunConfig
    accounts: int
    key_seeds: dict[KeyType, int]
    totals: dict[tuple[str, KeyType], int | None]
    """(target, key type) → what the invariant's total must be, if it is known."""
    targets: list[dict[str, Any]]
    """What each target says of itself."""
    places: list[str]
    """Which server each target is; two of the same share its limits."""
    held_back: dict[str, float] = field(default_factory=dict)
    """Target → seconds by which its limit of new connections holds the ramp-up back."""
    first_probe_row: int | None = None
    """Where this run's rows for the consistency probes begin; None where it makes none."""

    def to_json(self) -> str:
        """For another process of the same run; holds the targets' secrets, so it is never kept."""
        return json.dumps(
            {
                "config": self.config.model_dump(mode="json"),
                "accounts": self.accounts,
                "key_seeds": self.key_seeds,
                "totals": [[*where, total] for where, total in self.totals.items()],
                "targets": self.targets,
                "places": self.places,
                "held_back": self.held_back,
                "first_probe_row": self.first_probe_row,
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
            places=facts["places"],
            held_back=facts["held_back"],
            first_probe_row=facts["first_probe_row"],
        )

    def with_processes(self, processes: int) -> "Plan":
        """The same plan for the number of processes that there really are."""
        return replace(self, config=self.config.model_copy(update={"processes": processes}))

    def with_duration(self, duration: float) -> "Plan":
        """The same plan for another measured time, in seconds."""
        block = blocks_for(duration, self.config.block, len(self.config.keys))
        return replace(
            self, config=self.config.model_copy(update={"duration": duration, "block": block})
        )

    def law(self) -> AccessLaw:
        """The distribution of accesses over the accounts."""
        return parse_access(self.config.skew, self.accounts)

    def scenario(self) -> Scenario:
        """The workload."""
        return find_scenario(self.config.scenario)

    def tables(self) -> tuple[str, ...]:
        """The names of the tables whose rows attempts touch: one for each key type, in their order."""
        return tuple(self.scenario().table(key_type).name for key_type in self.config.keys)

    def keys(self) -> list[KeySpace]:
        """The keys of each key type, in the config's order."""
        return key_spaces(self.config, self.key_seeds)

    def open_targets(self) -> list[Target]:
        """The targets, in the config's order."""
        return [open_target(spec) for spec in self.config.specs()]


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
    targets = [open_target(spec) for spec in config.specs()]
    scenario = find_scenario(config.scenario)
    for target in targets:
        scenario.operation(target.language)
    if config.consistency is not None:
        check_endpoints(targets)
    wanted_source = COMPUTED if config.keys_from is None else source_of(config.keys_from)
    found: dict[tuple[str, KeyType], Seeded] = {}
    described = []
    for target in targets:
        target.start()
        with _asking(target):
            seeded = {one.table: one for one in read_seeded(target)}
            described.append(target.describe())
        for key_type in config.keys:
            table = scenario.table(key_type).name
            one = seeded.get(table)
            _check_seeded(config, target, key_type, table, one, wanted_source)
            assert one is not None  # noqa: S101 - it has just been checked
            found[target.name, key_type] = one
    places = _places(targets)
    _check_connections(config, targets, places)
    block = blocks_for(config.duration, config.block, len(config.keys))
    plan = Plan(
        config=config.model_copy(update={"block": block}),
        accounts=config.accounts or min(one.accounts for one in found.values()),
        key_seeds=_one_seed_each(found),
        totals={where: one.total for where, one in found.items()},
        targets=[
            {**said, "data": _data(config, target, found)}
            for said, target in zip(described, targets, strict=True)
        ],
        places=places,
        held_back=_held_back(config, targets, places),
    )
    law, keys = plan.law(), plan.keys()
    for space in keys:
        if space.size is not None and space.size < plan.accounts:
            raise InputError(
                f"--keys-from: {config.keys_from} holds {space.size:,} keys, fewer than the "
                f"{plan.accounts:,} accounts"
            )
    for target in targets:
        _rehearse(plan, target, law, keys)
        with _asking(target):
            for key_type in config.keys:
                target.settle(scenario.table(key_type).name)
    if config.consistency is None:
        return plan
    return replace(plan, first_probe_row=prepare(targets))


def _data(config: RunConfig, target: Target, found: Mapping[tuple[str, KeyType], Seeded]) -> str | None:
    """What tells the target's data from any other: endpoints with the same are one database."""
    load_id = found[target.name, config.keys[0]].load_id
    return None if load_id is None else str(load_id)


def _rehearse(plan: Plan, target: Target, law: AccessLaw, keys: Sequence[KeySpace]) -> None:
    """One attempt of each key type without effect: a missing permission shows before the load."""
    scenario = plan.scenario()
    operation = scenario.operation(target.language)
    statements = statements_for(scenario, target, plan.config.keys)
    for key_type, space in zip(plan.config.keys, keys, strict=True):
        rng = np.random.default_rng(plan.config.seed)
        work = scenario.draw(rng, law, space, 1)[0]

        def attempt(session: Any, key_type: KeyType = key_type, work: Work = work) -> object:
            return operation(session, key_type, work)

        with _asking(target):
            target.rehearse(statements, attempt)


def statements_for(scenario: Scenario, target: Target, key_types: Sequence[KeyType]) -> list[Statement]:
    """What sessions of the target prepare; nothing where it does not speak SQL."""
    if not isinstance(target, SqlTarget):
        return []
    return scenario.statements(target.dialect, key_types)


def _places(targets: Sequence[Target]) -> list[str]:
    found = []
    for target in targets:
        with _asking(target):
            found.append(target.server_id())
    return found


def _held_back(config: RunConfig, targets: Sequence[Target], places: Sequence[str]) -> dict[str, float]:
    """Target → seconds that its limit of new connections adds to the ramp-up."""
    wanted = _users_by_place(config, places) + _probes_by_place(config, targets, places)
    found: dict[str, float] = {}
    for target, place in zip(targets, places, strict=True):
        limits = target.limits
        if limits.connections_per_s is None:
            continue
        seconds = held_back_s(wanted[place], limits.connections_per_s, limits.connection_burst)
        # Users that are started slowly enough do not notice.
        seconds -= config.users / config.spawn_rate if config.spawn_rate else 0.0
        if seconds > 0:
            found[target.name] = round(seconds, 3)
    return found


def _users_by_place(config: RunConfig, places: Sequence[str]) -> Counter[str]:
    return Counter(places[index] for index in config.assignment())


def _probes_by_place(
    config: RunConfig, targets: Sequence[Target], places: Sequence[str]
) -> Counter[str]:
    """The sessions that the consistency probes need: one for each endpoint."""
    if config.consistency is None:
        return Counter()
    return Counter(places[index] for index, _ in endpoints_of(targets))


@contextmanager
def _asking(target: Target) -> Iterator[None]:
    """What a target answers to a question of ours instead of what was asked, in one line."""
    try:
        yield
    except target.errors as error:
        raise target.explain(error) from None


def _check_seeded(
    config: RunConfig,
    target: Target,
    key_type: KeyType,
    table: str,
    found: Seeded | None,
    wanted_source: str,
) -> None:
    where = quote(target.spec.shown)
    command = f"occbench seed --target {where} --scenario {config.scenario} --keys {key_type}"
    lead = f"{target.called}: "
    if found is None:
        raise TargetError(f"{lead}table {table} is not seeded; run `{command}` first")
    if not found.complete:
        raise TargetError(
            f"{lead}table {table} is loaded only in part; run `{command}` again, it goes on from there"
        )
    if found.key_source not in (None, wanted_source):
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


def _check_connections(config: RunConfig, targets: Sequence[Target], places: Sequence[str]) -> None:
    """Users are dealt out to the targets; several targets may be one and the same server."""
    users, probes = _users_by_place(config, places), _probes_by_place(config, targets, places)
    limits: dict[str, int] = {}
    for target, place in zip(targets, places, strict=True):
        with _asking(target):
            limit = target.connection_limit()
        if limit is not None:
            limits[place] = limit
    for place, limit in limits.items():
        if users[place] + probes[place] > limit:
            of_all = config.users * (limit - probes[place]) // users[place]
            remedy = f"use at most --users {of_all}"
            if of_all < len(targets):
                remedy = "close other connections, or raise its limit"
            names = [t.name for t, where in zip(targets, places, strict=True) if where == place]
            more = f" and {probes[place]} for --consistency" if probes[place] else ""
            raise InputError(
                f"target {' and '.join(names)} has room for {limit:,} more connections, not for "
                f"{users[place]:,} users{more}; {remedy}"
            )
