"""The life of the embedded server, with real servers."""

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import psycopg
import pytest

from loadtest.errors import InputError, TargetError
from loadtest.targets.embedded.server import binaries, settings
from loadtest.targets.embedded.server.binaries import binary
from loadtest.targets.embedded.server.folder import DataFolder
from loadtest.targets.embedded.server.lifecycle import (
    EmbeddedServer,
    Regime,
    default_data_folder,
    libpq_options,
)
from loadtest.targets.embedded.server.postmaster import strays
from loadtest.targets.embedded.server.system_user import SystemUser, server_user

REPOSITORY = Path(__file__).parents[2]
IS_ROOT = os.geteuid() == 0
only_root = pytest.mark.skipif(not IS_ROOT, reason="needs root")
NewServer = Callable[[Path], EmbeddedServer]

START = """
import sys
from pathlib import Path
from loadtest.targets.embedded.server.lifecycle import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]))
server.start()
print(server.status().pid)
"""


@pytest.fixture
def new_server(folder: Path) -> Iterator[NewServer]:
    """Makes servers in `folder` and stops them all in the end."""
    made: list[EmbeddedServer] = []

    def new(data_folder: Path) -> EmbeddedServer:
        made.append(EmbeddedServer(data_folder))
        return made[-1]

    yield new
    for server in made:
        server.stop()


@pytest.fixture
def server(new_server: NewServer, folder: Path) -> EmbeddedServer:
    """A server that has not been started yet, in a folder that is not there yet."""
    return new_server(folder / "data")


def ask(server: EmbeddedServer, sql: str) -> Any:
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        cursor = connection.execute(sql.encode())
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


def command(script: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", script, *map(str, arguments)]


def environment() -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mode,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in (folder, *folder.rglob("*"))
    }


def server_processes(server: EmbeddedServer) -> list[psutil.Process]:
    return strays(DataFolder(server.data_folder))


def postmasters(server: EmbeddedServer) -> list[int]:
    processes = server_processes(server)
    found = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # a session that is just ending
            if process.ppid() not in {other.pid for other in processes}:
                found.append(process.pid)
    return found


# The ordinary life


def test_start_reuse_stop(server: EmbeddedServer, folder: Path) -> None:
    before = server.status()
    assert not before.running
    assert before.pid is None
    assert before.size_bytes == 0
    assert not (folder / "data").exists(), "looking makes nothing"

    server.start()
    first = server.status()
    assert first.running
    assert first.version.startswith("18.")
    assert first.data_folder == folder / "data"
    assert first.size_bytes > 10_000_000
    assert (first.socket_folder / f".s.PGSQL.{first.port}").is_socket()
    ask(server, "CREATE TABLE kept AS SELECT 42 AS answer")

    server.start()
    assert server.status().pid == first.pid
    assert EmbeddedServer(folder / "data").status().pid == first.pid

    server.stop()
    assert not server.status().running
    assert not server_processes(server)
    server.stop()

    server.start()
    assert ask(server, "SELECT answer FROM kept") == 42


def test_reset_gives_an_empty_database(server: EmbeddedServer) -> None:
    server.start()
    ask(server, "CREATE TABLE gone (k int)")
    server.reset()
    assert ask(server, "SELECT to_regclass('gone')") is None
    assert sorted(p.name for p in server.data_folder.glob("postgresql*")) == ["postgresql"]


def test_reset_of_a_folder_that_is_not_there_makes_it(server: EmbeddedServer) -> None:
    server.reset()
    assert server.status().running


