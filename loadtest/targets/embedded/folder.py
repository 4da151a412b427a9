"""The data folder: what it holds, whose it is, who may change it now, where its server listens.

It holds

    occbench.lock   says whose folder it is; locked by the command that is changing it
    postgresql/     PostgreSQL's own data folder
    server.lock     locked as long as any process of the server lives
    server.conf     the settings, written at every start and included by PostgreSQL's
    server.log      what the server said since its last start; server.log.1 the start before
    socket/         where it listens, unless the path is too long for a socket
    going-on/       a locked file for each run on it (`loadtest/process/in_use.py`)
    programs-…/     PostgreSQL's programs, only where its user cannot reach the installed ones
"""

import errno
import hashlib
import os
import re
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path

import platformdirs

from loadtest.errors import InputError, TargetError
from loadtest.process.file_lock import open_to_lock, try_lock
from loadtest.targets.embedded.address import PORT
from loadtest.targets.embedded.system_user import SystemUser, name_of, server_user

START_SECONDS = 60.0
STOP_SECONDS = 60.0
KILL_SECONDS = 10.0
_LOCK_SECONDS = 2 * (START_SECONDS + STOP_SECONDS)
"""For another command, which may at most stop a server and start one, and be slow at it."""
POLL_SECONDS = 0.02
_LONGEST_SOCKET_PATH = 100  # the kernels' limits are 103 (macOS) and 107 bytes (Linux)
# What neither a list of socket folders nor a libpq host may contain unquoted.
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9/._+-]*")
_LOCK = "occbench.lock"
_OWN_TEXT = (
    "This folder belongs to occbench and holds the database that comes with it.\n"
    "`occbench db stop` stops the server; after that the folder can be deleted.\n"
)


def default_data_folder() -> Path:
    """The folder of the database where a target names none: `OCCBENCH_DATA`, or the user's data.

    For root it is a folder that the unprivileged user the server then runs as can reach.
    """
    if chosen := os.environ.get("OCCBENCH_DATA"):
        return Path(chosen)
    if os.geteuid() == 0:
        return Path("/var/lib/occbench")
    try:
        return platformdirs.user_data_path("occbench")
    except RuntimeError:
        raise InputError(
            f"user {name_of(os.geteuid())} has no home folder for the database: neither HOME nor "
            "/etc/passwd names one; give a data folder in OCCBENCH_DATA or as "
            "--target embedded?data=FOLDER"
        ) from None


