"""Gates against a base: which run it is, what chance may show, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from loadtest.cli.gating import Gating
from loadtest.config.run import RunConfig
from loadtest.errors import InputError
from loadtest.record.run import Config, read_run
from loadtest.record.sweep import SWEEP_FILE, Axis, Point, SweepFile
from reports.documents.run.summary_file import read_summary
from reports.gates.base import Base
from reports.gates.conditions import FIGURES, parse_condition
from reports.gates.job_summary import to_markdown
from reports.gates.judge import judge
from tests.gate_summaries import TWO_KEYS, base_of, judged, only, slice_of, summary_of
from tests.run_folders import FakeRun, write_fake_run


def test_against_a_base() -> None:
    base = summary_of({"int": slice_of(p99=40, conflict_rate=0.02)})
    new = summary_of({"int": slice_of(p99=44.5, conflict_rate=0.0225)})
    gate = only("p99 > +10%", new, base)
    assert gate.limit == pytest.approx(44)
    assert (gate.held, gate.base) == (False, 40)
    assert (
        gate.limit_text
        == "44\N{NO-BREAK SPACE}ms (base 40.0\N{NO-BREAK SPACE}ms + 10\N{NO-BREAK SPACE}%)"
    )
    assert gate.why == "too little data to tell it from the base, measure longer"
    assert only("conflict_rate > base + 20%", new, base).held
    assert only("throughput < base", new, base).held
    assert not only("throughput < base + 20%", new, base).held


def with_conflicts(conflicts: int, of: int, **more: Any) -> dict[str, Any]:
    """A summary of which only the counts are known: there is no record."""
    return summary_of({
        "int": slice_of(
            attempts=of, transactions=of - conflicts, committed=of - conflicts, give_ups=0,
            conflicts=conflicts, conflict_rate=conflicts / of, **more,
        )
    })  # fmt: skip


@pytest.mark.parametrize(
    ("base", "new", "condition", "held"),
    [
        (0, 0, "conflict_rate > base + 20%", True),
        (0, 2, "conflict_rate > base + 20%", True),
        (0, 2, "conflict_rate > base", True),
        (0, 2, "conflicts > base + 20%", True),
        (0, 60, "conflict_rate > base + 20%", False),
        (0, 60, "conflicts > base + 20%", False),
        (0, 60, "conflict_rate > base + 2pp", True),
        (100, 118, "conflict_rate > base + 10%", True),
        (100, 200, "conflict_rate > base + 10%", False),
        (100, 200, "conflict_rate > base + 100%", True),
        (100, 200, "conflict_rate > base + 0.5pp", False),
        (200, 100, "conflict_rate < base - 10%", False),
        (2, 0, "conflict_rate < base - 10%", True),
    ],
)
def test_what_chance_may_show_is_no_miss(base: int, new: int, condition: str, held: bool) -> None:
    gate = only(condition, with_conflicts(new, 5000), with_conflicts(base, 5000))
    assert gate.held is held, gate.text
    assert not gate.why
    assert gate.reach is not None
    if held and gate.value is not None and gate.limit is not None and gate.value > gate.limit:
        assert "no more than chance may show" in gate.limit_text


@pytest.mark.parametrize("figure", ["max", "commit_max", "retries_max"])
def test_the_largest_of_all_is_held_against_no_base(figure: str) -> None:
    with pytest.raises(InputError, match="which chance decides"):
        parse_condition(f"{figure} > base + 10%")


def test_a_base_decides_by_both_records(tmp_path: Path) -> None:
    """Every figure, against a base like the run and against one that is better by a third."""
    common: dict[str, Any] = {"duration_s": 20, "keys": ("int",), "errors": 0.02, "max_attempts": 2}
    new = base_of(tmp_path / "new", FakeRun(**common, conflict=0.3, latency_ms=9, seed=1))
    like = base_of(tmp_path / "like", FakeRun(**common, conflict=0.3, latency_ms=9, seed=2))
    better = FakeRun(**common | {"errors": 0.0}, conflict=0.1, latency_ms=6, tps=3000, seed=3)
    other = base_of(tmp_path / "other", better)
    figures = [
        f for f in FIGURES if not f.endswith("max") and f not in ("committed", "commit_p999", "p999")
    ]
    conditions = [f"{figure} {'<' if figure == 'throughput' else '>'} base" for figure in figures]
    for base in (like, like / "summary.json", other, other / "summary.json"):
        gating = Gating.read(fail_on=conditions, base=base)
        for gate in judge(gating.conditions, gating.subject(new)).gates:
            assert not gate.why, gate.text
            assert gate.held is (base in (like, like / "summary.json")), f"{base}: {gate.text}"


def test_too_short_for_an_interval_is_said_and_missed(tmp_path: Path) -> None:
    short = {"duration_s": 0.3, "block_s": 0.3, "keys": ("int",), "warmup_s": 0.0}
    new, base = (
        base_of(tmp_path / str(seed), FakeRun(**short, seed=seed))  # type: ignore[arg-type]
        for seed in (1, 2)
    )
    gating = Gating.read(fail_on=["throughput < base - 50%"], base=base)
    (gate,) = judge(gating.conditions, gating.subject(new)).gates
    assert (gate.held, gate.why) == (False, "too little data to tell it from the base, measure longer")


def test_without_a_base_a_limit_that_needs_one_is_missed() -> None:
    gate = only("p99 > +10%", TWO_KEYS | {"key_types": {"int": slice_of()}})
    assert (gate.held, gate.why) == (False, "there is no base")
    elsewhere = summary_of({"uuid": slice_of()})
    gate = only("p99 > +10%", summary_of({"int": slice_of()}), elsewhere)
    assert not gate.held
    assert gate.why == "the base does not have it: nothing was measured"


def test_a_base_is_a_folder_or_a_summary(tmp_path: Path) -> None:
    folder = write_fake_run(tmp_path / "run", FakeRun(duration_s=4, keys=("int",)))
    computed = read_summary(folder)
    (folder / "summary.json").write_text(json.dumps(computed))
    assert read_summary(folder) == read_summary(folder / "summary.json") == computed
    for wrong, says in [("[]", "not the summary"), ("{", "not valid JSON"), ("{}", "not the summary")]:
        (folder / "summary.json").write_text(wrong)
        with pytest.raises(InputError, match=says):
            Base.read(folder)
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError, match="neither a run's folder nor"):
            Base.read(path)


def test_a_base_of_an_earlier_version_is_refused(tmp_path: Path) -> None:
    """Its rates were counted otherwise."""
    folder = write_fake_run(tmp_path / "run", FakeRun(duration_s=4, keys=("int",)))
    old = json.loads(json.dumps(read_summary(folder)))
    del old["overall"]["decided"]
    (folder / "summary.json").write_text(json.dumps(old))
    for path in (folder, folder / "summary.json"):
        with pytest.raises(InputError, match="earlier version") as refused:
            Base.read(path)
        assert "\n" not in str(refused.value)


def test_a_base_must_be_of_the_same_workload(tmp_path: Path) -> None:
    same = base_of(tmp_path / "same", FakeRun(duration_s=4, keys=("int",), seed=1))
    run = read_run(base_of(tmp_path / "run", FakeRun(duration_s=6, keys=("int",), seed=2)))
    assert Base.read(same).matching(run).path == same
    for name, fake in {
        "users 33 and 32": FakeRun(duration_s=4, keys=("int",), users=33),
        "accounts 999 and 1,000": FakeRun(duration_s=4, keys=("int",), accounts=999),
        "skew zipf:1.1 and uniform": FakeRun(duration_s=4, keys=("int",), skew="zipf:1.1"),
        "key types uuid and int": FakeRun(duration_s=4, keys=("uuid",)),
    }.items():
        other = base_of(tmp_path / name.replace(" ", "-"), fake)
        with pytest.raises(InputError, match=f"of another workload: {name}"):
            Base.read(other).matching(run)
        alone = tmp_path / f"{name} alone" / "summary.json"
        alone.parent.mkdir()
        alone.write_bytes((other / "summary.json").read_bytes())
        assert Base.read(alone).matching(run).path == alone, "nobody can know of a summary alone"


def test_of_a_sweep_the_point_of_the_same_workload_is_the_base(tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    points = []
    for number, (users, seed) in enumerate([(8, 1), (8, 2), (32, 1), (32, 2)], start=1):
        folder = f"points/{number}"
        base_of(sweep / folder, FakeRun(duration_s=4, keys=("int",), users=users, seed=seed))
        points.append(
            Point(
                number=number, values={"users": users}, repeat=seed, label=folder, state="done",
                folder=folder, exit_status=0,
            )
        )  # fmt: skip
    axis = Axis(name="users", values=(8, 32), labels=("8 users", "32 users"))
    SweepFile(
        label="users", config=Config(), repeats=2, axes=(axis,), points=tuple(points), started_ns=1
    ).write(sweep / SWEEP_FILE)
    base = Base.read(sweep)

    def chosen(users: int, seed: int) -> str:
        folder = tmp_path / f"new-{users}-{seed}"
        write_fake_run(folder, FakeRun(duration_s=4, keys=("int",), users=users, seed=seed))
        return base.matching(read_run(folder)).path.name

    assert [chosen(8, 1), chosen(8, 2), chosen(32, 1), chosen(32, 2)] == ["1", "2", "3", "4"]
    assert chosen(32, 9) == "3"
    with pytest.raises(InputError, match="no point of this workload"):
        chosen(64, 1)


def test_before_the_load_is_known_what_can_only_be_missed(tmp_path: Path) -> None:
    # One slice of the base has too few transactions for its p99.
    base = base_of(tmp_path / "base", FakeRun(duration_s=2, keys=("int",), tps=300, block_s=1))

    def expect(condition: str, **options: Any) -> None:
        config = {"keys": "int", "accounts": 1000, "retry_cap_ms": 500, "max_attempts": 8, **options}
        Gating.read(fail_on=[condition], base=base).expect(RunConfig.read(**config))

    expect("p50 > +10%")
    expect("p99 > 10ms", users=8)
    expect("embedded.int.p50 > base")
    for condition, says, options in [
        ("p99 > +10%", "the base does not have p99 of int: too few samples", {}),
        ("p50 > +10%", "another workload: users 32 and 8", {"users": 8}),
        ("uuid.p50 > 1s", "no key type 'uuid' is measured", {}),
        ("east.p50 > 1s", "no target 'east' is measured", {}),
    ]:
        with pytest.raises(InputError, match=says):
            expect(condition, **options)
    with pytest.raises(InputError, match="name it with --base RUN"):
        Gating.read(fail_on=["p50 > base"])
    assert Gating.read(fail_on=["p50 > base"], has_base=True).conditions


def test_counts_compare_over_the_same_time_only() -> None:
    def timed(seconds: float | None) -> dict[str, Any]:
        return summary_of({"int": slice_of(conflicts=100)}, measured_s=seconds)

    assert only("conflicts > base", timed(10.0), timed(10.9)).held
    for here, there in ((10.0, 60.0), (60.0, 10.0), (None, 10.0), (10.0, None)):
        gate = only("conflicts < base - 100%", timed(here), timed(there))
        assert not gate.held
        assert gate.why.startswith("not comparable: it is a count")
        assert only("conflict_rate > base", timed(here), timed(there)).held
        assert only("conflicts > 100", timed(here), timed(there)).held


def test_a_base_of_another_time_is_refused_for_counts_before_the_load(tmp_path: Path) -> None:
    base = base_of(tmp_path / "base", FakeRun(duration_s=4, keys=("int",)))
    gating = Gating.read(fail_on=["give_ups > base + 3"], base=base)
    config = {"keys": "int", "accounts": 1000, "retry_cap_ms": 500, "max_attempts": 8}
    gating.expect(RunConfig.read(**config, duration="4s"))
    with pytest.raises(InputError, match="not comparable: it is a count, over 60"):
        gating.expect(RunConfig.read(**config))


def test_a_base_that_is_broken_is_refused_and_one_that_was_interrupted_is_named(
    tmp_path: Path,
) -> None:
    folder = base_of(tmp_path / "base", FakeRun(duration_s=4, keys=("int",)))
    file = folder / "summary.json"
    summary = json.loads(file.read_text())
    file.write_text(json.dumps(summary | {"interrupted": True}))
    assert any("was interrupted" in one for one in Gating.read(base=folder).subject(folder).notes)
    assert any("was interrupted" in one for one in Gating.read(base=file).subject(folder).notes)
    file.write_text(json.dumps(summary | {"invariant": {"holds": False}}))
    for path in (folder, file):
        with pytest.raises(InputError, match=r"invariant of .* does not hold"):
            Gating.read(base=path)


@pytest.mark.parametrize(
    "damage",
    [
        {"key_types": {"int": 3}},
        {"key_types": {"int": {"latency_ms": 3}}},
        {"key_types": {"int": {"latency_ms": {"p99": "many"}}}},
        {"key_types": {"int": {"errors_by_outcome": {"a": "b"}}}},
        {"targets": [1]},
        {"targets_by_key_type": {"east": 3}},
        {"overall": 3},
        {"invariant": []},
        {"verdicts": [{"about": "invariant"}]},
        {"answer": "yes"},
        {"measured_s": "long"},
    ],
)
def test_a_damaged_summary_is_refused(tmp_path: Path, damage: dict[str, Any]) -> None:
    file = tmp_path / "summary.json"
    file.write_text(json.dumps(TWO_KEYS))
    read_summary(file)
    file.write_text(json.dumps({**TWO_KEYS, **damage}))
    with pytest.raises(InputError, match="is damaged: "):
        Base.read(file)


def test_nan_in_a_base_is_a_missed_gate() -> None:
    base = summary_of({"int": slice_of(tps=float("nan"))})
    gate = only("throughput < base", summary_of({"int": slice_of()}), base)
    assert not gate.held
    assert gate.why.startswith("the base does not have it")
    assert "nan" not in to_markdown([judged("throughput < 1", base)]).lower()


def test_the_same_workload_in_other_words(tmp_path: Path) -> None:
    base = base_of(
        tmp_path / "base", FakeRun(duration_s=4, keys=("int", "uuid"), skew="zipf:1.10", seed=1)
    )
    same = write_fake_run(
        tmp_path / "run", FakeRun(duration_s=4, keys=("uuid", "int"), skew="zipf:1.1", seed=2)
    )
    assert Base.read(base).matching(read_run(same)).path == base
