"""A strange environment: settings of other programs, folders that cannot be written to, no output."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import command, environment, occbench, one_line
from tests.faults.conftest import Measured
from tests.run_folders import FakeRun, write_fake_run

_RUN = ("--users", "2", "--duration", "1s", "--warmup", "0.2s", "--accounts", "100", "--keys", "int")
_NOWHERE = "/proc/nowhere"
"""A folder that nobody can make, root neither."""


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("record") / "run"
    write_fake_run(folder, FakeRun(tps=200, duration_s=10))
    return folder


def page_of(run_folder: Path, cwd: Path, **more: str) -> str:
    """The checksum of the page that is written there and so."""
    shutil.copytree(run_folder, cwd / "run")
    done = occbench("report", "run", cwd=cwd, **more)
    assert (done.returncode, done.stderr) == (0, "")
    return hashlib.sha256((cwd / "run/report.html").read_bytes()).hexdigest()


def test_a_report_has_the_same_bytes_everywhere(
    run_folder: Path, tmp_path: Path, measured: Measured
) -> None:
    """The same record gives the same bytes of a report, whatever settings of matplotlib lie about and
    wherever nothing but the report can be written.
    """
    folders = {name: tmp_path / name for name in ("plain", "settings", "nowhere")}
    for folder in folders.values():
        folder.mkdir()
    (folders["settings"] / "matplotlibrc").write_bytes(b"font.size: \xff\nbackend: nonsense\n")
    sensible = tmp_path / "matplotlibrc"
    sensible.write_text("text.usetex: True\nfont.size: 30\n")
    pages = {
        "plain": page_of(run_folder, folders["plain"]),
        "settings": page_of(
            run_folder, folders["settings"], MPLBACKEND="module://nonsense", MATPLOTLIBRC=str(sensible)
        ),
        "nowhere": page_of(
            run_folder, folders["nowhere"], HOME=_NOWHERE, TMPDIR=_NOWHERE, MPLCONFIGDIR=_NOWHERE
        ),
    }
    measured(f"{len(pages)} environments, {len(set(pages.values()))} page")
    assert len(set(pages.values())) == 1


def test_where_nothing_can_be_drawn_no_load_is_begun(
    server_folder: Path, tmp_path: Path, measured: Measured
) -> None:
    """Where no report could be drawn, a run ends before its load, in one line."""
    broken = tmp_path / "broken/matplotlib"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('no such library')\n")
    old = tmp_path / "gates.xml"
    old.write_text("of yesterday")
    done = occbench(
        "run", *_RUN, "--out", "out", "--junit", old.name, cwd=tmp_path,
        OCCBENCH_DATA=str(server_folder), PYTHONPATH=f"{broken.parent}{os.pathsep}{Path.cwd()}",
    )  # fmt: skip
    line = one_line(done, 2)
    assert "no report can be drawn here" in line
    assert not (tmp_path / "out").exists()
    assert not old.exists()
    measured(line)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    "redirect",
    ["> /dev/full", *(pytest.param(one, marks=pytest.mark.long) for one in (">&-", "| true"))],
)
def test_gates_are_judged_where_nothing_can_be_printed(
    redirect: str, server_folder: Path, tmp_path: Path, measured: Measured
) -> None:
    """Where the output is full, closed or read by nobody, the gates are judged, their file is written
    and the status is theirs.
    """
    subprocess.run(
        command("seed", "--accounts", "1000", "--keys", "int"),
        env=environment(OCCBENCH_DATA=str(server_folder)), check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    junit = tmp_path / "gates.xml"
    junit.write_text("of yesterday")
    gate = ("--fail-on", "throughput < 1000000", "--junit", str(junit))
    script = f'("$@"; echo $? > status) {redirect}'
    done = subprocess.run(
        ["/bin/sh", "-c", script, "sh", *command("run", *_RUN, *gate, "--out", "out")],
        cwd=tmp_path,
        env=environment(OCCBENCH_DATA=str(server_folder), PYTHONIOENCODING="ascii"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=90,
    )
    assert (tmp_path / "status").read_text().strip() == "1"
    assert "Traceback" not in done.stderr
    assert 'failures="1"' in junit.read_text()
    assert list(tmp_path.glob("out/*/report.html"))
    measured(f"status 1 and {junit.name} with `{redirect}`")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user that is not there")
def test_a_user_without_an_entry_gets_one_line(tmp_path: Path, measured: Measured) -> None:
    """A user id that /etc/passwd does not have gets one line that says what to give."""
    as_nobody = {"user": 54321, "group": 54321, "extra_groups": [], "cwd": "/"}
    try:
        subprocess.run([sys.executable, "-c", ""], check=True, **as_nobody)  # type: ignore[call-overload]
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("another user cannot run this Python: install it outside of a home folder")
    bare = {"PYTHONPATH": environment()["PYTHONPATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(  # type: ignore[call-overload]
        command("db", "status"), env=bare, capture_output=True, text=True, timeout=60, **as_nobody
    )
    line = one_line(done, 2)
    assert "OCCBENCH_DATA" in line
    assert "54321" in line
    measured(line)


@pytest.mark.long
def test_a_folder_that_is_not_utf_8(server_folder: Path, tmp_path: Path, measured: Measured) -> None:
    """A run into a folder whose name is not UTF-8 is like any other, and so are its reports."""
    data = environment(OCCBENCH_DATA=str(server_folder), PYTHONIOENCODING="ascii")
    out = os.fsdecode(b"r\xe9sultats")

    def well(*words: str) -> bytes:
        done = subprocess.run(
            command(*words), cwd=tmp_path, env=data, capture_output=True, check=False, timeout=90
        )
        assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
        return done.stdout

    well("seed", "--accounts", "1000", "--keys", "int")
    first = well("run", *_RUN, "--out", out, "--junit", f"{out}.xml")
    well("run", *_RUN, "--out", out, "--label", "second")
    assert b"r\xe9sultats/" in first
    one, two = sorted((tmp_path / out).iterdir())
    renamed = one.rename(one.with_name(os.fsdecode(b"\xe9t\xe9")))
    well("report", str(renamed), "--format", "html,md,pdf")
    well("report", str(renamed), str(two), "--together", "both.html", "--format", "html,md,pdf")
    well("compare", str(renamed), str(two), "--html", "c.html", "--json", "c.json", "--junit", "c.xml")
    assert "\\xe9t\\xe9" in (tmp_path / "c.html").read_text(encoding="utf-8")
    measured("run, report, together and compare")
