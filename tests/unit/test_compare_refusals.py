"""What `occbench compare` refuses, each in one line."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from loadtest.errors import InputError
from reports.compare import compare_runs, words
from tests.commands import one_line
from tests.compared_runs import changed, compare, three_runs


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return three_runs(tmp_path_factory.mktemp("runs"))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"users": 8}, "users 16 and 8"),
        ({"skew": "zipf:1.1"}, "skew uniform and zipf:1.1"),
        ({"rate": 500.0}, "rate none and 500"),
        ({"think_time": 0.05}, "think time 0"),
        ({"retry": "none"}, "retry full-jitter and none"),
        ({"max_attempts": 3}, "max attempts 10 and 3"),
        ({"retry_base_ms": 10.0}, "retry base 5 ms and 10 ms"),
        ({"scenario": "other"}, "scenario transfer and other"),
    ],
)
def test_runs_of_different_workloads_are_refused(
    runs: dict[str, Path], tmp_path: Path, config: dict[str, Any], said: str
) -> None:
    other = changed(runs["again"], tmp_path / "other", config)
    with pytest.raises(InputError, match=re.escape(said)) as error:
        compare_runs([runs["base"]], [other])
    name = next(iter(config))
    assert f"--allow-different {name}" in str(error.value)
    allowed = compare_runs([runs["base"]], [other], allow_different=[name])
    assert said in words.lede(allowed)


def test_a_different_number_of_accounts_is_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    other = changed(runs["again"], tmp_path / "other", accounts=50)
    with pytest.raises(InputError, match="accounts 1,000 and 50"):
        compare_runs([runs["base"]], [other])


def test_a_simulation_is_no_run(runs: dict[str, Path], tmp_path: Path) -> None:
    other = changed(runs["again"], tmp_path / "other", simulated=True)
    with pytest.raises(InputError, match="simulated no and yes"):
        compare_runs([runs["base"]], [other])


def test_repeats_of_one_side_must_be_alike_whatever_is_allowed(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    other = changed(runs["again"], tmp_path / "other", {"users": 8})
    with pytest.raises(InputError, match="repeats of one another"):
        compare_runs([runs["base"]], [runs["slower"], other], allow_different=["users"])


def test_repeats_of_one_side_measure_the_same_system(runs: dict[str, Path], tmp_path: Path) -> None:
    target = json.loads((runs["again"] / "run.json").read_text())["targets"][0]
    old = {**target, "version": "PostgreSQL 9.6", "commit_delay_ms": 4}
    other = changed(runs["again"], tmp_path / "other", targets=[old])
    with pytest.raises(InputError, match="--allow-different version,commit_delay_ms") as error:
        compare_runs([runs["base"], other], [runs["slower"]])
    assert "target's version PostgreSQL 18.1 and PostgreSQL 9.6" in str(error.value)
    with pytest.raises(InputError, match="commit delay"):
        compare_runs([runs["base"], other], [runs["slower"]], allow_different=["version"])
    allowed = compare_runs(
        [runs["base"], other], [runs["slower"]], allow_different=["version", "commit_delay_ms"]
    )
    said = "".join(text for _, text in words.notes(allowed))
    assert "target's version PostgreSQL 18.1 or PostgreSQL 9.6 and PostgreSQL 18.1" in said


def test_what_a_later_repeat_was_measured_under_is_said(runs: dict[str, Path], tmp_path: Path) -> None:
    machine = json.loads((runs["again"] / "run.json").read_text())["machine"]
    other = changed(runs["again"], tmp_path / "other", machine={**machine, "cpus": 64})
    found = compare_runs([runs["base"]], [runs["slower"], other])
    assert any("processors 2 and 2 or 64" in text for _, text in words.notes(found))


def test_a_copy_is_no_repeat(runs: dict[str, Path], tmp_path: Path) -> None:
    """Copied runs would make everything look surer than it is."""
    copy = changed(runs["again"], tmp_path / "copy", label="renamed")
    for bases, news in (
        ([runs["base"]], [runs["again"], copy]),
        ([copy], [runs["again"]]),
    ):
        with pytest.raises(InputError, match="is the same run as"):
            compare_runs(bases, news)


def test_what_is_no_comparison_is_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    base, again = runs["base"], runs["again"]
    for bases, news, allowed, said in (
        ([base], [base], [], "given twice"),
        ([base], [base.parent / "." / "again", again], [], "given twice"),
        ([base], [tmp_path / "nowhere"], [], "not a folder"),
        ([base], [], [], "at least one run on either side"),
        ([base], [again], ["weather"], "'weather' is none of scenario"),
    ):
        with pytest.raises(InputError, match=said):
            compare_runs(bases, news, allow_different=allowed)


def test_one_line_says_what_is_wrong(runs: dict[str, Path], tmp_path: Path) -> None:
    base, again = runs["base"], runs["again"]
    other = changed(again, tmp_path / "other", {"users": 8, "skew": "zipf:1.1"})
    for args, said in (
        ((base, other), "users 16 and 8"),
        ((base, again, "--allowance", "much"), "--allowance: 'much'"),
        ((base, again, "--html", "x", "--json", "./x"), "--html and --json are both x"),
        ((base, again, "--json", "y", "--junit", "y"), "--json and --junit are both y"),
        ((base, again, "--fail-on", "p99 >"), "--fail-on"),
        ((base, again, "--fail-on", "uuid7.p99 > 1s"), "uuid7"),
    ):
        done = compare(*args, cwd=tmp_path)
        assert said in one_line(done, 2), args
        assert not done.stdout
