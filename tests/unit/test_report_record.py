"""Which files of `attempts/` count."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from loadtest.errors import InputError
from loadtest.record.attempt import FILE_NAME
from loadtest.record.run import read_run
from reports import summarise
from reports.statistics.comparison.pieces import read_pieces
from reports.statistics.prediction.calibration import read_calibration
from tests.run_folders import FakeRun, hand_made, table_of, write_attempts, write_fake_run

ROWS = 5


@pytest.fixture
def ended(tmp_path: Path) -> Path:
    """A run of two files that ended and says so."""
    hand_made(tmp_path, [])
    numbered = [[{"transaction": place * ROWS + i} for i in range(ROWS)] for place in range(2)]
    write_attempts(tmp_path, *map(table_of, numbered))
    says(tmp_path, {"0-00000.parquet": ROWS, "0-00001.parquet": ROWS})
    return tmp_path


def says(folder: Path, files: dict[str, int] | None) -> None:
    content = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**content, "files": files}))


def copy(folder: Path, name: str) -> None:
    shutil.copy(folder / "attempts" / "0-00000.parquet", folder / "attempts" / name)


def verdicts(folder: Path) -> tuple[int, dict[str, Any]]:
    """(attempts, verdict on the record's files → its state)."""
    summary = summarise(folder)
    said = {v["about"]: v for v in summary["verdicts"] if v["about"] in ("record", "other files")}
    return summary["overall"]["attempts"], said


def test_a_whole_record_has_nothing_to_say(ended: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verdicts(ended) == (2 * ROWS, {})
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize(
    "name",
    [
        "0-00000 copy.parquet", "._0-00000.parquet", "0-00000 (1).parquet", "0-00000-1.parquet",
        "Copy of 0-00000.parquet", ".0-00000.parquet", "00000.parquet", "0-0000\u0660.parquet",
        "0-00000.parquet.parquet",
    ],
)  # fmt: skip
def test_a_file_that_is_not_the_tools_is_named_and_left_out(
    ended: Path, name: str, listed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if not listed:
        says(ended, None)
    copy(ended, name)
    attempts, said = verdicts(ended)
    assert attempts == 2 * ROWS
    assert said["other files"]["state"] == "note"
    assert repr(name) in said["other files"]["text"]
    (line,) = capsys.readouterr().err.splitlines()
    assert repr(name) in line


def test_what_is_no_record_at_all_is_left_out_unread(ended: Path) -> None:
    """A Mac's shadow of each file: 4096 bytes of something else."""
    for path in list((ended / "attempts").iterdir()):
        path.with_name(f"._{path.name}").write_bytes(b"\0" * 4096)
    (ended / "attempts" / "x.parquet").mkdir()
    attempts, said = verdicts(ended)
    assert attempts == 2 * ROWS
    assert (
        "'._0-00000.parquet', '._0-00001.parquet', 'x.parquet' in attempts/ were not"
        in (said["other files"]["text"])
    )


def test_a_file_of_another_run_is_left_out_though_its_name_is_right(ended: Path) -> None:
    copy(ended, "0-00002.parquet")
    copy(ended, "007-00000.parquet")
    attempts, said = verdicts(ended)
    assert attempts == 2 * ROWS
    assert (
        "'0-00002.parquet', '007-00000.parquet' in attempts/ were not written"
        in (said["other files"]["text"])
    )


def test_of_a_run_that_did_not_end_every_name_of_the_tools_counts(ended: Path) -> None:
    says(ended, None)
    copy(ended, "007-00000.parquet")
    assert verdicts(ended) == (3 * ROWS, {})


def test_a_missing_file_is_said(ended: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (ended / "attempts" / "0-00001.parquet").unlink()
    attempts, said = verdicts(ended)
    assert attempts == ROWS
    assert said["record"]["state"] == "bad"
    assert "'0-00001.parquet' is missing" in said["record"]["text"]
    assert "'0-00001.parquet' is missing" in capsys.readouterr().err


@pytest.mark.parametrize("rows", [ROWS - 1, ROWS + 1, 1])
def test_a_file_of_another_length_is_said_and_left_out(ended: Path, rows: int) -> None:
    write_attempts(ended, table_of([{"transaction": i} for i in range(rows)]))
    attempts, said = verdicts(ended)
    assert attempts == ROWS
    assert said["record"]["state"] == "bad"
    assert "'0-00000.parquet' has not the rows that were written" in said["record"]["text"]


def test_nothing_that_counts_is_no_record(ended: Path) -> None:
    for path in list((ended / "attempts").iterdir()):
        path.rename(path.with_name(f"copy of {path.name}"))
    with pytest.raises(InputError, match=r"holds no attempts: .*'copy of 0-00000.parquet'"):
        summarise(ended)


def test_nobody_reads_what_is_left_out(tmp_path: Path) -> None:
    """Neither a comparison nor a prediction."""
    write_fake_run(tmp_path, FakeRun(tps=400, duration_s=8, warmup_s=1))

    def read() -> Any:
        run = read_run(tmp_path)
        pieces = {
            name: p.counts["committed"].tolist() for name, p in read_pieces(tmp_path, run).items()
        }
        return pieces, read_calibration(tmp_path)

    before = read()
    first = next((tmp_path / "attempts").iterdir())
    (tmp_path / "attempts" / "._x.parquet").write_bytes(b"no Parquet")
    shutil.copy(first, tmp_path / "attempts" / "copy.parquet")
    assert read() == before


def test_names() -> None:
    assert FILE_NAME.fullmatch("000-00000.parquet")
    assert FILE_NAME.fullmatch("1000-100000.parquet")