def test_stop_touches_nothing_that_is_not_ours(new_server: NewServer, folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    before = contents(folder)
    new_server(folder).stop()
    new_server(folder / "absent").stop()
    assert contents(folder) == before


def test_it_starts_fast(server: EmbeddedServer) -> None:
    times = []
    for _ in range(2):
        began = time.monotonic()
        server.start()
        times.append(time.monotonic() - began)
        server.stop()
    first, later = times
    # The aims, met on an idle machine, are 2 and 0.5 s; this finds a wait that ran into its end.
    assert first < 15
    assert later < 5


def test_the_settings_are_the_documented_ones(embedded_server: EmbeddedServer) -> None:
    expected = {
        "max_connections": "620",
        "listen_addresses": "",
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "max_wal_size": "4GB",
        "min_wal_size": "512MB",
        "checkpoint_timeout": "15min",
        "jit": "off",
        "autovacuum": "on",
        "huge_pages": "off",
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "random_page_cost": "1.1",
        "TimeZone": "UTC",
        "server_encoding": "UTF8",
        "lc_messages": "C",
        "data_checksums": "on",
        "track_io_timing": "off",
    }
    assert {name: ask(embedded_server, f"SHOW {name}") for name in expected} == expected
    assert ask(embedded_server, "SELECT current_user || '@' || current_database()") == (
        "occbench@occbench"
    )


@pytest.mark.parametrize(
    ("mebibytes", "buffers"), [(512, "128MB"), (2047, "128MB"), (2048, "256MB"), (65536, "256MB")]
)
def test_a_small_machine_gets_small_buffers(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, mebibytes: int, buffers: str
) -> None:
    monkeypatch.setattr(settings, "memory", lambda: mebibytes * 1024 * 1024)
    server.start()
    assert ask(server, "SHOW shared_buffers") == buffers


def test_conflicts_are_not_logged(server: EmbeddedServer) -> None:
    server.start()
    log = server.data_folder / "server.log"
    before = log.read_text()
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        for _ in range(3):
            with pytest.raises(psycopg.errors.SerializationFailure):
                connection.execute(
                    "DO $$ BEGIN RAISE EXCEPTION USING errcode = '40001', message = 'x'; END $$"
                )
            connection.execute("DO $$ BEGIN RAISE WARNING 'noise'; END $$")
    assert log.read_text() == before


def test_the_log_does_not_grow_for_ever(server: EmbeddedServer) -> None:
    for _ in range(4):
        server.start()
        server.stop()
    logs = sorted(p.name for p in server.data_folder.glob("server.log*"))
    assert logs == ["server.log", "server.log.1"]
    assert (server.data_folder / "server.log").read_text().count("starting PostgreSQL") == 1


@pytest.mark.slow
def test_five_hundred_connections(embedded_server: EmbeddedServer) -> None:
    connections = []
    try:
        for _ in range(500):
            connections.append(psycopg.connect(embedded_server.conninfo(), autocommit=True))  # noqa: PERF401
        assert ask(embedded_server, "SELECT count(*) FROM pg_stat_activity") > 500
        row = connections[-1].execute("SELECT 1").fetchone()
        assert row == (1,)
    finally:
        for connection in connections:
            connection.close()


# The address


def psql(url: str, sql: str) -> str:
    done = subprocess.run(
        [binary("psql"), "-X", "-A", "-t", "-c", sql, url],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("regime", "path"), [("optimistic", "optimistic,public"), ("locking", "public")]
)
def test_the_url_works_everywhere(embedded_server: EmbeddedServer, regime: Regime, path: str) -> None:
    odd = r"two  words, a \ and 100 % of 'quotes' & ä"
    url = embedded_server.url(regime, {"occ.commit_delay_ms": "12", "occ.note": odd})
    for name, expected in {
        "search_path": path,
        "default_transaction_isolation": "repeatable read",
        "occ.commit_delay_ms": "12",
        "occ.note": odd,
    }.items():
        assert psql(url, f"SHOW {name}") == expected
        with psycopg.connect(url) as connection:
            assert connection.execute(f"SHOW {name}".encode()).fetchone() == (expected,)
    # pgbench takes a URL too.
    bench: list[str | Path] = [binary("pgbench"), "-n", "-t", "1", "-f", "/dev/stdin", url]
    subprocess.run(bench, input="SELECT 1;\n", text=True, check=True, capture_output=True)


def test_conninfo_takes_options_of_libpq(embedded_server: EmbeddedServer) -> None:
    conninfo = embedded_server.conninfo(application_name="it's me", options=libpq_options("locking"))
    with psycopg.connect(conninfo) as connection:
        assert connection.execute("SHOW application_name").fetchone() == ("it's me",)
        assert connection.execute("SHOW search_path").fetchone() == ("public",)


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
    assert pids == {str(server.status().pid)}
    postmasters = [p for p in server_processes(server) if p.parent() not in server_processes(server)]
    assert len(postmasters) == 1


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
    assert server.status().pid == pid
    assert ask(server, "SELECT 1") == 1


def test_recovers_after_kill_9_of_everything(server: EmbeddedServer) -> None:
    server.start()
    ask(server, "CREATE TABLE kept (k int)")
    ask(server, "INSERT INTO kept SELECT generate_series(1, 1000)")
    open_transaction = psycopg.connect(server.conninfo())
    open_transaction.execute("INSERT INTO kept VALUES (0)")
    pid = server.status().pid
    for process in server_processes(server):
        process.kill()
    psutil.wait_procs(server_processes(server), timeout=5)
    assert (server.data_folder / "postgresql" / "postmaster.pid").exists(), "it died untidily"
    assert not server.status().running

    server.start()
    assert server.status().pid != pid
    assert ask(server, "SELECT count(*) FROM kept") == 1000


def test_recovers_after_kill_9_of_the_postmaster_under_a_busy_session(
    server: EmbeddedServer,
) -> None:
    server.start()
    ask(server, "CREATE TABLE kept AS SELECT 7 AS k")
    busy = psycopg.connect(server.conninfo(), autocommit=True)
    busy.pgconn.send_query(b"DO $$ BEGIN LOOP END LOOP; END $$")
    time.sleep(0.3)
    pid = server.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.3)
    assert server_processes(server), "the busy session is what this test is about"

    server.start()
    assert server.status().pid != pid
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


