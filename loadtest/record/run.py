"""`run.json`: what a run was."""

from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from loadtest.errors import InputError
from loadtest.record.model import Count, File, Many, Moment, Number, Part, Seconds, read_file

RUN_FILE = "run.json"


class Config(Part):
    """The options of a run, or of a simulated one; those that it does not have are absent."""

    target: Many[str] = ()
    scenario: str = "transfer"
    keys: Many[str] = ()
    users: Count | None = None
    duration: Seconds | None = None
    warmup: Seconds | None = None
    rate: Number | None = None
    arrivals: str | None = None
    think_time: Seconds | None = None
    accounts: Count | None = None
    skew: str = "uniform"
    retry: str | None = None
    max_attempts: Count = 0
    retry_base_ms: Number | None = None
    retry_cap_ms: Number | None = None
    statement_ms: Number | None = None
    commit_ms: Number | None = None
    spread: Number | None = None
    regions: str | None = None
    round_trips: str | None = None
    decided_in: str | None = None
    trip_spread: Number | None = None
    snapshot_at: Number | None = None
    decided_at: Number | None = None
    slower: str | None = None
    block: Seconds | None = None
    consistency: Seconds | None = None
    seed: int = 0
    spawn_rate: Number | None = None
    processes: Count | None = None
    keys_from: str | None = None
    sslrootcert: str | None = None
    dpu_price: Number | None = None
    out: str | None = None
    label: str | None = None

    @model_serializer(mode="wrap")
    def _as_given(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: one for name, one in whole(self).items() if name in self.model_fields_set}


class Target(Part):
    """One database endpoint."""

    name: str
    url: str | None = None
    family: str | None = None
    place: str | None = None
    data: str | None = None
    """The same for targets that hold the same data; None where it is not known."""
    version: str | None = None
    regime: str | None = None
    isolation: str | None = None
    commit_delay_ms: Number | None = None
    durable: bool | None = None
    endpoint: str | None = None
    region: str | None = None
    transfer: str | None = None
    database: str | None = None
    retry: str | None = None
    pooler: str | None = None
    libpq_variables: Many[str] | None = None
    """The names of libpq's environment variables that were set for its connections."""

    @property
    def decides_after_s(self) -> float:
        """Seconds that COMMIT takes at least before it is decided, 0 where it is not known.

        The embedded database sleeps its commit delay before anything else, if a transaction wrote at
        all, as every transfer does that comes to COMMIT.
        """
        return (self.commit_delay_ms or 0.0) / 1000 if self.family == "embedded" else 0.0

    @property
    def is_counted_by_service(self) -> bool:
        """Whether CloudWatch has figures of it: an Aurora DSQL cluster by its public name."""
        if self.family == "dsql-cluster":
            return True
        host = self.endpoint or self.host or ""
        return self.family == "dsql" and host.endswith(".on.aws")

    @property
    def host(self) -> str | None:
        """The host that its URL names, after which it is called unless named."""
        try:
            return urlsplit(self.url or "").hostname
        except ValueError:
            return None

    @property
    def is_stand_in(self) -> bool:
        """Whether it is Amazon's DynamoDB for trying out: no service, and without a bill."""
        return self.version == "DynamoDB Local"


class Lag(Part):
    """The lag of the generator's event loop, in milliseconds."""

    p50: Number | None = None
    p99: Number | None = None
    max: Number | None = None


class Generator(Part):
    """One process that made load."""

    worker: int
    pid: int | None = None
    cpu_share: Number | None = None
    loop_lag_ms: Lag = Lag()
    scheduled: Count | None = None
    started: Count | None = None
    lost_attempts: Count | None = None
    """Attempts that it made and could not write."""
    lost_probes: Count | None = None
    why_lost: str | None = None
    without_session: Count | None = None
    """Users of this process that never had a session."""
    why_no_session: str | None = None


class Pacing(Part):
    """The schedule of an open loop."""

    rate: Number | None = None
    late: Count | None = None
    scheduled: Count | None = None


class Invariant(Part):
    """A promise of the database that must hold after the run, and its check."""

    target: str | None = None
    key_type: str | None = None
    what: str = "invariant"
    expected: str | None = None
    found: str | None = None
    negative: Count | None = None
    holds: bool | None = None
    why: str | None = None


class Machine(Part):
    """The machine that made the load."""

    cpus: Count | None = None
    model: str | None = None
    memory_gb: Number | None = None
    system: str | None = None


class CpuSeconds(Part):
    """Seconds of processor time that a simulation took."""

    simulating: Seconds
    writing: Seconds


class Simulation(Part):
    """The size of a simulation, warm-up included."""

    transactions: Count
    attempts: Count
    cpu_s: CpuSeconds


class Run(File):
    """A run as `run.json` describes it; what is absent there is None or empty here."""

    simulated: bool = False
    """Whether the attempts were computed (`occbench simulate`) and no database was there."""
    label: str = ""
    config: Config = Config()
    targets: Many[Target] = ()
    versions: dict[str, str] = Field(default_factory=dict)
    machine: Machine = Machine()
    accounts: Count | None = None
    key_seed: int | None = None
    tables: Many[str] = ()
    """The names of the tables that attempts' rows lie in, in the order of their numbers there."""
    started_ns: Moment | None = None
    measured_from_ns: Moment | None = None
    measured_until_ns: Moment | None = None
    ended_ns: Moment | None = None
    interrupted: bool = False
    held_back_s: dict[str, Seconds] = Field(default_factory=dict)
    """Target → by how much its limit of new connections made ramp-up and warm-up longer."""
    generators: Many[Generator] = ()
    files: dict[str, Count] | None = None
    """The files of `attempts/` that were written, with their rows; None of a run that did not end."""
    pacing: Pacing = Pacing()
    invariant: Many[Invariant] = ()
    simulation: Simulation | None = None
    sum_q_squared: dict[str, Number | None] = Field(default_factory=dict)
    """Operation → Σ q², for operations whose access law is not `config.skew`'s."""

    @model_validator(mode="after")
    def _in_order(self) -> "Run":
        begin, end = self.measured_from_ns, self.measured_until_ns
        if begin is not None and end is not None and end < begin:
            raise ValueError("measured_until_ns lies before measured_from_ns")
        return self

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The options as `run.json` has them; those that it does not have are absent."""
        return self.config.model_dump(mode="json")

    @property
    def size(self) -> int | None:
        """The number of accounts in each table."""
        return self.accounts if self.accounts is not None else self.config.accounts

    @property
    def planned_end_ns(self) -> int | None:
        """The moment when measuring should have ended; later starts are not measured."""
        if self.measured_from_ns is None or self.config.duration is None:
            return None
        return self.measured_from_ns + round(self.config.duration * 1e9)

    @property
    def open_loop(self) -> bool:
        """Whether transactions started by a schedule instead of after one another."""
        return self.config.rate is not None


def write_run(folder: Path, run: Run) -> None:
    """Write `run.json`, whole or not at all; raises OSError."""
    run.write(folder / RUN_FILE, sparse=True)


def read_run(folder: Path) -> Run:
    """Read `run.json` of a result folder; raises InputError that says what is wrong with it."""
    if not folder.is_dir():
        raise InputError(
            f"{folder} is not a folder; give a run's folder, such as results/<time>-<label>"
        )
    path = folder / RUN_FILE
    if not path.is_file():
        raise InputError(f"{folder} is not a run's folder: it has no {RUN_FILE}")
    return read_file(Run, path, "a run", "restore it from the run")
