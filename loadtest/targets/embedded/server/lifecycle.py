"""The life of the embedded server: made, started, found running, stopped, made anew.

The server belongs to the data folder (`folder.py`) and not to the command that started it: it is
left running for the next one. All that is known about it is read from the folder, so nothing has to
be cleaned up after a command, or the server, is killed.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from loadtest.errors import TargetError
from loadtest.process.file_lock import try_lock
from loadtest.targets.embedded import address
from loadtest.targets.embedded.server import cluster
from loadtest.targets.embedded.server.binaries import programs_for, server_version, telling_line
from loadtest.targets.embedded.server.folder import (
    KILL_SECONDS,
    POLL_SECONDS,
    START_SECONDS,
    DataFolder,
    comes_true,
    default_data_folder,
    lock_file,
)
from loadtest.targets.embedded.server.postmaster import end, find_postmaster, kill_strays, pid_file
from loadtest.targets.embedded.server.settings import write_settings
from loadtest.targets.embedded.server.sockets import (
    drop_socket_folder,
    make_socket_folder,
    wanted_socket_folder,
)


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """What can be said about the server now."""

    running: bool
    pid: int | None
    version: str
    """Of PostgreSQL, as in `18.4`."""
    data_folder: Path
    size_bytes: int


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
        """Have the server running and ready: makes the database at first use, else reuses it."""
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
            cluster.put_away(self._folder)
            self._start(lock)

    def status(self) -> ServerStatus:
        """Look, and change nothing."""
        postmaster = find_postmaster(self._folder)
        return ServerStatus(
            running=postmaster is not None and postmaster.ready,
            pid=postmaster.pid if postmaster else None,
            version=server_version(),
            data_folder=self.data_folder,
            size_bytes=cluster.size(self._folder),
        )

    @property
    def socket_folder(self) -> Path:
        """Where the server listens, or will."""
        postmaster = find_postmaster(self._folder)
        if postmaster and postmaster.socket_folder:
            return postmaster.socket_folder
        return wanted_socket_folder(self._folder)

    def conninfo(self, **options: str) -> str:
        """What to give to `libpq.connect_apart`; options are libpq's and win over the server's own."""
        return address.conninfo(self.socket_folder, options)

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
        cluster.check_version(folder)
        if self._await_ready():
            return
        self._stop()  # what runs, if anything, is out of reach: its socket or programs are gone
        with lock_file(folder.alive) as alive:
            self._clear_leftovers(alive)
            cluster.check_room(folder)
            programs = programs_for(folder.user, folder.path)
            if not folder.pgdata.exists():
                cluster.make(folder, programs, lock)
            write_settings(folder.settings, make_socket_folder(folder), self._settings)
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
        if not comes_true(lambda: not kill_strays(folder) and try_lock(alive), KILL_SECONDS):
            raise TargetError(
                f"processes of an earlier server are still at work in {folder.path}; "
                "end them and try again"
            )
        # PostgreSQL believes such a file as long as some process has the number in it, be it only
        # one that was given the number after a restart of the machine.
        pid_file(folder).unlink(missing_ok=True)
        cluster.clear_away(folder)

    def _launch(self, programs: Path, alive: int) -> None:
        folder = self._folder
        # The lock goes to pg_ctl, the server and every process the server makes. Paths are relative
        # to the data folder for the reason given in `cluster.make`.
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
            said = telling_line(log.read_text(errors="replace"))
        except OSError:
            said = ""
        return TargetError(
            f"the embedded database did not start: {said or 'it said nothing'} (from {log})"
        )

    def _stop(self) -> None:
        postmaster = find_postmaster(self._folder)
        if postmaster:
            end(self._folder, postmaster)
            drop_socket_folder(self._folder, postmaster.socket_folder)
