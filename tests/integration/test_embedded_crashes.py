"""The embedded server: several commands at once, and commands and servers that are killed."""

import os
import shutil
import signal
import subprocess
import time

import psutil
import psycopg
import pytest

from loadtest.targets.embedded.server import EmbeddedServer
from tests.integration.embedded_support import (
    START,
    ask,
    command,
    database,
    environment,
    new_server,
    postmasters,
    server,
    server_processes,
)

__all__ = ["database", "new_server", "server"]


# Several commands at once, and commands and servers that are killed


def test_six_starting_at_once_share_one_server(server: EmbeddedServer) -> None:
    starters = [
        subprocess.Popen(
            command(START, server.data_folder),
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    answers = [starter.communicate(timeout=120) for starter in starters]
    assert [starter.returncode for starter in starters] == [0] * 6, answers
    pids = {out.strip() for out, _ in answers}
    assert pids == {str(server.pid)}
    postmasters = [p for p in server_processes(server) if p.parent() not in server_processes(server)]
    assert len(postmasters) == 1


@pytest.mark.usefixtures("database")
def test_it_outlives_its_command_and_its_terminal(server: EmbeddedServer) -> None:
    code = START + "\nprint(sys.stdin.readline())"
    starter = subprocess.Popen(
        command(code, server.data_folder),
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    assert os.getsid(pid) != starter.pid
    os.killpg(starter.pid, signal.SIGINT)  # what Ctrl-C in a terminal does
    starter.communicate(timeout=20)
    assert server.pid == pid
    assert ask(server, "SELECT 1") == 1


@pytest.mark.usefixtures("database")
def test_recovers_after_kill_9_of_everything(server: EmbeddedServer) -> None:
    server.start()
    ask(server, "CREATE TABLE kept (k int)")
    ask(server, "INSERT INTO kept SELECT generate_series(1, 1000)")
    open_transaction = psycopg.connect(server.conninfo())
    open_transaction.execute("INSERT INTO kept VALUES (0)")
    pid = server.pid
    for process in server_processes(server):
        process.kill()
    psutil.wait_procs(server_processes(server), timeout=5)
    assert (server.data_folder / "postgresql" / "postmaster.pid").exists(), "it died untidily"
    assert server.pid is None

    server.start()
    assert server.pid != pid
    assert ask(server, "SELECT count(*) FROM kept") == 1000


@pytest.mark.usefixtures("database")
def test_recovers_after_kill_9_of_the_postmaster_under_a_busy_session(
    server: EmbeddedServer,
) -> None:
    server.start()
    ask(server, "CREATE TABLE kept AS SELECT 7 AS k")
    busy = psycopg.connect(server.conninfo(), autocommit=True)
    busy.pgconn.send_query(b"DO $$ BEGIN LOOP END LOOP; END $$")
    time.sleep(0.3)
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.3)
    assert server_processes(server), "the busy session is what this test is about"

    server.start()
    assert server.pid != pid
    assert ask(server, "SELECT k FROM kept") == 7


@pytest.mark.parametrize(
    "moment",
    [
        "postgresql.new",
        "postgresql.new/base",
        "postgresql",
        "server.log",
        "postgresql/postmaster.pid",
    ],
)
def test_a_start_that_is_killed_is_done_again(server: EmbeddedServer, moment: str) -> None:
    starter = subprocess.Popen(
        command(START, server.data_folder), env=environment(), stdout=subprocess.PIPE
    )
    deadline = time.monotonic() + 30
    while not (server.data_folder / moment).exists() and time.monotonic() < deadline:
        time.sleep(0.001)
    starter.kill()
    starter.communicate()
    server.start()
    assert ask(server, "SELECT count(*) FROM pg_database WHERE datname = 'occbench'") == 1
    assert not (server.data_folder / "postgresql.new").exists()
    assert len(postmasters(server)) == 1


@pytest.mark.usefixtures("database")
def test_numbers_in_stale_files_may_be_anybody_s(server: EmbeddedServer) -> None:
    """After a restart of the machine, the numbers of dead processes belong to live ones."""
    server.start()
    sockets = server.socket_folder
    pid_file = server.data_folder / "postgresql" / "postmaster.pid"
    saved = pid_file.read_text()
    for process in server_processes(server):
        process.kill()
    deadline = time.monotonic() + 5
    while server_processes(server) and time.monotonic() < deadline:
        time.sleep(0.02)

    innocent = subprocess.Popen(["sleep", "60"], cwd=pid_file.parent)
    try:
        for file, text in (
            (pid_file, saved),
            (sockets / ".s.PGSQL.5432.lock", (sockets / ".s.PGSQL.5432.lock").read_text()),
        ):
            file.write_text("\n".join([str(innocent.pid), *text.splitlines()[1:]]) + "\n")
        assert server.pid is None
        server.start()
        assert ask(server, "SELECT 1") == 1
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


@pytest.mark.usefixtures("database")
def test_data_deleted_under_a_running_server(server: EmbeddedServer) -> None:
    server.start()
    old = server.pid
    shutil.rmtree(server.data_folder)
    assert server.pid is None
    server.start()
    assert ask(server, "SELECT 1") == 1
    time.sleep(0.5)
    assert old not in {process.pid for process in server_processes(server)}
    assert ask(server, "SELECT 1") == 1, "the old server must not take the new one's socket along"


@pytest.mark.usefixtures("database")
def test_socket_deleted_under_a_running_server(server: EmbeddedServer) -> None:
    server.start()
    ask(server, "CREATE TABLE kept AS SELECT 7 AS k")
    shutil.rmtree(server.socket_folder)
    server.start()
    assert ask(server, "SELECT k FROM kept") == 7


def test_works_under_gevent(server: EmbeddedServer) -> None:
    code = "from gevent import monkey; monkey.patch_all()\n" + START
    subprocess.run(
        command(code, server.data_folder), env=environment(), check=True, capture_output=True
    )
    assert server.pid is not None
