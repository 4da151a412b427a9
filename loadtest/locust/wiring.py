"""Locust's events → a run.

Locust starts and stops users, draws its page and talks between processes; this module makes a run
out of that: a plan and a folder when a test starts, an engine in every process that has users, and
a finished folder when the test has stopped. `locustfile.py` and `occbench run` both go through it.
"""

import sys
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from pathlib import Path
from time import monotonic
from types import SimpleNamespace
from typing import Any

import gevent
from gevent.event import Event
from gevent.lock import RLock
from locust import runners
from locust.env import Environment
from locust.runners import STATE_RUNNING, STATE_SPAWNING, LocalRunner, MasterRunner, Runner

from loadtest.engine.clock import Clock
from loadtest.engine.generator import Engine
from loadtest.engine.live import Tally
from loadtest.engine.plan import Plan
from loadtest.engine.run import Run
from loadtest.errors import OccbenchError, TargetError, in_a_line
from loadtest.errors.messages import without_secrets
from loadtest.locust.preparation import Preparation
from loadtest.locust.user import request_events
from loadtest.workload.seeded import KeySource, ReadSeeded

FIXED_USERS = "the number of users is fixed while a run is measured; stop it and start another"
STOP_TIMEOUT_S = 5.0
_QUITTING_S = 60.0
_EARLY_S = 0.5
"""So much sooner than it was asked to, as seen from here, Locust may end a test."""
_COUNT_EVERY_S = 0.5
# By the wall clock Locust's runners would judge whether their master is still there, and which of two
# orders to start users is the later one.
setattr(runners, "time", SimpleNamespace(time=monotonic))  # noqa: B010 - a module's name for another


def _ends_the_test(listener: Callable[..., None]) -> Callable[..., None]:
    """What goes wrong in a listener ends the test: Locust would write it to its log and go on."""

    @wraps(listener)
    def guarded(self: "Wiring", **given: Any) -> None:
        try:
            listener(self, **given)
        except Exception as error:
            self.fail(error)

    return guarded


