"""Seeding, from looking at what is there to the check at the end."""

import time
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from functools import partial

import psycopg

from loadtest.errors import InputError, TargetError
from loadtest.targets.base.sql import SqlTarget
from loadtest.workload.keyspace import KeyType
from loadtest.workload.scenario import Scenario
from seed.batches import block_size
from seed.decide import Action, decide, refuse_in_use
from seed.keyfile import key_source, open_keys
from seed.plan import LARGEST_BATCH, SeedPlan, SeedResult, TableResult
from seed.progress import SeedProgress
from seed.sql import manifest
from seed.sql.check import check_complete, check_loaded
from seed.sql.loader import Loader, SeedInterrupted
from seed.sql.manifest import Manifest
from seed.sql.statements import Connection, again, column_types, execute, pause

_ROUNDS = 3
_LOCK_TRIES = 5
_LOCK_KEY = "hashtextextended('occbench seed ' || current_schema() || '.' || %s, 0)"
_LOCK_SQL = f"SELECT pg_try_advisory_xact_lock({_LOCK_KEY})"
# The transaction is idle for as long as the loading takes.
_KEEP_SQL = (
    "SELECT set_config(name, '0', true) FROM pg_settings "
    "WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')"
)
_TAKEN = "another command is seeding table {}; wait until it has ended"


def seed(plan: SeedPlan, target: SqlTarget, scenario: Scenario, progress: SeedProgress) -> SeedResult:
    """Make and load the scenario's table for each of the plan's key types.

    Raises InputError where something else is in the way, TargetError where the target fails, and
    SeedInterrupted after Ctrl-C. After the last two the same command goes on from where it was.
    """
    _check_batch(plan, target)
    began = time.monotonic()
    seedings = [_Seeding(plan, target, scenario, key_type) for key_type in plan.key_types]
    try:
        with closing(target.connect()) as control:
            manifest.make_tables(control, target.dialect)
            if not plan.recreate:
                # What is in the way of the last table should be said before the first is loaded.
                for seeding in seedings:
                    seeding.look(control)
        results = tuple(seeding.run(progress) for seeding in seedings)
    except KeyboardInterrupt:
        raise SeedInterrupted("interrupted; the same command goes on from there") from None
    except psycopg.Error as error:
        raise target.explain(error) from error
    return SeedResult(results, time.monotonic() - began)


def _check_batch(plan: SeedPlan, target: SqlTarget) -> None:
    """A batch and its row in the ledger are one transaction."""
    most = target.limits.batch_rows
    if most is not None and plan.batch > most - 1:
        raise InputError(
            f"--batch {plan.batch} is too large for {target.called}, which changes at most {most:,} "
            f"rows in a transaction, one of them the ledger's; give --batch {most - 1} or less"
        )