def test_numbers_in_stale_files_may_be_anybody_s(server: EmbeddedServer) -> None:
    """After a restart of the machine, the numbers of dead processes belong to live ones."""
    server.start()
    sockets = server.status().socket_folder
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
        assert not server.status().running
        server.start()
        assert ask(server, "SELECT 1") == 1
        assert innocent.poll() is None
    finally:
        innocent.kill()
        innocent.wait()


def test_data_deleted_under_a_running_server(server: EmbeddedServer) -> None:
    server.start()
    old = server.status().pid
    shutil.rmtree(server.data_folder)
    assert not server.status().running
    server.start()
    assert ask(server, "SELECT 1") == 1
    time.sleep(0.5)
    assert old not in {process.pid for process in server_processes(server)}
    assert ask(server, "SELECT 1") == 1, "the old server must not take the new one's socket along"


def test_socket_deleted_under_a_running_server(server: EmbeddedServer) -> None:
    server.start()
    ask(server, "CREATE TABLE kept AS SELECT 7 AS k")
    shutil.rmtree(server.status().socket_folder)
    server.start()
    assert ask(server, "SELECT k FROM kept") == 7


def test_works_under_gevent(server: EmbeddedServer) -> None:
    code = "from gevent import monkey; monkey.patch_all()\n" + START
    subprocess.run(
        command(code, server.data_folder), env=environment(), check=True, capture_output=True
    )
    assert server.status().running


# Folders of every kind


@pytest.mark.parametrize(
    "name",
    [
        "with space",
        "quotes ' and \" and `x` and $HOME",
        "back\\slash, comma; semicolon & # % = @",
        "straße/データ/🐘",
        "-n",
        "/".join(["long" * 12] * 4),
    ],
)
def test_any_name_of_a_folder_works(new_server: NewServer, folder: Path, name: str) -> None:
    server = new_server(folder / name)
    server.start()
    sockets = server.status().socket_folder
    assert psql(server.url("optimistic"), "SELECT 1") == "1"
    assert ask(server, "SELECT 1") == 1
    assert sockets.stat().st_mode & 0o077 == 0
    server.stop()
    server.start()
    assert ask(server, "SELECT 1") == 1
    server.stop()
    if server.data_folder not in sockets.parents:
        assert not sockets.exists(), "nothing is left in the folder for temporary files"


