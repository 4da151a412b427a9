"""This program started as another process, which ends with the one that started it."""

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
"""The code that runs first. A checkout that is not installed is found where this module lies."""
_READ_WORDS = "import json; sys.argv += json.load(sys.stdin); "
_OCCBENCH = "from loadtest.cli.main import main; main()"
_LOCUST = "from loadtest.locust.program import main; main()"
_REPORTER = "from loadtest.cli.reporter import main; main()"
_LOOK_S = 0.25
_SECOND_SIGTERM_S = 0.9
"""When a process that has lost its parent is told to end again, which means at once."""
_WORKER_GRACE_S = 1.2
_COMMAND_GRACE_S = 15.0
"""The time that saving may take; no load is made any more by then."""
_parent: int | None = None


def occbench_command(*words: str) -> list[str]:
    """The command line of `occbench WORDS…`, by this very interpreter and this very package.

    `python -m` would look into the current folder first, in which another `seed.py` may lie; `-P` does
    not.
    """
    return _command(_OCCBENCH, _COMMAND_GRACE_S, *words)


def occbench_with_hidden_words(*words: str) -> tuple[list[str], str]:
    """A command line that shows no words in a list of processes, and the stdin it reads them from."""
    return _command(_READ_WORDS + _OCCBENCH, _COMMAND_GRACE_S), json.dumps(words)


def locust_command(*words: str) -> list[str]:
    """The command line of Locust's own program, with no settings but these words."""
    return _command(_LOCUST, _WORKER_GRACE_S, *words)


def reporter_command(*words: str) -> list[str]:
    """The same of the process that makes the report at the end of a run."""
    return _command(_REPORTER, _COMMAND_GRACE_S, *words)


def _command(code: str, grace_s: float, *words: str) -> list[str]:
    root = str(Path(__file__).resolve().parents[2])
    return [sys.executable, "-P", "-c", _START + code, root, str(os.getpid()), str(grace_s), *words]


def end_with(parent: int, grace_s: float = _WORKER_GRACE_S) -> None:
    """Ask this process to end once its parent is gone, and kill it `grace_s` later.

    A process whose parent has ended gets another one at once, so one that had lost it before is found,
    too. The thread that looks is the system's: gevent's own wait where something blocks.
    """
    global _parent
    _parent = parent
    start = _original("start_new_thread", _thread.start_new_thread)
    lock = _original("allocate_lock", _thread.allocate_lock)
    over, seen = lock(), lock()
    over.acquire()
    seen.acquire()
    start(_watch, (grace_s, over, seen))

    def stop_watching() -> None:
        """A thread that is at work while Python takes itself apart can make it abort."""
        over.release()
        seen.acquire(timeout=1)

    atexit.register(stop_watching)


def parent_is_gone() -> bool:
    """Whether the process that this one is to end with has ended; False where there is none."""
    return _parent is not None and os.getppid() != _parent


def _watch(grace_s: float, over: Any, seen: Any) -> None:
    second_s = min(_SECOND_SIGTERM_S, grace_s)
    while not parent_is_gone():
        if over.acquire(timeout=_LOOK_S):
            seen.release()
            return
    for signal_number, pause_s in ((SIGTERM, second_s), (SIGTERM, grace_s - second_s), (SIGKILL, 0.0)):
        os.kill(os.getpid(), signal_number)
        if over.acquire(timeout=pause_s):
            seen.release()
            return


def _original(name: str, current: Any) -> Any:
    """What `_thread` had before gevent put its own in its place, if it has."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey.get_original("_thread", name) if monkey else current
