"""Seeding a target that keeps items: DynamoDB."""

import time
import uuid
from dataclasses import replace

from loadtest.errors import InputError, TargetError
from loadtest.targets.dynamodb.scanning import Sums
from loadtest.targets.dynamodb.target import DynamoTarget as DynamoTarget
from loadtest.workload.keyspace import KeyType
from loadtest.workload.scenario import Scenario
from seed.decide import Action, decide_by_fit, refuse_in_use
from seed.items.loader import ItemLoader
from seed.items.manifest import Entry, ItemManifests
from seed.keyfile import key_source, open_keys
from seed.plan import SeedPlan, SeedResult, TableResult
from seed.progress import SeedProgress
from seed.sql.loader import SeedInterrupted
from seed.sql.manifest import Manifest

_KEY_KINDS = {"bigint": "N", "uuid": "S"}
"""A key column's type → the type of the attribute that it becomes."""


def seed(
    plan: SeedPlan, target: DynamoTarget, scenario: Scenario, progress: SeedProgress
) -> SeedResult:
    """Make and load the scenario's table for each of the plan's key types.

    Raises InputError where something else is in the way, TargetError where the target fails, and
    SeedInterrupted after Ctrl-C. After the last two the same command goes on from where it was.
    """
    began = time.monotonic()
    book = ItemManifests(target)
    seedings = [_Seeding(plan, target, scenario, key_type, book) for key_type in plan.key_types]
    try:
        book.make()
        if not plan.recreate:
            # What is in the way of the last table should be said before the first is loaded.
            for seeding in seedings:
                seeding.look()
        results = tuple(seeding.run(progress) for seeding in seedings)
    except KeyboardInterrupt:
        raise SeedInterrupted("interrupted; the same command goes on from there") from None
    except target.errors as error:
        raise target.explain(error) from error
    return SeedResult(results, time.monotonic() - began)


def contents(target: DynamoTarget) -> list[Manifest]:
    """Every seeded table of a target, by name."""
    return ItemManifests(target).contents()


class _Seeding:
    """One table's seeding."""

    def __init__(
        self,
        plan: SeedPlan,
        target: DynamoTarget,
        scenario: Scenario,
        key_type: KeyType,
        book: ItemManifests,
    ) -> None:
        self._plan = plan
        self._target = target
        self._scenario = scenario
        self._key_type = key_type
        self._book = book
        self._table = scenario.table(key_type)
        self._key = self._key_column()
        self._source = key_source(plan.keys_from)
        self._keys, self._accounts = open_keys(plan, key_type)

    def _key_column(self) -> tuple[str, str]:
        """The name of the key and the kind of attribute that it is."""
        [key, *more] = self._table.primary_key
        kind = next(c.type for c in self._table.columns if c.name == key)
        if more or kind not in _KEY_KINDS:
            raise InputError(
                f"scenario {self._scenario.name} cannot be seeded on {self._target.called}: the key "
                f"of {self._table.name} is not one number or one UUID"
            )
        return key, _KEY_KINDS[kind]

    def look(self) -> tuple[Action, Entry | None]:
        """What there is to do; raises InputError where something is in the way."""
        found = self._book.entry(self._table.name)
        # A batch is 25 items here, whatever --batch says, and nobody has to ask for the same again.
        manifest = replace(found.manifest, batch=self._plan.batch) if found else None
        action = decide_by_fit(
            self._plan, self._table, self._source, self._accounts, manifest, self._fits()
        )
        return action, found

    def _fits(self) -> bool | None:
        """Whether the table is such a one as would be made; None where there is none."""
        there = self._target.describe_table(self._table.name)
        if there is None:
            return None
        name, kind = self._key
        kinds = {one["AttributeName"]: one["AttributeType"] for one in there["AttributeDefinitions"]}
        hashed = [{"AttributeName": name, "KeyType": "HASH"}]
        return bool(there["KeySchema"] == hashed and kinds[name] == kind)

    def run(self, progress: SeedProgress) -> TableResult:
        """Do it."""
        action, found = self.look()
        if action is Action.CHECK and found is not None:
            self._check_complete(found.manifest)
            return TableResult(self._table.name, self._key_type, self._accounts, 0, 0.0)
        refuse_in_use(self._plan, self._target, self._table, action)
        entry = self._prepare(action, found)
        loader = ItemLoader(
            self._target, self._scenario, self._book, entry, self._keys, self._plan.workers
        )
        began = time.monotonic()
        entry = loader.run(progress)
        seconds = time.monotonic() - began
        total = self._check_loaded(entry.manifest)
        self._book.leave(
            replace(entry, manifest=replace(entry.manifest, state="complete", total=total))
        )
        return TableResult(
            self._table.name, self._key_type, self._accounts, loader.accounts_loaded, seconds
        )

    def _prepare(self, action: Action, found: Entry | None) -> Entry:
        """Bring the table to where items can be written, with this command's name on it."""
        if found is not None and action is Action.RESUME:
            return self._book.begin(found.manifest, found, found.mark)
        if found is not None and action is Action.EXTEND:
            there = found.manifest
            self._check_complete(there)
            longer = replace(there, state="loading", part_start=there.accounts, accounts=self._accounts)
            return self._book.begin(longer, found, there.accounts)
        # Its record first, for a table without one is taken for a stranger's.
        entry = self._book.begin(self._new_manifest(), found, 0)
        if action is Action.REPLACE:
            self._book.delete_table(self._table.name, entry)
        self._book.create_table(self._table.name, *self._key, entry)
        loading = replace(entry, manifest=replace(entry.manifest, state="loading"))
        return self._book.keep(loading)

    def _new_manifest(self) -> Manifest:
        return Manifest(
            table=self._table.name,
            load_id=uuid.uuid4(),
            state="creating",
            key_type=self._key_type,
            key_source=self._source,
            key_seed=self._plan.seed,
            balance=self._plan.balance,
            accounts=self._accounts,
            part_start=0,
            batch=self._plan.batch,
            block=self._plan.batch,
            total=0,
        )

    def _sums(self) -> Sums:
        value = self._scenario.invariant(self._key_type).value
        return self._target.sums(self._table.name, value)

    def _check_loaded(self, found: Manifest) -> int:
        """Check a table that was just loaded; returns the scenario's total.

        The part that is new must have added its share to the total, every account having begun with
        the same; what was there before may have been through runs.
        """
        sums = self._sums()
        self._compare("accounts", sums.items, found.accounts)
        if not found.part_start:
            self._compare("a total of", sums.total, found.balance * found.accounts)
        elif found.total % found.part_start == 0:
            self._compare("a total of", sums.total, found.total // found.part_start * found.accounts)
        return sums.total

    def _check_complete(self, found: Manifest) -> None:
        """Check a table that runs may have changed since: nothing missing, and the total kept."""
        sums = self._sums()
        self._compare("accounts", sums.items, found.accounts)
        self._compare("a total of", sums.total, found.total)

    def _compare(self, what: str, there: int, expected: int) -> None:
        if there != expected:
            raise TargetError(
                f"{self._target.called}: table {self._table.name} has {what} {there:,} where "
                f"{expected:,} is right; something else changed it; --recreate replaces it"
            )
