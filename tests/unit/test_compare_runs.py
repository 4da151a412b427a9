"""What `occbench compare` says of runs, and what it leaves out."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from loadtest.errors import InputError
from reports.compare import Verdict, compare_runs, words
from reports.compare.record import to_record
from tests.commands import in_process
from tests.compared_runs import SHORT, changed, compare, three_runs
from tests.drifting import Drifting, write_drifting
from tests.run_folders import FakeRun, write_fake_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return three_runs(tmp_path_factory.mktemp("runs"))


def test_the_terminal_says_what_became_worse(runs: dict[str, Path], tmp_path: Path) -> None:
    done = compare(runs["base"], runs["slower"], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("NEW is worse in 5 of 12 figures: throughput (")
    assert max(map(len, lines[4:16])) <= 80
    rows = [line for line in lines if line.startswith("throughput")]
    assert len(rows) == 2
    for row in rows:
        assert re.search(r"−\d\d\.\d\s%\s+−\d\d\.\d to −\d\d?\.\d\s+✗ worse", row), row
    assert sum("✗ worse" in line for line in lines) == 5


def test_no_figure_is_cut_in_a_narrow_terminal(runs: dict[str, Path], tmp_path: Path) -> None:
    done = in_process("compare", *list(runs.values())[:2], cwd=tmp_path, COLUMNS="40")
    assert "verdict" in done.stdout, done.stderr
    assert "…" not in done.stdout


def test_the_terminal_says_that_nothing_is_shown(runs: dict[str, Path], tmp_path: Path) -> None:
    done = compare(runs["base"], runs["again"], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("No difference shown between NEW and BASE in 12 figures\n")
    said = done.stdout.replace("\N{NO-BREAK SPACE}", " ")
    used = re.search(
        r"An allowance stands for it \(one standard deviation of a run: throughput ([\d.]+)", said
    )
    assert used is not None
    assert 1.0 <= float(used[1]) < 1.5, "what blocks show is part of it"
    assert "latency p99 3.0 %, conflict rate 3.0 %" in said
    assert f"as long as runs of the same thing scatter in throughput by no more than {used[1]}" in said


def test_a_faster_run_is_better(runs: dict[str, Path]) -> None:
    found = compare_runs([runs["slower"]], [runs["base"]])
    assert words.headline(found).startswith("NEW is better in 5 of 12 figures: throughput (int +")
    assert not found.of(Verdict.WORSE)


def test_the_change_is_that_of_the_figures(runs: dict[str, Path]) -> None:
    for e in compare_runs([runs["base"]], [runs["slower"]]).effects:
        if e.change is None or e.base is None or e.new is None:
            continue
        change = e.new - e.base if e.metric.kind == "share" else e.new / e.base - 1
        assert e.change == pytest.approx(change)
        assert e.low is not None
        assert e.high is not None
        assert e.low < e.change < e.high


def test_without_allowance_the_intervals_are_narrower(runs: dict[str, Path]) -> None:
    usual, none = (
        compare_runs([runs["base"]], [runs["again"]], allowance=allowance) for allowance in (None, 0.0)
    )
    for wide, narrow in zip(usual.effects, none.effects, strict=True):
        if wide.low is not None and narrow.low is not None and wide.metric.kind != "share":
            assert narrow.low > wide.low


def test_without_allowance_nothing_is_promised(runs: dict[str, Path]) -> None:
    """How often runs of the same thing differ is not known where that is left out of account."""
    found = compare_runs([runs["base"]], [runs["again"]], allowance=0.0)
    assert found.error_rate is None
    assert to_record(found)["error_rate"] is None
    assert "of 100" not in words.lede(found)


def test_an_allowance_that_was_asked_for_is_that_of_every_figure(runs: dict[str, Path]) -> None:
    found = compare_runs([runs["base"]], [runs["again"]], allowance=0.02)
    used = [e.scatter for e in found.effects if e.scatter is not None]
    assert len(used) >= 10
    assert used == pytest.approx([0.02] * len(used))
    assert "throughput 2.0" in "".join(text for _, text in words.notes(found))


def test_simulated_runs_have_no_allowance(runs: dict[str, Path], tmp_path: Path) -> None:
    sides = [
        changed(runs[name], tmp_path / name, simulated=True, targets=[]) for name in ("base", "again")
    ]
    found = compare_runs(sides[:1], sides[1:])
    assert all(not e.between for e in found.effects)
    assert any("nothing but chance" in text for _, text in words.notes(found))
    assert "in at most 5 of 100 such comparisons." in words.lede(found)


def test_three_percent_are_found_between_simulations(tmp_path: Path) -> None:
    from loadtest.simulation import SimulateConfig, simulate

    base, again, slower = (
        simulate(
            SimulateConfig.read(
                seed=seed,
                statement_ms=statement,
                label=str(seed),
                duration="10s",
                block="1s",
                warmup="1s",
                accounts=1000,
                out=tmp_path,
            )
        )
        for seed, statement in ((1, 1.0), (2, 1.0), (3, 1.05))
    )
    assert not compare_runs([base], [again]).differs
    found = compare_runs([base], [slower])
    assert {e.metric.key for e in found.of(Verdict.WORSE)} == {"throughput_tps", "latency_p50_ms"}
    assert any("statement ms 1.0 and 1.05" in text for _, text in words.notes(found))


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
    said = "\n".join(text for _, text in words.notes(compare_runs([runs["base"]], [other])))
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
        ({"generators": [{"cpu_share": 0.97}]}, "the tool used 97"),
        (
            {"generators": [{"cpu_share": 0.2, "loop_lag_ms": {"p50": 1, "p99": 40, "max": 90}}]},
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
    state, text = words.notes(compare_runs([runs["base"]], [other]))[0]
    assert state == "bad"
    assert said in text


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
    state, text = words.notes(found)[0]
    assert state == "bad"
    for name in ("west / int", "west / uuid", "north / int", "north / uuid"):
        assert name in text
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
    assert ("bad", "Not every run has int: nothing is said of that.") in words.notes(found)