class Wiring:
    """One Locust environment, and the run that is going on in it: all in this process.

    `workers.py` has what differs where a master has the run and its workers have the users.
    """

    def __init__(
        self,
        environment: Environment,
        read_seeded: ReadSeeded,
        source_of: KeySource,
        finished: Callable[[Path], None],
        *,
        say_errors: bool = True,
    ) -> None:
        """Listen to the environment's events.

        `read_seeded` and `source_of` say what a database and a file of keys hold, `finished` is
        told of every run that has ended. Without `say_errors` the caller that started the test looks
        at `error` instead.
        """
        self.environment = environment
        self.preparation = Preparation(environment, read_seeded, source_of, own_workers=not say_errors)
        self.engine: Engine | None = None
        """What makes load in this process."""
        self.run: Run | None = None
        self.error: OccbenchError | None = None
        """Why the last test did not start, or what went wrong in it."""
        self.hurry = Event()
        """Set once nothing shall be waited for any more."""
        self.is_starting = False
        """Whether the page was asked for a run, and its users do not work yet."""
        self.counts: dict[str, Tally] = {}
        """Key type → what all processes counted since the test started."""
        self.losing = False
        """Whether attempts cannot be written, or no process is left to make any: the test ends."""
        self._finished = finished
        self._say_errors = say_errors
        self._measuring = self._quitting = False
        self._begun_at: float | None = None
        """Since when, by `monotonic()`, a test is beginning; None once it has, or has not."""
        self._recent = Tally()
        environment.occbench = self  # type: ignore[attr-defined]
        environment.stop_timeout = environment.stop_timeout or STOP_TIMEOUT_S
        events = environment.events
        events.test_start.add_listener(self._on_test_start)
        events.spawning_complete.add_listener(self._on_spawning_complete)
        events.test_stopping.add_listener(self._on_test_stopping)
        events.test_stop.add_listener(self._on_test_stop)
        events.quitting.add_listener(self._on_quitting)
        runner = environment.runner
        if isinstance(runner, LocalRunner | MasterRunner):
            setattr(runner, "start", self._start_of(runner))  # noqa: B010 - one method for another
        if runner is not None and not isinstance(runner, MasterRunner):
            runner.stop = _one_at_a_time(runner)  # type: ignore[method-assign]

    def check_at_once(self) -> None:
        """Where no form lets the options be corrected: say what is wrong with them, and exit."""
        environment = self.environment
        # A master's workers are not connected yet and would wait for it in vain: there it is said
        # when the test starts, and they are sent home.
        if environment.web_ui is not None or not isinstance(environment.runner, LocalRunner):
            return
        try:
            self.preparation.prepare_from_locust()
        except OccbenchError as error:
            _say(error)
            sys.exit(error.exit_code)

    def _start_of(self, runner: LocalRunner | MasterRunner) -> Callable[..., None]:
        """The runner's `start`, for the number of users that the run's record has, and no other.

        A key, the page or a shape that would change their number while a run goes on is refused.
        Locust itself starts the same number again where a process is gone.
        """
        start = runner.start

        @wraps(start)
        def start_run(user_count: int, spawn_rate: float, *rest: Any, **more: Any) -> None:
            plan = self.preparation.plan
            if runner.state in (STATE_RUNNING, STATE_SPAWNING):
                if user_count != runner.target_user_count:
                    sys.stderr.write(f"{FIXED_USERS}\n")
                    return
            elif plan is None or plan.config.users != user_count:
                self.preparation.abandon()
                options = vars(self.environment.parsed_options)
                options.update(num_users=user_count, spawn_rate=spawn_rate)
            try:
                start(user_count, spawn_rate, *rest, **more)
            finally:
                # A master comes back when all users are there, or at once where it has no worker.
                if isinstance(runner, MasterRunner):
                    self.is_starting = False

        return start_run

    # A test starts

    def _on_test_start(self, **_: object) -> None:
        self.engine, self.run, self.error = None, None, None
        self._measuring = self.losing = False
        self._begun_at = monotonic()
        try:
            self._begin()
            self._begun_at = None
        except Exception as error:
            self._begun_at = None
            run, self.run = self.run, None
            if run is not None:
                run.discard()
            self.fail(error)
            self._could_not_begin()

    def _could_not_begin(self) -> None:
        # Locust would give its users, or its workers', to a test that has not begun.
        raise gevent.GreenletExit from None

    def _begin(self) -> None:
        preparation = self.preparation
        plan = self._complete(preparation.plan or preparation.prepare_from_locust())
        self.counts = {str(key_type): Tally() for key_type in plan.config.keys}
        self.run = Run.begin(plan, datetime.now().astimezone())
        self.run.run_time_s = preparation.run_time_s
        for name, seconds in plan.held_back.items():
            sys.stderr.write(
                f"target {name} limits new connections: the ramp-up takes {seconds:.1f} s longer, and "
                "the warm-up is as much longer\n"
            )
        self._start_load(self.run)
        preparation.plan = None

    def _complete(self, plan: Plan) -> Plan:
        """The plan with what is known only now."""
        return plan

    def _start_load(self, run: Run) -> None:
        self._start_engine(run.plan, run.folder, run.clock, 0, 1)

    def _start_engine(self, plan: Plan, folder: Path, clock: Clock, worker: int, workers: int) -> None:
        request = request_events(self.environment, plan.config)
        self.engine = Engine(plan, folder, request, clock, worker=worker, workers=workers)
        self.engine.start()
        gevent.spawn(self._count_for_ever, self.engine)

    @_ends_the_test
    def _on_spawning_complete(self, **_: object) -> None:
        self.is_starting = False
        if self._measuring or self.run is None:
            return
        self._measuring = True
        held_back_s = max(self.run.plan.held_back.values(), default=0.0)
        moment_ns = self.run.measure(self.run.plan.config.warmup + held_back_s)
        self._measure(moment_ns, self.run.plan.config.duration)

    def _measure(self, moment_ns: int, duration_s: float | None) -> None:
        if self.engine is not None:
            self.engine.measure(moment_ns, duration_s)

    # What is counted while it goes on

    def take_recent(self) -> Tally:
        """What all processes counted since this was last called, as far as it is known here."""
        if self.engine is not None:
            self._count(self.engine)
        recent, self._recent = self._recent, Tally()
        return recent

    def _count_for_ever(self, engine: Engine) -> None:
        while self.engine is engine:
            gevent.sleep(_COUNT_EVERY_S)
            self._count(engine)

    def _count(self, engine: Engine) -> None:
        self._deliver(engine.take_tallies(), engine.lost)

    def _deliver(self, tallies: list[Tally], lost: int) -> None:
        """Take what this process counted to where the run is."""
        self._take_in(tallies, lost)

    def _take_in(self, tallies: list[Tally], lost: int) -> None:
        for total, tally in zip(self.counts.values(), tallies, strict=True):
            total.add(tally)
            self._recent.add(tally)
        if lost and not self.losing:
            # What cannot be kept need not be measured.
            self.losing = True
            self._leave_test()

    # A test ends

    def break_off(self) -> None:
        """End the test now: what its users are at is broken off, and no target is asked any more."""
        self.hurry.set()
        if self.environment.runner is not None:
            self.environment.runner.user_greenlets.kill(block=False)

    @_ends_the_test
    def _on_test_stopping(self, **_: object) -> None:
        if self.engine is not None:
            self.engine.stopping()
        if self.run is not None:
            self.run.stopping(broken=self.losing or self.error is not None)

    @_ends_the_test
    def _on_test_stop(self, **_: object) -> None:
        self.is_starting = False
        engine, self.engine = self.engine, None
        if engine is not None:
            generator = engine.stop()
            self._count(engine)
            self._hand_in(generator)
        if self.run is not None:
            self._wait_for_load(self.run)
            try:
                self._end(self.run)
            finally:
                self.run = None

    def _hand_in(self, generator: dict[str, Any]) -> None:
        """Take what this process says of itself to where the run is."""
        if self.run is not None:
            self.run.generators.append(generator)

    def _wait_for_load(self, run: Run) -> None:
        """Return when every process has stopped."""

    def _end(self, run: Run) -> None:
        """Complete the folder."""
        try:
            run.end(self.hurry)
        except OSError as error:
            self.error = OccbenchError(
                f"{run.folder} cannot be completed: {in_a_line(error)}; what is there can be reported "
                "with occbench report"
            )
        lost = sum(generator.get("lost_attempts", 0) for generator in run.generators)
        if lost:
            self.error = OccbenchError(
                f"{lost:,} attempts could not be written to {run.folder}: {_why_lost(run)}; the rest "
                "is there"
            )
        missing = run.missing()
        if missing and self.error is None:
            self.error = OccbenchError(
                f"{missing:,} attempts that worker processes wrote are not in {run.folder}; let all of "
                "them see one folder under its path"
            )
        probes = sum(generator.get("lost_probes", 0) for generator in run.generators)
        if probes and self.error is None:
            self.error = OccbenchError(
                f"{probes:,} consistency probes could not be written to {run.folder}: "
                f"{_why_lost(run)}; the rest is there"
            )
        try:
            self._finished(run.folder)
        finally:
            if self.error is not None:
                self._give_up(self.error)

    def _on_quitting(self, **_: object) -> None:
        """Locust goes down. Told so twice, by two signals, it would do so twice at the same time."""
        if self._quitting:
            gevent.sleep(_QUITTING_S)
        self._quitting = True
        self._quit()

    def _quit(self) -> None:
        if self._begun_at is None or self.environment.parsed_options is None:
            return
        # Locust's timer does not wait for a test to begin, and nothing else would tell why.
        run_time_s = self.environment.parsed_options.run_time
        if run_time_s and monotonic() - self._begun_at > run_time_s - _EARLY_S:
            self.fail(
                TargetError(
                    f"the run time of {run_time_s:g} s was over before every target had answered, "
                    "and nothing was measured; check that they run, or give more"
                )
            )

    def fail(self, error: Exception) -> None:
        """End the test: nothing of it goes on, and what went wrong is said in one line."""
        self.preparation.abandon()
        if self.error is None:
            self.error = as_occbench_error(error)
            self._give_up(self.error)

    def _give_up(self, error: OccbenchError) -> None:
        """Say in one line why nothing goes on; end the process where no page could start another."""
        self.is_starting = False
        if self._say_errors:
            _say(error)
        if self.environment.web_ui is None:
            self.environment.process_exit_code = error.exit_code
        self._leave_test()

    def _leave_test(self) -> None:
        """Stop the test, and Locust with it where there is no page; a run of ours does it itself."""
        runner = self.environment.runner
        if runner is not None and self._say_errors:
            gevent.spawn(runner.quit if self.environment.web_ui is None else runner.stop)


def as_occbench_error(error: Exception) -> OccbenchError:
    """The error itself, or one that says in a line what was not expected."""
    return error if isinstance(error, OccbenchError) else OccbenchError(in_a_line(error))


def _one_at_a_time(runner: Runner) -> Callable[[], None]:
    """The runner's `stop`; asked twice Locust would stop its users twice at once: the second waits."""
    stop, lock = runner.stop, RLock()

    def alone() -> None:
        with lock:
            stop()

    return alone


def _why_lost(run: Run) -> str:
    return str(next(one["why_lost"] for one in run.generators if "why_lost" in one))


def _say(error: OccbenchError) -> None:
    sys.stderr.write(f"occbench: {without_secrets(str(error))}\n")
