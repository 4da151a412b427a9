"""The checks before any load: everything that the run needs exists, and is said once if it does not.

They come before a user starts or a folder is made, and end in the run's plan.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from shlex import quote
from typing import Any

import numpy as np

from loadtest.config.run import RunConfig
from loadtest.engine.plan import Plan
from loadtest.engine.probes.table import check_endpoints, endpoints_of, prepare
from loadtest.engine.users.pacing import held_back_s
from loadtest.errors import InputError, TargetError
from loadtest.targets import Target, open_target
from loadtest.workload.access import AccessLaw
from loadtest.workload.blocks import blocks_for
from loadtest.workload.builtin import Work, find_scenario
from loadtest.workload.keyspace import KeySpace, KeyType
from loadtest.workload.seeded import COMPUTED, KeySource, ReadSeeded, Seeded


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
    seeded: dict[str, dict[KeyType, Seeded]] = {}
    descriptions = []
    for target in targets:
        target.start()
        with _explaining(target):
            tables = {one.table: one for one in read_seeded(target)}
            description = target.describe()
        seeded[target.name] = {
            key_type: _checked(config, target, key_type, tables, wanted_source)
            for key_type in config.keys
        }
        # Endpoints with the same mark are one database.
        mark = seeded[target.name][config.keys[0]].load_id
        descriptions.append({**description, "data": None if mark is None else str(mark)})
    servers = []
    for target in targets:
        with _explaining(target):
            servers.append(target.server_id())
    users = Counter(servers[index] for index in config.assignment())
    probes: Counter[str] = Counter()
    if config.consistency is not None:
        # A session for each endpoint.
        probes.update(servers[index] for index, _ in endpoints_of(targets))
    _check_connections(config, targets, servers, users, probes)
    block = blocks_for(config.duration, config.block, len(config.keys))
    plan = Plan(
        config=config.model_copy(update={"block": block}),
        accounts=config.accounts
        or min(one.accounts for tables in seeded.values() for one in tables.values()),
        key_seeds=_one_seed_each(seeded),
        totals={
            name: {key_type: one.total for key_type, one in tables.items()}
            for name, tables in seeded.items()
        },
        targets=descriptions,
        servers=servers,
        held_back=_held_back(config, targets, servers, users + probes),
    )
    law, keys = plan.law(), plan.keys()
    for space in keys:
        if space.size is not None and space.size < plan.accounts:
            raise InputError(
                f"--keys-from: {config.keys_from} holds {space.size:,} keys, fewer than the "
                f"{plan.accounts:,} accounts"
            )
    for target in targets:
        with _explaining(target):
            _rehearse(plan, target, law, keys)
            for table in plan.tables():
                target.settle(table)
    if config.consistency is None:
        return plan
    return plan.model_copy(update={"first_probe_row": prepare(targets)})


@contextmanager
def _explaining(target: Target) -> Iterator[None]:
    """Raise a driver's error as the target explains it, in one line."""
    try:
        yield
    except target.errors as error:
        raise target.explain(error) from None


def _checked(
    config: RunConfig,
    target: Target,
    key_type: KeyType,
    tables: Mapping[str, Seeded],
    wanted_source: str,
) -> Seeded:
    """Return what is seeded for a key type, if a run can use it."""
    table = find_scenario(config.scenario).table(key_type).name
    where = quote(target.spec.shown)
    command = f"occbench seed --target {where} --scenario {config.scenario} --keys {key_type}"
    lead = f"{target.called}: "
    one = tables.get(table)
    if one is None:
        raise TargetError(f"{lead}table {table} is not seeded; run `{command}` first")
    if not one.complete:
        raise TargetError(
            f"{lead}table {table} is loaded only in part; run `{command}` again, it goes on from there"
        )
    if one.key_source not in (None, wanted_source):
        remedy = "give the file it was seeded from, or none"
        if config.keys_from is None:
            remedy = "give the same file with --keys-from"
        raise InputError(
            f"{lead}the keys of {table} are {one.key_source}, not {wanted_source}; {remedy}"
        )
    if config.accounts is not None and one.accounts < config.accounts:
        raise InputError(
            f"{lead}table {table} holds {one.accounts:,} accounts, fewer than --accounts "
            f"{config.accounts}; ask for fewer, or run `{command} --accounts {config.accounts}`"
        )
    return one


def _one_seed_each(seeded: Mapping[str, Mapping[KeyType, Seeded]]) -> dict[KeyType, int]:
    """Key type → what its keys are computed from, which must be the same on all targets."""
    seeds: dict[KeyType, int] = {}
    for name, tables in seeded.items():
        for key_type, one in tables.items():
            if seeds.setdefault(key_type, one.key_seed) != one.key_seed:
                raise InputError(
                    f"target {name}: the keys of {one.table} were made from another seed than those "
                    "of the first target; seed both with the same --seed"
                )
    return seeds


def _check_connections(
    config: RunConfig,
    targets: Sequence[Target],
    servers: Sequence[str],
    users: Counter[str],
    probes: Counter[str],
) -> None:
    """Check each server's limit of connections; several targets may be one server."""
    limits: dict[str, int] = {}
    for target, server in zip(targets, servers, strict=True):
        with _explaining(target):
            limit = target.connection_limit()
        if limit is not None:
            limits[server] = limit
    for server, limit in limits.items():
        if users[server] + probes[server] > limit:
            of_all = config.users * (limit - probes[server]) // users[server]
            remedy = f"use at most --users {of_all}"
            if of_all < len(targets):
                remedy = "close other connections, or raise its limit"
            names = [t.name for t, where in zip(targets, servers, strict=True) if where == server]
            more = f" and {probes[server]} for --consistency" if probes[server] else ""
            raise InputError(
                f"target {' and '.join(names)} has room for {limit:,} more connections, not for "
                f"{users[server]:,} users{more}; {remedy}"
            )


def _held_back(
    config: RunConfig, targets: Sequence[Target], servers: Sequence[str], sessions: Counter[str]
) -> dict[str, float]:
    """Target → seconds that its limit of new connections adds to the ramp-up."""
    held_back: dict[str, float] = {}
    for target, server in zip(targets, servers, strict=True):
        limits = target.limits
        if limits.connections_per_s is None:
            continue
        seconds = held_back_s(sessions[server], limits.connections_per_s, limits.connection_burst)
        # Users that are started slowly enough do not notice.
        seconds -= config.users / config.spawn_rate if config.spawn_rate else 0.0
        if seconds > 0:
            held_back[target.name] = round(seconds, 3)
    return held_back


def _rehearse(plan: Plan, target: Target, law: AccessLaw, keys: Sequence[KeySpace]) -> None:
    """Try one attempt of each key type without effect: a missing permission shows before the load."""
    scenario = plan.scenario()
    operation = scenario.operation(target.language)
    statements = plan.statements(target)
    for key_type, space in zip(plan.config.keys, keys, strict=True):
        work = scenario.draw(np.random.default_rng(plan.config.seed), law, space, 1)[0]

        def attempt(session: Any, key_type: KeyType = key_type, work: Work = work) -> object:
            return operation(session, key_type, work)

        target.rehearse(statements, attempt)
