"""The options of `occbench predict`, and the workload that they mean."""

import math
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BeforeValidator, field_validator, model_validator

from loadtest.config.fields import Duration, Options, naming, option
from loadtest.config.run import MAX_ATTEMPTS, RETRY_BASE_MS, RETRY_CAP_MS, SKEW, THINK_TIME
from loadtest.errors import InputError
from loadtest.errors.typed import listed
from loadtest.workload.key_type import KeyType
from loadtest.workload.retry import POLICIES, RetryPolicy

if TYPE_CHECKING:
    from loadtest.prediction.workload import Workload

WIDEST_SPREAD = 1.0
"""Windows that vary more are not what a gamma distribution with their mean and spread describes."""


class PredictConfig(Options):
    """One question to the model, checked and unchangeable; what is None is left open."""

    accounts: int | None = option(
        None, "Accounts that are used.", example="1000", shown="the run's, with --from", ge=2,
        le=10_000_000_000,
    )  # fmt: skip
    rate: float | None = option(
        None, "Transfers a second: started ones in the table of retry policies, committed ones in the "
        "closed formula above it.", example="909", shown="none: users in a closed loop", ge=0, le=1e9,
    )  # fmt: skip
    arrivals: str | None = option(
        None, "How transactions of a --rate arrive: random (independent callers), or even (the "
        "schedule of occbench run).", example="even", shown="random; with --from even",
    )  # fmt: skip
    users: int | None = option(
        None, "Users at the same time, each of whom waits for its answer; with --rate, how many "
        "transactions can be under way at once.", example="64", shown="none", ge=1, le=10_000_000,
    )  # fmt: skip
    think_time: Duration | None = option(
        None, THINK_TIME.description, example="50ms", shown="none", ge=0, le=3600
    )
    latency_ms: float | None = option(
        None, "A transaction's window in milliseconds: snapshot to commit.", example="20.12",
        shown="as in the run, with --from", ge=0, le=3_600_000,
    )  # fmt: skip
    attempt_ms: float | None = option(
        None, "A whole attempt in milliseconds, as the client sees it; at least --latency-ms.",
        example="22", shown="--latency-ms", ge=0, le=3_600_000,
    )  # fmt: skip
    spread: float | None = option(
        None, "How much the windows vary: their standard deviation as a share of their mean.",
        example="0.25", shown="0.25", ge=0, le=WIDEST_SPREAD,
    )  # fmt: skip
    skew: str | None = option(None, SKEW.description, example="zipf:1.1", shown="uniform")
    retry: Annotated[tuple[str, ...], BeforeValidator(listed)] = option(
        tuple(POLICIES), f"Policies to compare, of {', '.join(POLICIES)}.",
        example="immediate,full-jitter", shown="all",
    )  # fmt: skip
    max_attempts: int = MAX_ATTEMPTS
    retry_base_ms: float = RETRY_BASE_MS
    retry_cap_ms: float = RETRY_CAP_MS
    commit_delay_ms: Annotated[tuple[float, ...], BeforeValidator(listed)] = option(
        (), "The way of a COMMIT to other Regions and back, in milliseconds, one for each Region that "
        "users write through; before the decision, and in place of the delay that a run's targets had.",
        example="12,35", shown="none",
    )  # fmt: skip
    keys: Annotated[tuple[KeyType, ...], BeforeValidator(listed)] = option(
        (), f"With --from: the key types to predict for, of {', '.join(KeyType)}.", example="int",
        shown="those of the run",
    )  # fmt: skip

    @field_validator("retry")
    @classmethod
    def _policy_is_known(cls, value: Any) -> Any:
        if not value:
            raise InputError("--retry: at least one policy is needed")
        for name in value:
            naming("--retry", lambda name: RetryPolicy(name, 0, 0, 1), name)
        return tuple(dict.fromkeys(value))

    @field_validator("keys")
    @classmethod
    def _keys_are_different(cls, value: tuple[KeyType, ...]) -> tuple[KeyType, ...]:
        return tuple(dict.fromkeys(value))

    @field_validator("commit_delay_ms")
    @classmethod
    def _delays_are_times(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 <= delay <= 600_000 for delay in value):
            raise ValueError("delays are milliseconds from 0 to 600000, with commas between")
        return value

    @model_validator(mode="after")
    def _attempt_holds_its_window(self) -> Self:
        if (self.attempt_ms or math.inf) < (self.latency_ms or 0.0):
            raise ValueError(
                f"--attempt-ms ({self.attempt_ms:g}) is less than the window in it, --latency-ms "
                f"({self.latency_ms:g})"
            )
        if self.arrivals is not None and self.users is not None and self.rate is None:
            raise ValueError("--arrivals is of an open loop and needs a --rate")
        return self

    def policies(self, own: RetryPolicy | None = None) -> dict[str, RetryPolicy]:
        """Return the policies to compare; what is not given here is as in `own`."""
        given = self.model_fields_set
        base_s, cap_s = self.retry_base_ms / 1000, self.retry_cap_ms / 1000
        attempts = self.max_attempts
        if own is not None:
            base_s = base_s if "retry_base_ms" in given else own.base_s
            cap_s = cap_s if "retry_cap_ms" in given else own.cap_s
            attempts = attempts if "max_attempts" in given else own.max_attempts
        return {name: RetryPolicy(name, base_s, max(base_s, cap_s), attempts) for name in self.retry}

    def workload(self, retry: RetryPolicy) -> "Workload":
        """Return the workload where no run is given; raises InputError for what is missing."""
        from loadtest.prediction.workload import Region, Workload, with_delays
        from loadtest.workload.access import parse_access

        for name in ("accounts", "latency_ms"):
            if getattr(self, name) is None:
                flag = "--" + name.replace("_", "-")
                raise InputError(f"{flag} is needed where there is no run to start from (--from RUN)")
        if self.rate is None and self.users is None:
            raise InputError("--rate or --users is needed where there is no run to start from")
        if self.keys:
            raise InputError("--keys chooses among the key types of a run and needs --from RUN")
        window_s = (self.latency_ms or 0.0) / 1000
        attempt_s = window_s if self.attempt_ms is None else self.attempt_ms / 1000
        spread = 0.25 if self.spread is None else self.spread
        alone = Region("", window_s, window_s, attempt_s, spread)
        return Workload(
            law=parse_access(self.skew or "uniform", self.accounts or 0),
            regions=with_delays((alone,), self.commit_delay_ms),
            retry=retry,
            users=self.users,
            rate=self.rate,
            evenly=self.arrivals == "even",
            think_s=self.think_time or 0.0,
        )
