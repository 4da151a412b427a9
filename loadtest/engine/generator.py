"""One process's part of a run: what its users share."""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic_ns
from typing import Any

import gevent

from loadtest.config.assignment import budget_share, users_of_process
from loadtest.engine.clock import Clock
from loadtest.engine.live import Tally
from loadtest.engine.own_load import OwnLoad
from loadtest.engine.plan import Plan
from loadtest.engine.probes.prober import Prober
from loadtest.engine.recorder import AttemptWriter, Recorder
from loadtest.engine.users.pacing import ClosedLoop, ConnectionBudget, OpenLoop, Pacing
from loadtest.errors import OccbenchError
from loadtest.process import open_files
from loadtest.record.probes import write_probes
from loadtest.targets import StatementFailed
from loadtest.workload.blocks import Schedule
from loadtest.workload.builtin import Work

Request = Callable[[int, float, StatementFailed | None, int], None]
"""(index of the key type, latency in ms, failure, attempts): a transaction is done."""

_USED: dict[str, ConnectionBudget] = {}
"""Server → the budget of this process's last run: from Locust's page the next may follow at once."""
_FLUSH_S = 5.0


class Engine:
    """Targets, schedule, pacing and recorder of one process, from start to stop.

    This process is number `worker` of `workers`: transaction numbers, users and the open loop's
    schedule are divided among them, without overlap.
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        request: Request,
        clock: Clock,
        *,
        worker: int = 0,
        workers: int = 1,
    ) -> None:
        config = self.config = plan.config
        self.plan = plan
        self._folder = folder
        self.worker = worker
        self._workers = workers
        self.request = request
        self.scenario = plan.scenario()
        self.targets = plan.open_targets()
        for target in self.targets:
            # An error will be said, and recorded, when sessions are opened.
            with suppress(OccbenchError, *target.errors):
                target.warm()
        self.statements = [plan.statements(target) for target in self.targets]
        self.operations = [self.scenario.operation(target.language) for target in self.targets]
        self._assignment = config.assignment()
        self._own = users_of_process(self._assignment, worker, workers)
        open_files.allow(len(self._own))
        self.budgets = self._budgets()
        """For each target, when this process may open its next connection to it."""
        self._prober: Prober | None = None
        if config.consistency is not None and plan.first_probe_row is not None and worker == 0:
            # The first process makes the probes of the whole run.
            self._prober = Prober(
                self.targets, self.budgets, config.seed, config.consistency, plan.first_probe_row
            )
        self.retry = config.retry_policy()
        self.schedule = Schedule(len(config.keys), config.block, config.seed)
        self.pacing: Pacing = (
            ClosedLoop(config.think_time)
            if config.rate is None
            else OpenLoop(config.rate, share=worker, of=workers)
        )
        # Made here and not by each user: the law's sums take a while for many accounts.
        self._law = plan.law()
        self._keys = plan.keys()
        self.recorder = Recorder(
            folder / "attempts",
            worker,
            targets=[target.name for target in self.targets],
            operation=self.scenario.name,
            key_types=list(config.keys),
            clock=clock,
        )
        self._writer = AttemptWriter(self.recorder)
        self._users = 0
        self.asked: set[int] = set()
        """The users that have asked for a session; others are in a pause yet."""
        self.served: set[int] = set()
        """The users that have had a session."""
        self.turned_away = ""
        """The target's last answer to a user that asked for a session and got none."""
        self.next_transaction = itertools.count(worker << 40).__next__
        self._background: list[gevent.Greenlet[..., Any]] = []
        self._own_load = OwnLoad()
        self._measured_from_ns = 0
        self._measured_until_ns: int | None = None
        self._tallies = [Tally() for _ in config.keys]
        self._counted = 0

    @property
    def lost(self) -> int:
        """How many attempts could not be written."""
        return self._writer.lost

    def start(self) -> None:
        """Begin writing and watching in the background; users may start after this."""
        self._background = [gevent.spawn(self._flush_for_ever), gevent.spawn(self._own_load.watch)]
        if self._prober is not None:
            self._background.append(gevent.spawn(self._prober.run))

    def next_user(self) -> int:
        """Return a number for a new user: unique in the run, and the same whenever it is run again."""
        # Locust starts more than this process's own where another process has died: they go on with
        # the same targets, and with numbers that no other process has.
        again, index = divmod(self._users, len(self._own))
        self._users += 1
        return self._own[index] + again * len(self._assignment) * self._workers

    def target_of(self, user: int) -> int:
        """Return the index of the target that this user works on."""
        return self._assignment[user % len(self._assignment)]

    def _budgets(self) -> list[ConnectionBudget | None]:
        """One budget for each server, of which this process has a share by its users."""
        made: dict[str, ConnectionBudget] = {}
        servers = self.plan.servers
        for target, server in zip(self.targets, servers, strict=True):
            limits = target.limits
            if server not in made and limits.connections_per_s is not None:
                here = {index for index, other in enumerate(servers) if other == server}
                share = budget_share(self._assignment, here, self.worker, self._workers)
                budget = ConnectionBudget(
                    limits.connections_per_s * share, limits.connection_burst * share
                )
                if server in _USED:
                    budget.goes_on_from(_USED[server])
                made[server] = _USED[server] = budget
        return [made.get(server) for server in servers]

    def stream(self, key: int, user: int) -> Iterator[Work]:
        """Return the endless work of this user for the key type of this index."""
        return self.scenario.stream(self._law, self._keys[key], self.config.seed, user)

    def measure(self, moment_ns: int, duration_s: float | None) -> None:
        """Measure from this moment on, nanoseconds since 1970 by the run's clock, for so long."""
        start_ns = self._measured_from_ns = moment_ns - self.recorder.anchor_ns
        self.schedule.measure(start_ns, duration_s)
        if duration_s is not None:
            self._measured_until_ns = start_ns + round(duration_s * 1e9)
        if self._prober is not None:
            self._prober.measure(start_ns, self._measured_until_ns)
        self._background.append(
            gevent.spawn_later(max(0.0, (start_ns - monotonic_ns()) / 1e9), self._start_measuring)
        )

    def _start_measuring(self) -> None:
        self._own_load.start()
        if isinstance(self.pacing, OpenLoop):
            self.pacing.measure_from(self._measured_from_ns)

    def record(self, *columns: Any) -> None:
        """Keep one attempt; the arguments are `Recorder.record`'s."""
        if self.recorder.record(*columns):
            self._write()

    def take_tallies(self) -> list[Tally]:
        """Return what was recorded since the last call, for each key type."""
        self._count()
        taken, self._tallies = self._tallies, [Tally() for _ in self.config.keys]
        return taken

    def _count(self) -> None:
        rows, self._counted = self.recorder.recent(self._counted)
        for key, tally in enumerate(self._tallies):
            tally.add(Tally.of(rows[rows["key_type"] == key]))

    def _write(self) -> None:
        self._count()
        self._writer.write()

    def _flush_for_ever(self) -> None:
        while True:
            gevent.sleep(_FLUSH_S)
            self._write()

    def stopping(self) -> None:
        """Note that users are asked to stop now; the schedule counts nothing after this moment."""
        now = monotonic_ns()
        self._measured_until_ns = min(self._measured_until_ns or now, now)
        if self._prober is not None:
            self._prober.stopping()

    def stop(self) -> dict[str, Any]:
        """Write what is left; return this process's entry of `generators` in run.json."""
        account: dict[str, Any] = {"worker": self.worker, "pid": os.getpid()}
        account |= self._own_load.account()
        if isinstance(self.pacing, OpenLoop):
            until_ns = self._measured_until_ns or monotonic_ns()
            account["scheduled"] = self.pacing.scheduled(until_ns)
            account["started"] = self.pacing.started(until_ns)
        if self._prober is not None:
            self._prober.stopping()
        gevent.killall(self._background)
        if self._prober is not None:
            try:
                write_probes(self._folder, self._prober.probes, self.recorder.anchor_ns)
            except OSError as error:
                account["lost_probes"] = len(self._prober.probes)
                account["why_lost"] = error.strerror or str(error)
        self._count()
        self._writer.finish()
        account["files"] = self._writer.files
        if unserved := len(self.asked) - len(self.served):
            account["without_session"] = unserved
            account["why_no_session"] = self.turned_away
        if self.lost:
            account["lost_attempts"] = self.lost
            account["why_lost"] = self._writer.why_lost
        return account
