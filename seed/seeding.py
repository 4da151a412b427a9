"""Seeding any kind of target, from looking at what is there to the check at the end."""

import time
import uuid
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np

from loadtest.errors import InputError, TargetError
from loadtest.process.in_use import refuse_during
from loadtest.targets import Language, SqlTarget, Target
from loadtest.targets.base.calls import CallTarget, Declared
from loadtest.workload.builtin import SCENARIOS
from loadtest.workload.keyspace import KeyType
from loadtest.workload.scenario import Scenario
from loadtest.workload.seeded import Seeded
from seed.batches import block_size
from seed.keyfile import key_source, open_keys
from seed.loader import Loader, SeedInterrupted
from seed.manifest import Manifest
from seed.plan import Action, SeedPlan, SeedResult, TableResult, decide
from seed.progress import SeedProgress
from seed.sql import ledger
from seed.sql.store import SqlStore
from seed.store import Store

_ROUNDS = 3
_NUMBERS = frozenset({"bigint", "numeric"})


def seed(
    plan: SeedPlan, target: Target, scenario: Scenario, progress: SeedProgress | None = None
) -> SeedResult:
    """Make and load the scenario's table for each of the plan's key types.

    Raises InputError where something else is in the way, TargetError where the target fails, and
    SeedInterrupted after Ctrl-C. After the last two the same command goes on from where it was.
    """
    database = target.database if isinstance(target, CallTarget) else target
    if database is None:
        raise InputError(
            f"{target.called} cannot be seeded: its database is not named; add database=URL, "
            "percent-encoded"
        )
    _check_batch(plan, database)
    began = time.monotonic()
    seedings = [
        _Seeding(plan, _store(database, scenario, key_type), progress or SeedProgress())
        for key_type in plan.key_types
    ]
    try:
        seedings[0].store.make()
        if not plan.recreate:
            # What is in the way of the last table should be said before the first is loaded.
            for seeding in seedings:
                with closing(seeding.store):
                    seeding.look()
        results = tuple(seeding.run() for seeding in seedings)
    except KeyboardInterrupt:
        raise SeedInterrupted("interrupted; the same command goes on from there") from None
    except database.errors as error:
        raise database.explain(error) from error
    return SeedResult(results, time.monotonic() - began)


def contents(target: Target) -> Iterable[Seeded]:
    """Every seeded table of a target, by name."""
    if isinstance(target, SqlTarget):
        with target.connect() as connection:
            return ledger.contents(connection)
    if target.language is Language.ITEMS:
        from seed.items import store as items

        assert isinstance(target, items.DynamoTarget)  # noqa: S101 - nothing else takes items
        return items.contents(target)
    if isinstance(target, CallTarget):
        if target.database is not None:
            return _behind(target.database)
        if target.declared is not None:
            return _as_declared(target.declared)
    return []


def _store(target: Target, scenario: Scenario, key_type: KeyType) -> Store:
    if isinstance(target, SqlTarget):
        return SqlStore(target, scenario, key_type)
    if target.language is Language.ITEMS:
        # Imported where it is needed: boto3 takes its time, and gevent must be there before it.
        from seed.items.store import ItemStore

        return ItemStore(target, scenario, key_type)
    raise InputError(f"{target.called} cannot be seeded")


def _check_batch(plan: SeedPlan, target: Target) -> None:
    """See that a batch and its row in the ledger fit one transaction."""
    most = target.limits.batch_rows if isinstance(target, SqlTarget) else None
    if most is not None and plan.batch > most - 1:
        raise InputError(
            f"--batch {plan.batch} is too large for {target.called}, which changes at most {most:,} "
            f"rows in a transaction, one of them the ledger's; give --batch {most - 1} or less"
        )


