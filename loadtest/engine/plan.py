"""The plan of a run: its options with all that was open filled in, the same for every process."""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict

from loadtest.config.run import RunConfig
from loadtest.targets import SqlTarget, Statement, Target, open_target
from loadtest.workload.access import AccessLaw, parse_access
from loadtest.workload.blocks import blocks_for
from loadtest.workload.builtin import Scenario, find_scenario
from loadtest.workload.keyspace import ComputedKeys, KeySpace, KeyType, read_keys


class Plan(BaseModel):
    """A run, ready to go; handed from process to process as JSON."""

    model_config = ConfigDict(frozen=True)

    config: RunConfig
    accounts: int
    key_seeds: dict[KeyType, int]
    totals: dict[str, dict[KeyType, int | None]]
    """Target → key type → what the invariant's total must be, if it is known."""
    targets: list[dict[str, Any]]
    """What each target says of itself."""
    servers: list[str]
    """The server of each target; two targets on one server share its limits."""
    held_back: dict[str, float] = {}
    """Target → seconds by which its limit of new connections makes the ramp-up longer."""
    first_probe_row: int | None = None
    """The first of this run's rows for the consistency probes; None where it makes none."""

    def to_json(self) -> str:
        """Return it for another process of the run; it holds the targets' secrets and is never kept."""
        # Not model_dump_json, which takes no path with bytes that are not UTF-8.
        return json.dumps(self.model_dump(mode="json"))

    @classmethod
    def from_json(cls, text: str) -> "Plan":
        """Read what `to_json` returned."""
        return cls.model_validate(json.loads(text))

    def with_processes(self, processes: int) -> "Plan":
        """Return the same plan for the number of processes that there really are."""
        return self._with(processes=processes)

    def with_duration(self, duration: float) -> "Plan":
        """Return the same plan for another measured time, in seconds."""
        block = blocks_for(duration, self.config.block, len(self.config.keys))
        return self._with(duration=duration, block=block)

    def _with(self, **options: Any) -> "Plan":
        return self.model_copy(update={"config": self.config.model_copy(update=options)})

    def law(self) -> AccessLaw:
        """Return the distribution of accesses over the accounts."""
        return parse_access(self.config.skew, self.accounts)

    def scenario(self) -> Scenario:
        """Return the workload."""
        return find_scenario(self.config.scenario)

    def tables(self) -> tuple[str, ...]:
        """Return the tables whose rows attempts touch: one for each key type, in their order."""
        return tuple(self.scenario().table(key_type).name for key_type in self.config.keys)

    def keys(self) -> list[KeySpace]:
        """Return the keys of each key type, in the config's order."""
        if self.config.keys_from is not None:
            return [read_keys(self.config.keys_from, self.config.keys[0])]
        return [ComputedKeys(key_type, self.key_seeds[key_type]) for key_type in self.config.keys]

    def open_targets(self) -> list[Target]:
        """Return the targets, in the config's order."""
        return [open_target(spec) for spec in self.config.specs()]

    def statements(self, target: Target) -> list[Statement]:
        """Return what sessions of the target prepare; nothing where it does not speak SQL."""
        if not isinstance(target, SqlTarget):
            return []
        return self.scenario().statements(target.dialect, self.config.keys)