def test_two_long_names_have_two_servers(new_server: NewServer, folder: Path) -> None:
    one, other = (new_server(folder / ("x" * 150) / name) for name in ("one", "other"))
    one.start()
    other.start()
    assert one.status().socket_folder != other.status().socket_folder
    one.reset()
    assert ask(other, "SELECT 1") == 1


def test_a_long_socket_folder_does_not_depend_on_the_commands_tmpdir(
    new_server: NewServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = new_server(folder / ("x" * 150))
    server.start()
    elsewhere = folder / "other tmp"
    elsewhere.mkdir(0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    assert ask(server, "SELECT 1") == 1
    server.stop()
    server.start()
    assert ask(server, "SELECT 1") == 1


@pytest.mark.parametrize("trap", ["open to all", "link", "file"])
def test_a_socket_folder_somebody_else_made_is_not_used(
    new_server: NewServer, folder: Path, trap: str
) -> None:
    server = new_server(folder / ("x" * 150))
    trapped = server.socket_folder
    inside = folder / "inside"
    inside.mkdir(0o755)
    if trap == "open to all":
        trapped.mkdir()
        trapped.chmod(0o777)
    elif trap == "link":
        trapped.symlink_to(inside)
    else:
        trapped.write_text("")
    try:
        server.start()
        used = server.status().socket_folder
        assert used != trapped
        assert used.stat().st_mode & 0o077 == 0
        assert ask(server, "SELECT 1") == 1
        assert not list(inside.iterdir())
        server.stop()
        assert not used.exists()
    finally:
        shutil.rmtree(trapped) if trap == "open to all" else trapped.unlink()


def check_refused(server: EmbeddedServer, folder: Path, *words: str) -> None:
    before = contents(folder)
    for action in (server.start, server.reset):
        with pytest.raises(InputError) as caught:
            action()
        text = str(caught.value)
        assert "\n" not in text
        for word in (str(server.data_folder), *words):
            assert word in text
    server.stop()
    assert not server.status().running
    assert contents(folder) == before


def test_a_folder_with_other_files_is_refused(new_server: NewServer, folder: Path) -> None:
    (folder / "thesis").mkdir()
    (folder / "thesis" / "chapter-1.txt").write_text("precious")
    check_refused(new_server(folder), folder, "other files", "an empty folder")


def test_somebody_elses_postgresql_is_refused(new_server: NewServer, folder: Path) -> None:
    (folder / "PG_VERSION").write_text("18\n")
    (folder / "base").mkdir()
    check_refused(new_server(folder), folder, "a PostgreSQL data folder")


def test_a_file_is_refused(new_server: NewServer, folder: Path) -> None:
    (folder / "file").write_text("precious")
    check_refused(new_server(folder / "file"), folder, "a file")
    check_refused(new_server(folder / "file" / "below"), folder, "a file")


def test_a_control_character_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="control character"):
        EmbeddedServer(folder / "two\nlines")


def test_another_major_version_is_refused_but_can_be_reset(server: EmbeddedServer) -> None:
    server.start()
    server.stop()
    version = server.data_folder / "postgresql" / "PG_VERSION"
    version.write_text("17\n")
    with pytest.raises(InputError, match=r"PostgreSQL 17 where PostgreSQL 18 .* db reset"):
        server.start()
    assert version.read_text() == "17\n"
    server.reset()
    assert ask(server, "SELECT 1") == 1


def test_a_full_disk_is_said(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=900 << 20))
    with pytest.raises(TargetError, match=r"900 MB are free .* at least 1 GB") as caught:
        server.start()
    assert "\n" not in str(caught.value)


