"""What the server runs with: server.conf, written anew at every start."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from loadtest.targets.embedded.address import DATABASE, PORT

MAX_CONNECTIONS = 620
"""500 users, and room for loaders, checks and whoever looks in with psql."""

_SMALL_MEMORY = 2048 * 1024 * 1024


def write_settings(file: Path, socket_folder: Path, more: Mapping[str, str]) -> None:
    """Write the settings, which may differ from start to start; `more` win over the tool's own."""
    settings = {**_settings(socket_folder), **more}
    lines = [f"{name} = '{value}'\n" for name, value in settings.items()]
    # A file of our own, in a folder that the server's user may not write to where that is not us.
    # It is replaced whole, and the server reads it whatever our umask is.
    new = file.with_suffix(".new")
    new.write_text("# Written by occbench at every start.\n" + "".join(lines))
    new.chmod(0o644)
    new.replace(file)


def _settings(socket_folder: Path) -> dict[str, str]:
    return {
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
    }


def memory() -> int:
    """The machine's memory in bytes, or the container's where that has less."""
    limits = [psutil.virtual_memory().total]
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            limits.append(int(Path(file).read_text()))
    return min(limits)
