"""Writing one table's items, 25 a request, over several connections at a time.

Each worker thread takes the next stretch of accounts and writes all of it. The thread that called
`run` shows progress, keeps the mark below which nothing is missing, and takes Ctrl-C.
"""

import json
import queue
import threading
import time
from contextlib import suppress
from dataclasses import replace

import numpy as np

from loadtest.errors import OccbenchError, TargetError
from loadtest.targets.dynamodb import requests
from loadtest.targets.dynamodb.retrying import RetryingConnection
from loadtest.targets.dynamodb.target import DynamoTarget
from loadtest.workload.keyspace import KeySpace
from loadtest.workload.scenario import Scenario
from seed.items.manifest import BEAT_S, Entry, ItemManifests
from seed.progress import SeedProgress
from seed.sql.loader import SeedInterrupted

ITEMS_A_REQUEST = 25
"""As many as `BatchWriteItem` takes."""

STRETCH = 20 * ITEMS_A_REQUEST
"""Accounts that a worker writes before it reports; so many may be written twice after a break."""

_Event = range | Exception | None
"""A stretch that is written, an error, or a worker's end."""


class ItemLoader:
    """Loads the accounts of a table from its mark on."""

    def __init__(
        self,
        target: DynamoTarget,
        scenario: Scenario,
        book: ItemManifests,
        entry: Entry,
        keys: KeySpace,
        workers: int,
    ) -> None:
        self._target = target
        self._book = book
        self._keys = keys
        self._scenario = scenario
        self._manifest = entry.manifest
        self._name = target.table_name(entry.manifest.table)
        self._workers = workers
        self._entry = entry
        self._stretches = iter(range(entry.mark, entry.manifest.accounts, STRETCH))
        self._handing_out = threading.Lock()
        self._stop = threading.Event()
        self._events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        self._beyond: dict[int, int] = {}
        """Stretches that are written beyond the mark: begin → end."""
        self._error: Exception | None = None
        self.accounts_loaded = 0
        """How many accounts this loader wrote."""

    def run(self, progress: SeedProgress) -> Entry:
        """Load what is missing; returns what is recorded then.

        Raises TargetError after a failure and SeedInterrupted after Ctrl-C; both leave a table that
        the same command goes on with. Raises InputError where another command took the table over.
        """
        progress.begin(self._manifest.table, self._manifest.accounts, self._entry.mark)
        threads = [
            # A daemon, so that a second Ctrl-C ends a process whose target answers no more.
            threading.Thread(target=self._work, name=f"seed-{number}", daemon=True)
            for number in range(self._workers)
        ]
        interrupted = False
        try:
            for thread in threads:
                thread.start()
            self._watch(len(threads), progress)
        except KeyboardInterrupt:
            interrupted = True
        except self._target.errors as error:
            self._error = self._error or error
        finally:
            self._wind_up(threads)
        if interrupted or self._error is not None:
            self._leave()
            if interrupted:
                raise SeedInterrupted(self._standing("interrupted"))
            raise self._failure()
        return self._entry

    def _watch(self, running: int, progress: SeedProgress) -> None:
        """Take note of what the workers say until they have ended."""
        next_beat = time.monotonic() + BEAT_S
        while running:
            with suppress(queue.Empty):
                event = self._events.get(timeout=max(0.0, next_beat - time.monotonic()))
                self._account_for(event)
                if isinstance(event, range):
                    progress.advance(len(event))
                elif event is None:
                    running -= 1
                else:
                    self._stop.set()
            if time.monotonic() >= next_beat:
                self._entry = self._book.keep(self._entry)
                next_beat = time.monotonic() + BEAT_S

    def _account_for(self, event: _Event) -> None:
        if isinstance(event, Exception):
            self._error = self._error or event
        elif event is not None:
            self.accounts_loaded += len(event)
            self._beyond[event.start] = event.stop
            mark = self._entry.mark
            while mark in self._beyond:
                mark = self._beyond.pop(mark)
            self._entry = replace(self._entry, mark=mark)

    def _wind_up(self, threads: list[threading.Thread]) -> None:
        """Let every worker finish its request, and count what they still loaded."""
        self._stop.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join()
        while not self._events.empty():
            self._account_for(self._events.get())

    def _leave(self) -> None:
        with suppress(*self._target.errors, OccbenchError):
            self._entry = self._book.leave(self._entry)

    def _failure(self) -> Exception:
        error = self._error
        if isinstance(error, self._target.errors):
            return TargetError(self._standing(str(self._target.explain(error))))
        assert error is not None  # noqa: S101 - only called with one
        return error

    def _standing(self, what: str) -> str:
        there = f"{self._entry.mark:,} of {self._manifest.accounts:,} accounts are loaded"
        return (
            f"{self._manifest.table} on {self._target.name}: {what}; {there}; "
            "the same command goes on from there"
        )

    def _work(self) -> None:
        """A worker thread's life."""
        connection = None
        try:
            connection = self._target.connection()
            retrying = RetryingConnection(connection, self._stop.is_set)
            while (stretch := self._next_stretch()) is not None:
                items = self._items(stretch)
                for at in range(0, len(items), ITEMS_A_REQUEST):
                    if self._stop.is_set():
                        return
                    self._write(retrying, items[at : at + ITEMS_A_REQUEST])
                self._events.put(stretch)
        except Exception as error:
            # Told to stop while it waited to ask again, it has nothing of its own to complain of.
            if not self._stop.is_set():
                self._events.put(error)
        finally:
            if connection is not None:
                connection.close()
            self._events.put(None)

    def _next_stretch(self) -> range | None:
        with self._handing_out:
            start = None if self._stop.is_set() else next(self._stretches, None)
        if start is None:
            return None
        return range(start, min(start + STRETCH, self._manifest.accounts))

    def _items(self, stretch: range) -> list[str]:
        """The items of these accounts, each as the text of its attributes."""
        manifest = self._manifest
        numbers = np.arange(stretch.start, stretch.stop, dtype=np.int64)
        keys = self._keys.binary(numbers)
        key, rest = "", ""
        for name, values in self._scenario.first_rows(numbers, keys, manifest.balance).items():
            if isinstance(values, int):
                rest += f',"{name}":{{"N":"{values}"}}'
            else:
                key = name
        return [
            f'"{key}":{requests.key_value(bytes(one))}{rest},"version":{{"N":"0"}}'
            for one in keys.tolist()
        ]

    def _write(self, retrying: RetryingConnection, items: list[str]) -> None:
        """Write items until DynamoDB has taken all of them."""
        body, left = requests.batch_write(self._name, items), len(items)
        while True:
            answer = retrying.request(requests.BATCH_WRITE, body)
            unprocessed = answer.get("UnprocessedItems") or {}
            remaining = len(unprocessed.get(self._name, ()))
            if not remaining:
                retrying.done()
                return
            if remaining < left:
                retrying.progress()
            left = remaining
            body = json.dumps({"RequestItems": unprocessed}).encode()
            retrying.pause(requests.BATCH_WRITE)
