"""`occbench simulate` as a person uses it."""

import json
import signal
import time
from pathlib import Path

import pytest

from tests import in_process
from tests.commands import RunResult, one_line, results_in, start


def test_the_command_leaves_a_run_with_a_report(tmp_path: Path) -> None:
    done = in_process.occbench(
        *("simulate", "--users", 40, "--accounts", 500, "--duration", "4s", "--warmup", "1s"),
        *("--regions", "east:3,west", "--round-trips", "east/west=20", "--out", tmp_path / "out"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert all(line.startswith("simulated ") for line in done.stderr.splitlines())
    (result,) = results_in(tmp_path / "out")
    assert str(result.folder / "report.html") in done.stdout.splitlines()[-1]
    assert "transactions (" in done.stdout.splitlines()[0]
    assert result.run["simulated"] is True
    assert result.run["accounts"] == 500
    assert [t["name"] for t in result.run["targets"]] == ["east", "west"]
    facts = result.run["simulation"]
    assert facts["attempts"] == len(result.rows)
    users = {row["user"]: row["target"] for row in result.rows}
    assert sorted(users) == list(range(40))
    assert list(users.values()).count("east") == 30
    page = (result.folder / "report.html").read_text(encoding="utf-8")
    assert "Simulated: no database was there" in page
    verdicts = {v["about"]: v["state"] for v in result.summary["verdicts"]}
    assert "bad" not in verdicts.values(), result.summary["verdicts"]


def test_the_report_can_be_made_again(tmp_path: Path) -> None:
    made = in_process.occbench(
        *("simulate", "--duration", "1s", "--keys", "uuid7", "--out", tmp_path / "out"), cwd=tmp_path
    )
    assert made.returncode == 0, made.stderr
    (result,) = results_in(tmp_path / "out")
    before = (result.folder / "report.html").read_bytes()
    again = in_process.occbench("report", result.folder, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert (result.folder / "report.html").read_bytes() == before
    assert made.stdout.splitlines()[1:] == again.stdout.splitlines()


def test_ctrl_c_keeps_what_was_simulated(tmp_path: Path) -> None:
    # Weeks of simulated time: it cannot be over before it is interrupted.
    child = start(
        *("simulate", "--users", 100, "--duration", "160h", "--warmup", "0s", "--keys", "int"),
        *("--block", "1h", "--out", tmp_path / "out"),
        cwd=tmp_path,
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("out/*/attempts/*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=90)
    assert child.returncode == 130, err
    assert "Traceback" not in err
    (folder,) = (tmp_path / "out").iterdir()
    result = RunResult(folder)
    assert str(folder / "report.html") in out
    assert result.run["interrupted"] is True
    assert result.summary["interrupted"] is True
    until = result.run["measured_until_ns"]
    starts = result.table.column("begin_sent_ns").to_pylist()
    assert result.run["measured_from_ns"] <= min(starts) < max(starts) < until
    assert max(starts) > until - 10**9
    assert not list(folder.glob("attempts/*.part"))


def test_ctrl_c_before_anything_was_simulated_ends_in_one_line(tmp_path: Path) -> None:
    """As soon as there is a folder; without a record it goes again."""
    child = start(
        *("simulate", "--users", 1_000_000, "--accounts", 10**9, "--duration", "160h", "--keys", "int"),
        *("--out", tmp_path / "out"),
        cwd=tmp_path,
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("out/*")) and time.monotonic() < deadline:
        time.sleep(0.001)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=90)
    assert child.returncode == 130, err
    assert len(err.splitlines()) <= 1, err
    assert all((folder / "run.json").exists() for folder in (tmp_path / "out").iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--regions", "a,b"), "--round-trips: no round trip between a and b is given"),
        (("--users", "0"), "--users"),
        (("--retry", "never"), "--retry: no retry policy 'never'"),
        (("--skew", "zipf"), "--skew"),
    ],
)
def test_wrong_options_end_with_one_line(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = in_process.occbench("simulate", *words, "--out", tmp_path / "out", cwd=tmp_path)
    assert said in one_line(done, 2)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_ends_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = in_process.occbench("simulate", "--out", tmp_path / "file", "--duration", "1s", cwd=tmp_path)
    assert "--out" in one_line(done, 2)


def test_ended_within_the_warmup_nothing_is_to_report(tmp_path: Path) -> None:
    child = start(
        *("simulate", "--users", 100, "--duration", "1h", "--warmup", "23h", "--keys", "int"),
        *("--out", tmp_path / "out"),
        cwd=tmp_path,
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("out/*/attempts/*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "no measured attempts" in err
    (folder,) = (tmp_path / "out").iterdir()
    run = json.loads((folder / "run.json").read_text())
    assert run["measured_from_ns"] <= run["measured_until_ns"]
