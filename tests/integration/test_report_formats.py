"""`occbench report --format …`, as a user types it."""

from pathlib import Path
from typing import Any

import pytest

from tests.commands import one_line
from tests.in_process import occbench
from tests.run_folders import FakeRun, write_fake_run

SMALL: dict[str, Any] = {"tps": 200.0, "duration_s": 8.0, "block_s": 1.0, "warmup_s": 0.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_run(tmp_path_factory.mktemp("results") / "run", FakeRun(**SMALL))


@pytest.fixture(scope="module")
def printed(folder: Path) -> list[str]:
    done = occbench("report", folder, "--format", "html,md,pdf,png,svg", cwd=folder.parent)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.splitlines()


def test_every_format_is_written_and_said_where(folder: Path, printed: list[str]) -> None:
    assert printed[-5:] == [
        *(str(folder / f"report.{kind}") for kind in ("html", "md", "pdf")),
        f"{folder / 'charts'}/*.png (8 pictures)",
        f"{folder / 'charts'}/*.svg (8 pictures)",
    ]
    assert all((folder / f"report.{kind}").is_file() for kind in ("html", "md", "pdf"))
    assert len(list((folder / "charts").iterdir())) == 16
    assert (folder / "summary.json").is_file()


def test_only_what_was_asked_for_is_written(tmp_path: Path) -> None:
    folder = write_fake_run(tmp_path / "run", FakeRun(**SMALL))
    done = occbench("report", folder, "--format", "pdf", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in folder.iterdir()} == {
        "attempts", "run.json", "summary.json", "report.pdf",
    }  # fmt: skip


def test_an_unknown_format_is_the_users_mistake(folder: Path) -> None:
    line = one_line(occbench("report", folder, "--format", "html,doc", cwd=folder), 2)
    assert "'doc'" in line
    assert "html, md, pdf, png, svg" in line


def test_a_name_that_is_no_page_is_the_users_mistake(folder: Path) -> None:
    line = one_line(occbench("report", folder, folder, "--together", "all.pdf", cwd=folder), 2)
    assert "ends in .html" in line


def test_several_runs_together(folder: Path, tmp_path: Path) -> None:
    other = write_fake_run(tmp_path / "other", FakeRun(**SMALL, conflict=0.1))
    file = tmp_path / "out" / "both.html"
    done = occbench("report", folder, other, "--together", file, "--format", "html,md", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert str(file) in done.stdout
    assert file.is_file()
    assert (file.parent / "both.md").read_text(encoding="utf-8").startswith("# ")
    assert not (other / "report.html").exists()


def test_a_price_that_would_be_ignored_is_refused(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "all.html"
    done = occbench("report", folder, folder, "--together", file, "--dpu-price", "9", cwd=tmp_path)
    assert "--dpu-price means nothing with --together" in one_line(done, 2)
    assert not file.exists()
    sweep = tmp_path / "sweep"
    sweep.mkdir()
    (sweep / "sweep.json").write_text("{}")
    done = occbench("report", folder, sweep, "--dpu-price", "9", cwd=tmp_path)
    assert "--dpu-price means nothing for" in one_line(done, 2)


def test_a_folder_is_no_page(folder: Path, tmp_path: Path) -> None:
    done = occbench("report", folder, folder, "--together", tmp_path, cwd=tmp_path)
    assert "is a folder: give the name of a page" in one_line(done, 2)


def test_a_bad_folder_does_not_keep_the_others_from_their_report(tmp_path: Path) -> None:
    small = FakeRun(keys=("int",), tps=100.0, duration_s=2.0, warmup_s=0.0)
    first, last = (write_fake_run(tmp_path / name, small) for name in ("first", "last"))
    (tmp_path / "empty").mkdir()
    done = occbench("report", first, tmp_path / "empty", last, cwd=tmp_path)
    assert done.returncode == 2
    assert "empty is not a run's folder" in done.stderr
    assert (first / "report.html").exists()
    assert (last / "report.html").exists()
