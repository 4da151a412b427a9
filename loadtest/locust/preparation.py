"""What is checked before a test starts: that its run can be done, and what it will be."""

from argparse import Namespace

from locust.env import Environment
from locust.runners import MasterRunner

from loadtest.config.run import RunConfig
from loadtest.engine.plan import Plan
from loadtest.engine.preflight import make_plan
from loadtest.engine.probes.table import remove_rows
from loadtest.errors import InputError
from loadtest.locust.arguments import config_from_locust
from loadtest.process import open_files
from loadtest.workload.seeded import KeySource, ReadSeeded


class Preparation:
    """The run that the next test is, once it is checked."""

    def __init__(
        self,
        environment: Environment,
        read_seeded: ReadSeeded,
        source_of: KeySource,
        *,
        own_workers: bool,
    ) -> None:
        """`own_workers` says that worker processes are children of this one."""
        self.plan: Plan | None = None
        self.run_time_s: float | None = None
        """When Locust ends the test, counted from its start."""
        self._environment = environment
        self._read_seeded = read_seeded
        self._source_of = source_of
        self._own_workers = own_workers

    def prepare(self, config: RunConfig) -> Plan:
        """Check that this run can be done; the next test that starts is it."""
        self.abandon()
        self.run_time_s = None
        if self._own_workers or not isinstance(self._environment.runner, MasterRunner):
            # Locust's own workers may be anywhere; each looks for itself.
            open_files.allow(config.users, config.processes)
        self.plan = make_plan(config, self._read_seeded, self._source_of)
        return self.plan

    def prepare_from_locust(self, options: Namespace | None = None) -> Plan:
        """Check the run that Locust's options ask for, whose time is Locust's to end."""
        options = options or self._environment.parsed_options
        assert options is not None  # noqa: S101 - Locust always has them by now
        config = config_from_locust(options)
        plan = self.prepare(config)
        duration = plan.config.duration
        if duration is None:
            return plan
        self.run_time_s = duration + config.warmup
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
                f"a run time of {self.run_time_s:g} s leaves nothing after the warm-up of "
                f"{config.warmup:g} s and {' and '.join(taken)}; give more"
            )
        if left_s < duration:
            plan = self.plan = plan.with_duration(left_s)
        return plan

    def abandon(self) -> None:
        """Leave nothing behind of a run that was prepared and is not going to start."""
        plan, self.plan = self.plan, None
        if plan is not None and plan.first_probe_row is not None:
            remove_rows(plan.open_targets(), plan.first_probe_row)


def _ramp_up_s(config: RunConfig) -> float:
    """How long Locust takes to start the users: at once as many as come in a second, then so on."""
    rate = config.spawn_rate or 1.0  # which is Locust's own
    return max(0.0, (config.users - max(rate, 1.0)) / rate)
