"""`occbench compare` as a user meets it: words, pages, files, gates."""

import json
import math
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from reports.charts.axes import ratio_ticks
from reports.charts.forest import draw_ratios, draw_shares
from reports.documents.comparison import words
from reports.documents.comparison.document import comparison_document
from reports.documents.comparison.summary import to_summary
from reports.render.html import to_html
from reports.statistics.comparison.comparison import compare_runs
from reports.statistics.comparison.effect import Verdict
from reports.write import comparison_markdown
from tests.commands import one_line
from tests.compared_runs import SHORT, changed, compare
from tests.drifting import Drifting, write_drifting
from tests.in_process import occbench
from tests.pages import Page, check_page
from tests.run_folders import FakeRun, write_fake_run


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
    assert "throughput 2.0" in "".join(note.text for note in words.notes(found))


def test_simulated_runs_have_no_allowance(runs: dict[str, Path], tmp_path: Path) -> None:
    sides = [
        changed(runs[name], tmp_path / name, simulated=True, targets=[]) for name in ("base", "again")
    ]
    found = compare_runs(sides[:1], sides[1:])
    assert all(not e.between for e in found.effects)
    assert any("nothing but chance" in note.text for note in words.notes(found))
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
    assert any("statement ms 1.0 and 1.05" in note.text for note in words.notes(found))


def test_the_page_has_the_answer_and_the_charts_and_stands_alone(runs: dict[str, Path]) -> None:
    found = compare_runs([runs["base"]], [runs["slower"]])
    page = Page(to_html(comparison_document(found)))
    check_page(page)
    assert len(page.figures) == 2
    assert f"<h1>{words.headline(found)}</h1>" in page.text
    assert page.text.count(">worse</td>") == len(found.of(Verdict.WORSE))


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
    places = [math.log(ratio) for ratio in ratio_ticks(reach)]
    assert 0 in places
    assert len(places) > 1
    assert max(map(abs, places)) <= reach
    gaps = [after - before for before, after in pairwise(places)]
    assert min(gaps) > 2 * reach / 12