class _Seeding:
    """One table's seeding."""

    def __init__(
        self, plan: SeedPlan, target: SqlTarget, scenario: Scenario, key_type: KeyType
    ) -> None:
        self._plan = plan
        self._target = target
        self._scenario = scenario
        self._key_type = key_type
        self._table = scenario.table(key_type)
        self._source = key_source(plan.keys_from)
        self._keys, self._accounts = open_keys(plan, key_type)

    def look(self, control: Connection) -> tuple[Action, Manifest | None]:
        """What there is to do; raises InputError where something is in the way."""
        found = manifest.recorded(control, self._table.name)
        columns = column_types(control, self._table.name)
        action = decide(self._plan, self._table, self._source, self._accounts, found, columns)
        return action, found

    def run(self, progress: SeedProgress) -> TableResult:
        """Do it."""
        with closing(self._target.connect()) as control, self._alone() as alone:
            action, found = self.look(control)
            if found is not None and found.state == "creating" and not (alone or self._plan.recreate):
                # Perhaps it broke off there, perhaps it is being made right now: nobody can say.
                raise InputError(
                    f"table {self._table.name} is being made by another command, or one broke "
                    "off there; try again, or replace it with --recreate"
                )
            refuse_in_use(self._plan, self._target, self._table, action)
            if action is Action.CHECK and found is not None:
                check_complete(control, self._scenario, found)
                return self._result(0, 0.0)
            now = self._prepare(control, action, found)
            began = time.monotonic()
            loaded = self._load(control, now, progress, resumed=action is Action.RESUME)
            seconds = time.monotonic() - began
            self._build_indexes()
            with self._living(control) as living:
                self._finish(living, now)
        return self._result(loaded, seconds)

    def _alone(self) -> AbstractContextManager[bool]:
        if self._target.dialect.advisory_locks:
            return _alone(self._target, self._table.name)
        return nullcontext(False)

    def _result(self, loaded: int, seconds: float) -> TableResult:
        return TableResult(self._table.name, self._key_type, self._accounts, loaded, seconds)

    def _prepare(self, control: Connection, action: Action, found: Manifest | None) -> Manifest:
        """Bring the table to where batches can be written."""
        if found is not None and action is Action.RESUME:
            return found
        batch, block = self._plan.batch, block_size(self._plan.batch)
        if found is not None and action is Action.EXTEND:
            check_complete(control, self._scenario, found)
            now = manifest.begin_part(control, found, self._accounts, batch, block)
            if now is None:
                raise InputError(_TAKEN.format(self._table.name))
            return now
        if found is not None:
            manifest.forget(control, found)
        if action is Action.REPLACE:
            self._drop(control)
        if found is not None:
            self._clear_ledger(control, found)
        return self._create(control, batch, block)

    def _drop(self, control: Connection) -> None:
        self._target.before_drop(control, self._table.name)
        for statement in self._target.dialect.drop_table(self._table.name):
            execute(control, statement)

    def _create(self, control: Connection, batch: int, block: int) -> Manifest:
        """Make the table; its record first, for a table without one is taken for a stranger's."""
        now = Manifest(
            table=self._table.name,
            load_id=uuid.uuid4(),
            state="creating",
            key_type=self._key_type,
            key_source=self._source,
            key_seed=self._plan.seed,
            balance=self._plan.balance,
            accounts=self._accounts,
            part_start=0,
            batch=batch,
            block=block,
            total=0,
        )
        if not manifest.claim(control, now):
            raise InputError(_TAKEN.format(self._table.name))
        for statement in self._target.dialect.create_table(self._table):
            execute(control, statement)
        self._target.after_create(control, self._table)
        return manifest.advance(control, now, "loading")

    def _load(
        self, control: Connection, now: Manifest, progress: SeedProgress, *, resumed: bool
    ) -> int:
        """Load until the ledger has every batch: a server that crashed may have lost the latest."""
        loaded = 0
        for _ in range(_ROUNDS):
            loader = Loader(self._target, self._scenario, now, self._keys, self._plan.workers)
            with self._living(control) as living:
                loader.run(living, progress, resumed=resumed)
            loaded += loader.accounts_loaded
            with self._living(control) as living:
                if manifest.is_loaded(living, now):
                    return loaded
            resumed = True
        raise TargetError(
            f"{self._target.name}: batches of {now.table} that were committed are gone, again and "
            "again; the same command goes on from there"
        )

    @contextmanager
    def _living(self, control: Connection) -> Iterator[Connection]:
        """The connection, or another one where it did not outlive the loading."""
        try:
            execute(control, "SELECT 1")
        except psycopg.OperationalError:
            with closing(self._target.connect()) as another:
                yield another
        else:
            yield control

    def _build_indexes(self) -> None:
        """After the rows: one pass over all of them is less work than a place for each as it comes.

        The table is not complete before, so a command that is broken off here goes on here.
        """
        for columns in self._table.indexes:
            # Where sessions are closed at a certain age, a long wait needs one that is new.
            with closing(self._target.connect()) as connection:
                again(partial(self._target.build_index, connection, self._table, columns))

    def _clear_ledger(self, control: Connection, now: Manifest) -> None:
        manifest.clear_ledger(control, now, self._target.limits.batch_rows or LARGEST_BATCH)

    def _finish(self, control: Connection, now: Manifest) -> None:
        """Check, and record that the table is complete."""
        total = check_loaded(control, self._scenario, self._keys, now)
        manifest.advance(control, now, "complete", total)
        self._clear_ledger(control, now)


@contextmanager
def _alone(target: SqlTarget, table: str) -> Iterator[bool]:
    """Keep other seedings of the table away; gives True, for nobody else is at it.

    The lock is a transaction's, on a connection of its own: a session's would stay in the session of
    a pooler, for whoever has it next. The transaction holds no snapshot. Where there are no advisory
    locks (Aurora DSQL), the ledger's unique key still lets every batch in only once.
    """
    with closing(target.connect()) as holder:
        if not _lock(holder, table):
            raise InputError(_TAKEN.format(table))
        try:
            yield True
        finally:
            # It would go with the connection, but a moment later than the next command may come.
            with suppress(psycopg.Error):
                holder.rollback()


def _lock(holder: Connection, table: str) -> bool:
    """Whether the lock was there to be had.

    A command that was killed a moment ago is still holding it, so a little patience is in order.
    """
    for attempt in range(_LOCK_TRIES):
        holder.execute(f"BEGIN; {_KEEP_SQL}".encode())
        row = holder.execute(_LOCK_SQL.encode(), (table,)).fetchone()
        if row is not None and row[0]:
            return True
        holder.rollback()
        pause(attempt)
    return False
