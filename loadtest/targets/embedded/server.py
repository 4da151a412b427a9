"""The embedded server: started, reused, stopped, made anew.

The server belongs to the data folder (`folder.py`) and not to the command that started it: it is
left running for the next one. All that is known about it is read from the folder, so nothing has to
be cleaned up after a command, or the server, is killed.
"""

import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from psycopg.conninfo import make_conninfo

from loadtest.errors import TargetError
from loadtest.process.file_lock import open_to_lock, try_lock
from loadtest.targets.embedded import address, database
from loadtest.targets.embedded.binaries import programs_for, telling_line
from loadtest.targets.embedded.folder import (
    KILL_SECONDS,
    POLL_SECONDS,
    START_SECONDS,
    STOP_SECONDS,
    DataFolder,
    comes_true,
    default_data_folder,
    drop_socket_folder,
    make_socket_folder,
    socket_in,
    wanted_socket_folder,
)


class EmbeddedServer:
    """The server of one data folder.

    `settings` are PostgreSQL's, in force from the next start; they win over the tool's own.
    """

    def __init__(
        self, data_folder: Path | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self._folder = DataFolder(data_folder or default_data_folder())
        self._settings = dict(settings or {})
        self.data_folder = self._folder.path

    def start(self) -> None:
        """Start the server unless it runs, and wait for it; the first time the database is made."""
        with self._folder.locked() as lock:
            self._start(lock)

    def stop(self) -> None:
        """Stop the server and wait until it is gone; sessions are ended, committed data is kept."""
        if not self._folder.is_claimed:
            return
        with self._folder.locked():
            self._stop()

    def reset(self) -> None:
        """Delete the database and start with a new, empty one."""
        with self._folder.locked() as lock:
            self._stop()
            database.put_away(self._folder)
            self._start(lock)

    @property
    def pid(self) -> int | None:
        """The process of a server that takes connections; None where there is none."""
        postmaster = find_postmaster(self._folder)
        return postmaster.pid if postmaster and postmaster.ready else None

    @property
    def size_bytes(self) -> int:
        """The size of PostgreSQL's own data."""
        return database.size(self._folder)

    @property
    def socket_folder(self) -> Path:
        """The folder where the server listens, or will."""
        postmaster = find_postmaster(self._folder)
        if postmaster and postmaster.socket_folder:
            return postmaster.socket_folder
        return wanted_socket_folder(self._folder)

    def conninfo(self, **options: str) -> str:
        """A string for `libpq.connect_apart`; options are libpq's and win over the server's own."""
        folder = self.socket_folder
        own = {**address.socket(folder), "passfile": str(folder / "none"), **address.NAMES}
        return make_conninfo(**{**own, **options})

    def url(
        self,
        regime: address.Regime,
        settings: Mapping[str, str] | None = None,
        major: int = address.NEWEST,
    ) -> str:
        """The database in one of its regimes, for psql, pgbench and psycopg alike.

        `settings` are more of the session's settings, as in `{"occ.commit_delay_ms": "12"}`; `major`
        is the version of psql and its like, where it is known.
        """
        return address.url(self.socket_folder, regime, settings, major)

    def _start(self, lock: int) -> None:
        folder = self._folder
        database.check_version(folder)
        if self._await_ready():
            return
        self._stop()  # what runs, if anything, is out of reach: its socket or programs are gone
        with open_to_lock(folder.alive) as alive:
            self._clear_leftovers(alive)
            database.check_room(folder)
            programs = programs_for(folder.user, folder.path)
            if not folder.pgdata.exists():
                database.make(folder, programs, lock)
            database.write_settings(folder, make_socket_folder(folder), self._settings)
            folder.begin_log()
            self._launch(programs, alive)

    def _await_ready(self) -> bool:
        """Whether a server runs that can be used; waits for one that is starting or stopping."""
        deadline = time.monotonic() + START_SECONDS
        while postmaster := find_postmaster(self._folder):
            if postmaster.ready:
                return postmaster.usable
            if time.monotonic() > deadline:
                raise self._not_started()
            time.sleep(POLL_SECONDS)
        return False

    def _clear_leftovers(self, alive: int) -> None:
        """Remove what a killed server or command left; called when no server can be used.

        That includes a start that goes on although its command was killed. It is not yet known by
        the folder it works in, so the lock it holds says whether it is there.
        """
        folder = self._folder

        def are_gone() -> bool:
            left = strays(folder)
            for process in left:
                with suppress(psutil.Error):
                    process.kill()
            return not left and try_lock(alive)

        if not comes_true(are_gone, KILL_SECONDS):
            raise TargetError(
                f"processes of an earlier server are still at work in {folder.path}; "
                "end them and try again"
            )
        # PostgreSQL believes such a file as long as some process has the number in it, be it only
        # one that was given the number after a restart of the machine.
        folder.pid_file.unlink(missing_ok=True)
        database.clear_away(folder)

    def _launch(self, programs: Path, alive: int) -> None:
        folder = self._folder
        # The lock goes to pg_ctl, the server and every process the server makes. Paths are relative
        # to the data folder for the reason given in `database.make`.
        started = folder.user.run(
            [
                *(programs / "pg_ctl", "start", "--silent", "--wait"),
                *("--timeout", str(int(START_SECONDS))),
                *("--pgdata", folder.pgdata.name, "--log", folder.log.name),
            ],
            cwd=folder.path,
            keep_open=[alive],
        )
        if started.returncode:
            raise self._not_started()

    def _not_started(self) -> TargetError:
        log = self._folder.log
        try:
            cause = telling_line(log.read_text(errors="replace"))
        except OSError:
            cause = ""
        return TargetError(
            f"the embedded database did not start: {cause or 'it said nothing'} (from {log})"
        )

    def _stop(self) -> None:
        if postmaster := find_postmaster(self._folder):
            end(self._folder, postmaster)
            drop_socket_folder(self._folder, postmaster.socket_folder)


# The server's processes: finding them, saying whether they can be used, ending them


@dataclass(frozen=True, slots=True)
class Postmaster:
    """The server's first process, as `postmaster.pid` describes it."""

    pid: int
    socket_folder: Path | None
    ready: bool
    """Whether it says that it takes connections."""

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


def find_postmaster(folder: DataFolder) -> Postmaster | None:
    """The server, if it is alive; a file that a killed one left does not count."""
    try:
        lines = folder.pid_file.read_text().splitlines()
    except OSError:
        return None
    # Number, data folder, start, port, socket folder, address, memory, state; it grows while the
    # server starts.
    lines += [""] * (8 - len(lines))
    if not lines[0].isdecimal() or not works_in(folder, int(lines[0])):
        return None
    return Postmaster(int(lines[0]), Path(lines[4]) if lines[4] else None, lines[7].strip() == "ready")


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
