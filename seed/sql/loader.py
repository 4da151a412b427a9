"""Loading one table over several connections at a time.

The thread that calls `Loader.run` sorts blocks and hands out runs of batches; each worker thread
writes them over a connection of its own. Everything that happened comes back through one queue, so
that progress is shown, failures are seen and Ctrl-C is taken in the calling thread alone.
"""

import queue
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import psycopg

from loadtest.errors import OccbenchError, TargetError
from loadtest.targets.base.sql import SqlTarget
from loadtest.workload.keyspace import KeySpace
from loadtest.workload.scenario import Scenario
from seed.batches import Batch, Block, runs
from seed.progress import SeedProgress
from seed.sql.manifest import Manifest, count_loaded, loaded_batches
from seed.sql.statements import Connection
from seed.sql.writer import BatchWriter, explain


class SeedInterrupted(OccbenchError):  # noqa: N818 - what happened, not a bug
    """Ctrl-C: what is loaded stays, and the same command goes on from there."""

    exit_code = 130


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A batch is there; `here` unless another command had written it."""

    accounts: int
    here: bool


@dataclass(frozen=True, slots=True)
class _RunDone:
    """A worker has room for another run."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """A worker has closed its connection, after an error or because nothing is left."""

    error: Exception | None


_Run = list[Batch]


class Loader:
    """Loads the batches of a table that are missing."""

    def __init__(
        self,
        target: SqlTarget,
        scenario: Scenario,
        manifest: Manifest,
        keys: KeySpace,
        workers: int,
    ) -> None:
        self._target = target
        self._scenario = scenario
        self._manifest = manifest
        self._keys = keys
        self._layout = manifest.layout
        self._workers = min(workers, self._layout.batch_count)
        self._stop = threading.Event()
        self._tasks: queue.SimpleQueue[_Run | None] = queue.SimpleQueue()
        self._events: queue.SimpleQueue[_Loaded | _RunDone | _Ended] = queue.SimpleQueue()
        self._error: Exception | None = None
        self._running = 0
        self.batches = 0
        """How many batches are there, as far as was reported."""
        self.accounts_loaded = 0
        """How many accounts this loader wrote itself."""

    def run(self, control: Connection, progress: SeedProgress, *, resumed: bool) -> None:
        """Load what is missing; `control` is asked for the ledger, where there may be one.

        Raises TargetError after a failure and SeedInterrupted after Ctrl-C; both leave a table that
        the same command goes on with.
        """
        before = self._count_loaded(control) if resumed else 0
        progress.begin(self._manifest.table, self._manifest.accounts, before)
        threads = [
            # A daemon, so that a second Ctrl-C ends a process whose server answers no more.
            threading.Thread(target=self._work, name=f"seed-{number}", daemon=True)
            for number in range(self._workers)
        ]
        interrupted = False
        try:
            for thread in threads:
                thread.start()
                self._running += 1
            self._hand_out(self._missing_runs(control if resumed else None), progress)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            self._wind_up(threads)
        if interrupted:
            raise SeedInterrupted(self._standing("interrupted"))
        if self._error is not None:
            raise TargetError(self._standing(explain(self._error, self._target))) from self._error

    def _standing(self, what: str) -> str:
        name = f"{self._manifest.table} on {self._target.name}"
        there = f"{self._batches_there():,} of {self._layout.batch_count:,} batches are loaded"
        return f"{name}: {what}; {there}; the same command goes on from there"

    def _batches_there(self) -> int:
        """How many batches the ledger has, once every worker has ended.

        Ctrl-C can strike between taking an event and counting it, so what was counted here is only
        for a target that answers no more.
        """
        try:
            # What Ctrl-C broke off may have left the other connection in the middle of something.
            with closing(self._target.connect()) as connection:
                return count_loaded(connection, self._manifest)
        except (psycopg.Error, OccbenchError):
            return self.batches

    def _count_loaded(self, control: Connection) -> int:
        """The accounts that are there from before."""
        accounts = self._layout.start
        for block in self._layout.blocks():
            loaded = loaded_batches(control, self._manifest, block.start, block.stop)
            self.batches += len(loaded)
            accounts += sum(self._layout.accounts_in(number) for number in loaded)
        return accounts

    def _missing_runs(self, control: Connection | None) -> Iterator[_Run]:
        """What is to be loaded, block by block; with `control`, without what the ledger names."""
        for block in self._layout.blocks():
            loaded: set[int] = set()
            if control is not None:
                loaded = loaded_batches(control, self._manifest, block.start, block.stop)
            if len(loaded) < len(block.batch_numbers):
                yield from runs(self._missing(block, loaded), self._workers)

    def _missing(self, block: Block, loaded: set[int]) -> list[Batch]:
        return [b for b in block.batches(self._keys) if b.number not in loaded]

    def _hand_out(self, source: Iterator[_Run], progress: SeedProgress) -> None:
        """Keep one run more under way than there are workers, until all are loaded."""
        under_way = 0
        exhausted = False
        while self._running:
            while not exhausted and under_way <= self._workers:
                run = next(source, None)
                if run is None:
                    exhausted = True
                    self._dismiss()
                else:
                    self._tasks.put(run)
                    under_way += 1
            event = self._events.get()
            self._account_for(event)
            if isinstance(event, _Loaded):
                progress.advance(event.accounts)
            elif isinstance(event, _RunDone):
                under_way -= 1
            elif event.error is not None:
                exhausted = True
                self._stop.set()
                self._dismiss()

    def _account_for(self, event: _Loaded | _RunDone | _Ended) -> None:
        if isinstance(event, _Loaded):
            self.batches += 1
            self.accounts_loaded += event.accounts if event.here else 0
        elif isinstance(event, _Ended):
            self._running -= 1
            self._error = self._error or event.error

    def _dismiss(self) -> None:
        for _ in range(self._workers):
            self._tasks.put(None)

    def _wind_up(self, threads: list[threading.Thread]) -> None:
        """Let every worker finish its batch, and count what they still loaded."""
        self._stop.set()
        self._dismiss()
        for thread in threads:
            if thread.ident is not None:
                thread.join()
        while not self._events.empty():
            self._account_for(self._events.get())

    def _work(self) -> None:
        """A worker thread's life."""
        writer = BatchWriter(self._target, self._scenario, self._manifest, self._stop)
        error: Exception | None = None
        try:
            while (run := self._tasks.get()) is not None:
                for batch in run:
                    if self._stop.is_set():
                        return
                    here = writer.write(batch)
                    self._events.put(_Loaded(len(batch.accounts), here))
                self._events.put(_RunDone())
        except Exception as caught:
            error = caught
        finally:
            writer.close()
            self._events.put(_Ended(error))
