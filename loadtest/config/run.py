"""What a run is: every option, declared once.

The command line (`options.py`), Locust's arguments, its web form and the defaults are derived from the
fields of these models; nothing else declares an option.
"""

from pathlib import Path
from typing import Self

from pydantic import field_validator, model_validator

from loadtest.config.assignment import assign
from loadtest.config.fields import Duration, Keys, Options, Targets, TextPath, naming, option
from loadtest.errors import InputError
from loadtest.errors.messages import quoted
from loadtest.record.pricing import DPU_PRICE
from loadtest.targets import TargetSpec, parse_target
from loadtest.workload.builtin import SCENARIOS
from loadtest.workload.key_type import KeyType
from loadtest.workload.retry import POLICIES, RetryPolicy

TARGET = option(
    ("embedded",),
    "Where to run: [NAME=]URL; once for each endpoint, users are spread over them (`?weight=3` for "
    "three times the users). `embedded` is the database that comes with the tool, "
    "`embedded://locking` the same with row locks; `occbench list targets` lists the others.",
    example="embedded",
    shown="embedded",
)
SSLROOTCERT = option(
    None,
    "File of the certificate authorities to trust, for targets that verify the server's "
    "certificate and do not name one in their URL.",
    example="ca.pem", shown="those of the system", in_form=False,
)  # fmt: skip
SCENARIO = option(
    "transfer", f"The workload: {', '.join(SCENARIOS)}.", example="transfer", choices=tuple(SCENARIOS)
)


# What more than one command takes is declared here; the models below say which command takes it.

KEYS = option(
    (KeyType.INT, KeyType.UUID),
    f"Key types to measure, of {', '.join(KeyType)}. Several are measured in turn, in paired "
    "blocks of a few seconds, and compared.",
    example="int,uuid",
    shown="int,uuid",
)
USERS = option(
    32, "Users at the same time, each on a connection of its own.", example="32",
    own_by_locust=True, ge=1, le=100_000,
)  # fmt: skip
DURATION = option(
    60.0, "How long to measure, after the warm-up: 90s, 5m, 1h.", example="60s", shown="60s",
    own_by_locust=True, gt=0, le=604_800,
)  # fmt: skip
WARMUP = option(
    5.0, "What to cut off at the start, once every user is there.", example="5s", shown="5s",
    ge=0, le=86_400,
)  # fmt: skip
RATE = option(
    None,
    "Open loop: start this many transactions a second, whatever the database does; latency "
    "counts from the intended start. Without it each user waits for its answer (closed loop).",
    example="500", shown="closed loop", gt=0, le=1_000_000,
)  # fmt: skip
THINK_TIME = option(
    0.0, "Pause of a user between two transactions (closed loop).", example="50ms",
    shown="none", ge=0, le=3600,
)  # fmt: skip
SKEW = option(
    "uniform",
    "Which accounts are popular: uniform, zipf:THETA, or hotspot:ACCESSES/ACCOUNTS "
    "(hotspot:0.9/0.1: nine tenths of the accesses go to a tenth of the accounts).",
    example="zipf:1.1",
)
RETRY = option(
    "full-jitter", f"What a conflict leads to: {', '.join(POLICIES)}.", example="full-jitter",
    choices=tuple(POLICIES),
)  # fmt: skip
MAX_ATTEMPTS = option(10, "Give a transaction up after so many attempts; 0: never.", example="10", ge=0)
RETRY_BASE_MS = option(5.0, "The policies' base wait, in milliseconds.", example="5", ge=0, le=600_000)
RETRY_CAP_MS = option(1000.0, "The longest wait, in milliseconds.", example="1000", ge=0, le=600_000)
BLOCK = option(
    2.0, "Length of a block of one key type, where several are compared.", example="2s",
    shown="2s", ge=0.05, le=3600,
)  # fmt: skip
SEED = option(
    1, "Everything random comes from it: which accounts, which amounts, which waits.",
    example="1", ge=0, lt=2**63,
)  # fmt: skip
OUT = option(Path("results"), "Where the run's folder is made.", example="results", in_form=False)
LABEL = option(
    "", "A word for the run, part of its folder's name.", example="before-index",
    shown="scenario and keys", pattern=r"^[A-Za-z0-9._-]{0,80}$",
)  # fmt: skip


