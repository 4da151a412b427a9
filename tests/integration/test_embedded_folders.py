"""The embedded server in folders of every kind, and those that it refuses."""

import os
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loadtest.errors import InputError, TargetError
from loadtest.targets.embedded import database as settings
from loadtest.targets.embedded.binaries import binary
from loadtest.targets.embedded.folder import default_data_folder
from loadtest.targets.embedded.server import EmbeddedServer
from loadtest.targets.embedded.system_user import SystemUser, server_user
from tests.integration.embedded_support import (
    IS_ROOT,
    NewServer,
    ask,
    check_refused,
    database,
    new_server,
    psql,
    server,
)
from tests.rigs.data_folder import copied

__all__ = ["database", "new_server", "server"]


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
    sockets = server.socket_folder
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
    long = folder / ("x" * 150)
    long.mkdir(0o755)
    one, other = (new_server(copied(long / name)) for name in ("one", "other"))
    one.start()
    other.start()
    assert one.socket_folder != other.socket_folder
    one.reset()
    assert ask(other, "SELECT 1") == 1


def test_a_long_socket_folder_does_not_depend_on_the_commands_tmpdir(
    new_server: NewServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = new_server(copied(folder / ("x" * 150)))
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
    server = new_server(copied(folder / ("x" * 150)))
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
        used = server.socket_folder
        assert used != trapped
        assert used.stat().st_mode & 0o077 == 0
        assert ask(server, "SELECT 1") == 1
        assert not list(inside.iterdir())
        server.stop()
        assert not used.exists()
    finally:
        shutil.rmtree(trapped) if trap == "open to all" else trapped.unlink()


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


@pytest.mark.usefixtures("database")
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


@pytest.mark.usefixtures("database")
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


@pytest.mark.usefixtures("database")
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
    assert server.pid is None
    monkeypatch.undo()
    server.start()
    assert ask(server, "SELECT 1") == 1


def test_a_program_that_is_not_there() -> None:
    assert os.access(binary("pgbench"), os.X_OK)
    with pytest.raises(TargetError, match="pgbanch"):
        binary("pgbanch")


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("OCCBENCH_DATA", str(folder / "here"))
    assert default_data_folder() == folder / "here"
    monkeypatch.setenv("OCCBENCH_DATA", "")
    ours = default_data_folder()
    assert ours == Path("/var/lib/occbench") if IS_ROOT else ours.name == "occbench"
