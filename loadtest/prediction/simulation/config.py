"""The options of a simulation, most of them those of a run."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from pydantic import ValidationInfo, field_validator, model_validator

from loadtest.config.assignment import assign
from loadtest.config.fields import Duration, Keys, Options, TextPath, naming, option
from loadtest.config.run import (
    BLOCK,
    DURATION,
    KEYS,
    LABEL,
    MAX_ATTEMPTS,
    OUT,
    RATE,
    RETRY,
    RETRY_BASE_MS,
    RETRY_CAP_MS,
    SEED,
    SKEW,
    THINK_TIME,
    WARMUP,
)
from loadtest.errors import InputError
from loadtest.errors.messages import quoted
from loadtest.errors.typed import number_of, words_of
from loadtest.prediction.simulation.regions import (
    MAJORITY,
    WeightedRegion,
    parse_regions,
    parse_round_trips,
    trips_to_decision,
)
from loadtest.workload.blocks import blocks_for
from loadtest.workload.key_type import KeyType
from loadtest.workload.retry import RetryPolicy

if TYPE_CHECKING:
    from loadtest.workload.access import AccessLaw

STATEMENTS = 3
"""What a transfer sends before COMMIT, each answered before the next: BEGIN, debit, credit."""

_USERS = 32
_MOST_USERS = 1_000_000
_LEAST_RATE = 0.001
"""More seldom starts would lie beyond what 64 bits hold of nanoseconds."""
_ROOM = 2.0
"""How many times as many users an open loop gets as its slowest Region keeps busy."""


class SimulateConfig(Options):
    """One simulated run, checked and unchangeable."""

    keys: Keys = KEYS
    users: int | None = option(
        None, "Users at the same time; in an open loop, at most so many.", example="32",
        shown="32; in an open loop enough for the rate", ge=1, le=_MOST_USERS,
    )  # fmt: skip
    duration: Duration = DURATION
    warmup: Duration = WARMUP
    rate: float | None = RATE
    arrivals: str = option(
        "even", "How transactions of an open loop arrive: even (as in a run) or random (a Poisson "
        "process).", example="random",
    )  # fmt: skip
    think_time: Duration = THINK_TIME
    accounts: int = option(
        1_000_000, "Accounts of each key type; fewer accounts, more contention.", example="1000",
        ge=2, le=10_000_000_000,
    )  # fmt: skip
    skew: str = SKEW
    retry: str = RETRY
    max_attempts: int = MAX_ATTEMPTS
    retry_base_ms: float = RETRY_BASE_MS
    retry_cap_ms: float = RETRY_CAP_MS
    statement_ms: float = option(
        1.0, "Mean time of one of the statements before COMMIT (BEGIN, debit, credit), as a client "
        "sees it.", example="1", gt=0, le=600_000,
    )  # fmt: skip
    commit_ms: float = option(
        2.0, "Mean time of COMMIT without the way to other Regions.", example="2", gt=0, le=600_000
    )
    spread: float = option(
        0.25, "How much these times vary: their standard deviation as a share of the mean "
        "(log-normal).", example="0.25", ge=0, le=3,
    )  # fmt: skip
    regions: str = option(
        "local", "Regions through which users write to the one database, with weights if they have "
        "different numbers of users.", example="east:2,west",
    )  # fmt: skip
    round_trips: str = option(
        "", "Milliseconds there and back between each two Regions.", example="east/west=62",
        shown="none is needed with one Region",
    )  # fmt: skip
    decided_in: str = option(
        MAJORITY, "Where a commit is decided: when a majority of the Regions has heard of it, or in "
        "the Region that is named; COMMIT takes the round trip there longer.", example="east",
    )  # fmt: skip
    trip_spread: float = option(
        0.02, "The same as --spread, for round trips between Regions.", example="0.02", ge=0, le=3
    )
    snapshot_at: float = option(
        0.5, "When within its first statement an attempt's snapshot is taken: 0 as it is sent, 1 as "
        "it is answered.", example="0.5", ge=0, le=1,
    )  # fmt: skip
    decided_at: float = option(
        0.5, "When within COMMIT it is decided: 0 as it is sent, 1 as it is answered.",
        example="0.5", ge=0, le=1,
    )  # fmt: skip
    slower: str = option(
        "", "Key types whose statements and COMMIT take longer: how many times as long.",
        example="uuid=1.05", shown="none",
    )  # fmt: skip
    block: Duration = BLOCK
    seed: int = SEED
    out: TextPath = OUT
    label: str = LABEL

    @field_validator("regions", "round_trips", "slower")
    @classmethod
    def _can_be_read(cls, value: str, info: ValidationInfo) -> str:
        name = str(info.field_name)
        naming("--" + name.replace("_", "-"), _READERS[name], value)
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.rate is not None and self.rate < _LEAST_RATE:
            raise ValueError(f"--rate is at least {_LEAST_RATE:g} in a simulation")
        names = [region.name for region in self.region_list()]
        trips = parse_round_trips(self.round_trips)
        try:
            trips_to_decision(names, trips, self.decided_in)
        except InputError as error:
            flag = "--decided-in" if "decides no commits" in str(error) else "--round-trips"
            raise InputError(f"{flag}: {error}") from None
        if self.arrivals == "random" and self.rate is None:
            raise ValueError("--arrivals random is of an open loop and needs a --rate")
        for key in _parse_slower(self.slower):
            if key not in self.keys:
                raise ValueError(f"--slower names {key}, which --keys does not")
        left_out = set(range(len(names))) - set(self.assignment())
        if left_out:
            raise ValueError(
                f"--users {self.user_count()} leaves no user for Region {names[min(left_out)]}; ask "
                "for more users or a larger weight"
            )
        return self

    def region_list(self) -> list[WeightedRegion]:
        """Return the Regions, in the order in which they were named."""
        return parse_regions(self.regions)

    def decision_trips_ms(self) -> list[float]:
        """Return what COMMIT takes longer for the way to its decision, in milliseconds by Region."""
        names = [region.name for region in self.region_list()]
        return trips_to_decision(names, parse_round_trips(self.round_trips), self.decided_in)

    def slowdowns(self) -> list[float]:
        """Return for each key type how many times as long everything takes."""
        slower = _parse_slower(self.slower)
        return [slower.get(key, 1.0) for key in self.keys]

    def attempts_ms(self) -> list[float]:
        """Return the mean time of an attempt of the slowest key type, for each Region."""
        own = max(self.slowdowns()) * (STATEMENTS * self.statement_ms + self.commit_ms)
        return [own + trip for trip in self.decision_trips_ms()]

    def user_count(self) -> int:
        """Return how many users there are: as given, or as an open loop needs.

        Every Region has its share of users, so the slowest one says how many are needed.
        """
        if self.users is not None:
            return self.users
        if self.rate is None:
            return _USERS
        busy = self.rate * max(self.attempts_ms()) / 1000
        regions = len(self.region_list())
        # The same for each of several Regions, unless they have weights.
        needed = math.ceil((_USERS + _ROOM * busy) / regions) * regions
        return min(_MOST_USERS, needed)

    def assignment(self) -> list[int]:
        """Return each user's Region, as an index into `region_list()`."""
        return assign(self.user_count(), [region.weight for region in self.region_list()])

    def law(self) -> "AccessLaw":
        """Return the access law."""
        from loadtest.workload.access import parse_access

        return parse_access(self.skew, self.accounts)

    def measured_ns(self) -> tuple[int, int]:
        """Return the measured time, in nanoseconds since the simulation began: from, until."""
        begin = round(self.warmup * 1e9)
        return begin, begin + max(1, round(self.duration * 1e9))

    def block_s(self) -> float:
        """Return the length of a block: the one nearest to `block` that fills the measured time."""
        return blocks_for(self.duration, self.block, len(self.keys))

    def retry_policy(self) -> RetryPolicy:
        """Return the policy that `retry`, its times and `max_attempts` describe."""
        return RetryPolicy(
            self.retry, self.retry_base_ms / 1000, self.retry_cap_ms / 1000, self.max_attempts
        )


def _parse_slower(text: str) -> dict[KeyType, float]:
    """Read `uuid=1.05,uuid7=1.01`."""
    slower: dict[KeyType, float] = {}
    for part in words_of(text):
        name, _, factor = part.partition("=")
        times = number_of(factor) or 0.0
        if name not in set(KeyType) or not 0 < times <= 1000:
            raise InputError(
                f"{quoted(part)} is not a key type and how many times as long it takes, as in uuid=1.05"
            )
        slower[KeyType(name)] = times
    return slower


_READERS: dict[str, Callable[[str], object]] = {
    "regions": parse_regions, "round_trips": parse_round_trips, "slower": _parse_slower,
}  # fmt: skip
