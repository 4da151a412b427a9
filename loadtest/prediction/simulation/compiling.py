"""Compilation by numba, with the machine code kept on disk."""

from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import numba

from loadtest.workload.retry import POLICIES, RetryPolicy

_Function = TypeVar("_Function")

_SOURCES = sha256(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))))
_VERSION = _SOURCES.hexdigest()[:12]
_BACKOFF = "float64(int64, float64, float64, float64, float64)"


def compiled(function: _Function, *, allocates: bool = False) -> _Function:
    """Compile the function, and keep its machine code for the next process.

    One that makes no arrays can do without numba's counting of references to those that it was given.
    Counted, tuples of arrays make an event cost more than twice as much: the compiler takes the
    counting out only where arrays are arguments by themselves. (The option has no public name.)

    numba keeps code by the name of a function and the date of its file, but a function also contains
    those that are inlined into it. So its name gets the sources of this whole folder as a suffix.
    """
    named: Any = function
    named.__qualname__ += f"_{_VERSION}"
    machine_code: _Function = _cached(numba.njit, named, nogil=True, _nrt=allocates)
    return machine_code


def inlined(function: _Function) -> _Function:
    """Make the function a part of every compiled one that calls it.

    What passes between them then costs nothing, which makes events nearly twice as fast.
    """
    inline: Any = numba.njit(inline="always")
    part: _Function = inline(function)
    return part


def compiled_backoff(policy: RetryPolicy) -> Any:
    """Compile the policy's own formula, to be called by compiled code.

    A policy that never tries again has none; that of another stands in for it and is not called.
    """
    formula = POLICIES[policy.name][0] or POLICIES["immediate"][0]
    return _cached(lambda **options: numba.cfunc(_BACKOFF, **options), formula)


def _cached(decorator: Any, function: Any, **options: Any) -> Any:
    try:
        return decorator(cache=True, **options)(function)
    except RuntimeError:
        # No folder can be written to: compiled anew in each process.
        return decorator(**options)(function)
