"""The search for secrets finds them, and knows those that tests use."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.known_secrets import SECRETS, check, secrets_in, secrets_under

TESTS = Path(__file__).parents[1]
# Too short to be searched for, said of a record that came from elsewhere, or a name that is put in.
UNKNOWN = frozenset({"swordfish", "x", "a", "ab", "b", "pw"})
IN_URL = re.compile(r"://[\w.-]*:([A-Za-z]\w*)@")


def test_a_secret_is_found_wherever_it_stands(tmp_path: Path) -> None:
    assert secrets_in("postgresql://u:hunter2@h") == ["hunter2"]
    assert secrets_in(b"\xff wJalr%2Fmade%2Bup%2Fsecret%2Bkey%2Bof%2Bnobody") == [SECRETS[-1]]
    assert secrets_in("\udcff nothing") == []
    with pytest.raises(AssertionError, match="a line shows"):
        check("geheim", "a line")
    run = tmp_path / "results" / "run"
    run.mkdir(parents=True)
    for name, written in (("run.json", True), ("report.html", True), ("config", False)):
        (run / name).write_text("geheim")
        assert any(name in line for line in secrets_under(tmp_path)) is written
        (run / name).unlink()


def test_a_folder_that_goes_while_it_is_searched(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name / "deeper").mkdir(parents=True)
        (tmp_path / name / "deeper" / "run.log").write_text("geheim")
    search = secrets_under(tmp_path)
    assert "run.log" in next(search)
    shutil.rmtree(tmp_path)
    assert list(search) == []


def test_passwords_of_all_tests_are_known() -> None:
    for path in TESTS.rglob("*.py"):
        for found in IN_URL.finditer(path.read_text(encoding="utf-8")):
            assert found[1] in {*SECRETS, *UNKNOWN}, (
                f"{path.name}: add {found[1]} to tests/known_secrets.py"
            )


PLANTED = """
from tests.known_secrets import SECRETS

def test_writes(tmp_path):
    (tmp_path / "run.log").write_text(SECRETS[0])
"""


def test_a_session_of_several_processes_is_searched_too() -> None:
    # In a folder of its own: this session's are searched as well.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_it.py").write_text(PLANTED)
        plugins = ("-p", "tests.conftest", "-p", "no:cacheprovider", "-n", "1")
        words = [*plugins, "--basetemp", f"{folder}/made", f"{folder}/test_it.py"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "--rootdir", folder, *words],
            env={**os.environ, "PYTHONPATH": str(TESTS.parent)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert "run.log shows ['hunter2']" in done.stdout
    assert "1 passed" in done.stdout
