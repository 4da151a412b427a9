"""The life of the embedded server: made, started, found running, stopped, made anew.

A data folder holds

    occbench.lock   says whose folder it is; locked by the command that is changing it
    postgresql/     PostgreSQL's own data folder
    server.lock     locked as long as any process of the server lives
    server.conf     the settings, written at every start and included by PostgreSQL's
    server.log      what the server said since its last start; server.log.1 the start before
    socket/         where it listens, unless the path is too long for a socket
    programs-…/     PostgreSQL's programs, only where its user cannot reach the installed ones

The server belongs to the folder and not to the command that started it: it is left running for the
next one. All that is known about it is read from the folder, so nothing has to be cleaned up after
a command, or the server, is killed.
"""

import errno
import fcntl
import hashlib
import os
import re
import shutil
import signal
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import platformdirs
import psutil
from psycopg.conninfo import make_conninfo

from loadtest.errors import InputError, TargetError
from loadtest.targets.embedded.binaries import programs_for, server_version
from loadtest.targets.embedded.system_user import SystemUser, name_of, server_user

Regime = Literal["optimistic", "locking"]

MAJOR_VERSION = "18"
DATABASE = "occbench"
"""The name of the database and of its superuser."""
PORT = 5432
"""Only a part of the socket's file name: the server listens on no network."""
MAX_CONNECTIONS = 620
"""500 users, and room for loaders, checks and whoever looks in with psql."""

_LOCK = "occbench.lock"
_ALIVE = "server.lock"
_OWN_TEXT = (
    "This folder belongs to occbench and holds the database that comes with it.\n"
    "`occbench db stop` stops the server; after that the folder can be deleted.\n"
)
_SEARCH_PATHS: Mapping[str, str] = {"optimistic": "optimistic,public", "locking": "public"}
_START_SECONDS = 60.0
_STOP_SECONDS = 60.0
_LOCK_SECONDS = 2 * (_START_SECONDS + _STOP_SECONDS)
_KILL_SECONDS = 10.0
_POLL_SECONDS = 0.02
_MEBIBYTE = 1024 * 1024
_ROOM_NEEDED = 1024 * _MEBIBYTE
_SMALL_MEMORY = 2048 * _MEBIBYTE
_LONGEST_SOCKET_PATH = 100  # the kernels' limits are 103 (macOS) and 107 bytes (Linux)
# What neither a list of socket folders nor a libpq host may contain unquoted.
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9/._+-]*")


def default_data_folder() -> Path:
    """Where the database lives unless a target says otherwise: `OCCBENCH_DATA`, or the user's data.

    For root it is a folder that the unprivileged user the server then runs as can reach.
    """
    if chosen := os.environ.get("OCCBENCH_DATA"):
        return Path(chosen)
    if os.geteuid() == 0:
        return Path("/var/lib/occbench")
    return platformdirs.user_data_path("occbench")


def libpq_options(regime: Regime, settings: Mapping[str, str] | None = None) -> str:
    """The value of libpq's `options` that puts a connection into a regime."""
    everything = {
        "search_path": _SEARCH_PATHS[regime],
        "default_transaction_isolation": "repeatable read",
        **(settings or {}),
    }
    return " ".join(f"-c {name}={_escaped(value)}" for name, value in everything.items())


def _escaped(value: str) -> str:
    """`options` is cut at spaces, but for those behind a backslash."""
    return re.sub(r"([\\\s])", r"\\\1", value)


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """What can be said about the server now."""

    running: bool
    pid: int | None
    version: str
    """Of PostgreSQL, as in `18.4`."""
    data_folder: Path
    socket_folder: Path
    port: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _Postmaster:
    """The server's first process, as `postmaster.pid` describes it."""

    pid: int
    socket_folder: Path | None
    state: str

    @property
    def ready(self) -> bool:
        return self.state == "ready"


