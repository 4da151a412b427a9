"""Whole sweeps against the embedded database: measured, interrupted, killed, failed, gone on with."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import psutil
import pytest

from loadtest.process.file_lock import try_lock
from loadtest.record.sweep import Point, SweepFile, read_sweep
from loadtest.sweep.measure import alone
from loadtest.targets.embedded.server import EmbeddedServer
from tests import in_process
from tests.commands import Done, RunResult, check_conserved, occbench, one_line, start, wait_for
from tests.conftest import sql_target

SECRET = "hunter2"
SHORT = ("--duration", "0.5s", "--warmup", "0.1s", "--block", "0.1")


def folder_in(out: Path) -> Path:
    (folder,) = out.iterdir()
    return folder


def run_of(folder: Path, point: Point) -> RunResult:
    assert point.is_done, point
    return RunResult(folder / str(point.folder))


@contextmanager
def going_on(*words: object, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """`occbench sweep` while it measures; it and its run are gone at the end."""
    process = start("sweep", *words, cwd=cwd)
    try:
        yield process
    finally:
        with closing_children(process):
            process.kill()
            process.communicate()


@contextmanager
def closing_children(process: subprocess.Popen[str]) -> Iterator[None]:
    children = children_of(process)
    yield
    for child in children:
        child.kill()
    psutil.wait_procs(children, timeout=20)


def children_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children()
    except psutil.NoSuchProcess:
        return []


def is_locked(folder: Path) -> bool:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        return not try_lock(descriptor)
    finally:
        os.close(descriptor)


@pytest.fixture(scope="module")
def whole(seeded: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """A sweep of two axes with a gate that holds and one that is missed."""
    out = tmp_path_factory.mktemp("sweep") / "results"
    done = occbench(
        "sweep", "--users", "1,3", "--retry", "immediate,full-jitter", "--accounts", 100,
        "--target", seeded, *SHORT, "--seed", 5, "--out", out, "--label", "whole",
        "--fail-on", "overall.throughput < 1", "--fail-on", "overall.throughput > 1",
        cwd=out.parent,
    )  # fmt: skip
    return folder_in(out), done


def test_a_sweep_measures_every_point_as_an_ordinary_run(whole: tuple[Path, Done]) -> None:
    folder, _ = whole
    sweep = read_sweep(folder)
    assert [(axis.name, axis.values) for axis in sweep.axes] == [
        ("users", (1, 3)),
        ("retry", ("immediate", "full-jitter")),
    ]
    assert len(sweep.done) == len(sweep.points) == 4
    for point in sweep.points:
        result = run_of(folder, point)
        config = result.run["config"]
        assert (config["users"], config["retry"]) == tuple(point.values.values())
        assert (config["accounts"], config["seed"], config["duration"]) == (100, 5, 0.5)
        assert {row["user"] for row in result.rows} == set(range(point.values["users"]))
        assert set(result.summary["key_types"]) == {"int", "uuid"}, "key types stay within a run"
        assert (result.folder / "report.html").is_file()
        assert not result.run["interrupted"]
        check_conserved(result)
    assert sorted(path.name for path in (folder / "points").iterdir()) == sorted(
        run_of(folder, point).folder.name for point in sweep.points
    )


def test_points_are_measured_one_after_another_in_their_order(whole: tuple[Path, Done]) -> None:
    folder, _ = whole
    sweep = read_sweep(folder)
    before: int | None = sweep.started_ns
    for point in sweep.points:
        run = run_of(folder, point).run
        times = [before, point.started_ns, run["started_ns"], run["ended_ns"], point.ended_ns]
        assert times == sorted(times, key=lambda one: one or 0)
        before = point.ended_ns
    assert before is not None
    assert sweep.ended_ns is not None
    assert sweep.ended_ns >= before
    assert not sweep.interrupted


def test_a_sweep_says_how_far_it_is_and_where_its_report_is(whole: tuple[Path, Done]) -> None:
    folder, done = whole
    assert (folder / "report.html").is_file()
    assert str(folder / "report.html") in done.stdout
    lines = done.stderr.splitlines()
    assert lines[0].startswith("4 points (2 × users, 2 × retry), about ")
    assert len(lines) == 5
    for point, line in zip(read_sweep(folder).points, lines[1:], strict=True):
        users, retry = point.values.values()
        assert line.startswith(f"{point.number}/4  users {users}, retry {retry}: ")
        tps = run_of(folder, point).summary["overall"]["throughput_tps"]
        assert f" {tps:,.0f} transactions/s" in line
        assert ("left" in line) == (point.number < 4)


def test_gates_are_judged_on_every_point(whole: tuple[Path, Done]) -> None:
    _, done = whole
    assert done.returncode == 1
    held = [line for line in done.stdout.splitlines() if line.split()[:1] == ["held"]]
    missed = [line for line in done.stdout.splitlines() if line.split()[:1] == ["MISSED"]]
    assert len(held) == len(missed) == 4
    for lines in (held, missed):
        named = [line.partition("users ")[2] for line in lines]
        assert [name.split()[0] for name in named] == ["1,", "1,", "3,", "3,"], "in the axes' order"


def test_gates_of_a_sweep_that_is_gone_on_with_are_checked_against_all_points(
    whole: tuple[Path, Done],
) -> None:
    folder, _ = whole
    words = ("--resume", folder, "--fail-on", "uuid7.p99 > 1s")
    assert "no key type 'uuid7'" in one_line(in_process.occbench("sweep", *words, cwd=folder), 2)


def test_a_sweep_is_not_gone_on_with_on_other_data(whole: tuple[Path, Done], tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(whole[0], folder)
    plan = json.loads((folder / "sweep.json").read_text())
    plan["points"][3] |= {"state": "pending", "folder": None}
    (folder / "sweep.json").write_text(json.dumps(plan))
    for point in plan["points"][:3]:
        path = folder / point["folder"] / "run.json"
        run = json.loads(path.read_text())
        assert run["targets"][0]["data"]
        run["targets"][0]["data"] = "of the database before"
        path.write_text(json.dumps(run))
    line = one_line(in_process.occbench("sweep", "--resume", folder, cwd=tmp_path), 2)
    assert "holds other data than when" in line
    assert len(list((folder / "points").iterdir())) == 4, "nothing was measured"


def test_a_sweep_that_is_done_is_only_reported_again(whole: tuple[Path, Done]) -> None:
    folder, _ = whole
    before = (folder / "sweep.json").read_text()
    report = folder / "report.html"
    report.unlink()
    done = in_process.occbench("sweep", "--resume", folder, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert report.is_file()
    assert (folder / "sweep.json").read_text() == before


@pytest.mark.slow
def test_what_is_measured_is_kept_and_the_rest_is_gone_on_with(seeded: str, tmp_path: Path) -> None:
    out = tmp_path / "results"
    words = ("--users", "1,2,3", "--keys", "uuid", "--duration", "2s", "--warmup", "0.1s")

    def points() -> list[Path]:
        return sorted(out.glob("*/points/*/run.json"))

    junit = tmp_path / "gates.xml"
    gates = ("--fail-on", "p50 > 9s", "--junit", junit)
    with going_on(*words, *gates, "--target", seeded, "--out", out, cwd=tmp_path) as process:
        wait_for(lambda: len(points()) == 2, "the second point")
        folder = folder_in(out)
        assert is_locked(folder)
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    how = f"occbench sweep --resume {folder} --fail-on 'p50 > 9s' --junit {junit}"
    assert f"2 of 3 points are left; go on with:\n{how}\n" in errors
    assert [suite.get("skipped") for suite in Xml.parse(junit).getroot()] == ["0", "1", "1"]  # noqa: S314
    assert str(folder / "report.html") in said
    stopped = read_sweep(folder)
    assert stopped.interrupted
    assert [point.state for point in stopped.points] == ["done", "pending", "pending"]
    assert stopped.ended_ns is None
    half = points()[1].parent

    # Killed without a chance to say anything.
    with going_on("--resume", folder, cwd=tmp_path) as process:
        wait_for(lambda: len(points()) == 3, "the second point again")
        assert not read_sweep(folder).interrupted, "it is being gone on with"
        (child,) = [one for one in children_of(process) if "cli.main" in " ".join(one.cmdline())]
        process.kill()
        process.wait(20)
        assert is_locked(folder), "the run that lost its parent is still at it"
        child.kill()
        psutil.wait_procs([child], timeout=20)
    assert not is_locked(folder)
    assert [point.state for point in read_sweep(folder).points] == ["done", "pending", "pending"]

    done = occbench("sweep", "--resume", folder, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("2 of 3 points are left (3 × users), ")
    ended = read_sweep(folder)
    assert not ended.interrupted
    assert len(ended.done) == 3
    assert ended.points[0] == stopped.points[0], "what is measured is not measured again"
    named = {run_of(folder, point).folder for point in ended.points}
    assert half not in named
    for result in map(RunResult, named):
        assert not result.run["interrupted"]
        check_conserved(result)


@pytest.mark.slow
def test_a_point_that_fails_is_noted_and_the_others_go_on(
    seeded: str, load_server: EmbeddedServer, tmp_path: Path
) -> None:
    """A role may not log in any more once the sweep has begun; it may again when it is gone on with."""
    out = tmp_path / "results"
    url = f"/occbench?host={load_server.socket_folder}"
    mine = f"mine=postgresql://sweeper:{SECRET}@{url}"
    targets = [
        word for url in (f"here={seeded}", f"there={seeded}", mine) for word in ("--target", url)
    ]
    # With this seed `mine` comes second: there is time to shut it out, and something after it.
    words = (*targets, *SHORT, "--users", 1, "--seed", 1)

    with closing(sql_target(seeded).connect()) as connection:
        connection.autocommit = True
        connection.execute("CREATE ROLE sweeper SUPERUSER LOGIN")
        try:
            with going_on(*words, "--out", out, cwd=tmp_path) as process:
                wait_for(lambda: list(out.glob("*/sweep.json")), "the plan")
                connection.execute("ALTER ROLE sweeper NOLOGIN")
                said, errors = process.communicate(timeout=120)
            folder = folder_in(out)
            sweep = read_sweep(folder)
            check_failed(sweep, process.returncode, errors)
            assert str(folder / "report.html") in said

            connection.execute("ALTER ROLE sweeper LOGIN")
            line = one_line(in_process.occbench("sweep", "--resume", folder, cwd=tmp_path), 2)
            assert "had a secret" in line
            done = occbench("sweep", "--resume", folder, "--target", mine, cwd=tmp_path)
            assert done.returncode == 0, done.stderr
        finally:
            connection.execute("DROP ROLE sweeper")
    mended = read_sweep(folder)
    assert [point.state for point in mended.points] == ["done", "done", "done"]
    assert mended.points[::2] == sweep.points[::2], "what is measured is not measured again"
    assert SECRET not in said + errors + done.stdout + done.stderr
    for path in folder.rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes(), path


def check_failed(sweep: SweepFile, status: int, errors: str) -> None:
    assert status == 3, errors
    before, mine, after = sweep.points
    assert before.state == after.state == "done"
    assert (mine.state, mine.exit_status, mine.folder) == ("failed", 3, None)
    assert "not permitted to log in" in str(mine.reason)
    assert "\n" not in str(mine.reason)
    assert f"occbench: target mine: {mine.reason}" in errors.splitlines()
    assert not sweep.interrupted
    assert sweep.ended_ns is not None


REFUSED: list[tuple[tuple[Any, ...], int, str]] = [
    (("--users", "1,2", "--accounts", "20000000"), 2, "holds"),
    (("--users", "1,20000"), 2, "more connections"),
    (("--users", "1,2", "--fail-on", "uuid7.p99 > 1ms"), 2, "uuid7"),
    (("--users", "1,2", "--repeats", "0"), 2, "--repeats"),
    (("--resume", ".", "--users", "1,2"), 2, "goes on with the sweep as it was begun"),
]


@pytest.mark.parametrize(("words", "status", "said"), REFUSED, ids=[said for *_, said in REFUSED])
def test_what_cannot_be_swept_is_said_before_anything_is_measured(
    seeded: str, tmp_path: Path, words: tuple[Any, ...], status: int, said: str
) -> None:
    target = () if "--resume" in words else ("--target", seeded)
    out = tmp_path / "results"
    more = () if "--resume" in words else ("--out", out)
    assert said in one_line(in_process.occbench("sweep", *words, *target, *more, cwd=tmp_path), status)
    assert not out.exists()


def test_a_target_that_cannot_be_reached_is_said_before_anything_is_measured(
    seeded: str, closed_port: int, tmp_path: Path
) -> None:
    nobody = f"nobody=postgresql://me@127.0.0.1:{closed_port}/test"
    words = ("--target", seeded, "--target", nobody, "--users", 1, "--out", tmp_path / "results")
    assert "nobody" in one_line(in_process.occbench("sweep", *words, cwd=tmp_path), 3)
    assert not (tmp_path / "results").exists()


def test_two_do_not_measure_one_sweep(whole: tuple[Path, Done]) -> None:
    folder, _ = whole
    with alone(folder):
        line = one_line(in_process.occbench("sweep", "--resume", folder, cwd=folder), 2)
    assert "is being measured" in line


def test_summaries_hold_what_the_progress_line_reads(whole: tuple[Path, Done]) -> None:
    """A run in which hardly anything happened has figures that are null."""
    from reports.statistics.sweep.measured import figures_of_point

    folder, _ = whole
    point = run_of(folder, read_sweep(folder).points[0])
    summary = json.loads((point.folder / "summary.json").read_text())
    summary["overall"] |= {"throughput_tps": 0.0, "conflict_rate": None}
    summary["overall"]["latency_ms"]["p99"] = None
    summary["invariant"]["holds"] = False
    empty = folder.parent.parent / "empty"
    empty.mkdir()
    (empty / "summary.json").write_text(json.dumps(summary))
    assert figures_of_point(empty) == "0 transactions/s, the invariant is BROKEN"
