"""A simulated run: its folder, its attempts in Parquet, its `run.json`."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from shutil import rmtree
from time import process_time
from typing import Any

import numpy as np
import pyarrow as pa

from loadtest.errors import OccbenchError, in_a_line
from loadtest.prediction.simulation.config import SimulateConfig
from loadtest.prediction.simulation.randomness import scheduled
from loadtest.prediction.simulation.simulation import Simulation, make_ready
from loadtest.prediction.simulation.state import BATCH, Attempts, empty_attempts
from loadtest.process.interrupts import asked_to_end
from loadtest.record import folder as runfolder
from loadtest.record import run as record
from loadtest.record.attempt import ATTEMPT_SCHEMA, attempts_table, rows_touched, words, write_attempts
from loadtest.record.outcome import OUTCOME_CODE, OUTCOMES, Outcome
from loadtest.workload.builtin import find_scenario

EPOCH_NS = 946_684_800_000_000_000
"""When every simulation begins: 2000-01-01T00:00:00Z. A fixed moment, so that the same seed gives the
same record; and one that no run can have."""

ROWS_A_FILE = 100_000

DATABASE = "simulated"
"""The family of simulated targets, and the mark of the one database that all of them are."""

_SQLSTATE = "40001"
_MOMENTS = (
    "intended_start_ns", "begin_sent_ns", "begin_answered_ns", "first_answered_ns", "commit_sent_ns",
    "ended_ns",
)  # fmt: skip
_NUMBERS = ("transaction", "attempt", "user", "block", *_MOMENTS, "backoff_ns", "rows.list.element.row")
_WORDS = [f.name for f in ATTEMPT_SCHEMA if pa.types.is_dictionary(f.type)]
_OF_LOAD = ("locust", "gevent", "psycopg")

Progress = Callable[[float], None]


class AttemptFiles:
    """The files of one simulation's attempts, in the format of a run's record."""

    def __init__(self, folder: Path, targets: Sequence[str], key_types: Sequence[str]) -> None:
        self._folder = folder
        self._words = {"target": targets, "key_type": key_types, "outcome": OUTCOMES}
        self.files: dict[str, int] = {}
        """The files that are written, with their rows."""
        self.cpu_s = 0.0
        """What writing took of the processor, in all threads of the process."""

    def write(self, attempts: Attempts, size: int) -> None:
        """Write the first `size` attempts into a file of their own, whole or not at all."""
        if not size:
            return
        began_s = process_time()
        path = self._folder / f"000-{len(self.files):05d}.parquet"
        # Nanoseconds hardly repeat: a dictionary of them takes half of the time and gains nothing.
        write_attempts(
            path, self.table(attempts, size), compression_level=-1,
            use_dictionary=[*_WORDS, "sqlstate", "rows.list.element.table"],
            column_encoding=dict.fromkeys(_NUMBERS, "DELTA_BINARY_PACKED"),
        )  # fmt: skip
        self.files[path.name] = size
        self.cpu_s += process_time() - began_s

    def table(self, attempts: Attempts, size: int) -> pa.Table:
        """Return the first `size` attempts in ATTEMPT_SCHEMA."""
        columns: dict[str, Any] = {
            name: getattr(attempts, name)[:size]
            for name in ATTEMPT_SCHEMA.names
            if name in Attempts._fields
        }
        for name in _MOMENTS:
            columns[name] = columns[name] + EPOCH_NS
        for name, names in self._words.items():
            columns[name] = words(columns[name], names)
        columns["operation"] = words(np.zeros(size, np.int8), ["transfer"])
        columns["worker"] = np.zeros(size, np.int16)
        conflicts = attempts.outcome[:size] == OUTCOME_CODE[Outcome.CONFLICT_DATA]
        columns["sqlstate"] = pa.array([None, _SQLSTATE]).take(pa.array(conflicts.view(np.int8)))
        # Every key type has a table of its own, in the same order.
        columns["rows"] = rows_touched(
            np.full(size, 2), np.repeat(attempts.key_type[:size], 2), attempts.rows[:size].reshape(-1)
        )
        return attempts_table(columns, EPOCH_NS)


def simulate_run(config: SimulateConfig, progress: Progress | None = None) -> Path:
    """Do what `loadtest.prediction.simulation.simulate` says."""
    label = config.label or "-".join(("simulated", *config.keys))
    folder: Path | None = None
    try:
        # A signal between the folder and its name here would leave it behind.
        with _ctrl_c() as stopped:
            folder = runfolder.create(config.out, label, datetime.now())
        if stopped:
            raise KeyboardInterrupt
        return _simulate_into(folder, config, progress)
    except (KeyboardInterrupt, OSError) as error:
        # Ctrl-C before there was anything, or the second time, leaves no half of a run.
        if folder is not None and not (folder / "run.json").exists():
            rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise OccbenchError(
                f"{folder or config.out} could not be written: {in_a_line(error)}"
            ) from None
        raise


def _simulate_into(folder: Path, config: SimulateConfig, progress: Progress | None) -> Path:
    make_ready()
    began_s = process_time()
    simulation = Simulation(config)
    files = AttemptFiles(folder / "attempts", [r.name for r in config.region_list()], config.keys)
    attempts, written = empty_attempts(ROWS_A_FILE + BATCH), 0
    until_ns = config.measured_ns()[1]
    with _ctrl_c() as stopped:
        while not simulation.over:
            if stopped and simulation.now_ns < until_ns:
                until_ns = simulation.now_ns
                simulation.stop(until_ns)
            written = simulation.advance(attempts, written)
            if written >= ROWS_A_FILE or simulation.over:
                files.write(attempts, written)
                written = 0
                if progress is not None:
                    progress(min(1.0, simulation.now_ns / until_ns))
    done = record.Simulation(
        transactions=simulation.transactions,
        attempts=sum(files.files.values()),
        cpu_s=record.CpuSeconds(
            simulating=round(process_time() - began_s - files.cpu_s, 3), writing=round(files.cpu_s, 3)
        ),
    )
    pacing = record.Pacing(rate=config.rate)
    generators: tuple[record.Generator, ...] = ()
    if config.rate is not None:
        due = scheduled(config, until_ns)
        started = min(due, simulation.started)
        pacing = record.Pacing(rate=config.rate, scheduled=due)
        generators = (record.Generator(worker=0, scheduled=due, started=started),)
    record.write_run(
        folder,
        record.Run(
            **_description(config, folder),
            measured_from_ns=EPOCH_NS + min(config.measured_ns()[0], until_ns),
            measured_until_ns=EPOCH_NS + until_ns,
            ended_ns=EPOCH_NS + until_ns,
            interrupted=bool(stopped),
            generators=generators,
            files=files.files,
            pacing=pacing,
            simulation=done,
        ),
    )
    if stopped:
        raise KeyboardInterrupt(folder)
    return folder


@contextmanager
def _ctrl_c() -> Iterator[list[int]]:
    """Give a list that is empty until the first Ctrl-C; the second one ends at once.

    An exception in the middle of a file, or of an array, would leave half of it.
    """
    pressed: list[int] = []

    def note() -> None:
        pressed.append(1)
        if len(pressed) > 1:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return
    with asked_to_end(note):
        yield pressed


def _description(config: SimulateConfig, folder: Path) -> dict[str, Any]:
    """The part of `run.json` that is known before a simulation begins."""
    label = folder.name.split("-", 2)[-1]
    # What makes load has no part in it.
    versions = {k: v for k, v in runfolder.versions().items() if k not in _OF_LOAD}
    regions, trips = config.region_list(), config.decision_trips_ms()
    settled = {
        "label": label, "users": config.user_count(), "block": config.block_s(),
        "target": [DATABASE] * len(regions), "scenario": "transfer",
    }  # fmt: skip
    table = find_scenario("transfer").table
    return {
        "simulated": True,
        "label": label,
        "config": record.Config.model_validate({**config.model_dump(mode="json"), **settled}),
        "targets": tuple(
            record.Target(
                name=region.name, place=DATABASE, data=DATABASE, family=DATABASE,
                regime="optimistic", isolation="snapshot", commit_delay_ms=trip,
            )
            for region, trip in zip(regions, trips, strict=True)
        ),
        "versions": {**versions, "numba": version("numba")},
        "machine": runfolder.machine(),
        "accounts": config.accounts,
        "key_seed": config.seed,
        "tables": tuple(table(key_type).name for key_type in config.keys),
        "started_ns": EPOCH_NS,
        "held_back_s": {},
        "invariant": (),
    }  # fmt: skip
