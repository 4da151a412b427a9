"""How this program starts itself as another process."""

import sys
from pathlib import Path

_START = (
    "import sys; root = sys.argv.pop(1); root in sys.path or sys.path.insert(0, root); "
    "from loadtest.cli import main; main()"
)
"""What runs in it. A checkout that is not installed is found where this module lies."""


def occbench_command(*words: str) -> list[str]:
    """The command line of `occbench WORDS…`, by this very interpreter and this very package.

    `python -m` would look into the current folder first, in which a `seed.py` of somebody else's may
    lie; `-P` does not.
    """
    return [sys.executable, "-P", "-c", _START, str(Path(__file__).resolve().parents[1]), *words]
