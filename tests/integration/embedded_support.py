"""What tests of the embedded server's life share: servers that end with the test, and looks at them."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from loadtest.errors import InputError
from loadtest.targets.embedded.binaries import binary
from loadtest.targets.embedded.folder import DataFolder
from loadtest.targets.embedded.server import EmbeddedServer, strays
from tests.commands import BYTECODE
from tests.rigs.data_folder import copied

REPOSITORY = Path(__file__).parents[2]
IS_ROOT = os.geteuid() == 0
only_root = pytest.mark.skipif(not IS_ROOT, reason="needs root")
NewServer = Callable[[Path], EmbeddedServer]

START = """
import sys
from pathlib import Path
from loadtest.targets.embedded.server import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]))
server.start()
print(server.pid)
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


@pytest.fixture
def database(folder: Path) -> None:
    """The folder of `server` has its database already."""
    copied(folder / "data")


def ask(server: EmbeddedServer, sql: str) -> Any:
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        cursor = connection.execute(sql.encode())
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


def command(script: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", script, *map(str, arguments)]


def environment() -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, **BYTECODE}


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


def psql(url: str, sql: str) -> str:
    done = subprocess.run(
        [binary("psql"), "-X", "-A", "-t", "-c", sql, url],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    return done.stdout.strip()


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
    assert server.pid is None
    assert contents(folder) == before
