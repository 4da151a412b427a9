"""Loading one table over several connections at a time.

The thread that calls `Loader.run` sorts blocks and hands out runs of batches; each worker thread
writes them over a connection of its own. Everything that happened comes back through one queue, so
that progress is shown, failures are seen and Ctrl-C is taken in the calling thread alone.
"""

import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

from loadtest.errors import InputError, OccbenchError, TargetError
from loadtest.workload.keyspace import KeySpace
from seed.batches import Batch
from seed.manifest import Manifest
from seed.progress import SeedProgress
from seed.store import Run, Store

BEAT_S = 1.0
"""How often the store records how far loading is."""


class SeedInterrupted(OccbenchError):  # noqa: N818 - what happened, not a bug
    """Ctrl-C: what is loaded stays, and the same command goes on from there."""

    exit_code = 130


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A batch is there; `here` unless another command had written it."""

    batch: Batch
    here: bool


@dataclass(frozen=True, slots=True)
class _RunDone:
    """A worker has room for another run."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """A worker has closed its connection, after an error or because nothing is left."""

    error: Exception | None


class Loader:
    """Loads the batches of a table that are missing."""

    def __init__(self, store: Store, manifest: Manifest, keys: KeySpace, workers: int) -> None:
        self._store = store
        self._manifest = manifest
        self._keys = keys
        self._workers = min(workers, manifest.layout.batch_count)
        self._stop = threading.Event()
        self._tasks: queue.SimpleQueue[Run | None] = queue.SimpleQueue()
        self._events: queue.SimpleQueue[_Loaded | _RunDone | _Ended] = queue.SimpleQueue()
        self._error: Exception | None = None
        self._running = 0
        self.accounts_loaded = 0
        """How many accounts this loader wrote itself."""

    def run(self, progress: SeedProgress, *, resumed: bool) -> None:
        """Load what is missing; all of it unless `resumed`.

        Raises TargetError after a failure and SeedInterrupted after Ctrl-C; both leave a table that
        the same command goes on with. Raises InputError where another command took the table over.
        """
        before, missing = self._store.missing(
            self._manifest, self._keys, self._workers, resumed=resumed
        )
        progress.begin(self._manifest.table, self._manifest.accounts, before)
        threads = [
            # A daemon, so that a second Ctrl-C ends a process whose server answers no more.
            threading.Thread(target=self._work, name=f"seed-{number}", daemon=True)
            for number in range(self._workers)
        ]
        interrupted = False
        failures: tuple[type[Exception], ...] = (OccbenchError, *self._store.target.errors)
        try:
            for thread in threads:
                thread.start()
                self._running += 1
            self._hand_out(missing, progress)
        except KeyboardInterrupt:
            interrupted = True
        except failures as error:
            self._error = self._error or error
        finally:
            self._wind_up(threads)
        if not interrupted and self._error is None:
            return
        # Asked whatever is raised, for it also lets go of the table.
        how_far = self._store.how_far(self._manifest)
        if interrupted:
            raise SeedInterrupted(self._message("interrupted", how_far))
        assert self._error is not None  # noqa: S101 - returned above
        if isinstance(self._error, InputError) or not isinstance(self._error, failures):
            raise self._error
        why = self._store.explain(self._error)
        raise TargetError(self._message(why, how_far)) from self._error

    def _message(self, what: str, how_far: str) -> str:
        name = f"{self._manifest.table} on {self._store.target.name}"
        return f"{name}: {what}; {how_far}; the same command goes on from there"

    def _hand_out(self, missing: Iterator[Run], progress: SeedProgress) -> None:
        """Keep one run more under way than there are workers, until all are loaded."""
        under_way = 0
        exhausted = False
        next_beat = monotonic() + BEAT_S
        while self._running:
            while not exhausted and under_way <= self._workers:
                run = next(missing, None)
                if run is None:
                    exhausted = True
                    self._dismiss()
                else:
                    self._tasks.put(run)
                    under_way += 1
            with suppress(queue.Empty):
                event = self._events.get(timeout=max(0.0, next_beat - monotonic()))
                self._account_for(event)
                if isinstance(event, _Loaded):
                    progress.advance(len(event.batch.accounts))
                elif isinstance(event, _RunDone):
                    under_way -= 1
                elif event.error is not None:
                    exhausted = True
                    self._stop.set()
                    self._dismiss()
            if monotonic() >= next_beat:
                self._store.keep()
                next_beat = monotonic() + BEAT_S

    def _account_for(self, event: _Loaded | _RunDone | _Ended) -> None:
        if isinstance(event, _Loaded):
            self._store.count_in(event.batch)
            self.accounts_loaded += len(event.batch.accounts) if event.here else 0
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
        error: Exception | None = None
        writer = None
        try:
            writer = self._store.open_writer(self._manifest, self._stop)
            while (run := self._tasks.get()) is not None:
                for batch in run:
                    if self._stop.is_set():
                        return
                    self._events.put(_Loaded(batch, writer.write(batch)))
                self._events.put(_RunDone())
        except Exception as caught:
            error = caught
        finally:
            if writer is not None:
                writer.close()
            self._events.put(_Ended(error))
