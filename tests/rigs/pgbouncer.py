"""pgbouncer in front of a PostgreSQL server, in a process of its own; where it is installed."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from loadtest.targets.embedded.system_user import server_user
from tests.rigs.postgresql import DATABASE, OWNER_ROLE, TELLER, Server, free_port, server_folder

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
_START_S = 30.0


@contextmanager
def pgbouncer(server: Server, mode: str, size: int) -> Iterator[int]:
    """A pooler of this mode, with so many sessions of the server; gives its port."""
    assert PGBOUNCER is not None
    user = server_user()
    port = free_port()
    with server_folder() as folder:
        if user.switched:
            os.chown(folder, user.uid, user.gid)
        (folder / "users").write_text(f'"{TELLER}" ""\n"{OWNER_ROLE}" ""\n')
        settings = folder / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\n{DATABASE} = host=127.0.0.1 port={server.port} dbname={DATABASE}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = trust\nauth_file = {folder / 'users'}\nlogfile = {folder / 'log'}\n"
            f"pool_mode = {mode}\ndefault_pool_size = {size}\nmax_client_conn = 200\n"
        )
        # pgbouncer refuses to run as root.
        pooler = subprocess.Popen(
            [PGBOUNCER, "-q", settings],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            user=user.uid if user.switched else None,
            group=user.gid if user.switched else None,
            extra_groups=[] if user.switched else None,
        )
        try:
            _wait(server.url(host="127.0.0.1").replace(f":{server.port}/", f":{port}/"), folder / "log")
            yield port
        finally:
            pooler.terminate()
            pooler.wait(30)


def _wait(url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise AssertionError(f"pgbouncer did not start: {log.read_text()}") from None
            time.sleep(0.05)
        else:
            return
