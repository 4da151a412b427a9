"""Gates of real runs: what a command ends with, and that everything is written whatever they say."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from reports.gates.conditions import Kind
from reports.gates.values import shown
from tests import commands, in_process
from tests.commands import (
    Done,
    RunResult,
    command,
    environment,
    one_line,
    results_in,
    wait_for,
)
from tests.conftest import SEEDED, sql_target

SHORT = ("--users", 4, "--keys", "int", "--accounts", 200, "--warmup", 0, "--duration", "1s")


def gated(
    seeded: str, out: Path, *words: object, occbench: Callable[..., Done] = commands.occbench
) -> Done:
    return occbench(
        "run", "--target", seeded, *SHORT, "--out", out, "--junit", out.parent / "gates.xml",
        "--markdown", out.parent / "summary.md", *words, cwd=out.parent,
    )  # fmt: skip


def cases(folder: Path) -> dict[str, str | None]:
    """Each test case of the JUnit file → why it failed."""
    root = Xml.fromstring((folder / "gates.xml").read_text())  # noqa: S314 - our own
    failures = {str(case.get("name")): case.find("failure") for case in root.iter("testcase")}
    return {name: None if found is None else found.get("message") for name, found in failures.items()}


@pytest.fixture(scope="module")
def missed(seeded: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Done, RunResult]:
    """A run of which one gate is missed for certain, one holds for certain."""
    out = tmp_path_factory.mktemp("missed") / "results"
    done = gated(seeded, out, "--fail-on", "p50 > 1us", "--fail-on", "error_rate >= 100%")
    (result,) = results_in(out)
    return done, result


def test_a_missed_gate_leaves_report_and_files(missed: tuple[Done, RunResult]) -> None:
    done, result = missed
    assert done.returncode == 1, done.stderr
    assert "occbench:" not in done.stderr
    *_, path, head, first, second = done.stdout.splitlines()
    assert path == str(result.folder / "report.html")
    assert head == "Gates: 1 of 2 missed"
    assert first.split()[0] == "MISSED"
    assert "limit 0.001" in first
    assert second.split()[0] == "held"
    assert (result.folder / "report.html").stat().st_size > 1000
    p50 = result.summary["key_types"]["int"]["latency_ms"]["p50"]
    junit = cases(result.folder.parents[1])
    assert set(junit) == {"p50 > 1us (int)", "error_rate >= 100% (int)", "invariant"}
    assert f"p50 is {shown(Kind.TIME, p50)}, above" in str(junit["p50 > 1us (int)"])
    assert junit["invariant"] is None
    markdown = (result.folder.parents[1] / "summary.md").read_text()
    assert result.summary["answer"]["headline"].replace("\xa0", " ")[:20] in markdown
    assert "❌ **missed** | `p50 > 1us` | int |" in markdown


def test_against_the_run_before(missed: tuple[Done, RunResult], seeded: str, tmp_path: Path) -> None:
    _, base = missed
    words = (
        "--base", base.folder,
        "--fail-on", "p50 > +100000%",
        "--fail-on", "throughput < base - 100%",
    )  # fmt: skip
    done = gated(seeded, tmp_path / "results", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Gates: all 2 held" in done.stdout
    p50 = base.summary["key_types"]["int"]["latency_ms"]["p50"]
    assert f"(base {shown(Kind.TIME, p50)} + " in done.stdout
    assert "(was 0)" in (tmp_path / "summary.md").read_text()
    refused = gated(seeded, tmp_path / "none", *words, "--users", 5, occbench=in_process.occbench)
    assert "of another workload: users 4 and 5" in one_line(refused, 2)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--fail-on", "uuid.p99 > 50ms"), "no key type 'uuid' is measured"),
        (("--base", "nowhere"), "--base: nowhere is neither"),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_load(
    words: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    # There is no such target: whoever asked it would end with 3.
    nobody = "postgresql://nobody@127.0.0.1:1/none"
    done = gated(nobody, tmp_path / "results", *words, occbench=in_process.occbench)
    assert says in one_line(done, 2)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def long_run(seeded: str, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A run that goes on until it is interrupted, with a gate that is missed."""
    words = (*SHORT[:-1], "60s", "--out", tmp_path / "results", "--junit", tmp_path / "gates.xml")
    process = subprocess.Popen(
        command("run", "--target", seeded, *words, "--fail-on", "p50 > 1us"),
        cwd=tmp_path, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        wait_for(lambda: list(tmp_path.glob("results/*/run.json")), "the begin of the run")
        # Its users begin after that. However slow they are, the gate is missed.
        time.sleep(1)
        yield process
    finally:
        process.kill()
        process.communicate()


def test_interrupted_is_130_with_what_its_gates_say(
    long_run: subprocess.Popen[str], seeded: str, tmp_path: Path
) -> None:
    """And a broken invariant is a failed case of its own: money appears while the run goes on."""
    with closing(sql_target(seeded).connect()) as connection:
        connection.autocommit = True
        # An account that the run does not use, and whose money is taken back in the end.
        change = b"UPDATE accounts_int SET balance = balance + %b WHERE id = 5000"
        connection.execute(change % b"7")
        try:
            long_run.send_signal(signal.SIGINT)
            stdout, stderr = long_run.communicate(timeout=60)
        finally:
            connection.execute(change % b"-7")
    assert long_run.returncode == 130, stderr
    assert "Gates: 1 of 1 missed" in stdout
    junit = cases(tmp_path)
    assert "above the limit" in str(junit["p50 > 1us (int)"])
    assert "7" in str(junit["invariant"])


def test_a_base_of_other_accounts_is_refused_before_any_load(
    missed: tuple[Done, RunResult], seeded: str, tmp_path: Path
) -> None:
    """Without --accounts the tables say how many there are: not as many as the base had."""
    _, base = missed
    words = [str(word) for word in SHORT if word not in ("--accounts", 200)]
    gate = ("--fail-on", "p50 > +10%", "--base", base.folder, "--out", tmp_path / "results")
    slower = f"{seeded}&commit_delay_ms=1"
    for command_words in (("run",), ("sweep", "--target", slower)):
        done = in_process.occbench(*command_words, "--target", seeded, *words, *gate, cwd=tmp_path)
        assert f"accounts 200 and {SEEDED:,}" in one_line(done, 2)
        assert not list((tmp_path / "results").glob("*"))


def test_strict_ends_with_1_on_any_bad_verdict(seeded: str, tmp_path: Path) -> None:
    """Two users cannot keep this rate, which is a bad verdict and no gate."""
    rate = ("--users", 2, "--rate", 100_000)
    strict = gated(seeded, tmp_path / "strict", *rate, "--strict", "--fail-on", "error_rate >= 100%")
    assert strict.returncode == 1, strict.stdout + strict.stderr
    assert "Gates: 1 held" in strict.stdout
    (result,) = results_in(tmp_path / "strict")
    bad = {v["about"]: v["text"] for v in result.summary["verdicts"] if v["state"] == "bad"}
    assert bad
    assert all(text in strict.stdout for text in bad.values())
    failed = cases(tmp_path)
    assert {about: failed[about] for about in bad} == bad
    assert "- ❌ " in (tmp_path / "summary.md").read_text()
