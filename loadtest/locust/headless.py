"""`occbench run`: a run from the terminal, without Locust's page."""

# Locust first: it makes the standard library cooperative, and whatever is imported before that
# would wait without letting the other users move.
import locust  # noqa: F401, I001

import gc
import logging
import subprocess
import sys
from contextlib import contextmanager, suppress
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import gevent
from gevent.hub import Hub
from locust.argument_parser import get_parser
from locust.env import Environment
from locust.runners import LocalRunner, MasterRunner

from loadtest.config.run import RunConfig
from loadtest.errors import LeftEarly, OccbenchError
from loadtest.process.interrupts import asked_to_end, leave
from loadtest.engine.live import LiveLine
from loadtest.locust.program import command_line_only, locustfile
from loadtest.locust.arguments import to_locust
from loadtest.process.child import locust_command
from loadtest.process.progress import Progress
from loadtest.engine.plan import Plan
from loadtest.workload.seeded import KeySource, ReadSeeded
from loadtest.locust.user import OccUser
from loadtest.locust.wiring import Wiring
from loadtest.locust.workers import wire

_WORKERS_WAIT_S = 60.0
_SPAWNED_S = 2.0
_AT_ONCE = 100_000.0
"""Locust wants a spawn rate; this is one that holds no user back."""
_Workers = list[subprocess.Popen[bytes]]


def run_headless(
    config: RunConfig,
    read_seeded: ReadSeeded,
    source_of: KeySource,
    last_check: Callable[[Plan], None] | None = None,
) -> tuple[Path, bool]:
    """Do the run; returns its folder, and whether it was interrupted before its end.

    `last_check` is shown what will be done when all is known of it; what it raises ends the run before
    any load.

    Raises InputError or TargetError before any load when the run cannot be done. Ctrl-C stops the
    users, keeps what was measured and returns as usual.
    """
    # Locust tells of every ramp-up; what matters is in the live line and the report.
    logging.getLogger("locust").setLevel(logging.ERROR)
    command_line_only()
    # What meets a user by chance is no error of that user, and is raised in the main greenlet.
    Hub.NOT_ERROR = (*Hub.NOT_ERROR, KeyboardInterrupt)
    options = get_parser().parse_args([])
    vars(options).update(
        num_users=config.users, spawn_rate=config.spawn_rate, expect_workers=config.processes
    )
    vars(options).update(to_locust(config))
    environment = Environment(user_classes=[OccUser], parsed_options=options)
    folders: list[Path] = []
    runner: MasterRunner | LocalRunner
    if config.processes > 1:
        runner = environment.create_master_runner("127.0.0.1", 0)
    else:
        runner = environment.create_local_runner()
    wiring = wire(environment, read_seeded, source_of, folders.append, say_errors=False)
    try:
        plan = wiring.preparation.prepare(config)
        if last_check is not None:
            last_check(plan)
        with _workers(runner, config.processes) as workers, _end_asked(wiring) as asked:
            gc.collect()
            gc.freeze()
            spawning = gevent.spawn(
                runner.start, config.users, spawn_rate=config.spawn_rate or _AT_ONCE
            )
            with Progress() as progress:
                live = LiveLine(progress, [spec.name for spec in config.specs()])
                _watch(wiring, config, asked, workers, live)
            if wiring.run is not None:
                wiring.run.interrupted = asked.is_set()
            # All may be there, and only Locust not have heard of it.
            spawning.join(_SPAWNED_S)
            spawning.kill()
            runner.stop()
            # Locust may have stopped it first, where the last worker is gone.
            while wiring.run is not None:
                gevent.sleep(0.05)
    finally:
        wiring.preparation.abandon()
        runner.quit()
    if wiring.error is not None:
        raise wiring.error
    if not folders:
        if asked.is_set():
            raise LeftEarly("interrupted before the run began")
        raise OccbenchError("every worker process was gone before the run began")
    if wiring.hurry.is_set():
        raise LeftEarly(f"left at once; occbench report {folders[0]} shows what was measured")
    return folders[0], asked.is_set()


def _watch(
    wiring: Wiring,
    config: RunConfig,
    asked: "gevent.event.Event",
    workers: _Workers,
    live: LiveLine,
) -> None:
    """Show the live line until the time is up, the run is asked to end, or no process works."""
    started = monotonic()
    environment = wiring.environment
    while wiring.error is None and not wiring.losing:
        run = wiring.run
        measured_from = run.measured_from_ns if run is not None else None
        left = 1.0
        phase = "starting "
        elapsed = monotonic() - started
        if run is not None and measured_from is not None:
            measured = (run.clock.now_ns() - measured_from) / 1e9
            phase = "measuring" if measured >= 0 else "warming up"
            if measured >= 0:
                elapsed = measured
            if config.duration is not None:
                left = min(left, config.duration - measured)
        if left <= 0 or asked.wait(left):
            break
        if workers and all(worker.poll() is not None for worker in workers):
            wiring.losing = True
            break
        if environment.runner is not None:
            live.show(phase, elapsed, environment.runner.user_count, wiring.take_recent())


@contextmanager
def _end_asked(wiring: Wiring) -> Iterator["gevent.event.Event"]:
    """An event that is set once the run is asked to end; asked again, it is broken off."""
    event = gevent.event.Event()

    def act() -> None:
        if wiring.hurry.is_set():
            leave()
        if event.is_set():
            # Attempts that are going on are broken off; they are recorded as what they are.
            gevent.spawn(wiring.break_off)
            return
        with suppress(OSError, RuntimeError):
            sys.stderr.write("\nstopping; what was measured is kept (Ctrl-C again to leave at once)\n")
        event.set()

    with asked_to_end(act):
        yield event


@contextmanager
def _workers(runner: object, count: int) -> Iterator[_Workers]:
    """Start the processes that carry the users, where there is more than one; end them after."""
    if not isinstance(runner, MasterRunner):
        yield []
        return
    command = locust_command(
        "-f", locustfile(), "--worker", "--loglevel", "WARNING",
        "--master-host", "127.0.0.1", "--master-port", str(runner.server.port),
    )  # fmt: skip
    # A session of their own: Ctrl-C in the terminal is for the master, which stops them in order.
    children = [subprocess.Popen(command, start_new_session=True) for _ in range(count)]
    try:
        with gevent.Timeout(_WORKERS_WAIT_S, OccbenchError("the worker processes did not start")):
            while len(runner.clients.ready) < count:
                if any(child.poll() is not None for child in children):
                    raise OccbenchError("a worker process ended before the run began")
                gevent.sleep(0.05)
        yield children
    finally:
        runner.quit()
        for child in children:
            # Locust tells only those to quit that are ready for another test, which takes seconds.
            # All that was measured is written by now: the run ended when each had said so.
            child.terminate()
        for child in children:
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
