"""The limit of open files: each user needs a connection and a timer."""

import resource
from contextlib import suppress
from pathlib import Path

from loadtest.errors import InputError

_FILES_A_USER = 2
_RESERVE = 24
"""For what else a run opens: its record, a session in place of an old one, lookups of names."""
_USUAL = 65_536


def allow(users: int, processes: int = 1) -> None:
    """Raise this process's limit, and that of those it starts, to what its share of the users needs.

    The soft limit is raised as far as the hard one allows. Raises InputError where that is too little.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    here = -(-users // processes)
    others = len(list(Path("/dev/fd").iterdir())) + _RESERVE
    needed = others + _FILES_A_USER * here
    wanted = max(needed, _USUAL)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or needed <= soft:
        return
    most = max(0, (soft - others) // _FILES_A_USER) * processes
    remedy = f"raise it to {needed} (ulimit -n)" + (f", or use at most --users {most}" if most else "")
    of_each = f" in each of {processes} processes" if processes > 1 else ""
    raise InputError(
        f"{here:,} users{of_each} need {needed:,} open files, and a process may have {soft:,} "
        f"(RLIMIT_NOFILE); {remedy}"
    )
