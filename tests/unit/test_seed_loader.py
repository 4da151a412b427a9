"""The loading loop, on a store that is only lists."""

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

import seed.loader
from loadtest.errors import InputError, TargetError
from loadtest.workload.keyspace import ComputedKeys, KeyType
from seed import Manifest, SeedInterrupted, SeedProgress
from seed.batches import Batch, runs
from seed.loader import Loader

KEYS = ComputedKeys(KeyType.INT, 1)


class DriverError(Exception):
    """What the target's driver raises."""


class Lists:
    """A store and its writers."""

    def __init__(self, write: Callable[[Batch], bool] = lambda batch: True) -> None:
        self.target = SimpleNamespace(name="lists", errors=(DriverError,))
        self.counted: list[int] = []
        self.closed = self.beats = 0
        self.write = write

    def missing(
        self, manifest: Manifest, keys: ComputedKeys, workers: int, *, resumed: bool
    ) -> tuple[int, Iterator[list[Batch]]]:
        blocks = [block.batches(keys) for block in manifest.layout.blocks()]
        return 7 * resumed, (run for batches in blocks for run in runs(batches, workers))

    def open_writer(self, manifest: Manifest, stop: threading.Event) -> "Lists":
        return self

    def count_in(self, batch: Batch) -> None:
        self.counted.append(batch.number)

    def keep(self) -> None:
        self.beats += 1

    def how_far(self, manifest: Manifest) -> str:
        return f"{len(self.counted)} are there"

    def explain(self, error: Exception) -> str:
        return f"explained: {error}"

    def close(self) -> None:
        self.closed += 1


class Watching(SeedProgress):
    def __init__(self, on_advance: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.before = -1
        self.advanced = 0
        self._on_advance = on_advance

    def begin(self, table: str, accounts: int, loaded: int) -> None:
        self.before = loaded

    def advance(self, accounts: int) -> None:
        self.advanced += accounts
        self._on_advance()


def loader(store: Any, workers: int = 4) -> Loader:
    manifest = Manifest("t", uuid4(), "loading", KeyType.INT, "computed", 1, 1, 10_000, 0, 50, 500)
    return Loader(store, manifest, KEYS, workers)


@pytest.mark.parametrize("workers", [1, 4, 1000])
def test_every_batch_is_written_once(workers: int) -> None:
    store, progress = Lists(), Watching()
    one = loader(store, workers)
    one.run(progress, resumed=True)
    assert sorted(store.counted) == list(range(0, 10_000, 50))
    assert one.accounts_loaded == progress.advanced == 10_000
    assert progress.before == 7
    assert store.closed == min(workers, 200)


def test_what_another_command_wrote_is_not_counted_as_loaded_here() -> None:
    store = Lists(lambda batch: batch.number >= 1_000)
    one = loader(store)
    one.run(SeedProgress(), resumed=False)
    assert one.accounts_loaded == 9_000
    assert len(store.counted) == 200


@pytest.mark.parametrize("error", [DriverError("lost"), TargetError("lost")])
def test_a_failure_stops_the_others_and_says_how_far_it_came(error: Exception) -> None:
    def write(batch: Batch) -> bool:
        if batch.number == 500:
            raise error
        return True

    store = Lists(write)
    with pytest.raises(TargetError) as caught:
        loader(store).run(SeedProgress(), resumed=False)
    there = f"{len(store.counted)} are there; the same command goes on from there"
    assert str(caught.value) == f"t on lists: explained: lost; {there}"
    assert store.closed == 4


@pytest.mark.parametrize("error", [InputError("taken"), ZeroDivisionError("a bug")])
def test_what_is_not_the_targets_fault_is_raised_as_it_is(error: Exception) -> None:
    def write(batch: Batch) -> bool:
        raise error

    with pytest.raises(type(error), match=str(error)):
        loader(Lists(write)).run(SeedProgress(), resumed=False)


def test_ctrl_c_lets_the_workers_finish_and_counts_what_they_wrote() -> None:
    written = []

    def write(batch: Batch) -> bool:
        written.append(batch.number)
        return True

    def interrupt() -> None:
        raise KeyboardInterrupt

    store = Lists(write)
    with pytest.raises(SeedInterrupted, match=r"interrupted; .* are there; the same command goes on"):
        loader(store).run(Watching(interrupt), resumed=False)
    assert set(store.counted) <= set(written)
    # The one in whose wake Ctrl-C came may be counted or not; no other is lost.
    assert len(written) - len(store.counted) <= 1


def test_the_store_records_how_far_it_is_while_a_batch_takes_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(seed.loader, "BEAT_S", 0.01)
    store = Lists()
    beaten = threading.Event()
    monkeypatch.setattr(store, "keep", beaten.set)
    store.write = lambda batch: beaten.wait(30)
    loader(store).run(SeedProgress(), resumed=False)
    assert beaten.is_set()
    assert len(store.counted) == 200


def test_another_command_that_takes_the_table_ends_the_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seed.loader, "BEAT_S", 0.0)
    store = Lists()

    def keep() -> None:
        raise InputError("another command is seeding")

    monkeypatch.setattr(store, "keep", keep)
    with pytest.raises(InputError, match="another command"):
        loader(store).run(SeedProgress(), resumed=False)
    assert store.closed == 4
