"""Backoff policies: how long to wait before the next attempt.

Each is a pure function of the attempt that failed (from 1), the wait before it, and a random number;
the formulas of the jittered ones are those of "Exponential Backoff And Jitter" (M. Brooker, AWS
Architecture Blog, 2015).
"""

from collections.abc import Callable
from dataclasses import dataclass

from loadtest.errors import InputError

Backoff = Callable[[int, float, float, float, float], float]
"""(attempt, previous wait, base, cap, random number in [0, 1)) → wait; times in one unit."""


# No formula calls another one: the simulation compiles each of them by itself.


def _immediate(_attempt: int, _previous: float, _base: float, _cap: float, _u: float) -> float:
    return 0.0


def _fixed(_attempt: int, _previous: float, base: float, cap: float, _u: float) -> float:
    return min(base, cap)


def _exponential(attempt: int, _previous: float, base: float, cap: float, _u: float) -> float:
    # The exponent is bounded because attempts may go on without end, and 2.0**1024 overflows.
    return min(cap, base * 2.0 ** min(attempt - 1, 64))


def _full_jitter(attempt: int, _previous: float, base: float, cap: float, u: float) -> float:
    return u * min(cap, base * 2.0 ** min(attempt - 1, 64))


def _decorrelated(_attempt: int, previous: float, base: float, cap: float, u: float) -> float:
    return min(cap, base + u * (max(previous, base) * 3.0 - base))


POLICIES: dict[str, tuple[Backoff | None, str]] = {
    "none": (None, "give up at the first conflict"),
    "immediate": (_immediate, "again at once"),
    "fixed": (_fixed, "the base, every time"),
    "exponential": (_exponential, "base · 2^(n−1) after the n-th attempt, up to the cap"),
    "full-jitter": (_full_jitter, "evenly between 0 and the exponential wait"),
    "decorrelated-jitter": (_decorrelated, "evenly between base and 3 × the last wait, up to the cap"),
}  # fmt: skip
"""Name → (backoff, what it does)."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The waits between attempts, in seconds, and their number; `max_attempts` 0 for without end."""

    name: str
    base_s: float
    cap_s: float
    max_attempts: int

    def __post_init__(self) -> None:
        if self.name not in POLICIES:
            raise InputError(f"no retry policy {self.name!r}; there is {', '.join(POLICIES)}")

    def wait_after(self, attempt: int, previous_s: float, u: float) -> float | None:
        """Seconds to wait after this attempt (from 1) failed, or None to give up.

        `previous_s` is the wait before the attempt, `u` a random number in [0, 1).
        """
        backoff = POLICIES[self.name][0]
        if backoff is None or attempt == self.max_attempts:
            return None
        return backoff(attempt, previous_s, self.base_s, self.cap_s, u)
