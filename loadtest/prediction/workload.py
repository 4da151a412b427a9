"""The question of a forecast: transfers over an access law through one or several Regions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from loadtest.errors import InputError
from loadtest.workload.access import AccessLaw
from loadtest.workload.retry import RetryPolicy


@dataclass(frozen=True, slots=True)
class Interval:
    """A best value and the two ends of what it may be."""

    low: float
    best: float
    high: float

    def of(self, scale: float) -> "Interval":
        """Return the same in another unit."""
        return Interval(self.low * scale, self.best * scale, self.high * scale)


UNKNOWN_PLACEMENT = Interval(0.0, 0.5, 1.0)
"""The window may lie anywhere between its two ends."""


@dataclass(frozen=True, slots=True)
class Region:
    """An endpoint and what an attempt through it takes, in seconds, without any conflict.

    The window, from snapshot to decision, is not visible from outside: it is at least
    `window_low_s` and at most `window_high_s`.
    """

    name: str
    window_low_s: float
    window_high_s: float
    attempt_s: float
    """Mean time of an attempt, with the client's own before the next one."""
    window_spread: float = 0.0
    """Standard deviation of the windows over their mean."""
    share: float = 1.0
    """Of users or transactions, in proportion to the other Regions'."""
    between_s: float = 0.0
    """The client's own time between two transactions, beside any think time."""
    start_spread_s: float | None = None
    """Standard deviation of the time from a scheduled start to the snapshot; None where it is not
    known, and then it varies as the windows do."""

    def delayed(self, name: str, by_s: float) -> "Region":
        """Return the Region with a COMMIT that takes so much longer before its decision."""
        low = max(0.0, self.window_low_s + by_s)
        high = max(low, self.window_high_s + by_s)
        before = (self.window_low_s + self.window_high_s) / 2
        # A constant delay adds to the mean of the windows and nothing to their standard deviation.
        spread = self.window_spread * before / ((low + high) / 2) if low + high else 0.0
        return replace(
            self, name=name, window_low_s=low, window_high_s=high, window_spread=min(spread, 3.0),
            attempt_s=max(high, self.attempt_s + by_s),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Workload:
    """Transfers by users or by a rate."""

    law: AccessLaw
    regions: tuple[Region, ...]
    retry: RetryPolicy
    users: int | None = None
    """With `rate`: how many transactions can be under way at once; without it: a closed loop."""
    rate: float | None = None
    """Transactions started a second, on a schedule (open loop)."""
    evenly: bool = False
    """Whether the schedule of an open loop is evenly spaced, as in `occbench run`, or random."""
    think_s: float = 0.0
    placement: Interval = UNKNOWN_PLACEMENT
    """Where the window lies between its ends, 0 the shortest and 1 the longest."""

    def __post_init__(self) -> None:
        if self.users is None and self.rate is None:
            raise InputError("a forecast needs a number of users or a rate")
        if not self.regions:
            raise InputError("a forecast needs at least one Region")
        rest_s = self.think_s + min(region.attempt_s + region.between_s for region in self.regions)
        if self.rate is None and rest_s <= 0:
            raise InputError(
                "users who wait for their answers need a time above 0 for a transaction: give "
                "--latency-ms, --attempt-ms or --think-time"
            )


def with_delays(
    regions: tuple[Region, ...], delays_ms: Sequence[float], had_ms: Sequence[float] = ()
) -> tuple[Region, ...]:
    """Return the Regions with other commit delays, all of which pass before the decision.

    One delay is for all Regions; several are one for each, or make as many Regions of a single one.

    Args:
        regions: as they were measured.
        delays_ms: what is asked for; nothing changes where it is empty.
        had_ms: the delay that each Region's times contain already.
    """
    if not delays_ms:
        return regions
    had = list(had_ms) or [0.0] * len(regions)
    names = [region.name for region in regions]
    if len(regions) == 1 and len(delays_ms) > 1:
        regions, had = regions * len(delays_ms), had * len(delays_ms)
        names = [f"{delay:g} ms" for delay in delays_ms]
    if len(delays_ms) == 1:
        delays_ms = list(delays_ms) * len(regions)
    if len(delays_ms) != len(regions):
        raise InputError(
            f"--commit-delay-ms has {len(delays_ms)} values for {len(regions)} Regions "
            f"({', '.join(names)}); give one for each, or one for all"
        )
    return tuple(
        region.delayed(name, (delay - before) / 1000)
        for region, name, delay, before in zip(regions, names, delays_ms, had, strict=True)
    )
