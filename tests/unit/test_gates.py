"""Gates: which slices a condition is of, what misses it, and what is said of it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.cli.gating import Gating
from loadtest.config.run import RunConfig
from loadtest.errors import InputError
from reports.analysis.reading.run_file import read_run
from reports.documents.run.summary import summarise
from reports.documents.run.summary_file import read_summary
from reports.gates.base import Base
from reports.gates.conditions import FIGURES, Kind, parse_condition
from reports.gates.job_summary import gates_markdown, to_markdown
from reports.gates.judge import Gate, Judged, Subject, Unmeasured, judge
from reports.gates.junit import to_junit
from reports.gates.values import shown
from tests.run_folders import FakeRun, write_fake_run

_MARKS = ("mean", "p50", "p90", "p95", "p99", "p999", "max")


def slice_of(p99: float | None = 40.0, tps: float | None = 500.0, **more: Any) -> dict[str, Any]:
    times = {"samples": 5000, **dict.fromkeys(_MARKS, 10.0), "p99": p99}
    return {
        "attempts": 5100, "transactions": 5000, "committed": 4990, "give_ups": 10, "conflicts": 100,
        "conflict_rate": 0.02, "retry_rate": 0.019, "retries_mean": 0.02, "retries_max": 3,
        "errors_by_outcome": {}, "throughput_tps": tps, "latency_ms": times, "commit_ms": times, **more,
    }  # fmt: skip


def summary_of(
    keys: Mapping[str, dict[str, Any]],
    targets: Mapping[str, Mapping[str, dict[str, Any]]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    return {
        "format": 1, "answer": {"headline": "A headline.", "lede": "A lede."}, "measured_s": 10.0,
        "overall": slice_of(p99=1.0), "key_types": dict(keys),
        "targets": {name: slice_of() for name in targets or ["embedded"]},
        "targets_by_key_type": {k: dict(v) for k, v in (targets or {}).items()},
        "invariant": {"holds": True}, "verdicts": [], **more,
    }  # fmt: skip


def judged(text: str, subject: Subject | dict[str, Any], base: dict[str, Any] | None = None) -> Judged:
    if isinstance(subject, dict):
        subject = Subject("a run", subject, base)
    return judge([parse_condition(text)], subject)


def only(text: str, subject: Subject | dict[str, Any], base: dict[str, Any] | None = None) -> Gate:
    (gate,) = judged(text, subject, base).gates
    return gate


TWO_KEYS = summary_of({"int": slice_of(p99=40), "uuid": slice_of(p99=60)})
REGIONS = summary_of(
    {"int": slice_of(p99=1), "uuid": slice_of(p99=1)},
    {
        "east": {"int": slice_of(p99=10), "uuid": slice_of(p99=20)},
        "west": {"int": slice_of(p99=30), "uuid": slice_of(p99=40)},
    },
)


@pytest.mark.parametrize(
    ("text", "summary", "values"),
    [
        ("p99 > 50ms", TWO_KEYS, {"int": 40, "uuid": 60}),
        ("uuid.p99 > 50ms", TWO_KEYS, {"uuid": 60}),
        ("overall.p99 > 50ms", TWO_KEYS, {"overall": 1}),
        ("embedded.p99 > 50ms", TWO_KEYS, {"embedded.int": 40, "embedded.uuid": 60}),
        ("embedded.int.p99 > 50ms", TWO_KEYS, {"embedded.int": 40}),
        ("p99 > 50ms", REGIONS,
         {"east.int": 10, "east.uuid": 20, "west.int": 30, "west.uuid": 40}),
        ("uuid.p99 > 50ms", REGIONS, {"east.uuid": 20, "west.uuid": 40}),
        ("west.p99 > 50ms", REGIONS, {"west.int": 30, "west.uuid": 40}),
        ("west.int.p99 > 50ms", REGIONS, {"west.int": 30}),
    ],
)  # fmt: skip
def test_what_is_left_out_stands_for_each(
    text: str, summary: dict[str, Any], values: dict[str, float]
) -> None:
    found = judged(text, summary)
    assert {gate.where: gate.value for gate in found.gates} == values
    assert [gate.where for gate in found.missed] == [w for w, value in values.items() if value > 50]


def test_what_was_to_be_measured_and_was_not_misses() -> None:
    subject = Subject("a run", TWO_KEYS, keys=("int", "uuid", "uuid7"), targets=("embedded",))
    found = judged("p99 > 1s", subject)
    assert [gate.where for gate in found.missed] == ["uuid7"]
    assert found.missed[0].why == "nothing was measured"
    gone = Subject("a run", REGIONS, keys=("int", "uuid"), targets=("east", "west", "north"))
    assert [gate.where for gate in judged("p99 > 1s", gone).missed] == ["north.int", "north.uuid"]
    only_one_left = summary_of({"int": slice_of()}, {"east": {"int": slice_of()}})
    left = Subject("a run", only_one_left, keys=("int",), targets=("east", "west"))
    assert [gate.where for gate in judged("p99 > 1s", left).missed] == ["west.int"]
    nothing = summary_of({})
    assert not judged("p99 > 1s", nothing).passed
    assert not judged("uuid.p99 > 1s", nothing).passed


@pytest.mark.parametrize("comparison", [">", "<", ">=", "<="])
def test_a_value_that_is_not_known_misses_whichever_way(comparison: str) -> None:
    few = slice_of(p99=None)
    few["latency_ms"]["samples"] = 340
    gate = only(f"p99 {comparison} 50ms", summary_of({"int": few}))
    assert not gate.held
    assert gate.why == "too few samples, 340 where p99 needs 1,000"
    assert gate.text == "p99: too few samples, 340 where p99 needs 1,000"
    without = slice_of()
    del without["commit_ms"]
    gate = only(f"commit_p99 {comparison} 50ms", summary_of({"int": without}))
    assert not gate.held
    assert gate.why == "this target does not show it"
    gate = only(f"throughput {comparison} 50", summary_of({"int": slice_of(tps=None)}))
    assert (gate.held, gate.why) == (False, "nothing was counted")


@pytest.mark.parametrize("figure", sorted(FIGURES))
def test_every_figure_is_found_in_a_real_summary(tmp_path: Path, figure: str) -> None:
    summary = _real_summary(tmp_path)
    unit = {Kind.TIME: "ms", Kind.SHARE: "%", Kind.SPEED: "/s", Kind.NUMBER: ""}[FIGURES[figure].kind]
    for gate in judged(f"{figure} < 0{unit}", summary).gates:
        assert gate.held, gate.text
        assert gate.value is not None


_MADE: list[dict[str, Any]] = []


def _real_summary(folder: Path) -> dict[str, Any]:
    if not _MADE:
        _MADE.append(summarise(write_fake_run(folder / "run", FakeRun(duration_s=20, errors=0.01))))
    return _MADE[0]


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


def test_a_broken_invariant_fails_without_any_condition() -> None:
    subject = Subject("a run", summary_of({"int": slice_of()}, invariant={"holds": False}))
    assert not judge([], subject).passed
    unknown = Subject("a run", summary_of({"int": slice_of()}, invariant={"holds": None}))
    assert judge([], unknown).passed
    gating = Gating.read(fail_on=["p99 > 1s"])
    assert gating.conclude([subject]) == 1
    assert gating.conclude([unknown]) == 0


def test_values_are_told_from_their_limits() -> None:
    gate = only("p99 > 50ms", summary_of({"int": slice_of(p99=50.004)}))
    assert not gate.held
    assert gate.value_text == "50.004\N{NO-BREAK SPACE}ms"
    assert gate.text == "p99 is 50.004\N{NO-BREAK SPACE}ms, above the limit of 50\N{NO-BREAK SPACE}ms"
    gate = only("p99 >= 50ms", summary_of({"int": slice_of(p99=50.0)}))
    assert not gate.held
    assert gate.text == "p99 is 50.0\N{NO-BREAK SPACE}ms, which is the limit of 50\N{NO-BREAK SPACE}ms"


@given(st.sampled_from(list(Kind)), st.floats(1e-6, 1e12), st.integers(3, 9))
def test_what_is_shown_is_the_value(kind: Kind, value: float, digits: int) -> None:
    text = shown(kind, value, digits)
    number = text.rstrip("%msµ/\N{NO-BREAK SPACE}").replace(",", "")
    scale = 100 if kind is Kind.SHARE else 1
    if kind is Kind.TIME and not text.endswith("ms"):
        scale = 1000
        value /= 1e6
    assert float(number) == pytest.approx(value * scale, rel=0.5 * 10 ** (1 - digits), abs=1e-12)


@pytest.mark.parametrize(
    ("kind", "value", "measured", "typed"),
    [
        (Kind.TIME, 50.0, "50.0 ms", "50 ms"),
        (Kind.TIME, 9.996, "10.0 ms", "10 ms"),
        (Kind.TIME, 12_345.6, "12.3 s", "12.3 s"),
        (Kind.SHARE, 0.02, "2.00 %", "2 %"),
        (Kind.SHARE, 0.0, "0 %", "0 %"),
        (Kind.SPEED, 3153.4, "3,153/s", "3,153/s"),
        (Kind.NUMBER, 12.0, "12", "12"),
        (Kind.NUMBER, 0.02, "0.0200", "0.02"),
    ],
)
def test_what_was_measured_keeps_its_zeros(kind: Kind, value: float, measured: str, typed: str) -> None:
    assert shown(kind, value).replace("\N{NO-BREAK SPACE}", " ") == measured
    assert shown(kind, value, given=True).replace("\N{NO-BREAK SPACE}", " ") == typed


def parsed(document: str) -> Xml.Element:
    return Xml.fromstring(document)  # noqa: S314 - our own


def files(*subjects: Subject, conditions: tuple[str, ...]) -> tuple[list[Judged], Xml.Element, str]:
    found = [judge([parse_condition(text) for text in conditions], subject) for subject in subjects]
    return found, parsed(to_junit(found)), to_markdown(found)


def test_junit_counts_what_it_holds() -> None:
    broken = summary_of(
        {"int": slice_of()}, invariant={"holds": False},
        verdicts=[{"about": "invariant", "state": "bad", "text": "3 <appeared> & vanished"}],
    )  # fmt: skip
    unknown = summary_of({"int": slice_of()}, invariant={"holds": None})
    _, root, _ = files(
        Subject("one", TWO_KEYS), Subject("two", broken), Subject("three", unknown),
        conditions=("p99 > 50ms", "overall.throughput < 1"),
    )  # fmt: skip
    assert {name: root.get(name) for name in ("tests", "failures", "skipped", "errors")} == {
        "tests": "10", "failures": "2", "skipped": "1", "errors": "0",
    }  # fmt: skip
    one, two, three = root
    assert [(suite.get("name"), suite.get("tests")) for suite in root] == [
        ("one", "4"), ("two", "3"), ("three", "3"),
    ]  # fmt: skip
    assert [case.get("name") for case in one] == [
        "p99 > 50ms (int)", "p99 > 50ms (uuid)", "overall.throughput < 1", "invariant",
    ]  # fmt: skip
    failed = one.findall("testcase/failure")
    assert [f.get("message") for f in failed] == [
        "p99 is 60.0\N{NO-BREAK SPACE}ms, above the limit of 50\N{NO-BREAK SPACE}ms"
    ]
    invariant = two.find("testcase[@name='invariant']/failure")
    assert invariant is not None
    assert invariant.get("message") == "3 <appeared> & vanished"
    assert three.find("testcase[@name='invariant']/skipped") is not None
    assert [f.text for f in failed] == [f.get("message") for f in failed], "GitLab shows the text"
    assert one.get("time") == "10.000"


def test_what_is_not_known_is_a_failed_case() -> None:
    few = summary_of({"int": slice_of(p99=None)})
    _, root, text = files(Subject("a run", few), conditions=("p99 > 50ms",))
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.get("message") == "p99: nothing was counted"
    (_, gates) = tables(text)
    assert gates[2] == ["❌ **missed**", "`p99 > 50ms`", "int", "not known", "nothing was counted"]


@given(st.text(max_size=40))
def test_junit_holds_any_name(name: str) -> None:
    _, root, _ = files(Subject(name, TWO_KEYS), conditions=("p99 > 50ms",))
    assert len(root) == 1


def test_markdown_is_one_table_of_figures_and_one_of_gates() -> None:
    base = summary_of({"int": slice_of(tps=1000), "uuid": slice_of(tps=500, give_ups=3)})
    (found,), _, text = files(
        Subject("a run", TWO_KEYS, base, notes=("The base ran elsewhere.",)),
        conditions=("p99 > 50ms", "throughput < base - 10%"),
    )
    assert not found.passed
    assert text.startswith("## ❌ A headline.\n\nA lede.")
    figures, gates = tables(text)
    assert figures[0][1:] == ["throughput", "conflict rate", "retry rate", "p50", "p99", "give-ups"]
    assert [row[0] for row in figures[2:]] == ["int", "uuid"]
    assert figures[2][1] == "500/s (−50\N{NO-BREAK SPACE}%)"
    assert figures[3][1] == "500/s (±0\N{NO-BREAK SPACE}%)"
    assert figures[3][6] == "10 (was 3)"
    assert [row[0] for row in gates[2:]] == ["❌ **missed**"] * 2 + ["✅ held"] * 2
    assert "### Gates: 2 of 4 missed" in text
    assert text.endswith("- The base ran elsewhere.\n")
    held = files(Subject("a run", TWO_KEYS), conditions=("p99 > 1s",))[2]
    assert held.startswith("## A headline.")
    assert "### Gates: all 2 held" in held
    assert "brackets" not in held
    assert gates_markdown([judge([], Subject("a run", TWO_KEYS))]) == ""


def tables(text: str) -> list[list[list[str]]]:
    """Every table of a page as rows of cells; its rows must have as many cells as its head."""
    found: list[list[list[str]]] = []
    inside = False
    for line in text.splitlines():
        if line.startswith("| ") and line.endswith(" |"):
            if not inside:
                found.append([])
            found[-1].append([cell.strip() for cell in line[2:-2].replace(r"\|", "¦").split(" | ")])
        inside = line.startswith("|")
    for table in found:
        assert len({len(row) for row in table}) == 1, table
    return found


def test_several_runs_in_one_markdown() -> None:
    _, _, text = files(
        Subject("users=8|x", TWO_KEYS), Subject("users=32 *y*", REGIONS), conditions=("p99 > 50ms",)
    )
    figures, gates = tables(text)
    assert len(figures) == 2 + 2 + 4
    assert len(gates) == 2 + 2 + 4
    assert figures[2][:2] == ["users=8¦x", "int"]
    assert r"users=32 \*y\*, west.uuid" in text


def test_a_sweep_has_one_answer_and_as_many_rows_as_matter() -> None:
    subjects = [Subject(f"point {n}", TWO_KEYS) for n in range(80)]
    found = [
        judge([parse_condition("uuid.p99 > 50ms"), parse_condition("p50 > 1s")], s) for s in subjects
    ]
    text = to_markdown(found, "It hurts | from 8 users.\nMore *words*.")
    assert text.startswith("## ❌ It hurts \\| from 8 users.\n\nMore \\*words\\*.\n\n| run |")
    assert "A headline" not in text
    _, gates = tables(text)
    assert len(gates) == 2 + 100
    assert sum("missed" in row[0] for row in gates[2:]) == 80
    assert "And 140 more gates, all held." in text


def test_no_page_is_too_long_for_a_job() -> None:
    """GitHub shows nothing of a summary above 1 MB; here are 2,000 points in trouble and one missed."""
    troubled = summary_of(
        TWO_KEYS["key_types"],
        verdicts=[{"about": "generator", "state": "bad", "text": "The generator was the limit."}],
    )
    subjects = [Subject(f"users {n}, skew zipf:1.1", troubled) for n in range(2000)]
    subjects.append(Subject("the missed one", summary_of({"int": slice_of(p99=10**6)})))
    found = [judge([parse_condition("p99 > 1s")], subject) for subject in subjects]
    gone = [Unmeasured(f"point {n}", "no luck", n % 2 == 0) for n in range(2000)]
    text = to_markdown(found, "All.", gone)
    assert len(text.encode()) < 200_000
    assert "**1,000 runs failed, 1,000 runs still to be measured**" in text
    figures, gates = tables(text)
    assert figures[2][0] == gates[2][2].partition(",")[0] == "the missed one"
    assert text.count("- and 1,900 more") == 2
    assert "And 3,901 more rows." in text
    assert len(to_markdown(found).encode()) < 200_000


def test_what_was_not_measured_is_no_green_suite(tmp_path: Path) -> None:
    gone = [
        Unmeasured("users 8", "target x: gone", failed=True),
        Unmeasured("users 32", "not measured yet", failed=False),
    ]
    files: dict[str, Any] = {"junit": tmp_path / "gates.xml", "markdown": tmp_path / "summary.md"}
    for path in files.values():
        path.write_text("of the run before")
    held = Subject("users 1", TWO_KEYS)
    gating = Gating.read(fail_on=["p99 > 1s"], **files)
    for subjects in ([held], []):
        assert gating.conclude(subjects, answer="Some.", unmeasured=gone) == 0
        root = parsed(files["junit"].read_text())
        counts = {name: root.get(name) for name in ("failures", "errors", "skipped")}
        assert counts == {"failures": "0", "errors": "1", "skipped": "1"}
        error = root.find("testsuite[@name='users 8']/testcase/error")
        assert error is not None
        assert error.get("message") == error.text == "target x: gone"
        assert root.find("testsuite[@name='users 32']/testcase/skipped") is not None
        text = files["markdown"].read_text()
        assert text.startswith(
            "## ❌ Some.\n\n**1 run failed, 1 run still to be measured**\n\n- ❌ users 8: "
        )
    gating.conclude([held], answer="Some.", unmeasured=gone[1:])
    assert files["markdown"].read_text().startswith("## Some.\n\n**1 run still")


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


def test_a_base_of_an_earlier_version_is_computed_anew(tmp_path: Path) -> None:
    """Its rates were counted otherwise; without a record nobody can tell what they would be now."""
    folder = write_fake_run(tmp_path / "run", FakeRun(duration_s=4, keys=("int",)))
    computed = read_summary(folder)
    old = json.loads(json.dumps(computed))
    del old["overall"]["decided"]
    old["overall"]["conflict_rate"] = 0.9
    for place in (folder, tmp_path):
        (place / "summary.json").write_text(json.dumps(old))
    for path in (folder, folder / "summary.json"):
        assert Base.read(path).runs[0].summary == computed
    with pytest.raises(InputError, match="earlier version") as refused:
        Base.read(tmp_path / "summary.json")
    assert "\n" not in str(refused.value)


def base_of(folder: Path, fake: FakeRun) -> Path:
    write_fake_run(folder, fake)
    (folder / "summary.json").write_text(json.dumps(summarise(folder)))
    return folder


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
            {"number": number, "values": {"users": users}, "repeat": seed, "state": "done",
             "folder": folder, "exit_status": 0}
        )  # fmt: skip
    axes = [{"name": "users", "values": [8, 32], "labels": ["8 users", "32 users"]}]
    (sweep / "sweep.json").write_text(
        json.dumps({"format": 1, "repeats": 2, "axes": axes, "points": points})
    )
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


def test_files_are_checked_before_the_load(tmp_path: Path) -> None:
    made = Gating.read(junit=tmp_path / "new" / "deep" / "gates.xml")
    assert made.junit is not None
    assert made.junit.parent.is_dir()
    with pytest.raises(InputError, match=r"--markdown: .* is a folder"):
        Gating.read(markdown=tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="--junit: no folder"):
        Gating.read(junit=tmp_path / "file" / "gates.xml")


def test_conclude_prints_every_gate_and_writes_the_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    junit, markdown = tmp_path / "gates.xml", tmp_path / "summary.md"
    gating = Gating.read(
        fail_on=["p99 > 50ms", "uuid.throughput<1"], junit=junit, markdown=markdown, has_base=True
    )
    assert gating.conclude([Subject("a", TWO_KEYS)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Gates: 1 of 3 missed"
    assert [line.split()[0] for line in lines[1:]] == ["held", "MISSED", "held"]
    assert "60.0\N{NO-BREAK SPACE}ms  limit 50\N{NO-BREAK SPACE}ms" in lines[2]
    assert parsed(junit.read_text()).get("failures") == "1"
    assert markdown.read_text().startswith("## ❌ A headline.")
    assert gating.conclude([Subject("a", TWO_KEYS)], markdown="# My own\n") == 1
    assert markdown.read_text().startswith("# My own\n\n### Gates: 1 of 3 missed")
    assert Gating.read(fail_on=["p99 > 61ms"]).conclude([Subject("a", TWO_KEYS)]) == 0
    capsys.readouterr()
    assert Gating.read().conclude([Subject("a", TWO_KEYS)]) == 0
    assert capsys.readouterr().out == ""


def test_markdown_to_the_terminal_or_through_a_link(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Gating.read(markdown="/dev/stdout").conclude([Subject("a", TWO_KEYS)])
    assert capsys.readouterr().out.startswith("## A headline.")
    assert Path("/dev/stdout").is_symlink()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "file").write_text("old")
    Gating.read(markdown=tmp_path / "link").conclude([Subject("a", TWO_KEYS)])
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text().startswith("## A headline.")


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
    assert "nan" not in files(Subject("a", base), conditions=("throughput < 1",))[2].lower()


def test_the_same_workload_in_other_words(tmp_path: Path) -> None:
    base = base_of(
        tmp_path / "base", FakeRun(duration_s=4, keys=("int", "uuid"), skew="zipf:1.10", seed=1)
    )
    same = write_fake_run(
        tmp_path / "run", FakeRun(duration_s=4, keys=("uuid", "int"), skew="zipf:1.1", seed=2)
    )
    assert Base.read(base).matching(read_run(same)).path == base


def test_value_limit_and_base_are_said_in_one_unit() -> None:
    gate = only("p99 > 9s", summary_of({"int": slice_of(p99=12_345)}))
    assert (gate.value_text, gate.limit_text) == (
        "12,345\N{NO-BREAK SPACE}ms", "9,000\N{NO-BREAK SPACE}ms",
    )  # fmt: skip
    gate = only("p99 > 20s", summary_of({"int": slice_of(p99=12_345)}))
    assert (gate.value_text, gate.limit_text) == (
        "12.3\N{NO-BREAK SPACE}s", "20\N{NO-BREAK SPACE}s",
    )  # fmt: skip
    base = summary_of({"int": slice_of(p99=9_990)})
    gate = only("p99 > base + 10%", summary_of({"int": slice_of(p99=12_345)}), base)
    assert "ms (base 9,990\N{NO-BREAK SPACE}ms + 10" in gate.limit_text


def test_one_file_for_both_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="name two files"):
        Gating.read(junit="x", markdown=tmp_path / "x")


def test_files_are_written_though_nobody_reads_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*words: object) -> None:
        raise BrokenPipeError

    gating = Gating.read(
        fail_on=["p99 > 1s"], junit=tmp_path / "gates.xml", markdown=tmp_path / "summary.md"
    )
    monkeypatch.setattr("builtins.print", gone)
    with pytest.raises(BrokenPipeError):
        gating.conclude([Subject("a", TWO_KEYS)], first="An answer.")
    assert (tmp_path / "gates.xml").is_file()
    assert (tmp_path / "summary.md").is_file()


def test_a_target_s_gate_is_of_the_runs_that_have_it() -> None:
    def configs(*targets: str) -> list[RunConfig]:
        return [RunConfig.read(target=[target]) for target in targets]

    gating = Gating.read(fail_on=["east.p99 > 50ms", "p99 > 1s"])
    gating.expect(*configs("east=embedded", "west=embedded"))
    with pytest.raises(InputError, match="no target 'east'"):
        gating.expect(*configs("west=embedded"))
    found = [
        judge(gating.conditions, Subject(name, TWO_KEYS | {"targets": {name: {}}}, targets=(name,)))
        for name in ("east", "west")
    ]
    assert [len(one.gates) for one in found] == [4, 2]
    assert [len(one.missed) for one in found] == [1, 0]
