"""Locust's events → a run.

Locust starts and stops users, draws its page and talks between processes; this module makes a run
out of that: a plan and a folder when a test starts, an engine in every process that has users, and
a finished folder when the test has stopped. `locustfile.py` and `occbench run` both go through it.
"""

import os
import sys
from argparse import Namespace
from collections import Counter
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
from locust import User, runners, task
from locust.env import Environment
from locust.exception import StopUser
from locust.runners import (
    STATE_MISSING,
    STATE_RUNNING,
    STATE_SPAWNING,
    LocalRunner,
    MasterRunner,
    WorkerRunner,
)

from loadtest.config.options import LOCUST_PREFIX, config_from_locust
from loadtest.config.run import RunConfig
from loadtest.engine.clock import Clock
from loadtest.engine.generator import Engine
from loadtest.engine.live import Tally
from loadtest.engine.preflight import Plan, make_plan
from loadtest.engine.probes.table import remove_rows
from loadtest.engine.run import Run
from loadtest.engine.users.user import describe_failure, run_user
from loadtest.errors import InputError, OccbenchError, TargetError, in_a_line
from loadtest.errors.messages import without_secrets
from loadtest.process import open_files
from loadtest.process.child import parent_is_gone
from loadtest.targets import StatementFailed
from loadtest.workload.seeded import KeySource, ReadSeeded

FIXED_USERS = "the number of users is fixed while a run is measured; stop it and start another"
REQUEST_TYPE = "TXN"
"""What stands in the Type column of Locust's page."""

_PLAN, _FOLDER = LOCUST_PREFIX + "plan", LOCUST_PREFIX + "folder"
_WORKERS, _CLOCK = LOCUST_PREFIX + "workers", LOCUST_PREFIX + "clock"
_MEASURE, _ACCOUNT, _TALLY, _STOP = "occ_measure_from", "occ_account", "occ_tally", "occ_stop"
_FAILED = "occ_failed"
_STOP_TIMEOUT_S = 5.0
_HURRIED_STOP_S = 0.5
_QUITTING_S = 60.0
_EARLY_S = 0.5
"""So much sooner than it was asked to, as seen from here, Locust may end a test."""
# By the wall clock Locust's runners would judge whether their master is still there, and which of two
# orders to start users is the later one.
setattr(runners, "time", SimpleNamespace(time=monotonic))  # noqa: B010 - a module's name for another
_COUNT_EVERY_S = 0.5


class OccUser(User):
    """A user of the run that its environment's Wiring holds."""

    # Locust's page asks for a host and warns where there is none.
    host = "see Occ Target"

    @task
    def transactions(self) -> None:
        """Everything until the user is stopped; Locust's own loop is too slow for a database."""
        engine = Wiring.of(self.environment).engine
        if engine is not None:
            run_user(engine, engine.next_user(), lambda: self._state == "running")
        raise StopUser


def _ends_the_test(listener: Callable[..., None]) -> Callable[..., None]:
    """What goes wrong in a listener ends the test: Locust would write it to its log and go on."""

    @wraps(listener)
    def guarded(self: "Wiring", **given: Any) -> None:
        try:
            listener(self, **given)
        except Exception as error:
            self.fail(error)

    return guarded


def _one_at_a_time(stop: Callable[[], None]) -> Callable[[], None]:
    """Where two ask for the end, Locust would stop its users twice at once; the second waits here."""
    lock = RLock()

    def alone() -> None:
        with lock:
            stop()

    return alone


