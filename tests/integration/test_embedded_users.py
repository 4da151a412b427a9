"""The embedded server: root and ordinary users."""

import json
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from loadtest.errors import InputError
from loadtest.targets.embedded import binaries
from loadtest.targets.embedded.binaries import binary
from loadtest.targets.embedded.server import EmbeddedServer
from loadtest.targets.embedded.system_user import SystemUser
from tests.integration.embedded_support import (
    REPOSITORY,
    START,
    NewServer,
    ask,
    check_refused,
    command,
    contents,
    database,
    environment,
    new_server,
    only_root,
    server,
)

__all__ = ["database", "new_server", "server"]


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
from loadtest.targets.embedded.server import EmbeddedServer
server = EmbeddedServer()
server.start()
try:
    first = server.pid
    server.start()
    server.reset()
    with psycopg.connect(server.url("optimistic")) as connection:
        answer = connection.execute("SELECT 1").fetchone()[0]
    modes = [oct(os.stat(f).st_mode & 0o777) for f in (server.data_folder, server.socket_folder)]
finally:
    server.stop()
print(json.dumps([str(server.data_folder), answer, modes, server.pid]))
"""


@only_root
def test_as_an_ordinary_user(folder: Path) -> None:
    home = folder / "home"
    home.mkdir()
    os.chown(home, ordinary_user().pw_uid, ordinary_user().pw_gid)
    done = run_as_ordinary_user(ORDINARY_LIFE, home=home)
    assert done.returncode == 0, done.stderr
    data_folder, answer, modes, pid = json.loads(done.stdout)
    assert Path(data_folder).is_relative_to(home)
    assert answer == 1
    assert modes == ["0o700", "0o700"]
    assert pid is None


REFUSALS = """
import sys
from pathlib import Path
from loadtest.errors import OccbenchError
from loadtest.targets.embedded.server import EmbeddedServer
for action in ("start", "reset", "stop", "pid"):
    try:
        done = getattr(EmbeddedServer(Path(sys.argv[1])), action)
        print(action, done() if callable(done) else done)
    except OccbenchError as error:
        print(type(error).__name__, error)
"""


@pytest.mark.usefixtures("database")
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
    start, reset, stop, pid = done.stdout.splitlines()
    for line in (start, reset):
        assert line.startswith("InputError")
        assert "cannot be written to by user" in line
    assert stop == "stop None"
    assert pid == "pid None"


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
    pid = server.pid
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


@pytest.mark.usefixtures("database")
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
