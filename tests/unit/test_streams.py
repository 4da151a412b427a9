"""What a command does where what it prints cannot be printed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from loadtest.process.streams import shown
from loadtest.record.files import create_parquet, open_parquet, write_atomically
from loadtest.record.run import Config, Run, write_run
from tests.commands import command, environment

_PREDICT = ("predict", "--accounts", "1000", "--rate", "909", "--latency-ms", "20.12")


def run(*words: str, redirect: str = "", **more: str) -> subprocess.CompletedProcess[bytes]:
    """A command whose output the shell redirects."""
    script = f'exec "$@" {redirect}'
    return subprocess.run(
        ["/bin/sh", "-c", script, "sh", *command(*words)],
        env=environment(**more),
        capture_output=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_every_symbol_is_printed_in_every_encoding(encoding: str) -> None:
    done = run(*_PREDICT, PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    said = done.stdout.decode(encoding)
    assert "retry policy" in said
    assert "\\x" not in said
    assert "\\u" not in said


def test_json_is_json_in_every_encoding() -> None:
    done = run(*_PREDICT, "--json", PYTHONIOENCODING="ascii")
    assert json.loads(done.stdout)["forecasts"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_behind_the_output_is_said_in_one_line() -> None:
    done = run("list", redirect="> /dev/full")
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == [
        "occbench: not all that was to be printed could be written: No space left on device"
    ]


def test_closed_streams_are_no_error() -> None:
    assert run("list", redirect=">&-").returncode == 0
    assert run("list", redirect=">&- 2>&- <&-").returncode == 0
    assert run("list", "colours", redirect=">&- 2>&-").returncode == 2


def test_a_reader_that_leaves_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        command(*_PREDICT),
        env=environment(),
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_terminal_that_does_not_block_gets_everything() -> None:
    """As a program leaves it that reads from it without waiting."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    script = (
        "from loadtest.process import streams; streams.set_up()\n"
        "for _ in range(50): print('x' * 9999)\n"
        "assert streams.why_lost() is None"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], env=environment(), stdout=writing, stderr=subprocess.PIPE
    ) as process:
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            assert len(pipe.read()) == 500_000
        assert process.wait(60) == 0, process.stderr


def test_the_bytes_of_a_name_are_printed_as_they_are() -> None:
    script = "from loadtest.process import streams; streams.set_up(); print('r\\udce9sum\\u00e9')"
    for encoding, expected in (("utf-8", b"r\xe9sum\xc3\xa9\n"), ("ascii", b"r\xe9sum\\xe9\n")):
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=environment(PYTHONIOENCODING=encoding),
            capture_output=True,
            check=True,
            timeout=60,
        )
        assert done.stdout == expected


def test_names_that_are_not_utf_8_are_written_into_files(tmp_path: Path) -> None:
    name = os.fsdecode(b"r\xe9sum\xc3\xa9")
    assert shown(name) == "r\\xe9sumé"
    folder = tmp_path / name
    folder.mkdir()
    write_run(folder, Run(config=Config(out=name)))
    assert json.loads((folder / "run.json").read_bytes())["config"] == {"out": name}
    write_atomically(folder / "page.html", f"<p>{name}</p>")
    assert (folder / "page.html").read_text(encoding="utf-8") == "<p>r\\xe9sumé</p>"
    with create_parquet(folder / "a.parquet") as file:
        file.write(b"PAR1")
    assert (folder / "a.parquet").read_bytes() == b"PAR1"
    assert open_parquet(folder / "a.parquet").read() == b"PAR1"
