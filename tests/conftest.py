"""What the tests share: folders a server can live in, and a server."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from loadtest.targets.embedded.server import EmbeddedServer


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder with a short name that the server's user can reach, which pytest's own is not."""
    folder = Path(tempfile.mkdtemp(prefix="occ-", dir="/tmp"))
    if os.geteuid() == 0:
        folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder for one test."""
    with short_folder() as made:
        yield made


@pytest.fixture(scope="session")
def embedded_server() -> Iterator[EmbeddedServer]:
    """A running server that all tests share; they keep to tables of their own."""
    with short_folder() as made:
        server = EmbeddedServer(made / "data")
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def server_folder(embedded_server: EmbeddedServer) -> Path:
    """The data folder of the shared server, for `OCCBENCH_DATA` and `embedded?data=`."""
    return embedded_server.data_folder
