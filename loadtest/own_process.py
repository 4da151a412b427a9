"""How this program starts itself as another process."""

import json
import sys
from pathlib import Path

_FOUND = "import sys; root = sys.argv.pop(1); root in sys.path or sys.path.insert(0, root); "
_START = "from loadtest.cli import main; main()"
"""What runs in it. A checkout that is not installed is found where this module lies."""
_READ_WORDS = "import json; sys.argv += json.load(sys.stdin); "


def occbench_command(*words: str) -> list[str]:
    """The command line of `occbench WORDS…`, by this very interpreter and this very package.

    `python -m` would look into the current folder first, in which a `seed.py` of somebody else's may
    lie; `-P` does not.
    """
    return _python(_FOUND + _START, *words)


def command_without_words() -> list[str]:
    """The same for words that nobody is to see in a list of processes: it reads them from its stdin.

    Give it `words_for_stdin`.
    """
    return _python(_FOUND + _READ_WORDS + _START)


def words_for_stdin(*words: str) -> str:
    """What `command_without_words` reads."""
    return json.dumps(words)


def _python(code: str, *words: str) -> list[str]:
    return [sys.executable, "-P", "-c", code, str(Path(__file__).resolve().parents[1]), *words]
