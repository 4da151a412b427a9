"""A simulated run from begin to end: its folder, its record, its `run.json`."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from shutil import rmtree
from time import process_time

from loadtest.errors import OccbenchError, in_a_line
from loadtest.prediction.simulation.config import SimulateConfig
from loadtest.prediction.simulation.draws import scheduled
from loadtest.prediction.simulation.engine import BATCH, empty_rows
from loadtest.prediction.simulation.record import EPOCH_NS, ROWS_A_FILE, Record
from loadtest.prediction.simulation.world import Simulation, make_ready
from loadtest.process.interrupts import asked_to_end
from loadtest.record import folder as runfolder
from loadtest.record.run import Config, CpuSeconds, Generator, Pacing, Run, Target, write_run
from loadtest.record.run import Simulation as Facts
from loadtest.workload.builtin import find_scenario

_OF_LOAD = ("locust", "gevent", "psycopg")

Progress = Callable[[float], None]

DATABASE = "simulated"
"""The family of simulated targets, and the mark of the one database that all of them are."""


def simulate_run(config: SimulateConfig, progress: Progress | None = None) -> Path:
    """What `loadtest.prediction.simulation.simulate` says."""
    folder: Path | None = None
    try:
        # A signal between the folder and its name here would leave it behind.
        with _ctrl_c() as stopped:
            folder = runfolder.create(config.out, _label(config), datetime.now())
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
    record = Record(folder / "attempts", [r.name for r in config.region_list()], config.keys)
    rows, written = empty_rows(ROWS_A_FILE + BATCH), 0
    until_ns = config.measured_ns()[1]
    with _ctrl_c() as stopped:
        while not simulation.over:
            if stopped and simulation.now_ns < until_ns:
                until_ns = simulation.now_ns
                simulation.stop(until_ns)
            written = simulation.advance(rows, written)
            if written >= ROWS_A_FILE or simulation.over:
                record.write(rows, written)
                written = 0
                if progress is not None:
                    progress(min(1.0, simulation.now_ns / until_ns))
    engine_s = process_time() - began_s - record.cpu_s
    scheduled_and_started = None
    if config.rate is not None:
        due = scheduled(config, until_ns)
        scheduled_and_started = (due, min(due, simulation.started))
    took = CpuSeconds(simulating=round(engine_s, 3), writing=round(record.cpu_s, 3))
    facts = _facts(
        config, folder, measured_until_ns=until_ns, interrupted=bool(stopped), files=record.files,
        paced=scheduled_and_started,
        done=Facts(transactions=simulation.transactions, attempts=record.attempts, cpu_s=took),
    )  # fmt: skip
    write_run(folder, facts)
    if stopped:
        raise KeyboardInterrupt(folder)
    return folder


@contextmanager
def _ctrl_c() -> Iterator[list[int]]:
    """A list that is empty until somebody asks for the end; the second time it ends at once.

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


def _label(config: SimulateConfig) -> str:
    return config.label or "-".join(("simulated", *config.keys))


def _facts(
    config: SimulateConfig,
    folder: Path,
    *,
    measured_until_ns: int,
    interrupted: bool,
    files: dict[str, int],
    paced: tuple[int, int] | None,
    done: Facts,
) -> Run:
    """`run.json`; `paced` are the transactions of an open loop that were due and that started."""
    label = folder.name.split("-", 2)[-1]
    from_ns = min(config.measured_ns()[0], measured_until_ns)
    # What makes load has no part in it.
    versions = {k: v for k, v in runfolder.versions().items() if k not in _OF_LOAD}
    regions, trips = config.region_list(), config.decision_trips_ms()
    settled = {
        "label": label, "users": config.user_count(), "block": config.block_s(),
        "target": [DATABASE] * len(regions), "scenario": "transfer",
    }  # fmt: skip
    table = find_scenario("transfer").table
    pacing = Pacing(rate=config.rate)
    generators: tuple[Generator, ...] = ()
    if paced is not None:
        pacing = Pacing(rate=config.rate, scheduled=paced[0])
        generators = (Generator(worker=0, scheduled=paced[0], started=paced[1]),)
    return Run(
        simulated=True,
        label=label,
        config=Config.model_validate({**config.model_dump(mode="json"), **settled}),
        targets=tuple(
            Target(
                name=region.name, place=DATABASE, data=DATABASE, family=DATABASE,
                regime="optimistic", isolation="snapshot", commit_delay_ms=trip,
            )
            for region, trip in zip(regions, trips, strict=True)
        ),
        versions={**versions, "numba": version("numba")},
        machine=runfolder.machine(),
        accounts=config.accounts,
        key_seed=config.seed,
        tables=tuple(table(key_type).name for key_type in config.keys),
        started_ns=EPOCH_NS,
        measured_from_ns=EPOCH_NS + from_ns,
        measured_until_ns=EPOCH_NS + measured_until_ns,
        ended_ns=EPOCH_NS + measured_until_ns,
        interrupted=interrupted,
        held_back_s={},
        generators=generators,
        files=files,
        pacing=pacing,
        invariant=(),
        simulation=done,
    )  # fmt: skip