class EmbeddedServer:
    """The server of one data folder."""

    def __init__(self, data_folder: Path | None = None) -> None:
        chosen = data_folder or default_data_folder()
        # A new line would shift the lines of postmaster.pid, which is read here.
        if not str(chosen).isprintable():
            raise InputError(
                f"data folder {str(chosen)!r} has a control character in its name; "
                "give one of printable characters"
            )
        # Without links, as the kernel names the folder a process works in (`_works_here`).
        self.data_folder = chosen.expanduser().resolve()
        self._pgdata = self.data_folder / "postgresql"
        self._unfinished = self.data_folder / "postgresql.new"
        self._doomed = self.data_folder / "postgresql.old"
        self._settings = self.data_folder / "server.conf"
        self._log = self.data_folder / "server.log"

    @cached_property
    def _user(self) -> SystemUser:
        return server_user()

    def start(self) -> None:
        """Have the server running and ready: makes the database at first use, else reuses it."""
        with self._locked() as lock:
            self._start(lock)

    def stop(self) -> None:
        """Stop the server and wait until it is gone; sessions are ended, committed data is kept."""
        if not (self.data_folder / _LOCK).is_file():
            return
        with self._locked():
            self._stop()

    def reset(self) -> None:
        """Delete the database and start with a new, empty one."""
        with self._locked() as lock:
            self._stop()
            if self._pgdata.exists():
                # A rename is all or nothing: a deletion cut short never leaves half a database.
                _delete(self._doomed)
                self._pgdata.rename(self._doomed)
            self._start(lock)

    def status(self) -> ServerStatus:
        """Look, and change nothing."""
        postmaster = self._postmaster()
        return ServerStatus(
            running=postmaster is not None and postmaster.ready,
            pid=postmaster.pid if postmaster else None,
            version=server_version(),
            data_folder=self.data_folder,
            socket_folder=self.socket_folder,
            port=PORT,
            size_bytes=_size(self._pgdata),
        )

    @property
    def socket_folder(self) -> Path:
        """Where the server listens, or will."""
        postmaster = self._postmaster()
        if postmaster and postmaster.socket_folder:
            return postmaster.socket_folder
        return self._wanted_socket_folder()

    def conninfo(self, **options: str) -> str:
        """What to give to `psycopg.connect`; options are libpq's and win over the server's own."""
        place = {"host": str(self.socket_folder), "port": str(PORT)}
        return make_conninfo(**{**place, "user": DATABASE, "dbname": DATABASE, **options})

    def url(self, regime: Regime, settings: Mapping[str, str] | None = None) -> str:
        """The database in one of its regimes, for psql, pgbench and psycopg alike.

        `settings` are more of the session's settings, as in `{"occ.commit_delay_ms": "12"}`.
        """
        host = quote(str(self.socket_folder), safe="")
        options = quote(libpq_options(regime, settings), safe="")
        return f"postgresql://{DATABASE}@/{DATABASE}?host={host}&port={PORT}&options={options}"

    # The folder, and who may change it

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Make the folder ours if it is new, and keep other commands out of it."""
        try:
            self._claim()
            with self._opened(_LOCK) as lock:
                self._wait_for(lock)
                made = os.fstat(lock)
                if made.st_uid != os.geteuid():
                    raise self._belongs_to(made.st_uid)
                if not made.st_size:
                    os.write(lock, _OWN_TEXT.encode())
                yield lock
        except OSError as error:
            raise self._unusable(error) from None

    @contextmanager
    def _opened(self, name: str) -> Iterator[int]:
        """A file to lock. The lock is the kernel's: it ends with the processes that hold it."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(self.data_folder / name, flags, 0o600)
        try:
            yield file
        finally:
            os.close(file)

    def _claim(self) -> None:
        """Make sure that the folder is there and is ours, or empty and may become ours."""
        folder = self.data_folder
        if self._user.switched:
            there = [f for f in (*reversed(folder.parents), folder) if f.is_dir()]
            if blocked := self._user.first_unreachable(there):
                raise InputError(
                    f"data folder {folder}: the database runs as user {self._user.name} when "
                    f"occbench runs as root, and that user may not enter {blocked}; give a folder "
                    "that every user can reach, such as /var/lib/occbench"
                )
        missing = [f for f in (folder, *folder.parents) if not f.exists()]
        for new in reversed(missing):
            # Two commands may be here at once. Modes by chmod: the umask is not asked.
            with suppress(FileExistsError):
                new.mkdir()
                if self._user.switched:
                    new.chmod(0o755)
                elif new == folder:
                    new.chmod(0o700)
        names = {entry.name for entry in folder.iterdir()}
        if names and _LOCK not in names:
            held = "a PostgreSQL data folder" if "PG_VERSION" in names else "other files"
            raise InputError(
                f"data folder {folder} holds {held} that occbench did not make and will not touch; "
                "give a new or an empty folder"
            )

    def _wait_for(self, lock: int) -> None:
        deadline = time.monotonic() + _LOCK_SECONDS
        while not _try_lock(lock):
            if time.monotonic() > deadline:
                raise TargetError(
                    f"another occbench command has been working on {self.data_folder} for "
                    f"{_LOCK_SECONDS:.0f} seconds; end it and try again"
                )
            time.sleep(_POLL_SECONDS)

    def _unusable(self, error: OSError) -> InputError | TargetError:
        folder = self.data_folder
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return TargetError(f"data folder {folder}: the disk is full; free at least 1 GB")
        reasons = {
            errno.EEXIST: "is a file",
            errno.ENOTDIR: "is, or lies under, a file",
            errno.EACCES: f"cannot be written to by user {name_of(os.geteuid())}",
            errno.EPERM: f"cannot be written to by user {name_of(os.geteuid())}",
            errno.EROFS: "is on a file system that is read-only",
        }
        reason = reasons.get(error.errno or 0, f"cannot be used ({error.strerror or error})")
        return InputError(
            f"data folder {folder} {reason}; give a folder of your own, in OCCBENCH_DATA or as "
            "--target embedded?data=FOLDER"
        )

    def _belongs_to(self, uid: int) -> InputError:
        return InputError(
            f"data folder {self.data_folder} belongs to user {name_of(uid)}; run occbench as that "
            "user or give another folder"
        )

    # Starting

    def _start(self, lock: int) -> None:
        self._check_version()
        if self._await_ready():
            return
        self._stop()  # what runs, if anything, is out of reach: its socket or programs are gone
        with self._opened(_ALIVE) as alive:
            self._clear_leftovers(alive)
            self._check_room()
            programs = programs_for(self._user, self.data_folder)
            if not self._pgdata.exists():
                self._initialise(programs, lock)
            self._configure()
            self._launch(programs, alive)

    def _check_version(self) -> None:
        if not self._pgdata.exists():
            return
        owner = self._pgdata.stat().st_uid
        if owner != self._user.uid:
            raise self._belongs_to(owner)
        try:
            found = (self._pgdata / "PG_VERSION").read_text().strip()
        except OSError:
            found = ""
        if found != MAJOR_VERSION:
            held = f"data of PostgreSQL {found}" if found else "damaged data"
            raise InputError(
                f"data folder {self.data_folder} holds {held} where PostgreSQL {MAJOR_VERSION} is "
                "needed; `occbench db reset` makes the database anew, or give another folder"
            )

    def _await_ready(self) -> bool:
        """Whether a server runs that can be used; waits for one that is starting or stopping."""
        deadline = time.monotonic() + _START_SECONDS
        while postmaster := self._postmaster():
            if postmaster.ready:
                return _is_usable(postmaster)
            if time.monotonic() > deadline:
                raise self._not_started()
            time.sleep(_POLL_SECONDS)
        return False

    def _check_room(self) -> None:
        free = shutil.disk_usage(self.data_folder).free
        if free < _ROOM_NEEDED:
            raise TargetError(
                f"data folder {self.data_folder}: {free // _MEBIBYTE} MB are free on its disk and "
                "the database needs at least 1 GB; free some or give a folder on another disk"
            )

    def _clear_leftovers(self, alive: int) -> None:
        """Remove what a killed server or command left; called when no server can be used.

        That includes a start that goes on although its command was killed. It is not yet known by
        the folder it works in, so the lock it holds says whether it is there.
        """
        deadline = time.monotonic() + _KILL_SECONDS
        while self._kill_strays() or not _try_lock(alive):
            if time.monotonic() > deadline:
                raise TargetError(
                    f"processes of an earlier server are still at work in {self.data_folder}; "
                    "end them and try again"
                )
            time.sleep(_POLL_SECONDS)
        # PostgreSQL believes such a file as long as some process has the number in it, be it only
        # one that was given the number after a restart of the machine.
        (self._pgdata / "postmaster.pid").unlink(missing_ok=True)
        _delete(self._unfinished)
        _delete(self._doomed)

    def _initialise(self, programs: Path, lock: int) -> None:
        """Make the database beside its place and move it there once it is complete."""
        self._unfinished.mkdir(0o700)
        if self._user.switched:
            os.chown(self._unfinished, self._user.uid, self._user.gid)
        made = self._unfinished.name
        # Paths are given relative to the data folder, here and below: PostgreSQL's programs pass
        # them through a shell, with quotes that not every name of a folder survives.
        # Not synced to disk: what a crash of the machine could spoil in this moment, `reset` makes
        # again. The built-in locale sorts alike on every machine.
        self._run(
            [
                *(programs / "initdb", "--pgdata", made, "--username", DATABASE),
                *("--encoding=UTF8", "--locale=C"),
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                *("--auth-local=trust", "--auth-host=reject"),
                *("--no-sync", "--no-instructions"),
            ],
            lock,
        )
        self._run(
            [programs / "postgres", "--single", "-F", "-D", made, "template1"],
            lock,
            text=f"CREATE DATABASE {DATABASE}\n",
        )
        flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW
        with os.fdopen(os.open(self._unfinished / "postgresql.conf", flags), "w") as settings:
            settings.write(f"\ninclude = '../{self._settings.name}'\n")
        self._unfinished.rename(self._pgdata)

    def _run(self, arguments: list[str | Path], lock: int, text: str = "") -> None:
        """Run a program that helps to make the database.

        It holds the lock too: if this process is killed, others wait for the program's end.
        """
        done = self._user.run(arguments, cwd=self.data_folder, text=text, keep_open=[lock])
        # In single-user mode PostgreSQL reports an error and still ends well.
        if done.returncode or "ERROR:" in done.stderr:
            raise TargetError(
                f"the embedded database could not be made in {self.data_folder}: "
                f"{_telling_line(done.stderr or done.stdout)}"
            )

    def _configure(self) -> None:
        """Write the settings, which may differ from start to start, and begin a new log."""
        settings = {
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": str(self._make_socket_folder()),
            "unix_socket_permissions": "0700",
            "cluster_name": DATABASE,
            "max_connections": str(MAX_CONNECTIONS),
            "shared_buffers": "256MB" if _memory() >= _SMALL_MEMORY else "128MB",
            "huge_pages": "off",
            # Nothing is replicated or archived, and a checkpoint in the middle of a measurement
            # would be seen in its latencies.
            "wal_level": "minimal",
            "max_wal_senders": "0",
            "min_wal_size": "512MB",
            "max_wal_size": "4GB",
            "checkpoint_timeout": "15min",
            "random_page_cost": "1.1",
            # Compiling a statement costs more than any of ours takes.
            "jit": "off",
            "autovacuum": "on",
            "fsync": "on",
            "synchronous_commit": "on",
            "track_io_timing": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            # Conflicts come by the hundred thousand. In the log's order of levels ERROR is below
            # LOG, so this keeps starts, crashes and refusals and leaves conflicts out.
            "log_min_messages": "log",
            "log_min_error_statement": "panic",
        }
        lines = [f"{name} = '{value}'\n" for name, value in settings.items()]
        # A file of our own, in a folder that the server's user may not write to where that is not
        # us. It is replaced whole, and the server reads it whatever our umask is.
        new = self._settings.with_suffix(".new")
        new.write_text("# Written by occbench at every start.\n" + "".join(lines))
        new.chmod(0o644)
        new.replace(self._settings)

        with suppress(FileNotFoundError):
            self._log.replace(self._log.with_suffix(".log.1"))
        log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        if self._user.switched:
            os.fchown(log, self._user.uid, self._user.gid)
        os.close(log)

    def _launch(self, programs: Path, alive: int) -> None:
        # The lock goes to pg_ctl, the server and every process the server makes.
        started = self._user.run(
            [
                *(programs / "pg_ctl", "start", "--silent", "--wait"),
                *("--timeout", str(int(_START_SECONDS))),
                *("--pgdata", self._pgdata.name, "--log", self._log.name),
            ],
            cwd=self.data_folder,
            keep_open=[alive],
        )
        if started.returncode:
            raise self._not_started()

    def _not_started(self) -> TargetError:
        try:
            said = _telling_line(self._log.read_text(errors="replace"))
        except OSError:
            said = ""
        return TargetError(
            f"the embedded database did not start: {said or 'it said nothing'} (from {self._log})"
        )

    # Stopping

    def _stop(self) -> None:
        postmaster = self._postmaster()
        if postmaster is None:
            return
        # The signals pg_ctl sends: a fast shutdown, which ends with a checkpoint; an immediate
        # one, which leaves recovery to the next start; and what nobody can refuse.
        for number, seconds in (
            (signal.SIGINT, _STOP_SECONDS),
            (signal.SIGQUIT, _KILL_SECONDS),
            (signal.SIGKILL, _KILL_SECONDS),
        ):
            with suppress(ProcessLookupError):
                os.kill(postmaster.pid, number)
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                if not self._works_here(postmaster.pid):
                    self._drop_socket_folder(postmaster)
                    return
                time.sleep(_POLL_SECONDS)
        raise TargetError(
            f"the embedded database (process {postmaster.pid}) could not be stopped; its log is "
            f"{self._log}"
        )

    # The processes

    def _postmaster(self) -> _Postmaster | None:
        """The server, if it is alive; a file that a killed one left does not count."""
        try:
            lines = (self._pgdata / "postmaster.pid").read_text().splitlines()
        except OSError:
            return None
        # Number, data folder, start, port, socket folder, address, memory, state; it grows while
        # the server starts.
        lines += [""] * (8 - len(lines))
        if not lines[0].isdecimal() or not self._works_here(int(lines[0])):
            return None
        folder = Path(lines[4]) if lines[4] else None
        return _Postmaster(pid=int(lines[0]), socket_folder=folder, state=lines[7].strip())

    def _works_here(self, pid: int) -> bool:
        """Whether the process is a PostgreSQL that works on our data, even on data since deleted.

        A number alone says nothing: after a restart of the machine it may be anybody's.
        """
        try:
            process = psutil.Process(pid)
            # One that has ended stays as a zombie where nobody collects it, as in many containers.
            if process.name() != "postgres" or process.status() == psutil.STATUS_ZOMBIE:
                return False
            # The kernel marks a folder that is gone.
            folder = Path(process.cwd().removesuffix(" (deleted)"))
        except psutil.Error:
            return False
        return folder in {self._pgdata, self._unfinished, self._doomed}

    def _strays(self) -> list[psutil.Process]:
        """What a killed server left running, or one whose folder was deleted under it."""
        return [
            process
            for process in psutil.process_iter(["name"])
            if process.info["name"] == "postgres" and self._works_here(process.pid)
        ]

    def _kill_strays(self) -> bool:
        """Kill them, and say whether there were any."""
        strays = self._strays()
        for process in strays:
            with suppress(psutil.Error):
                process.kill()
        return bool(strays)

    # The socket

    def _wanted_socket_folder(self) -> Path:
        inside = self.data_folder / "socket"
        if _suits_a_socket(inside):
            return inside
        mark = hashlib.sha256(os.fsencode(self.data_folder)).hexdigest()[:12]
        name = f"occbench-{self._user.uid}-{mark}"
        own = Path(tempfile.gettempdir())
        if _suits_a_socket(own / name) and (
            not self._user.switched
            or self._user.first_unreachable([*reversed(own.parents), own]) is None
        ):
            return own / name
        return Path("/tmp", name)  # noqa: S108 - whose it is is checked before it is used

    def _make_socket_folder(self) -> Path:
        """A folder only the server's user (and root) can enter, so only they can connect."""
        folder = self._wanted_socket_folder()
        try:
            folder.mkdir(0o700)
        except FileExistsError:
            found = folder.lstat()
            private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
            if not private or found.st_uid not in {os.geteuid(), self._user.uid}:
                # Somebody else was here first, by accident or to listen in.
                folder = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
        if self._user.switched and folder.lstat().st_uid == os.geteuid():
            os.chown(folder, self._user.uid, self._user.gid, follow_symlinks=False)
        for leftover in folder.glob(".s.PGSQL.*"):
            leftover.unlink()
        return folder

    def _drop_socket_folder(self, postmaster: _Postmaster) -> None:
        folder = postmaster.socket_folder
        if folder and folder.parent != self.data_folder:
            with suppress(OSError):
                folder.rmdir()


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _suits_a_socket(folder: Path) -> bool:
    path = str(folder / f".s.PGSQL.{PORT}.lock-12345678")  # the longest we may have to make
    return len(path) <= _LONGEST_SOCKET_PATH and _PLAIN_PATH.fullmatch(path) is not None


def _is_usable(postmaster: _Postmaster) -> bool:
    """Whether the server can still be reached, and still start processes for new sessions."""
    if not postmaster.socket_folder:
        return False
    socket = postmaster.socket_folder / f".s.PGSQL.{PORT}"
    try:
        program = psutil.Process(postmaster.pid).exe()
    except psutil.Error:
        return False
    # A temporary folder gets tidied up, and so does a virtual environment.
    return socket.is_socket() and Path(program).exists()


def _telling_line(output: str) -> str:
    """The line of PostgreSQL's output that says what went wrong, without its time and process."""
    errors = re.findall(r"(?:PANIC|FATAL|ERROR|error):\s+(.*)", output)
    lines = [line for line in output.splitlines() if line.strip()]
    return str((errors or lines or [""])[-1]).strip()


def _memory() -> int:
    """The machine's memory in bytes, or the container's where that has less."""
    limits = [psutil.virtual_memory().total]
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            limits.append(int(Path(file).read_text()))
    return min(limits)


def _size(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # files come and go under a running server
                total += Path(parent, name).lstat().st_size
    return total


def _delete(folder: Path) -> None:
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)
