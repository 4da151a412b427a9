"""What failed is run once more, and only if it is little: what is broken stays red."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = """
from pathlib import Path

SEEN = Path(__file__).with_name("seen")


def test_unlucky():
    first = not SEEN.exists()
    SEEN.touch()
    assert not first


def test_fine():
    SEEN.with_name("fine").open("a").write("x")
"""
BROKEN = """

def test_broken_{n}():
    assert False
"""


def run(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """pytest, or the second try, in a project of its own."""
    return subprocess.run(
        [sys.executable, "-m", *words, str(project)],
        cwd=ROOT if "tests.again" in words else project,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(("broken", "status"), [(0, 0), (1, 1), (3, 1)])
def test_what_was_bad_luck_passes_and_what_is_broken_does_not(
    tmp_path: Path, broken: int, status: int
) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    text = TESTS + "".join(BROKEN.format(n=n) for n in range(broken))
    (tmp_path / "test_it.py").write_text(text)
    assert run(tmp_path, "pytest").returncode == 1
    again = run(tmp_path, "tests.again")
    assert again.returncode == status, again.stdout + again.stderr
    if broken < 3:
        assert "1 passed" in again.stdout
    else:
        assert again.stderr == "4 tests failed, which is not what trying again is for\n"
    assert (tmp_path / "fine").read_text() == "x", "only what failed"


def test_a_file_that_cannot_be_read_is_not_bad_luck(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text("import nothing_of_that_name\n")
    assert run(tmp_path, "pytest").returncode == 2
    assert run(tmp_path, "tests.again").returncode == 1