class Wiring:
    """One Locust environment, and the run that is going on in it."""

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
        told of every run that has ended. Without `say_errors` whoever started the test looks at
        `error` instead.
        """
        self.environment = environment
        self.engine: Engine | None = None
        self.run: Run | None = None
        self.error: OccbenchError | None = None
        """Why the last test did not start, or what went wrong in it."""
        self.hurry = Event()
        """Set once nothing shall be waited for any more."""
        self._read_seeded = read_seeded
        self._source_of = source_of
        self._finished = finished
        self._say_errors = say_errors
        self._ready: Plan | None = None
        self.is_starting = False
        """Whether the page was asked for a run, and its users do not work yet."""
        self._run_time_s: float | None = None
        """When Locust ends the test that is ready, counted from its start."""
        self._measuring = self._quitting = False
        self._begun_at: float | None = None
        """Since when, by `monotonic()`, a test is beginning; None once it has, or has not."""
        self.counts: dict[str, Tally] = {}
        """Key type → what all processes counted since the test started."""
        self._recent = Tally()
        self.losing = False
        """Whether attempts cannot be written, or no process is left to make any: the test ends."""
        environment.occbench = self  # type: ignore[attr-defined]
        environment.stop_timeout = environment.stop_timeout or _STOP_TIMEOUT_S
        events = environment.events
        events.test_start.add_listener(self._on_test_start)
        events.spawning_complete.add_listener(self._on_spawning_complete)
        events.test_stopping.add_listener(self._on_test_stopping)
        events.test_stop.add_listener(self._on_test_stop)
        events.quitting.add_listener(self._on_quitting)
        runner = environment.runner
        if isinstance(runner, LocalRunner | MasterRunner):
            setattr(runner, "start", self._start_of(runner))  # noqa: B010 - a method in a method's place
        if isinstance(runner, (WorkerRunner, LocalRunner)):
            runner.stop = _one_at_a_time(runner.stop)  # type: ignore[method-assign]
        if isinstance(runner, WorkerRunner):
            runner.register_message(_MEASURE, self._on_measure)
            runner.register_message(_STOP, self._on_stop, concurrent=True)
        elif isinstance(runner, MasterRunner):
            runner.register_message(_ACCOUNT, self._on_account)
            runner.register_message(_TALLY, self._on_tally)
            runner.register_message(_FAILED, self._on_failed)

    @staticmethod
    def of(environment: Environment) -> "Wiring":
        """The wiring of this environment."""
        wiring: Wiring = environment.occbench  # type: ignore[attr-defined]
        return wiring

    def prepare(self, config: RunConfig) -> Plan:
        """Check that this run can be done; the next test that starts is it."""
        self.abandon()
        self._run_time_s = None
        if not (self._say_errors and isinstance(self.environment.runner, MasterRunner)):
            # Locust's own workers may be anywhere; each looks for itself.
            open_files.allow(config.users, config.processes)
        self._ready = make_plan(config, self._read_seeded, self._source_of)
        return self._ready

    def abandon(self) -> None:
        """Leave nothing behind of a run that was prepared and is not going to start."""
        plan, self._ready = self._ready, None
        if plan is not None and plan.first_probe_row is not None:
            remove_rows(plan.open_targets(), plan.first_probe_row)

    def prepare_from_locust(self, options: Namespace | None = None) -> Plan:
        """The run that Locust's options ask for, whose time is Locust's to end."""
        options = options or self.environment.parsed_options
        assert options is not None  # noqa: S101 - Locust always has them by now
        config = config_from_locust(options)
        plan = self.prepare(config)
        duration = plan.config.duration
        if duration is None:
            return plan
        self._run_time_s = duration + config.warmup
        held_back_s, ramp_up_s = max(plan.held_back.values(), default=0.0), _ramp_up_s(config)
        left_s = duration - held_back_s - ramp_up_s
        if left_s <= 0:
            self.abandon()
            taken = [f"{ramp_up_s:.0f} s in which the users are started"] if ramp_up_s else []
            if held_back_s:
                taken.append(
                    f"{held_back_s:.0f} s in which a target's limit of new connections holds the users "
                    "back"
                )
            raise InputError(
                f"a run time of {self._run_time_s:g} s leaves nothing after the warm-up of "
                f"{config.warmup:g} s and {' and '.join(taken)}; give more"
            )
        if left_s < duration:
            plan = self._ready = plan.with_duration(left_s)
        return plan

    def check_at_once(self) -> None:
        """Where nobody can correct the options in a form: say what is wrong with them, and exit."""
        environment = self.environment
        # A master's workers are not connected yet and would wait for it in vain: there it is said
        # when the test starts, and they are sent home.
        if environment.web_ui is not None or not isinstance(environment.runner, LocalRunner):
            return
        try:
            self.prepare_from_locust()
        except OccbenchError as error:
            _say(error)
            sys.exit(error.exit_code)

    def _start_of(self, runner: LocalRunner | MasterRunner) -> Callable[..., None]:
        """The runner's `start`, for the number of users that the run's record has, and no other.

        Whoever wants to change their number while a run goes on, by a key, the page or a shape, is
        refused. Locust itself starts the same number again where a process is gone.
        """
        start = runner.start

        @wraps(start)
        def start_run(user_count: int, spawn_rate: float, *rest: Any, **more: Any) -> None:
            if runner.state in (STATE_RUNNING, STATE_SPAWNING):
                if user_count != runner.target_user_count:
                    sys.stderr.write(f"{FIXED_USERS}\n")
                    return
            elif self._ready is None or self._ready.config.users != user_count:
                self.abandon()
                options = vars(self.environment.parsed_options)
                options.update(num_users=user_count, spawn_rate=spawn_rate)
            try:
                start(user_count, spawn_rate, *rest, **more)
            finally:
                # A master comes back when all users are there, or at once where it has no worker.
                if isinstance(runner, MasterRunner):
                    self.is_starting = False

        return start_run

    def take_recent(self) -> Tally:
        """What all processes counted since this was last called, as far as they have said."""
        if self.engine is not None:
            self._count(self.engine)
        recent, self._recent = self._recent, Tally()
        return recent

    # What happens in every process

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
            if not isinstance(self.environment.runner, WorkerRunner):
                # Locust would give its users, or its workers', to a test that has not begun.
                raise gevent.GreenletExit from None

    def _begin(self) -> None:
        runner = self.environment.runner
        if isinstance(runner, WorkerRunner):
            part = self._part_from_master()
            if part is None:
                sys.stderr.write("this process came after the run had begun and takes no part in it\n")
            else:
                self._start_engine(*part)
            return
        plan = self._ready or self.prepare_from_locust()
        if isinstance(runner, MasterRunner):
            plan = plan.with_processes(len(runner.clients.ready))
        self.counts = {str(key_type): Tally() for key_type in plan.config.keys}
        self.run = Run.begin(plan, datetime.now().astimezone())
        self.run.run_time_s = self._run_time_s
        for name, seconds in plan.held_back.items():
            sys.stderr.write(
                f"target {name} limits new connections: the ramp-up takes {seconds:.1f} s longer, and "
                "the warm-up is as much longer\n"
            )
        if isinstance(runner, MasterRunner):
            self._plan_for_workers(self.run)
        else:
            self._start_engine(plan, self.run.folder, self.run.clock, 0, 1)
        self._ready = None

    def _start_engine(self, plan: Plan, folder: Path, clock: Clock, worker: int, workers: int) -> None:
        request = self._request(plan)
        self.engine = Engine(plan, folder, request, clock, worker=worker, workers=workers)
        self.engine.start()
        gevent.spawn(self._count_for_ever, self.engine)

    def _request(self, plan: Plan) -> Callable[[int, float, StatementFailed | None, int], None]:
        """What tells Locust that a transaction is done: one request each, whatever it took."""
        fire: Callable[..., None] = self.environment.events.request.fire
        names = [f"{plan.config.scenario} {key_type}" for key_type in plan.config.keys]

        def request(key: int, ms: float, failure: StatementFailed | None, attempts: int) -> None:
            fire(
                request_type=REQUEST_TYPE,
                name=names[key],
                response_time=ms,
                response_length=0,
                exception=describe_failure(failure, attempts) if failure else None,
                context={},
            )

        return request

    @_ends_the_test
    def _on_spawning_complete(self, **_: object) -> None:
        self.is_starting = False
        if self._measuring or self.run is None:
            return
        self._measuring = True
        held_back_s = max(self.run.plan.held_back.values(), default=0.0)
        moment = self.run.measure(self.run.plan.config.warmup + held_back_s)
        duration = self.run.plan.config.duration
        if self.engine is not None:
            self.engine.measure(moment, duration)
        else:
            runner = self.environment.runner
            assert runner is not None  # noqa: S101 - it fired the event
            runner.send_message(_MEASURE, [moment, duration])

    @_ends_the_test
    def _on_test_stopping(self, **_: object) -> None:
        if self.engine is not None:
            self.engine.stopping()
        if self.run is not None:
            self.run.stopping(broken=self.losing or self.error is not None)

    @_ends_the_test
    def _on_test_stop(self, **_: object) -> None:
        self.is_starting = False
        runner = self.environment.runner
        engine, self.engine = self.engine, None
        if engine is not None:
            account = engine.stop()
            self._count(engine)
            if isinstance(runner, WorkerRunner):
                runner.send_message(_ACCOUNT, account)
                return
            if self.run is not None:
                self.run.generators.append(account)
        if self.run is not None:
            if isinstance(runner, MasterRunner):
                self._wait_for_accounts(self.run)
                if not self.run.generators:
                    self.error = OccbenchError(
                        "no worker process has come to the end of its part; what they had written is "
                        f"kept, occbench report {self.run.folder} shows it"
                    )
            try:
                self._end(self.run)
            finally:
                self.run = None

    def _on_quitting(self, **_: object) -> None:
        """Locust goes down. Told so twice, by two signals, it would do so twice at the same time."""
        if self._quitting:
            gevent.sleep(_QUITTING_S)
        self._quitting = True
        runner = self.environment.runner
        if isinstance(runner, WorkerRunner):
            if parent_is_gone():
                self.environment.stop_timeout = _HURRIED_STOP_S
            # Its account is on its way before it tells its master that it is gone.
            runner.stop()
        elif self._begun_at is not None and self.environment.parsed_options is not None:
            # Locust's timer does not wait for a test to begin, and nobody else would say a word.
            run_time_s = self.environment.parsed_options.run_time
            if run_time_s and monotonic() - self._begun_at > run_time_s - _EARLY_S:
                self.fail(
                    TargetError(
                        f"the run time of {run_time_s:g} s was over before every target had answered, "
                        "and nothing was measured; check that they run, or give more"
                    )
                )

    def break_off(self) -> None:
        """End the test now: what its users are at is broken off, and nobody is asked anything."""
        self.hurry.set()
        runner = self.environment.runner
        if runner is not None:
            runner.user_greenlets.kill(block=False)

    def _end(self, run: Run) -> None:
        """Complete the folder."""
        try:
            run.end(self.hurry)
        except OSError as error:
            self.error = OccbenchError(
                f"{run.folder} cannot be completed: {in_a_line(error)}; what is there can be reported "
                "with occbench report"
            )
        lost = sum(account.get("lost_attempts", 0) for account in run.generators)
        if lost:
            why = next(a["why_lost"] for a in run.generators if "why_lost" in a)
            self.error = OccbenchError(
                f"{lost:,} attempts could not be written to {run.folder}: {why}; the rest is there"
            )
        missing = run.missing()
        if missing and self.error is None:
            self.error = OccbenchError(
                f"{missing:,} attempts that worker processes wrote are not in {run.folder}; let all of "
                "them see one folder under its path"
            )
        probes = sum(account.get("lost_probes", 0) for account in run.generators)
        if probes and self.error is None:
            why = next(a["why_lost"] for a in run.generators if "why_lost" in a)
            self.error = OccbenchError(
                f"{probes:,} consistency probes could not be written to {run.folder}: {why}; the rest "
                "is there"
            )
        try:
            self._finished(run.folder)
        finally:
            if self.error is not None:
                self._give_up(self.error)

    # Between master and workers

    def _plan_for_workers(self, run: Run) -> None:
        runner, options = self.environment.runner, self.environment.parsed_options
        assert isinstance(runner, MasterRunner)  # noqa: S101 - asked by the caller
        # Locust sends its parsed options along with the order to spawn.
        vars(options)[_PLAN] = run.plan.to_json()
        vars(options)[_FOLDER] = os.fsencode(run.folder.resolve())
        vars(options)[_CLOCK] = run.clock.to_message()
        vars(options)[_WORKERS] = _in_order([client.id for client in runner.clients.ready])

    def _part_from_master(self) -> tuple[Plan, Path, Clock, int, int] | None:
        """Plan, folder, clock, and this process's place among how many; None where it has none."""
        runner, options = self.environment.runner, vars(self.environment.parsed_options)
        assert isinstance(runner, WorkerRunner)  # noqa: S101 - asked by the caller
        workers = options[_WORKERS]
        if runner.client_id not in workers:
            return None
        plan = Plan.from_json(options[_PLAN])
        folder = Path(os.fsdecode(options[_FOLDER]))
        clock = Clock.from_message(options[_CLOCK])
        return plan, folder, clock, workers.index(runner.client_id), len(workers)

    def _wait_for_accounts(self, run: Run) -> None:
        """Every worker's comes after it has written its record; one that died sends none."""
        runner = self.environment.runner
        assert isinstance(runner, MasterRunner)  # noqa: S101 - asked by the caller
        workers = vars(self.environment.parsed_options).get(_WORKERS, [])
        if len(run.generators) < len(workers):
            # A master that is to quit, as at the end of --run-time, calls the test ended before it
            # has told the workers to stop. Those that have stopped already pay no attention.
            runner.send_message(_STOP)
        deadline = monotonic() + 2 * _STOP_TIMEOUT_S
        while self._owing(run, workers) and monotonic() < deadline and not self.hurry.wait(0.05):
            pass

    def _owing(self, run: Run, workers: list[str]) -> bool:
        """Whether the account of a worker is missing that is still there."""
        runner = self.environment.runner
        assert isinstance(runner, MasterRunner)  # noqa: S101 - asked by the caller
        heard = {account["worker"] for account in run.generators}
        return any(
            place not in heard and runner.clients[worker].state != STATE_MISSING
            for place, worker in enumerate(workers)
            if worker in runner.clients
        )

    def _on_stop(self, **_: object) -> None:
        runner = self.environment.runner
        if runner is not None and runner.state in (STATE_RUNNING, STATE_SPAWNING):
            runner.stop()

    def _on_measure(self, msg: Any, **_: object) -> None:
        if self.engine is not None:
            self.engine.measure(*msg.data)

    def _count_for_ever(self, engine: Engine) -> None:
        while self.engine is engine:
            gevent.sleep(_COUNT_EVERY_S)
            self._count(engine)

    def _count(self, engine: Engine) -> None:
        """Take what the engine counted, here or to the master."""
        tallies = engine.take_tallies()
        runner = self.environment.runner
        if isinstance(runner, WorkerRunner):
            counted = [tally.as_message() for tally in tallies]
            runner.send_message(_TALLY, {"tallies": counted, "lost": engine.lost})
        else:
            self._take_in(tallies, engine.lost)

    def _take_in(self, tallies: list[Tally], lost: int) -> None:
        for total, tally in zip(self.counts.values(), tallies, strict=True):
            total.add(tally)
            self._recent.add(tally)
        if lost and not self.losing:
            # What cannot be kept need not be measured.
            self.losing = True
            self._leave_test()

    def _on_tally(self, msg: Any, **_: object) -> None:
        if self.run is not None:
            tallies = [Tally.from_message(message) for message in msg.data["tallies"]]
            self._take_in(tallies, msg.data["lost"])

    def _on_account(self, msg: Any, **_: object) -> None:
        if self.run is not None:
            self.run.generators.append(msg.data)

    def _on_failed(self, msg: Any, **_: object) -> None:
        self.fail(OccbenchError(msg.data["why"]))

    def fail(self, error: Exception) -> None:
        """End the test: nothing of it goes on, and what went wrong is said in one line."""
        known = error if isinstance(error, OccbenchError) else OccbenchError(in_a_line(error))
        runner = self.environment.runner
        if isinstance(runner, WorkerRunner):
            runner.send_message(_FAILED, {"why": f"a worker process could not go on: {known}"})
            return
        self.abandon()
        if self.error is None:
            self.error = known
            self._give_up(known)

    def _give_up(self, error: OccbenchError) -> None:
        """Say in one line why nothing goes on; end the process where nobody could correct it."""
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


def _in_order(workers: list[str]) -> list[str]:
    """Workers' identifiers in the order in which Locust gives them users, one each in turn.

    The users are divided by this order and not by Locust's own index, which counts workers that have
    gone: whoever gets one user more is to be who was dealt one more.
    """
    on_host: Counter[str] = Counter()
    found = []
    for worker in sorted(workers):
        host = worker.split("_")[0]
        found.append((on_host[host], worker))
        on_host[host] += 1
    return [worker for _, worker in sorted(found)]


def _ramp_up_s(config: RunConfig) -> float:
    """How long Locust takes to start the users: at once as many as come in a second, then so on."""
    rate = config.spawn_rate or 1.0  # which is Locust's own
    return max(0.0, (config.users - max(rate, 1.0)) / rate)


def _say(error: OccbenchError) -> None:
    sys.stderr.write(f"occbench: {without_secrets(str(error))}\n")
