"""PostgreSQL's own data: made whole or not at all, checked, deleted, measured."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from loadtest.errors import InputError, TargetError
from loadtest.targets.embedded.address import DATABASE
from loadtest.targets.embedded.server.binaries import telling_line
from loadtest.targets.embedded.server.folder import DataFolder

_MAJOR_VERSION = "18"

_MEBIBYTE = 1024 * 1024
_ROOM_NEEDED = 1024 * _MEBIBYTE


def check_version(folder: DataFolder) -> None:
    """Refuse data that our server cannot open; there may be none yet."""
    if not folder.pgdata.exists():
        return
    owner = folder.pgdata.stat().st_uid
    if owner != folder.user.uid:
        raise folder.belongs_to(owner)
    try:
        found = (folder.pgdata / "PG_VERSION").read_text().strip()
    except OSError:
        found = ""
    if found != _MAJOR_VERSION:
        held = f"data of PostgreSQL {found}" if found else "damaged data"
        raise InputError(
            f"data folder {folder.path} holds {held} where PostgreSQL {_MAJOR_VERSION} is "
            "needed; `occbench db reset` makes the database anew, or give another folder"
        )


def check_room(folder: DataFolder) -> None:
    """Refuse a disk that is almost full."""
    free = shutil.disk_usage(folder.path).free
    if free < _ROOM_NEEDED:
        raise TargetError(
            f"data folder {folder.path}: {free // _MEBIBYTE} MB are free on its disk and "
            "the database needs at least 1 GB; free some or give a folder on another disk"
        )


def make(folder: DataFolder, programs: Path, lock: int) -> None:
    """Make the database beside its place and move it there once it is complete."""
    folder.unfinished.mkdir(0o700)
    if folder.user.switched:
        os.chown(folder.unfinished, folder.user.uid, folder.user.gid)
    # A path relative to the data folder, as everywhere: PostgreSQL's programs pass paths through a
    # shell, with quotes that not every name of a folder survives.
    made = folder.unfinished.name
    # Not synced to disk: what a crash of the machine could spoil in this moment, `reset` makes
    # again. The built-in locale sorts alike on every machine.
    _run(
        folder,
        [
            *(programs / "initdb", "--pgdata", made, "--username", DATABASE),
            *("--encoding=UTF8", "--locale=C"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *("--auth-local=trust", "--auth-host=reject"),
            *("--no-sync", "--no-instructions"),
        ],
        lock,
    )
    _run(
        folder,
        [programs / "postgres", "--single", "-F", "-D", made, "template1"],
        lock,
        text=f"CREATE DATABASE {DATABASE}\n",
    )
    flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW
    with os.fdopen(os.open(folder.unfinished / "postgresql.conf", flags), "w") as settings:
        settings.write(f"\ninclude = '../{folder.settings.name}'\n")
    folder.unfinished.rename(folder.pgdata)


def _run(folder: DataFolder, arguments: list[str | Path], lock: int, text: str = "") -> None:
    """Run a program that helps to make the database.

    It holds the lock too: if this process is killed, others wait for the program's end.
    """
    done = folder.user.run(arguments, cwd=folder.path, text=text, keep_open=[lock])
    # In single-user mode PostgreSQL reports an error and still ends well.
    if done.returncode or "ERROR:" in done.stderr:
        raise TargetError(
            f"the embedded database could not be made in {folder.path}: "
            f"{telling_line(done.stderr or done.stdout)}"
        )


def put_away(folder: DataFolder) -> None:
    """Take the database from its place; `clear_away` deletes it.

    A rename is all or nothing: a deletion cut short never leaves half a database.
    """
    if folder.pgdata.exists():
        _delete(folder.doomed)
        folder.pgdata.rename(folder.doomed)


def clear_away(folder: DataFolder) -> None:
    """Delete what was not finished and what was put away."""
    _delete(folder.unfinished)
    _delete(folder.doomed)


def _delete(folder: Path) -> None:
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)


def size(folder: DataFolder) -> int:
    """How many bytes the database takes."""
    total = 0
    for parent, _, names in os.walk(folder.pgdata):
        for name in names:
            with suppress(OSError):  # files come and go under a running server
                total += Path(parent, name).lstat().st_size
    return total
