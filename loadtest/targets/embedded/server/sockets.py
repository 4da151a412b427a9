"""Where the server listens: a private folder, with a path that is short and plain enough."""

import hashlib
import os
import re
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from loadtest.targets.embedded.address import PORT
from loadtest.targets.embedded.server.folder import DataFolder

_LONGEST_SOCKET_PATH = 100  # the kernels' limits are 103 (macOS) and 107 bytes (Linux)
# What neither a list of socket folders nor a libpq host may contain unquoted.
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9/._+-]*")


def socket_in(socket_folder: Path) -> Path:
    """The socket itself, under the name that libpq looks for."""
    return socket_folder / f".s.PGSQL.{PORT}"


def wanted_socket_folder(folder: DataFolder) -> Path:
    """Where the server of this data folder is to listen: inside it, or in a temporary folder."""
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
    return Path("/tmp", name)  # noqa: S108 - whose it is is checked before it is used


def make_socket_folder(folder: DataFolder) -> Path:
    """A folder only the server's user (and root) can enter, so only they can connect."""
    made = wanted_socket_folder(folder)
    user = folder.user
    try:
        made.mkdir(0o700)
    except FileExistsError:
        found = made.lstat()
        private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
        if not private or found.st_uid not in {os.geteuid(), user.uid}:
            # Somebody else was here first, by accident or to listen in.
            made = Path(tempfile.mkdtemp(prefix=f"{made.name}-", dir=made.parent))
    if user.switched and made.lstat().st_uid == os.geteuid():
        os.chown(made, user.uid, user.gid, follow_symlinks=False)
    for leftover in made.glob(".s.PGSQL.*"):
        leftover.unlink()
    return made


def drop_socket_folder(folder: DataFolder, used: Path | None) -> None:
    """Leave nothing behind outside the data folder."""
    if used and used.parent != folder.path:
        with suppress(OSError):
            used.rmdir()


def _suits_a_socket(socket_folder: Path) -> bool:
    path = f"{socket_in(socket_folder)}.lock-12345678"  # the longest we may have to make
    return len(path) <= _LONGEST_SOCKET_PATH and _PLAIN_PATH.fullmatch(path) is not None