class _Seeding:
    """One table's seeding."""

    def __init__(self, plan: SeedPlan, store: Store, progress: SeedProgress) -> None:
        self.store = store
        self._plan = replace(plan, batch=store.fixed_batch or plan.batch)
        self._progress = progress
        self._source = key_source(plan.keys_from)
        self._keys, self._accounts = open_keys(plan, store.key_type)

    def look(self) -> tuple[Action, Manifest | None]:
        """What there is to do; raises InputError where something is in the way."""
        recorded, fits = self.store.recorded(), self.store.fits()
        table = self.store.table.name
        return decide(self._plan, table, self._source, self._accounts, recorded, fits), recorded

    def run(self) -> TableResult:
        """Do it."""
        store, plan = self.store, self._plan
        name = store.table.name
        with closing(store), store.locked() as locked:
            action, before = self.look()
            if before is not None and before.state == "creating" and not (locked or plan.recreate):
                # Whether it broke off there or is being made right now cannot be known.
                raise InputError(
                    f"table {name} is being made by another command, or one broke off there; try "
                    "again, or replace it with --recreate"
                )
            if action in (Action.REPLACE, Action.EXTEND) and not plan.force:
                # A run would lose its table, or find money in it that it did not make.
                refuse_during(store.target.in_use([name]), store.target.called)
            if action is Action.CHECK and before is not None:
                self._check_complete(before)
                return TableResult(name, store.key_type, self._accounts, 0, 0.0)
            manifest = self._prepare(action, before)
            began = time.monotonic()
            loaded = self._load(manifest, resumed=action is Action.RESUME)
            seconds = time.monotonic() - began
            # One pass over all rows is less work than a place for each as it comes. The table is not
            # complete before, so a command that is broken off here goes on here.
            store.build_indexes()
            total = self._check_loaded(manifest)
            store.complete(replace(manifest, state="complete", total=total))
        return TableResult(name, store.key_type, self._accounts, loaded, seconds)

    def _prepare(self, action: Action, before: Manifest | None) -> Manifest:
        """Bring the table to where batches can be written."""
        if before is not None and action is Action.RESUME:
            return self.store.resume(before)
        plan = self._plan
        manifest = Manifest(
            table=self.store.table.name,
            load_id=uuid.uuid4(),
            state="creating",
            key_type=self.store.key_type,
            key_source=self._source,
            key_seed=plan.seed,
            balance=plan.balance,
            accounts=self._accounts,
            part_start=0,
            batch=plan.batch,
            block=block_size(plan.batch),
        )
        if before is not None and action is Action.EXTEND:
            self._check_complete(before)
            extended = replace(
                before,
                state="loading",
                part_start=before.accounts,
                accounts=manifest.accounts,
                batch=manifest.batch,
                block=manifest.block,
            )
            return self.store.extend(before, extended)
        return self.store.create(manifest, before, drop=action is Action.REPLACE)

    def _load(self, manifest: Manifest, *, resumed: bool) -> int:
        """Load until every batch is there; returns how many accounts were loaded here."""
        loaded = 0
        for _ in range(_ROUNDS):
            loader = Loader(self.store, manifest, self._keys, self._plan.workers)
            loader.run(self._progress, resumed=resumed)
            loaded += loader.accounts_loaded
            if self.store.is_loaded(manifest):
                return loaded
            resumed = True
        raise TargetError(
            f"{self.store.target.name}: batches of {manifest.table} that were committed are gone, "
            "again and again; the same command goes on from there"
        )

    def _check_loaded(self, manifest: Manifest) -> int:
        """Check a table that was just loaded; returns the scenario's total.

        A table that was loaded in one go must hold exactly the first rows' sums. One that was extended
        may have been through runs before, so there the part that is new must have added its share to
        the total, every account having begun with the same.
        """
        if manifest.part_start:
            found = self.store.count()
            self._compare("accounts", found.accounts, manifest.accounts)
            if manifest.total % manifest.part_start == 0:
                expected = manifest.total // manifest.part_start * manifest.accounts
                self._compare("a total of", found.total, expected)
            return found.total
        constants = self._constants(manifest)
        found = self.store.count(tuple(constants))
        self._compare("accounts", found.accounts, manifest.accounts)
        for name, value in constants.items():
            self._compare(f"a total {name} of", found.sums[name], value * manifest.accounts)
        return found.total

    def _constants(self, manifest: Manifest) -> dict[str, int]:
        """The number columns that begin with the same value in every row."""
        first = np.zeros(1, np.int64)
        rows = self.store.scenario.first_rows(first, self._keys.binary(first), manifest.balance)
        numbers = {column.name for column in self.store.table.columns if column.type in _NUMBERS}
        return {n: v for n, v in rows.items() if isinstance(v, int) and n in numbers}

    def _check_complete(self, manifest: Manifest) -> None:
        """Check a table that runs may have changed since: nothing missing, and the total kept."""
        found = self.store.count()
        self._compare("accounts", found.accounts, manifest.accounts)
        self._compare("a total of", found.total, manifest.total)

    def _compare(self, what: str, there: int, expected: int) -> None:
        if there != expected:
            raise TargetError(
                f"{self.store.target.called}: table {self.store.table.name} has {what} {there:,} where "
                f"{expected:,} is right; something else changed it; --recreate replaces it"
            )


def _behind(database: Target) -> list[Seeded]:
    """The tables of the database behind a function; raises TargetError where that fails."""
    try:
        return list(contents(database))
    except database.errors as error:
        raise database.explain(error) from None


@dataclass(frozen=True, slots=True)
class _Declared:
    """A table of which the user says what is in it; see `Seeded`."""

    table: str
    key_seed: int
    accounts: int
    total: int | None
    complete: bool = True
    key_source: str | None = None
    load_id: uuid.UUID | None = None


def _as_declared(declared: Declared) -> list[Seeded]:
    """Every table there may be, for there is no way to look which there are."""
    total = None if declared.balance is None else declared.accounts * declared.balance
    return [
        _Declared(scenario.table(key_type).name, declared.key_seed, declared.accounts, total)
        for scenario in SCENARIOS.values()
        for key_type in KeyType
    ]
