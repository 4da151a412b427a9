"""The server's processes: finding them, saying whether they can be used, ending them."""

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from loadtest.errors import TargetError
from loadtest.targets.embedded.server.folder import (
    KILL_SECONDS,
    STOP_SECONDS,
    DataFolder,
    comes_true,
)
from loadtest.targets.embedded.server.sockets import socket_in


@dataclass(frozen=True, slots=True)
class Postmaster:
    """The server's first process, as `postmaster.pid` describes it."""

    pid: int
    socket_folder: Path | None
    state: str

    @property
    def ready(self) -> bool:
        """Whether it says that it takes connections."""
        return self.state == "ready"

    @property
    def usable(self) -> bool:
        """Whether the server can still be reached, and still start processes for new sessions."""
        if not self.socket_folder:
            return False
        try:
            program = psutil.Process(self.pid).exe()
        except psutil.Error:
            return False
        # A temporary folder gets tidied up, and so does a virtual environment.
        return socket_in(self.socket_folder).is_socket() and Path(program).exists()


def pid_file(folder: DataFolder) -> Path:
    """Where PostgreSQL describes its first process."""
    return folder.pgdata / "postmaster.pid"


def find_postmaster(folder: DataFolder) -> Postmaster | None:
    """The server, if it is alive; a file that a killed one left does not count."""
    try:
        lines = pid_file(folder).read_text().splitlines()
    except OSError:
        return None
    # Number, data folder, start, port, socket folder, address, memory, state; it grows while the
    # server starts.
    lines += [""] * (8 - len(lines))
    if not lines[0].isdecimal() or not works_in(folder, int(lines[0])):
        return None
    socket_folder = Path(lines[4]) if lines[4] else None
    return Postmaster(pid=int(lines[0]), socket_folder=socket_folder, state=lines[7].strip())


def end(folder: DataFolder, postmaster: Postmaster) -> None:
    """End the server and wait until it is gone: gently, and then less so."""
    # The signals pg_ctl sends: a fast shutdown, which ends with a checkpoint; an immediate one,
    # which leaves recovery to the next start; and what cannot be refused.
    for number, seconds in (
        (signal.SIGINT, STOP_SECONDS),
        (signal.SIGQUIT, KILL_SECONDS),
        (signal.SIGKILL, KILL_SECONDS),
    ):
        with suppress(ProcessLookupError):
            os.kill(postmaster.pid, number)
        if comes_true(lambda: not works_in(folder, postmaster.pid), seconds):
            return
    raise TargetError(
        f"the embedded database (process {postmaster.pid}) could not be stopped; its log is "
        f"{folder.log}"
    )


def works_in(folder: DataFolder, pid: int) -> bool:
    """Whether the process is a PostgreSQL that works on our data, even on data since deleted.

    A number alone says nothing: after a restart of the machine it may be another process's.
    """
    try:
        process = psutil.Process(pid)
        # One that has ended stays as a zombie where it is not waited for, as in many containers.
        if process.name() != "postgres" or process.status() == psutil.STATUS_ZOMBIE:
            return False
        # The kernel marks a folder that is gone.
        working_folder = Path(process.cwd().removesuffix(" (deleted)"))
    except psutil.Error:
        return False
    return working_folder in {folder.pgdata, folder.unfinished, folder.doomed}


def strays(folder: DataFolder) -> list[psutil.Process]:
    """All server processes that work in the folder.

    Where no server can be used, a killed one left them running, or their folder was deleted.
    """
    return [
        process
        for process in psutil.process_iter(["name"])
        if process.info["name"] == "postgres" and works_in(folder, process.pid)
    ]


def kill_strays(folder: DataFolder) -> bool:
    """Kill the processes that work in the folder; return whether there were any."""
    found = strays(folder)
    for process in found:
        with suppress(psutil.Error):
            process.kill()
    return bool(found)
