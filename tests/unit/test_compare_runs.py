"""`occbench compare` as a user meets it: refusals, words, pages, files, gates."""

import json
import math
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from loadtest.errors import InputError
from reports.charts.forest import _round_ratios, draw_ratios, draw_shares
from reports.documents.comparison import words
from reports.documents.comparison.document import comparison_document
from reports.documents.comparison.summary import to_summary
from reports.render.html import to_html
from reports.statistics.comparison.comparison import compare_runs
from reports.statistics.comparison.effect import Verdict
from reports.write.report import comparison_markdown
from tests.commands import Done, occbench, one_line
from tests.drifting import Drifting, write_drifting
from tests.run_folders import FakeRun, write_fake_run

SHORT = {"duration_s": 6.0, "drift": 0.01, "between": 0.003}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two runs of the same thing, and a third that is a quarter slower."""
    folder = tmp_path_factory.mktemp("runs")
    return {
        name: write_drifting(folder / name, Drifting(seed=seed, slower=slower, **SHORT))  # type: ignore[arg-type]
        for name, seed, slower in (("base", 1, 1.0), ("again", 2, 1.0), ("slower", 3, 1.25))
    }


def changed(folder: Path, to: Path, config: dict[str, Any] | None = None, **run: Any) -> Path:
    """A copy of a run whose `run.json` says something else."""
    shutil.copytree(folder, to)
    path = to / "run.json"
    content = json.loads(path.read_text())
    content |= run
    content["config"] |= config or {}
    path.write_text(json.dumps(content))
    return to


def compare(*args: object, cwd: Path) -> Done:
    return occbench("compare", *args, cwd=cwd)


# What is refused.


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


# What it says.


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
    done = occbench("compare", *list(runs.values())[:2], cwd=tmp_path, COLUMNS="40")
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
    assert to_summary(found)["error_rate"] is None
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
    from loadtest.prediction.simulation import SimulateConfig, simulate

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


# Files.


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def test_the_page_has_the_answer_the_charts_and_no_script(runs: dict[str, Path]) -> None:
    found = compare_runs([runs["base"]], [runs["slower"]])
    text = to_html(comparison_document(found))
    page = _Page()
    page.feed(text)
    assert "script" not in page.tags
    assert page.tags.count("svg") == 2
    assert not re.search(r'(?:src|href)="https?://', text)
    assert words.headline(found) in page.texts
    assert page.texts.count("worse") == len(found.of(Verdict.WORSE))


def test_the_charts_carry_their_figures(runs: dict[str, Path]) -> None:
    found = compare_runs([runs["base"]], [runs["slower"]])
    ratios, shares = draw_ratios(found), draw_shares(found)
    assert ratios is not None
    assert shares is not None
    assert ratios.data is not None
    assert shares.data is not None
    assert len(ratios.data.rows) + len(shares.data.rows) == len(
        [e for e in found.effects if e.change is not None]
    )
    worse = len([e for e in found.effects if e.verdict is Verdict.WORSE])
    assert ratios.reading.startswith(f"Of {len(ratios.data.rows)} figures {worse} are worse.")
    assert shares.reading == "No difference is shown: their intervals hold zero."


def test_the_reading_tells_what_is_worse_first(runs: dict[str, Path]) -> None:
    """Many become better and some worse: the worse ones are not counted among the better."""
    found = compare_runs([runs["base"]], [runs["slower"]])
    better, worse = Verdict.BETTER, Verdict.WORSE
    speeds = [e for e in found.effects if e.metric.kind != "share"]
    verdicts = [better, better, better, worse, worse, worse]
    mixed = replace(
        found, effects=tuple(replace(e, verdict=v) for e, v in zip(speeds, verdicts, strict=True))
    )
    chart = draw_ratios(mixed)
    assert chart is not None
    assert chart.reading == "Of 6 figures 3 are worse and 3 are better."
    verdicts = [better, worse, worse, worse, worse, worse]
    mixed = replace(
        found, effects=tuple(replace(e, verdict=v) for e, v in zip(speeds, verdicts, strict=True))
    )
    chart = draw_ratios(mixed)
    assert chart is not None
    assert chart.reading == "Of 6 figures 5 are worse and 1 is better."


def test_many_slices_are_drawn_as_far_as_there_is_room(tmp_path: Path) -> None:
    names = tuple(f"region-{i}" for i in range(30))
    common = {"targets": names, "keys": ("int",), "tps": 3000.0, "duration_s": 6.0, "users": 60}
    base, new = (
        write_fake_run(tmp_path / str(seed), FakeRun(**common, seed=seed))  # type: ignore[arg-type]
        for seed in (1, 2)
    )
    found = compare_runs([base], [new])
    assert len(found.slices) == 30
    shares = draw_shares(found)
    assert shares is not None
    assert shares.data is not None
    assert len(shares.data.rows) == 60
    assert "60 of 90 figures" in shares.reading


def test_markdown_holds_the_answer_and_every_figure(runs: dict[str, Path]) -> None:
    found = compare_runs([runs["base"]], [runs["slower"]])
    text = comparison_markdown(found)
    assert text.startswith("# NEW is worse in 5 of 12 figures")
    assert text.count("**worse**") == 5
    assert sum(line.startswith(("| int", "| uuid")) for line in text.splitlines()) == 12


def test_other_formats_take_the_same_content(runs: dict[str, Path], tmp_path: Path) -> None:
    from reports.render import write

    found = comparison_document(compare_runs([runs["base"]], [runs["slower"]]))
    written = write(found, ("md", "pdf"), tmp_path, "comparison")
    assert {path.name for path in written} >= {"comparison.md", "comparison.pdf"}


def test_files_are_written_and_gates_decide(runs: dict[str, Path], tmp_path: Path) -> None:
    done = compare(
        runs["base"], runs["slower"], "--html", "out/c.html", "--json", "c.json", "--markdown", "c.md",
        "--junit", "c.xml", "--fail-on", "p50 > +10%", "--fail-on", "conflict_rate > 50%",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "MISSED" in done.stdout
    record = json.loads((tmp_path / "c.json").read_text())
    assert record["format"] == 1
    assert {e["verdict"] for e in record["effects"]} >= {"worse", "no difference shown"}
    assert (tmp_path / "out" / "c.html").stat().st_size > 20_000
    markdown = (tmp_path / "c.md").read_text()
    assert "# NEW is worse" in markdown
    assert "Gates:" in markdown
    assert "<testsuite" in (tmp_path / "c.xml").read_text()


@pytest.mark.parametrize(("name", "status"), [("again", 0), ("slower", 1)])
def test_worse_can_be_a_gate_by_itself(
    runs: dict[str, Path], tmp_path: Path, name: str, status: int
) -> None:
    done = compare(runs["base"], runs[name], "--fail-on-worse", cwd=tmp_path)
    assert done.returncode == status, done.stderr


def test_gates_hold_against_another_workload_only_where_it_is_allowed(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    other = changed(runs["again"], tmp_path / "other", {"users": 8})
    gate = ("--fail-on", "throughput < base - 50%")
    assert "users 16 and 8" in one_line(compare(runs["base"], other, *gate, cwd=tmp_path), 2)
    done = compare(runs["base"], other, *gate, "--allow-different", "users", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "held" in done.stdout


def test_several_runs_a_side_are_named_in_turn(runs: dict[str, Path], tmp_path: Path) -> None:
    more = [
        write_drifting(tmp_path / f"more{i}", Drifting(seed=10 + i, **SHORT))  # type: ignore[arg-type]
        for i in range(2)
    ]
    done = compare(runs["base"], runs["again"], more[0], "--base", more[1], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 runs of BASE, 2 of NEW" in done.stdout


@pytest.mark.parametrize("reach", [0.01, 0.1, 0.4, 0.41, 0.65, 0.7, 1.5, 2.9, 3.1, 9.0])
def test_an_axis_of_changes_has_marks_on_both_sides_that_do_not_crowd(reach: float) -> None:
    places = [math.log(ratio) for ratio in _round_ratios(reach)]
    assert 0 in places
    assert len(places) > 1
    assert max(map(abs, places)) <= reach
    gaps = [after - before for before, after in pairwise(places)]
    assert min(gaps) > 2 * reach / 12
