"""What PostgreSQL says: the server's log, and the line in it that matters."""

import os
import re
from contextlib import suppress
from pathlib import Path

from loadtest.targets.embedded.server.system_user import SystemUser

_MORE_SHARED_MEMORY = (
    "/dev/shm is missing or too small: make it 64 MB or more, as with docker run --shm-size=256m"  # noqa: S108
)


def begin_log(log: Path, user: SystemUser) -> None:
    """Put the log of the start before aside and make an empty one, which `user` may write to."""
    with suppress(FileNotFoundError):
        log.replace(log.with_suffix(".log.1"))
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    if user.switched:
        os.fchown(file, user.uid, user.gid)
    os.close(file)


def telling_line(output: str) -> str:
    """The line of PostgreSQL's output that says what went wrong, without its time and process."""
    errors = re.findall(r"(?:PANIC|FATAL|ERROR|error):\s+(.*)", output)
    for error in errors:
        # Whatever else fails for it, and it need not be the last.
        if "shared memory segment" in error:
            return f"{error.strip()}; {_MORE_SHARED_MEMORY}"
    lines = [line for line in output.splitlines() if line.strip()]
    return str((errors or lines or [""])[-1]).strip()
