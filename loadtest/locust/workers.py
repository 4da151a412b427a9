"""A run in several processes: a master that has the run, and workers that have the users.

Locust carries their messages; what a worker is to do goes with Locust's order to start users.
"""

import os
import sys
from collections import Counter
from pathlib import Path
from time import monotonic
from typing import Any

from locust.env import Environment
from locust.runners import STATE_MISSING, STATE_RUNNING, STATE_SPAWNING, MasterRunner, WorkerRunner

from loadtest.engine.clock import Clock
from loadtest.engine.live import Tally
from loadtest.engine.plan import Plan
from loadtest.engine.run import Run
from loadtest.errors import OccbenchError
from loadtest.locust.arguments import LOCUST_PREFIX
from loadtest.locust.wiring import STOP_TIMEOUT_S, Wiring, as_occbench_error
from loadtest.process.child import parent_is_gone

_PLAN, _FOLDER = LOCUST_PREFIX + "plan", LOCUST_PREFIX + "folder"
_WORKERS, _CLOCK = LOCUST_PREFIX + "workers", LOCUST_PREFIX + "clock"
"""Names among Locust's parsed options, which it sends along with the order to start users."""
_MEASURE, _STOP = "occ_measure_from", "occ_stop"
"""Messages of the master: from when and for how long to measure; to stop the users."""
_TALLY, _GENERATOR, _FAILED = "occ_tally", "occ_generator", "occ_failed"
"""Messages of a worker: what it counted lately; what it says of itself in the end; why it gives up."""
_HURRIED_STOP_S = 0.5


class MasterWiring(Wiring):
    """The process that has the run, and no user."""

    def __init__(self, environment: Environment, *given: Any, **more: Any) -> None:
        super().__init__(environment, *given, **more)
        assert isinstance(environment.runner, MasterRunner)  # noqa: S101 - `wire` has looked
        self._runner = environment.runner
        self._runner.register_message(_GENERATOR, self._on_generator)
        self._runner.register_message(_TALLY, self._on_tally)
        self._runner.register_message(_FAILED, self._on_failed)

    def _complete(self, plan: Plan) -> Plan:
        return plan.with_processes(len(self._runner.clients.ready))

    def _start_load(self, run: Run) -> None:
        options = vars(self.environment.parsed_options)
        options[_PLAN] = run.plan.to_json()
        options[_FOLDER] = os.fsencode(run.folder.resolve())
        options[_CLOCK] = run.clock.to_message()
        options[_WORKERS] = _in_order([client.id for client in self._runner.clients.ready])

    def _measure(self, moment_ns: int, duration_s: float | None) -> None:
        self._runner.send_message(_MEASURE, {"moment_ns": moment_ns, "duration_s": duration_s})

    def _wait_for_load(self, run: Run) -> None:
        """Wait for what each worker says of itself, which comes after it has written its record.

        One that died says nothing.
        """
        workers = vars(self.environment.parsed_options).get(_WORKERS, [])
        if len(run.generators) < len(workers):
            # A master that is to quit, as at the end of --run-time, calls the test ended before it
            # has told the workers to stop. Those that have stopped already pay no attention.
            self._runner.send_message(_STOP)
        deadline = monotonic() + 2 * STOP_TIMEOUT_S
        while self._is_any_awaited(run, workers) and monotonic() < deadline:
            if self.hurry.wait(0.05):
                break
        if not run.generators:
            self.error = OccbenchError(
                "no worker process has come to the end of its part; what they had written is "
                f"kept, occbench report {run.folder} shows it"
            )

    def _is_any_awaited(self, run: Run, workers: list[str]) -> bool:
        """Whether a worker has not reported that is still there."""
        reported = {generator["worker"] for generator in run.generators}
        return any(
            number not in reported and self._runner.clients[worker].state != STATE_MISSING
            for number, worker in enumerate(workers)
            if worker in self._runner.clients
        )

    def _on_tally(self, msg: Any, **_: object) -> None:
        if self.run is not None:
            tallies = [Tally.from_message(message) for message in msg.data["tallies"]]
            self._take_in(tallies, msg.data["lost"])

    def _on_generator(self, msg: Any, **_: object) -> None:
        if self.run is not None:
            self.run.generators.append(msg.data)

    def _on_failed(self, msg: Any, **_: object) -> None:
        self.fail(OccbenchError(msg.data["why"]))


class WorkerWiring(Wiring):
    """A process that has users, and no run."""

    def __init__(self, environment: Environment, *given: Any, **more: Any) -> None:
        super().__init__(environment, *given, **more)
        assert isinstance(environment.runner, WorkerRunner)  # noqa: S101 - `wire` has looked
        self._runner = environment.runner
        self._runner.register_message(_MEASURE, self._on_measure)
        self._runner.register_message(_STOP, self._on_stop, concurrent=True)

    def _begin(self) -> None:
        options = vars(self.environment.parsed_options)
        workers = options[_WORKERS]
        if self._runner.client_id not in workers:
            sys.stderr.write("this process came after the run had begun and takes no part in it\n")
            return
        self._start_engine(
            Plan.from_json(options[_PLAN]),
            Path(os.fsdecode(options[_FOLDER])),
            Clock.from_message(options[_CLOCK]),
            workers.index(self._runner.client_id),
            len(workers),
        )

    def _could_not_begin(self) -> None:
        """Locust's master ends the test; until then there is no engine, and users do nothing."""

    def _deliver(self, tallies: list[Tally], lost: int) -> None:
        counted = [tally.as_message() for tally in tallies]
        self._runner.send_message(_TALLY, {"tallies": counted, "lost": lost})

    def _hand_in(self, generator: dict[str, Any]) -> None:
        self._runner.send_message(_GENERATOR, generator)

    def _quit(self) -> None:
        if parent_is_gone():
            self.environment.stop_timeout = _HURRIED_STOP_S
        # What it says of itself is on its way before it tells its master that it is gone.
        self._runner.stop()

    def _on_stop(self, **_: object) -> None:
        if self._runner.state in (STATE_RUNNING, STATE_SPAWNING):
            self._runner.stop()

    def _on_measure(self, msg: Any, **_: object) -> None:
        if self.engine is not None:
            self.engine.measure(msg.data["moment_ns"], msg.data["duration_s"])

    def fail(self, error: Exception) -> None:
        """Let the master end the test, which says what went wrong."""
        known = as_occbench_error(error)
        self._runner.send_message(_FAILED, {"why": f"a worker process could not go on: {known}"})


def wire(environment: Environment, *given: Any, **more: Any) -> Wiring:
    """Make a run of the environment's tests; the arguments are those of `Wiring`."""
    kind = Wiring
    if isinstance(environment.runner, MasterRunner):
        kind = MasterWiring
    elif isinstance(environment.runner, WorkerRunner):
        kind = WorkerWiring
    return kind(environment, *given, **more)


def _in_order(workers: list[str]) -> list[str]:
    """Workers' identifiers in the order in which Locust gives them users, one each in turn.

    The users are divided by this order and not by Locust's own index, which counts workers that have
    gone: the process that Locust gives one user more is to be the one with one more assigned.
    """
    on_host: Counter[str] = Counter()
    ranks = []
    for worker in sorted(workers):
        host = worker.split("_")[0]
        ranks.append((on_host[host], worker))
        on_host[host] += 1
    return [worker for _, worker in sorted(ranks)]
