"""One process's part of a run: what its users share."""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic_ns, process_time
from typing import Any

import gevent
import numpy as np
from gevent import get_hub

from loadtest.config.assignment import budget_share, users_of_process
from loadtest.engine.clock import Clock
from loadtest.engine.live import Tally
from loadtest.engine.preflight import Plan, statements_for
from loadtest.engine.probes.prober import Prober
from loadtest.engine.recorder import Chunk, Recorder
from loadtest.engine.users.pacing import ClosedLoop, ConnectionBudget, OpenLoop, Pacing
from loadtest.errors import OccbenchError
from loadtest.process import open_files
from loadtest.record.probes import write_probes
from loadtest.targets import StatementFailed
from loadtest.workload.blocks import Schedule
from loadtest.workload.builtin import Work

Request = Callable[[int, float, StatementFailed | None, int], None]
"""(place of the key type, latency in ms, failure, attempts): a transaction is done."""

_USED: dict[str, ConnectionBudget] = {}
"""Server → the budget of this process's last run: from Locust's page the next may follow at once."""
_FLUSH_S = 5.0
_LAG_PROBE_S = 0.05


class Engine:
    """Targets, schedule, pacing and recorder of one process, from start to stop.

    `worker` of `workers` is this process's place: transaction numbers, users and the open loop's
    schedule are divided by it, without overlap.
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
        config = plan.config
        self.config = config
        self.plan = plan
        self._folder = folder
        self.worker = worker
        self._workers = workers
        self.request = request
        self.scenario = plan.scenario()
        self.targets = plan.open_targets()
        for target in self.targets:
            # What is wrong will be said, and recorded, when sessions are opened.
            with suppress(OccbenchError, *target.errors):
                target.warm()
        self.statements = [
            statements_for(self.scenario, target, config.keys) for target in self.targets
        ]
        self.operations = [self.scenario.operation(target.language) for target in self.targets]
        self._assignment = config.assignment()
        self._own = users_of_process(self._assignment, worker, workers)
        open_files.allow(len(self._own))
        self.budgets = self._budgets()
        """For each target, when this process may open its next connection to it."""
        self._prober = self._one_prober()
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
        self._users = 0
        self.asked: set[int] = set()
        """The users that have asked for a session; others are in a pause yet."""
        self.served: set[int] = set()
        """The users that have had a session."""
        self.turned_away = ""
        """What the target last said to a user that asked for a session and got none."""
        self.next_transaction = itertools.count(worker << 40).__next__
        self._background: list[gevent.Greenlet[..., Any]] = []
        self._writing: list[tuple[Any, Chunk]] = []
        self._files: dict[str, int] = {}
        self.lost = 0
        """Attempts that could not be written."""
        self.why_lost = ""
        self._measured_from_ns = 0
        self._measured_until_ns: int | None = None
        self._tallies = [Tally() for _ in config.keys]
        self._counted = 0
        self._lags_ms: list[float] = []
        self._cpu_from: tuple[float, int] | None = None

    def start(self) -> None:
        """Begin writing and watching in the background; users may start after this."""
        self._background = [gevent.spawn(self._flush_for_ever), gevent.spawn(self._watch_own_lag)]
        if self._prober is not None:
            self._background.append(gevent.spawn(self._prober.run))

    def next_user(self) -> int:
        """A number for a new user: unique in the run, and the same whenever it is run again."""
        # Locust starts more than this process's own where another process has died: they go on with
        # the same targets, and with numbers that no other process has.
        again, place = divmod(self._users, len(self._own))
        self._users += 1
        return self._own[place] + again * len(self._assignment) * self._workers

    def target_of(self, user: int) -> int:
        """Return the index of the target that this user works on."""
        return self._assignment[user % len(self._assignment)]

    def _budgets(self) -> list[ConnectionBudget | None]:
        """One budget for each server, of which this process has a share by its users."""
        made: dict[str, ConnectionBudget] = {}
        for target, server in zip(self.targets, self.plan.places, strict=True):
            limits = target.limits
            if server not in made and limits.connections_per_s is not None:
                here = {n for n, place in enumerate(self.plan.places) if place == server}
                share = budget_share(self._assignment, here, self.worker, self._workers)
                budget = ConnectionBudget(
                    limits.connections_per_s * share, limits.connection_burst * share
                )
                if server in _USED:
                    budget.goes_on_from(_USED[server])
                made[server] = _USED[server] = budget
        return [made.get(server) for server in self.plan.places]

    def stream(self, key: int, user: int) -> Iterator[Work]:
        """Return the endless work of this user for the key type of this index."""
        return self.scenario.stream(self._law, self._keys[key], self.config.seed, user)

    def measure(self, moment_ns: int, duration_s: float | None) -> None:
        """Measuring starts at this moment, nanoseconds since 1970 by the run's clock, for so long."""
        start_ns = self._measured_from_ns = moment_ns - self.recorder.anchor_ns
        self.schedule.measure(start_ns, duration_s)
        if duration_s is not None:
            self._measured_until_ns = start_ns + round(duration_s * 1e9)
        if self._prober is not None:
            self._prober.measure(start_ns, self._measured_until_ns)
        self._background.append(
            gevent.spawn_later(max(0.0, (start_ns - monotonic_ns()) / 1e9), self._start_own_account)
        )

    def record(self, *columns: Any) -> None:
        """Keep one attempt; the arguments are `Recorder.record`'s."""
        if self.recorder.record(*columns):
            self._write()

    def take_tallies(self) -> list[Tally]:
        """What was recorded since this was last called, for each key type."""
        self._count()
        taken, self._tallies = self._tallies, [Tally() for _ in self.config.keys]
        return taken

    def _count(self) -> None:
        rows, self._counted = self.recorder.recent(self._counted)
        for key, tally in enumerate(self._tallies):
            tally.add(Tally.of(rows[rows["key_type"] == key]))

    def stopping(self) -> None:
        """The users are asked to stop now; nothing after this moment is held against the schedule."""
        now = monotonic_ns()
        self._measured_until_ns = min(self._measured_until_ns or now, now)
        if self._prober is not None:
            self._prober.stopping()

    def stop(self) -> dict[str, Any]:
        """Write what is left; returns this process's account of itself (`generators` in run.json)."""
        account = self._own_account()
        if self._prober is not None:
            self._prober.stopping()
        gevent.killall(self._background)
        account |= self._write_probes()
        self._write()
        self._settle(self._writing)
        account["files"] = self._files
        if unserved := len(self.asked) - len(self.served):
            account["without_session"] = unserved
            account["why_no_session"] = self.turned_away
        if self.lost:
            account["lost_attempts"] = self.lost
            account["why_lost"] = self.why_lost
        return account

    def _one_prober(self) -> Prober | None:
        """The probes of consistency, if the run has any: the first process makes them for all."""
        interval_s, first_row = self.config.consistency, self.plan.first_probe_row
        if interval_s is None or first_row is None or self.worker != 0:
            return None
        return Prober(self.targets, self.budgets, self.config.seed, interval_s, first_row)

    def _write_probes(self) -> dict[str, Any]:
        """Write the probes; returns what there is to account for, if that failed."""
        if self._prober is None:
            return {}
        try:
            write_probes(self._folder, self._prober.probes, self.recorder.anchor_ns)
        except OSError as error:
            return {"lost_probes": len(self._prober.probes), "why_lost": error.strerror or str(error)}
        return {}

    def _write(self) -> None:
        self._count()
        chunk = self.recorder.take()
        if chunk is not None:
            # A thread: writing takes tens of milliseconds, in which no user would move.
            self._settle([entry for entry in self._writing if entry[0].ready()])
            self._writing.append((get_hub().threadpool.spawn(chunk.try_to_write), chunk))

    def _settle(self, written: list[tuple[Any, Chunk]]) -> None:
        """Take note of the files that are written, or could not be."""
        for entry in written:
            job, chunk = entry
            if error := job.get():
                self.lost += chunk.attempts
                self.why_lost = self.why_lost or error
            else:
                self._files[chunk.path.name] = chunk.attempts
        self._writing = [entry for entry in self._writing if entry not in written]

    def _flush_for_ever(self) -> None:
        while True:
            gevent.sleep(_FLUSH_S)
            self._write()

    def _watch_own_lag(self) -> None:
        """How late the event loop is: what a user waits for the tool and not for the database."""
        while True:
            before = monotonic_ns()
            gevent.sleep(_LAG_PROBE_S)
            self._lags_ms.append((monotonic_ns() - before) * 1e-6 - _LAG_PROBE_S * 1e3)

    def _start_own_account(self) -> None:
        self._lags_ms.clear()
        self._cpu_from = (process_time(), monotonic_ns())
        if isinstance(self.pacing, OpenLoop):
            self.pacing.measure_from(self._measured_from_ns)

    def _own_account(self) -> dict[str, Any]:
        account: dict[str, Any] = {"worker": self.worker, "pid": os.getpid()}
        if self._cpu_from is not None:
            cpu, since = self._cpu_from
            account["cpu_share"] = round((process_time() - cpu) / ((monotonic_ns() - since) / 1e9), 3)
        if self._lags_ms:
            p50, p99, most = np.percentile(np.maximum(self._lags_ms, 0.0), [50, 99, 100])
            account["loop_lag_ms"] = {
                "p50": round(float(p50), 3),
                "p99": round(float(p99), 3),
                "max": round(float(most), 3),
            }
        if isinstance(self.pacing, OpenLoop):
            until_ns = self._measured_until_ns or monotonic_ns()
            account["scheduled"] = self.pacing.scheduled(until_ns)
            account["started"] = self.pacing.started(until_ns)
        return account
