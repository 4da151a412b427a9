"""The clock of a run: monotonic, with one anchor to the wall clock, taken when the run begins.

A run is timed by `monotonic_ns()` alone: a wall clock may be set while a run goes on. Files get
nanoseconds since 1970, which are monotonic time plus the anchor.
"""

import uuid
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic_ns, time_ns
from typing import Any

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_LONGEST_WAY_NS = 60_000_000_000
"""No message between the processes of one machine is under way for longer."""
_CLOCKS_AGREE_NS = 2_000_000_000
"""Wall clocks of two machines that differ by more, with a message's way, are not both right."""


def _machine() -> str:
    """Return what processes that share a monotonic clock have in common: one machine, one boot."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return str(uuid.getnode())


@dataclass(frozen=True, slots=True)
class Clock:
    """Monotonic time ↔ nanoseconds since 1970; every process of a run has the same."""

    anchor_ns: int = field(default_factory=lambda: time_ns() - monotonic_ns())
    """Nanoseconds since 1970 at which `monotonic_ns()` was 0."""

    def now_ns(self) -> int:
        """Return nanoseconds since 1970, however the wall clock was set since the run began."""
        return monotonic_ns() + self.anchor_ns

    def to_message(self) -> dict[str, Any]:
        """Return the clock for another process of the run, to be received at once."""
        return {"anchor_ns": self.anchor_ns, "sent_ns": monotonic_ns(), "machine": _machine()}

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> "Clock":
        """Return the sender's clock, as seen from this process.

        On the sender's machine it is exactly that. On another, the wall clocks relate the monotonic
        ones, as far as they agree; where they do not, the moment of the message does, which errs by the
        time that it was under way.
        """
        now_ns = monotonic_ns()
        same = message["machine"] == _machine()
        if same and 0 <= now_ns - message["sent_ns"] < _LONGEST_WAY_NS:
            return cls(message["anchor_ns"])
        own, there_ns = cls(), message["anchor_ns"] + message["sent_ns"]
        if abs(own.now_ns() - there_ns) < _CLOCKS_AGREE_NS:
            return own
        return cls(there_ns - now_ns)
