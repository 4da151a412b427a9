"""`run.json`: what a run was, read and checked."""

import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from loadtest.errors import InputError
from loadtest.errors.messages import quoted
from loadtest.record.files import read_json

FORMAT = 1
MOST_NS = 1 << 62
"""A moment in the year 2116: so far the sum of two fits 64 bits."""

_UNITS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def _seconds(value: Any) -> Any:
    """Accept `5`, `"5"`, `"5s"`, `"2m"`, `"PT5S"`; leave what is none of these to the validator."""
    if isinstance(value, str):
        match = re.fullmatch(r"(?:PT)?([\d.]+)\s*(ms|s|m|min|h)?", value.strip(), re.IGNORECASE)
        if match:
            return float(match[1]) * _UNITS[(match[2] or "s").lower()]
    return value


def _names(value: Any) -> Any:
    """Accept `"int,uuid"` for a list of names."""
    return tuple(value.split(",")) if isinstance(value, str) else value


Seconds = Annotated[float, BeforeValidator(_seconds), Field(ge=0, le=1e9)]
Number = Annotated[float, Field(ge=-1e15, le=1e15)]
Count = Annotated[int, Field(ge=0, le=10**15)]
Moment = Annotated[int, Field(ge=0, le=MOST_NS)]
"""Nanoseconds since 1970."""
Names = Annotated[tuple[str, ...], BeforeValidator(_names)]


class _Lenient(BaseModel):
    """Keys that this version does not know are fine."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Config(_Lenient):
    """The parts of RunConfig that figures depend on."""

    scenario: str = "transfer"
    keys: Names = ()
    users: Count | None = None
    duration: Seconds | None = None
    warmup: Seconds | None = None
    block: Seconds | None = None
    rate: Number | None = None
    think_time: Seconds | None = None
    skew: str = "uniform"
    accounts: Count | None = None
    retry: str | None = None
    max_attempts: Count = 0
    seed: int = 0
    processes: Count | None = None
    dpu_price: Number | None = None
    consistency: Seconds | None = None


class Target(_Lenient):
    """One database endpoint."""

    name: str
    url: str | None = None
    family: str | None = None
    place: str | None = None
    data: str | None = None
    """The same for targets that hold the same data; None where nobody can say."""
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
    libpq_variables: tuple[str, ...] | None = None
    """The names of libpq's environment variables that were set for its connections."""

    @property
    def decides_after_s(self) -> float:
        """Seconds that COMMIT takes at least before it is decided, 0 where nobody knows.

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
        """What its URL names first, a host as a rule, after which it is called unless named."""
        try:
            return urlsplit(self.url or "").hostname
        except ValueError:
            return None

    @property
    def is_stand_in(self) -> bool:
        """Whether it is Amazon's DynamoDB for trying out: no service, and nobody sends a bill."""
        return self.version == "DynamoDB Local"


class Lag(_Lenient):
    """How late the generator's event loop ran, in milliseconds."""

    p50: Number | None = None
    p99: Number | None = None
    max: Number | None = None


class Generator(_Lenient):
    """One process that made load."""

    worker: int | str | None = None
    pid: int | None = None
    cpu_share: Number | None = None
    loop_lag_ms: Lag = Lag()
    scheduled: Count | None = None
    started: Count | None = None
    lost_attempts: Count | None = None
    without_session: Count | None = None
    """Users of this process that never had a session."""
    why_no_session: str | None = None


class Pacing(_Lenient):
    """How the schedule of an open loop was kept."""

    rate: Number | None = None
    late: Count | None = None
    scheduled: Count | None = None


class Invariant(_Lenient):
    """What must hold after the run whatever happened during it."""

    target: str | None = None
    key_type: str | None = None
    what: str = "invariant"
    expected: str | None = None
    found: str | None = None
    negative: Count | None = None
    holds: bool | None = None
    why: str | None = None


class Run(_Lenient):
    """A run as `run.json` describes it; what is absent there is None or empty here."""

    format: int
    label: str = ""
    config: Config = Config()
    targets: tuple[Target, ...] = ()
    versions: dict[str, Any] = Field(default_factory=dict)
    machine: dict[str, Any] = Field(default_factory=dict)
    accounts: Count | None = None
    started_ns: Moment | None = None
    measured_from_ns: Moment | None = None
    measured_until_ns: Moment | None = None
    ended_ns: Moment | None = None
    interrupted: bool = False
    simulated: bool = False
    """Whether the attempts were computed (`occbench simulate`) and no database was there."""
    generators: tuple[Generator, ...] = ()
    pacing: Pacing = Pacing()
    invariant: tuple[Invariant, ...] = ()
    sum_q_squared: dict[str, Number | None] = Field(default_factory=dict)
    files: dict[str, Count] | None = None
    """The files of `attempts/` that were written, with their rows; None of a run that did not end."""
    settings: dict[str, Any] = Field(default_factory=dict, exclude=True)

    @model_validator(mode="after")
    def _in_order(self) -> "Run":
        begin, end = self.measured_from_ns, self.measured_until_ns
        if begin is not None and end is not None and end < begin:
            raise ValueError("measured_until_ns lies before measured_from_ns")
        return self

    @property
    def size(self) -> int | None:
        """How many accounts the tables held."""
        return self.accounts if self.accounts is not None else self.config.accounts

    @property
    def planned_end_ns(self) -> int | None:
        """When measuring should have ended; what started later is run-out, not measured."""
        if self.measured_from_ns is None or self.config.duration is None:
            return None
        return self.measured_from_ns + round(self.config.duration * 1e9)

    @property
    def open_loop(self) -> bool:
        """Whether transactions started by a schedule instead of after one another."""
        return self.config.rate is not None


def read_run(folder: Path) -> Run:
    """Read `run.json` of a result folder; raises InputError that says what is wrong with it."""
    if not folder.is_dir():
        raise InputError(
            f"{folder} is not a folder; give a run's folder, such as results/<time>-<label>"
        )
    path = folder / "run.json"
    if not path.is_file():
        raise InputError(f"{folder} is not a run's folder: it has no run.json")
    data = read_json(path, "restore it from the run")
    if not isinstance(data, dict) or "format" not in data:
        raise InputError(f'{path} does not describe a run: it has no "format" key')
    if data["format"] != FORMAT:
        raise InputError(
            f"{path} has format {quoted(data['format'])}, this version reads format {FORMAT}; "
            "use the version of occbench that wrote it"
        )
    # A key with null says the same as a key left out.
    present = {key: value for key, value in data.items() if value is not None}
    present["settings"] = present.get("config") or {}
    if isinstance(present.get("config"), dict):
        present["config"] = {k: v for k, v in present["config"].items() if v is not None}
    try:
        return Run.model_validate(present)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: {where}: {first['msg'].lower()}") from error