class DataFolder:
    """A folder that is occbench's, or may become so; making the object touches nothing."""

    def __init__(self, chosen: Path) -> None:
        # A new line would shift the lines of postmaster.pid, which `find_postmaster` reads.
        if not str(chosen).isprintable():
            raise InputError(
                f"data folder {str(chosen)!r} has a control character in its name; "
                "give one of printable characters"
            )
        # Without links, as the kernel names the folder a process works in (`works_in`).
        try:
            self.path = chosen.expanduser().resolve()
        except RuntimeError:
            raise InputError(f"data folder {chosen}: there is no such user; give another") from None
        self.pgdata = self.path / "postgresql"
        self.unfinished = self.path / "postgresql.new"
        self.doomed = self.path / "postgresql.old"
        self.pid_file = self.pgdata / "postmaster.pid"
        self.alive = self.path / "server.lock"
        self.settings = self.path / "server.conf"
        self.log = self.path / "server.log"

    @cached_property
    def user(self) -> SystemUser:
        """The user that the server runs as, and that PostgreSQL's own data belongs to."""
        return server_user()

    @property
    def is_claimed(self) -> bool:
        """Whether it is occbench's, be it another user's."""
        return (self.path / _LOCK).is_file()

    @contextmanager
    def locked(self) -> Iterator[int]:
        """Make the folder ours if it is new, and keep other commands out; gives the lock, an open file.

        What the system refuses meanwhile is raised as an error that names the folder.
        """
        try:
            self._claim()
            with open_to_lock(self.path / _LOCK) as lock:
                if not comes_true(lambda: try_lock(lock), _LOCK_SECONDS):
                    raise TargetError(
                        f"another occbench command has been working on {self.path} for "
                        f"{_LOCK_SECONDS:.0f} seconds; end it and try again"
                    )
                made = os.fstat(lock)
                if made.st_uid != os.geteuid():
                    raise self.belongs_to(made.st_uid)
                if not made.st_size:
                    os.write(lock, _OWN_TEXT.encode())
                yield lock
        except OSError as error:
            raise self._unusable(error) from None

    def belongs_to(self, uid: int) -> InputError:
        """The error to raise where the folder, or the data in it, is this other user's."""
        return InputError(
            f"data folder {self.path} belongs to user {name_of(uid)}; run occbench as that "
            "user or give another folder"
        )

    def begin_log(self) -> None:
        """Put the log of the last start aside and make an empty one that the server may write to."""
        with suppress(FileNotFoundError):
            self.log.replace(self.log.with_suffix(".log.1"))
        file = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        if self.user.switched:
            os.fchown(file, self.user.uid, self.user.gid)
        os.close(file)

    def _claim(self) -> None:
        """Make sure that the folder is there and is ours, or empty and may become ours."""
        folder = self.path
        if self.user.switched:
            there = [f for f in (*reversed(folder.parents), folder) if f.is_dir()]
            if blocked := self.user.first_unreachable(there):
                raise InputError(
                    f"data folder {folder}: the database runs as user {self.user.name} when "
                    f"occbench runs as root, and that user may not enter {blocked}; give a folder "
                    "that every user can reach, such as /var/lib/occbench"
                )
        missing = [f for f in (folder, *folder.parents) if not f.exists()]
        for new in reversed(missing):
            # Two commands may be here at once. Modes by chmod: the umask is not asked.
            with suppress(FileExistsError):
                new.mkdir()
                if self.user.switched:
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

    def _unusable(self, error: OSError) -> InputError | TargetError:
        folder = self.path
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


def comes_true(condition: Callable[[], bool], seconds: float) -> bool:
    """Ask again and again; return whether the answer was yes before the time was up."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


# Where the server listens: a private folder, with a path that is short and plain enough


def socket_in(socket_folder: Path) -> Path:
    """The socket itself, under the name that libpq looks for."""
    return socket_folder / f".s.PGSQL.{PORT}"


def wanted_socket_folder(folder: DataFolder) -> Path:
    """The folder where the server is to listen: inside the data folder, or a temporary one."""
    inside = folder.path / "socket"
    if _suits_a_socket(inside):
        return inside
    mark = hashlib.sha256(os.fsencode(folder.path)).hexdigest()[:12]
    name = f"occbench-{folder.user.uid}-{mark}"
    own = Path(tempfile.gettempdir())
    if _suits_a_socket(own / name) and (
        not folder.user.switched or folder.user.first_unreachable([*reversed(own.parents), own]) is None
    ):
        return own / name
    return Path("/tmp", name)  # noqa: S108 - its owner is checked before it is used


def make_socket_folder(folder: DataFolder) -> Path:
    """Make a folder that only the server's user (and root) can enter, so only they can connect."""
    made = wanted_socket_folder(folder)
    user = folder.user
    try:
        made.mkdir(0o700)
    except FileExistsError:
        there = made.lstat()
        private = stat.S_ISDIR(there.st_mode) and not there.st_mode & 0o077
        if not private or there.st_uid not in {os.geteuid(), user.uid}:
            # Another user was here first, by accident or to listen in.
            made = Path(tempfile.mkdtemp(prefix=f"{made.name}-", dir=made.parent))
    if user.switched and made.lstat().st_uid == os.geteuid():
        os.chown(made, user.uid, user.gid, follow_symlinks=False)
    for leftover in made.glob(".s.PGSQL.*"):
        leftover.unlink()
    return made


def drop_socket_folder(folder: DataFolder, used: Path | None) -> None:
    """Remove a socket folder that lies outside the data folder."""
    if used and used.parent != folder.path:
        with suppress(OSError):
            used.rmdir()


def _suits_a_socket(socket_folder: Path) -> bool:
    path = f"{socket_in(socket_folder)}.lock-12345678"  # the longest we may have to make
    return len(path) <= _LONGEST_SOCKET_PATH and _PLAIN_PATH.fullmatch(path) is not None