def test_reset_makes_room_before_it_asks_for_it(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.start()
    full = {(server.data_folder / "postgresql").stat().st_ino}

    def usage(path: Path) -> SimpleNamespace:
        there = {entry.stat().st_ino for entry in path.iterdir()}
        return SimpleNamespace(free=0 if full & there else 1 << 40)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    server.reset()
    assert ask(server, "SELECT 1") == 1


def test_a_server_that_does_not_start_says_why(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "MAX_CONNECTIONS", 200_000)
    monkeypatch.setattr(settings, "memory", lambda: 0)
    limited = server_user().run

    def with_little_memory(arguments: list[str | Path], **more: Any) -> Any:
        if Path(arguments[0]).name == "pg_ctl":
            arguments = ["/bin/sh", "-c", 'ulimit -v 400000; exec "$@"', "sh", *arguments]
        return limited(arguments, **more)

    monkeypatch.setattr(SystemUser, "run", lambda self, *a, **k: with_little_memory(*a, **k))
    with pytest.raises(TargetError, match=r"did not start: could not .*memory") as caught:
        server.start()
    assert "\n" not in str(caught.value)
    assert not server.status().running
    monkeypatch.undo()
    server.start()
    assert ask(server, "SELECT 1") == 1


def test_a_program_that_is_not_there() -> None:
    assert os.access(binary("pgbench"), os.X_OK)
    with pytest.raises(TargetError, match="pgbanch"):
        binary("pgbanch")


# Root and ordinary users


def ordinary_user() -> pwd.struct_passwd:
    return pwd.getpwnam("nobody")


def skip_unless_reachable(*paths: Path) -> None:
    entry = ordinary_user()
    user = SystemUser(entry.pw_name, entry.pw_uid, entry.pw_gid, switched=True)
    if blocked := user.first_unreachable(paths):
        pytest.skip(
            f"an ordinary user cannot reach {blocked}, where this Python or the clone lies: "
            "make PYTHON=/usr/bin/python3 test, in a clone outside of home folders"
        )


def run_as_ordinary_user(
    script: str, *arguments: object, home: Path
) -> subprocess.CompletedProcess[str]:
    skip_unless_reachable(Path(sys.executable), REPOSITORY)
    entry = ordinary_user()
    clean = {k: v for k, v in environment().items() if not k.startswith(("XDG_", "OCCBENCH_"))}
    return subprocess.run(
        command(script, *arguments),
        env={**clean, "HOME": str(home)},
        cwd="/",
        user=entry.pw_uid,
        group=entry.pw_gid,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


ORDINARY_LIFE = """
import json, os, psycopg
from loadtest.targets.embedded.server.lifecycle import EmbeddedServer
server = EmbeddedServer()
server.start()
try:
    first = server.status().pid
    server.start()
    server.reset()
    with psycopg.connect(server.url("optimistic")) as connection:
        answer = connection.execute("SELECT 1").fetchone()[0]
    status = server.status()
    modes = [oct(os.stat(f).st_mode & 0o777) for f in (status.data_folder, status.socket_folder)]
finally:
    server.stop()
print(json.dumps([str(status.data_folder), answer, modes, server.status().running]))
"""


@only_root
def test_as_an_ordinary_user(folder: Path) -> None:
    home = folder / "home"
    home.mkdir()
    os.chown(home, ordinary_user().pw_uid, ordinary_user().pw_gid)
    done = run_as_ordinary_user(ORDINARY_LIFE, home=home)
    assert done.returncode == 0, done.stderr
    data_folder, answer, modes, running = json.loads(done.stdout)
    assert Path(data_folder).is_relative_to(home)
    assert answer == 1
    assert modes == ["0o700", "0o700"]
    assert not running


REFUSALS = """
import sys
from pathlib import Path
from loadtest.errors import OccbenchError
from loadtest.targets.embedded.server.lifecycle import EmbeddedServer
for action in ("start", "reset", "stop", "status"):
    try:
        print(action, getattr(EmbeddedServer(Path(sys.argv[1])), action)())
    except OccbenchError as error:
        print(type(error).__name__, error)
"""


@only_root
def test_an_ordinary_user_and_a_folder_of_root(server: EmbeddedServer, folder: Path) -> None:
    server.start()
    done = run_as_ordinary_user(REFUSALS, server.data_folder, home=folder)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 4
    for line in lines[:3]:
        assert line.startswith(f"InputError data folder {server.data_folder} cannot be written to")
    assert ask(server, "SELECT 1") == 1

    (folder / "closed").mkdir(0o755)
    done = run_as_ordinary_user(REFUSALS, folder / "closed" / "new", home=folder)
    start, reset, stop, status = done.stdout.splitlines()
    for line in (start, reset):
        assert line.startswith("InputError")
        assert "cannot be written to by user" in line
    assert stop == "stop None"
    assert "running=False" in status


@only_root
def test_root_and_a_folder_of_an_ordinary_user(new_server: NewServer, folder: Path) -> None:
    data = folder / "data"
    data.mkdir()
    os.chown(data, ordinary_user().pw_uid, ordinary_user().pw_gid)
    done = run_as_ordinary_user(START, data, home=folder)
    assert done.returncode == 0, done.stderr
    try:
        for action in ("start", "stop", "reset"):
            with pytest.raises(InputError, match="belongs to user nobody"):
                getattr(EmbeddedServer(data), action)()
    finally:
        stop = START.replace("server.start()", "server.stop()")
        assert run_as_ordinary_user(stop, data, home=folder).returncode == 0


@only_root
def test_root_and_a_folder_the_server_cannot_reach(new_server: NewServer, folder: Path) -> None:
    private = folder / "private"
    private.mkdir(0o700)
    check_refused(
        new_server(private / "data"), folder, f"may not enter {private};", "/var/lib/occbench"
    )
    check_refused(new_server(private), folder, f"may not enter {private};")


@only_root
@pytest.mark.slow
def test_programs_the_server_cannot_reach_are_copied(
    new_server: NewServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a virtual environment under /root, installed under a umask of 077."""
    original = binaries._package_folder()
    private = folder / "private"
    private.mkdir(0o700)
    package = private / original.name
    shutil.copytree(original / "pginstall18", package / "pginstall18")
    libraries = original.with_name(f"{original.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, private / libraries.name)
    for path in private.rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)
    before = contents(private)
    monkeypatch.setattr(binaries, "_package_folder", lambda: package)

    server = new_server(folder / "data")
    (folder / "data").mkdir(0o755)
    (folder / "data" / "occbench.lock").touch()
    (folder / "data" / "programs-0.0.1").mkdir()  # of a wheel since replaced
    (folder / "data" / "programs-9.9.9.new").mkdir()  # a copy that was cut short
    server.start()
    pid = server.status().pid
    assert pid is not None
    assert Path(psutil.Process(pid).exe()).is_relative_to(server.data_folder)
    assert ask(server, "SELECT 1") == 1
    assert contents(private) == before, "nothing of the user's was opened up"
    copies = list(server.data_folder.glob("programs-*"))
    assert len(copies) == 1
    made = copies[0].stat().st_ctime_ns

    server.reset()
    assert ask(server, "SELECT 1") == 1
    assert copies[0].stat().st_ctime_ns == made, "it is copied once"


@only_root
def test_only_root_and_the_server_can_connect(server: EmbeddedServer) -> None:
    server.start()
    skip_unless_reachable(binary("psql"))
    stranger = subprocess.run(
        [binary("psql"), "-c", "SELECT 1", server.conninfo()],
        user=ordinary_user().pw_uid + 1,
        group=ordinary_user().pw_gid + 1,
        extra_groups=[],
        env={"LC_ALL": "C"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert stranger.returncode != 0
    assert "Permission denied" in stranger.stderr


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("OCCBENCH_DATA", str(folder / "here"))
    assert default_data_folder() == folder / "here"
    monkeypatch.setenv("OCCBENCH_DATA", "")
    ours = default_data_folder()
    assert ours == Path("/var/lib/occbench") if IS_ROOT else ours.name == "occbench"