class RunConfig(Options):
    """One run, checked and unchangeable."""

    target: Targets = TARGET
    scenario: str = SCENARIO
    keys: Keys = KEYS
    users: int = USERS
    duration: Duration | None = DURATION
    warmup: Duration = WARMUP
    rate: float | None = RATE
    think_time: Duration = THINK_TIME
    accounts: int | None = option(
        None, "Use only the first N accounts; fewer accounts, more contention.", example="1000",
        shown="all that are seeded", ge=2,
    )  # fmt: skip
    skew: str = SKEW
    retry: str = RETRY
    max_attempts: int = MAX_ATTEMPTS
    retry_base_ms: float = RETRY_BASE_MS
    retry_cap_ms: float = RETRY_CAP_MS
    block: Duration = BLOCK
    consistency: Duration | None = option(
        None,
        "For several endpoints of one database: how often to commit a value through one of them and "
        "to see that the next transaction through another one reads it.",
        example="250ms", shown="never", ge=0.01, le=3600,
    )  # fmt: skip
    seed: int = SEED
    spawn_rate: float | None = option(
        None, "Users started a second.", example="50", shown="all at once", own_by_locust=True,
        gt=0,
    )  # fmt: skip
    processes: int = option(
        1, "Processes that generate load; one fills a core.", example="2", own_by_locust=True,
        ge=1, le=1024,
    )  # fmt: skip
    keys_from: TextPath | None = option(
        None, "The file of keys that the table was seeded from, one a line.",
        example="uuids.txt", shown="keys are computed", in_form=False,
    )  # fmt: skip
    sslrootcert: TextPath | None = SSLROOTCERT
    dpu_price: float = option(
        DPU_PRICE, "USD a million DPU, for the cost of a run on Aurora DSQL.", example="8",
        in_form=False, ge=0, le=1_000_000,
    )  # fmt: skip
    out: TextPath = OUT
    label: str = LABEL

    @field_validator("target")
    @classmethod
    def _targets_are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("at least one target is needed, for example embedded")
        names = []
        for number, text in enumerate(value, 1):
            # What cannot be read is not shown: where there are several it is told which one it is.
            which = f" ({number} of {len(value)})" if len(value) > 1 else ""
            names.append(naming(f"--target{which}", parse_target, text).name)
        if len(set(names)) != len(names):
            raise InputError(
                f"--target: two are both called {quoted(max(names, key=names.count))}; "
                "name them, as in --target east=URL --target west=URL"
            )
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.consistency is not None and len(self.target) < 2:
            raise ValueError(
                "--consistency compares endpoints of one database that speak SQL, and needs at least "
                "two such targets; name another with --target, or leave it out"
            )
        if self.users < len(self.target):
            raise ValueError(f"--users {self.users} is fewer than the {len(self.target)} targets")
        used = set(self.assignment())
        for number, spec in enumerate(self.specs()):
            if number not in used:
                raise ValueError(
                    f"--users {self.users} leaves no user for target {spec.name} with its "
                    f"weight={spec.weight:g}; ask for more users or a larger weight"
                )
        if self.processes > self.users:
            raise ValueError(f"--processes {self.processes} is more than --users {self.users}")
        return self

    def specs(self) -> list[TargetSpec]:
        """The targets, taken apart."""
        return [parse_target(text, _text(self.sslrootcert)) for text in self.target]

    def assignment(self) -> list[int]:
        """Which target each user works on, as an index into `target`."""
        return assign(self.users, [spec.weight for spec in self.specs()])

    def retry_policy(self) -> RetryPolicy:
        """The policy that `retry`, its times and `max_attempts` describe."""
        return RetryPolicy(
            self.retry, self.retry_base_ms / 1000, self.retry_cap_ms / 1000, self.max_attempts
        )


class SeedConfig(Options):
    """One loading of accounts, checked and unchangeable."""

    target: str = option("embedded", "Where to load: [NAME=]URL.", example="embedded", shown="embedded")
    scenario: str = SCENARIO
    keys: Keys = option(
        (KeyType.INT, KeyType.UUID), f"Key types to load, of {', '.join(KeyType)}.",
        example="uuid,int", shown="int,uuid",
    )  # fmt: skip
    accounts: int | None = option(
        None, "Accounts in each table.", example="1000000",
        shown="1000000, or as many as --keys-from holds", ge=2, le=10_000_000_000,
    )  # fmt: skip
    workers: int = option(4, "Connections that load at the same time.", example="4", ge=1, le=512)
    batch: int = option(1000, "Rows a transaction.", example="1000", ge=1, le=2900)
    balance: int = option(10_000, "What every account starts with.", example="10000", ge=0, le=10**18)
    seed: int = option(1, "UUID keys are computed from it.", example="1", ge=0, lt=2**63)
    recreate: bool = option(False, "Replace tables that hold something else.", shown="no")
    force: bool = option(False, "Replace or extend tables even while a run uses them.", shown="no")
    export_keys: TextPath | None = option(
        None, "Also write the keys to this file, one a line.", example="uuids.txt", shown="no"
    )
    keys_from: TextPath | None = option(
        None, "Load the keys of this file, one a line, instead of computed ones.",
        example="uuids.txt", shown="keys are computed",
    )  # fmt: skip

    sslrootcert: TextPath | None = SSLROOTCERT

    @field_validator("target")
    @classmethod
    def _target_is_known(cls, value: str) -> str:
        naming("--target", parse_target, value)
        return value

    @model_validator(mode="after")
    def _export_is_of_one_key_type(self) -> Self:
        if self.export_keys is not None and self.keys_from is not None:
            raise ValueError("--export-keys writes computed keys and cannot go with --keys-from")
        if self.export_keys is not None and len(self.keys) != 1:
            raise ValueError("--export-keys needs exactly one key type in --keys")
        return self

    def spec(self) -> TargetSpec:
        """The target, taken apart."""
        return parse_target(self.target, _text(self.sslrootcert))


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
