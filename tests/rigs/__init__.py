"""Stand-ins for systems that are not on this machine, each as real as it can be had.

Every rig is a context manager that starts what it needs on 127.0.0.1, gives a `Rig`, and takes all
of it away again. `python -m tests.rigs NAME -- COMMAND…` runs a command with a rig beside it.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Rig:
    """A system to point the tool at."""

    target: str
    """What to give to `--target`."""
    environment: dict[str, str] = field(default_factory=dict)
    """Environment variables that a command needs to reach it."""
