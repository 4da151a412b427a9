"""Which runs `occbench compare` takes for runs of the same workload, and what else differs."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from loadtest.errors import InputError
from reports.documents.comparison import words
from reports.documents.document import Note
from reports.statistics.comparison.comparison import compare_runs
from reports.statistics.comparison.effect import Verdict
from tests.commands import one_line
from tests.compared_runs import SHORT, changed, compare
from tests.drifting import Drifting, write_drifting
from tests.run_folders import FakeRun, write_fake_run


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
    said = "".join(note.text for note in words.notes(allowed))
    assert "target's version PostgreSQL 18.1 or PostgreSQL 9.6 and PostgreSQL 18.1" in said


def test_what_a_later_repeat_was_measured_under_is_said(runs: dict[str, Path], tmp_path: Path) -> None:
    machine = json.loads((runs["again"] / "run.json").read_text())["machine"]
    other = changed(runs["again"], tmp_path / "other", machine={**machine, "cpus": 64})
    found = compare_runs([runs["base"]], [runs["slower"], other])
    assert any("processors 2 and 2 or 64" in note.text for note in words.notes(found))


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


def test_what_differs_beside_the_workload_is_said(runs: dict[str, Path], tmp_path: Path) -> None:
    content = json.loads((runs["again"] / "run.json").read_text())
    targets = [{**content["targets"][0], "version": "18.9", "commit_delay_ms": 4}]
    other = changed(
        runs["again"],
        tmp_path / "other",
        {"duration": 30},
        targets=targets,
        machine={**content["machine"], "cpus": 64},
        versions={**content["versions"], "occbench": "9.9"},
    )
    said = "\n".join(note.text for note in words.notes(compare_runs([runs["base"]], [other])))
    for part in (
        "target's version PostgreSQL 18.1 and 18.9",
        "commit delay 0 ms and 4 ms",
        "processors 2 and 64",
        "version of occbench 0.1.0 and 9.9",
        "duration 6 s and 30 s",
    ):
        assert part in said.replace("\N{NO-BREAK SPACE}", " "), part


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"interrupted": True}, "other was interrupted"),
        ({"generators": [{"worker": 0, "cpu_share": 0.97}]}, "the tool used 97"),
        (
            {
                "generators": [
                    {"worker": 0, "cpu_share": 0.2, "loop_lag_ms": {"p50": 1, "p99": 40, "max": 90}}
                ]
            },
            "Something else was busy on the machine in NEW",
        ),
        (
            {"invariant": [{"target": "embedded", "key_type": "int", "holds": False}]},
            "An invariant does not hold in NEW",
        ),
    ],
)
def test_what_makes_a_run_doubtful_comes_first(
    runs: dict[str, Path], tmp_path: Path, facts: dict[str, Any], said: str
) -> None:
    other = changed(runs["again"], tmp_path / "other", **facts)
    note = words.notes(compare_runs([runs["base"]], [other]))[0]
    assert note.state == "bad"
    assert said in note.text


def test_targets_are_compared_each_with_its_own(tmp_path: Path) -> None:
    """Only the western target became slower."""
    common = {"targets": ("east", "west"), "tps": 1200.0, "duration_s": 16.0, "block_s": 1.0}
    base = write_fake_run(tmp_path / "base", FakeRun(**common, seed=1))  # type: ignore[arg-type]
    new = write_fake_run(
        tmp_path / "new",
        FakeRun(**common, seed=2, commit_ms={"west": 8.0}),  # type: ignore[arg-type]
    )
    found = compare_runs([base], [new])
    worse = {e.slice.target for e in found.of(Verdict.WORSE)}
    assert worse == {"west"}
    assert "west / int" in words.headline(found)


def test_one_target_is_compared_whatever_it_is_called(runs: dict[str, Path], tmp_path: Path) -> None:
    other = write_fake_run(tmp_path / "a", FakeRun(targets=("a",), duration_s=8.0, block_s=1.0))
    same = write_fake_run(tmp_path / "b", FakeRun(targets=("b",), duration_s=8.0, block_s=1.0, seed=2))
    found = compare_runs([other], [same])
    assert {s.target for s in found.slices} == {"a"}
    assert not found.several_targets


def test_targets_that_not_every_run_has_are_not_passed_over(tmp_path: Path) -> None:
    def made(name: str, targets: tuple[str, ...], seed: int, *urls: str) -> Path:
        folder = write_fake_run(
            tmp_path / name,
            FakeRun(targets=targets, seed=seed, tps=1200.0, duration_s=8.0, block_s=1.0),
        )
        return changed(folder, tmp_path / f"{name}-as-said", {"target": list(urls)} if urls else None)

    base = made("base", ("east", "west"), 1)
    other = made("other", ("east", "north"), 2)
    with pytest.raises(InputError, match="targets east, west and east, north"):
        compare_runs([base], [other])
    found = compare_runs([base], [other], allow_different=["targets"])
    assert {s.target for s in found.slices} == {"east"}
    note = words.notes(found)[0]
    assert note.state == "bad"
    for name in ("west / int", "west / uuid", "north / int", "north / uuid"):
        assert name in note.text
    weighted = made("weighted", ("east", "west"), 3, "embedded", "embedded?data=x&weight=3")
    with pytest.raises(InputError, match="targets east, west and east, west × 3"):
        compare_runs([base], [weighted])


def test_key_types_in_common_are_compared_where_that_is_allowed(tmp_path: Path) -> None:
    both, one = (
        write_drifting(tmp_path / "-".join(keys), Drifting(seed=1, keys=keys, **SHORT))  # type: ignore[arg-type]
        for keys in (("int", "uuid"), ("uuid",))
    )
    with pytest.raises(InputError, match="key types int,uuid and uuid"):
        compare_runs([both], [one])
    found = compare_runs([both], [one], allow_different=["keys"])
    assert [s.key_type for s in found.slices] == ["uuid"]
    assert Note("bad", "Not every run has int: nothing is said of that.") in words.notes(found)
