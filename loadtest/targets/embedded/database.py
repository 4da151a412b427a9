"""PostgreSQL's own data and settings: made whole or not at all, checked, deleted, measured."""

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from loadtest.errors import InputError, TargetError
from loadtest.targets.embedded.address import DATABASE, PORT
from loadtest.targets.embedded.binaries import telling_line
from loadtest.targets.embedded.folder import DataFolder

MAX_CONNECTIONS = 620
"""500 users, and room for loaders, checks and those who look in with psql."""
_MAJOR_VERSION = "18"

_MEBIBYTE = 1024 * 1024
_ROOM_NEEDED = 1024 * _MEBIBYTE
_SMALL_MEMORY = 2048 * _MEBIBYTE


def check_version(folder: DataFolder) -> None:
    """Refuse data that our server cannot open; there may be none yet."""
    if not folder.pgdata.exists():
        return
    owner = folder.pgdata.stat().st_uid
    if owner != folder.user.uid:
        raise folder.belongs_to(owner)
    try:
        version = (folder.pgdata / "PG_VERSION").read_text().strip()
    except OSError:
        version = ""
    if version != _MAJOR_VERSION:
        held = f"data of PostgreSQL {version}" if version else "damaged data"
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
    """Make the database under another name and rename it once it is complete."""
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
    """Rename the database, so that it is none any more; `clear_away` deletes it.

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
    """The size of the database in bytes."""
    total = 0
    for parent, _, names in os.walk(folder.pgdata):
        for name in names:
            with suppress(OSError):  # files come and go under a running server
                total += Path(parent, name).lstat().st_size
    return total


def write_settings(folder: DataFolder, socket_folder: Path, more: Mapping[str, str]) -> None:
    """Write what the server runs with from its next start; `more` win over the tool's own."""
    settings = {
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_directories": str(socket_folder),
        "unix_socket_permissions": "0700",
        "cluster_name": DATABASE,
        "max_connections": str(MAX_CONNECTIONS),
        "shared_buffers": "256MB" if memory() >= _SMALL_MEMORY else "128MB",
        "huge_pages": "off",
        # Nothing is replicated or archived, and a checkpoint in the middle of a measurement would
        # be seen in its latencies.
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
        # Conflicts come by the hundred thousand. In the log's order of levels ERROR is below LOG,
        # so this keeps starts, crashes and refusals and leaves conflicts out.
        "log_min_messages": "log",
        "log_min_error_statement": "panic",
        **more,
    }
    # A file of our own, in a folder that the server's user may not write to where that is not us.
    # It is replaced whole, and the server reads it whatever our umask is.
    new = folder.settings.with_suffix(".new")
    lines = [f"{name} = '{value}'\n" for name, value in settings.items()]
    new.write_text("# Written by occbench at every start.\n" + "".join(lines))
    new.chmod(0o644)
    new.replace(folder.settings)


def memory() -> int:
    """The machine's memory in bytes, or the container's where that has less."""
    limits = [psutil.virtual_memory().total]
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            limits.append(int(Path(file).read_text()))
    return min(limits)
