"""How this program starts itself as another process, which ends with the one that started it."""

import _thread
import atexit
import json
import os
import sys
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any

_START = (
    "import sys; root = sys.argv.pop(1); root in sys.path or sys.path.insert(0, root); "
    "from loadtest.process.child import end_with; "
    "end_with(int(sys.argv.pop(1)), float(sys.argv.pop(1))); "
)
"""What runs in it first. A checkout that is not installed is found where this module lies."""
_READ_WORDS = "import json; sys.argv += json.load(sys.stdin); "
_OCCBENCH = "from loadtest.cli.main import main; main()"
_LOCUST = "from loadtest.locust.program import main; main()"
_LOOK_S = 0.25
_AGAIN_S = 1.25
"""So long after it has lost its parent a process is asked once more, which means at once."""
_WORKER_GRACE_S = 1.5
_COMMAND_GRACE_S = 15.0
"""So long it may take to save what it has; by then it makes no load any more."""


def occbench_command(*words: str) -> list[str]:
    """The command line of `occbench WORDS…`, by this very interpreter and this very package.

    It ends with the process that asks for it. `python -m` would look into the current folder first, in
    which a `seed.py` of somebody else's may lie; `-P` does not.
    """
    return _command(_OCCBENCH, _COMMAND_GRACE_S, *words)


def command_without_words() -> list[str]:
    """The same for words that nobody is to see in a list of processes: it reads them from its stdin.

    Give it `words_for_stdin`.
    """
    return _command(_READ_WORDS + _OCCBENCH, _COMMAND_GRACE_S)


def words_for_stdin(*words: str) -> str:
    """What `command_without_words` reads."""
    return json.dumps(words)


def locust_command(*words: str) -> list[str]:
    """The same of Locust's own program, with no settings but these."""
    return _command(_LOCUST, _WORKER_GRACE_S, *words)


def _command(code: str, grace_s: float, *words: str) -> list[str]:
    root = str(Path(__file__).resolve().parents[2])
    return [sys.executable, "-P", "-c", _START + code, root, str(os.getpid()), str(grace_s), *words]


def end_with(parent: int, grace_s: float = _WORKER_GRACE_S) -> None:
    """From now on this process is asked to end once its parent is no more, and made to `grace_s` later.

    A process whose parent has ended belongs to another one at once, however that ended; one that had
    lost it before it came here finds that, too. A thread of the system's looks for it: gevent's own
    wait where something blocks.
    """
    start = _original("start_new_thread", _thread.start_new_thread)
    lock = _original("allocate_lock", _thread.allocate_lock)
    over, seen = lock(), lock()
    over.acquire()
    seen.acquire()
    start(_watch, (parent, grace_s, over, seen))

    def let_go() -> None:
        """A thread that is at work while Python takes itself apart can make it abort."""
        over.release()
        seen.acquire(timeout=1)

    atexit.register(let_go)


def _watch(parent: int, grace_s: float, over: Any, seen: Any) -> None:
    again_s = min(_AGAIN_S, grace_s)
    while os.getppid() == parent:
        if over.acquire(timeout=_LOOK_S):
            seen.release()
            return
    for signal_number, pause_s in ((SIGTERM, again_s), (SIGTERM, grace_s - again_s), (SIGKILL, 0.0)):
        os.kill(os.getpid(), signal_number)
        if over.acquire(timeout=pause_s):
            seen.release()
            return


def _original(name: str, current: Any) -> Any:
    """What `_thread` had before gevent put its own in its place, if it has."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey.get_original("_thread", name) if monkey else current
