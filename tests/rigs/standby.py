"""A standby of an embedded server that replays what is committed only after a while.

It is PostgreSQL's own streaming replication: whoever reads there reads an older state of the same
database. The server must run with `REPLICATING` among its settings.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loadtest.targets.embedded.address import url
from loadtest.targets.embedded.binaries import programs_for
from loadtest.targets.embedded.server import EmbeddedServer
from loadtest.targets.embedded.system_user import server_user

REPLICATING = {"wal_level": "replica", "max_wal_senders": "4"}


@contextmanager
def lagging_standby(server: EmbeddedServer, delay_ms: int) -> Iterator[str]:
    """A standby that is so many milliseconds behind; gives its URL."""
    home = Path(tempfile.mkdtemp(prefix="occ-", dir="/tmp"))
    user = server_user()
    if user.switched:
        os.chown(home, user.uid, user.gid)
        home.chmod(0o755)
    programs, data = programs_for(user, home), home / "data"

    def run(*words: object) -> None:
        done = user.run([str(word) for word in words], cwd=home)
        if done.returncode:
            raise AssertionError(f"{words[0]}: {done.stderr or done.stdout}")

    try:
        run(
            programs / "pg_basebackup", "--pgdata", data, "--host", server.socket_folder,
            "--username", "occbench", "--checkpoint=fast", "--no-sync", "--write-recovery-conf",
        )  # fmt: skip
        # The backup has the server's own configuration, which includes this file beside its data.
        (home / "server.conf").write_text(
            f"listen_addresses = ''\nunix_socket_directories = '{home}'\nmax_connections = 620\n"
            f"shared_buffers = '32MB'\nrecovery_min_apply_delay = '{delay_ms}ms'\nfsync = 'off'\n"
        )
        log = home / "server.log"
        run(programs / "pg_ctl", "start", "--silent", "--wait", "--pgdata", data, "--log", log)
        try:
            yield url(home, "locking")
        finally:
            run(programs / "pg_ctl", "stop", "--mode=immediate", "--silent", "--pgdata", data)
    finally:
        shutil.rmtree(home)
