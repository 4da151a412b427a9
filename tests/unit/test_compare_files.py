"""The pages, files and gates of `occbench compare`."""

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from reports import style
from reports.compare import Verdict, compare_runs, words
from reports.compare.forest import _round_ratios, draw_ratios, draw_shares
from reports.compare.page import publication, render, to_markdown
from tests.commands import one_line
from tests.compared_runs import SHORT, changed, compare, three_runs
from tests.drifting import Drifting, write_drifting
from tests.run_folders import FakeRun, write_fake_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return three_runs(tmp_path_factory.mktemp("runs"))


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
    text = render(found)
    page = _Page()
    page.feed(text)
    assert "script" not in page.tags
    assert page.tags.count("svg") == 2
    assert not re.search(r'(?:src|href)="https?://', text)
    assert words.headline(found) in page.texts
    assert page.texts.count("worse") == len(found.of(Verdict.WORSE))
    assert not [one for one in style.COLOURS if f'"{one.sentinel}"' in text], "a sentinel was left"


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
    assert "Throughput of int is worse: −" in ratios.reading
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
    first, *_ = chart.reading.split(".")
    assert "is worse" in first
    assert chart.reading.endswith("2 more are better.")
    verdicts = [better, worse, worse, worse, worse, worse]
    mixed = replace(
        found, effects=tuple(replace(e, verdict=v) for e, v in zip(speeds, verdicts, strict=True))
    )
    chart = draw_ratios(mixed)
    assert chart is not None
    assert chart.reading.endswith("1 more is worse and 1 more is better.")


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
    text = to_markdown(found)
    assert text.startswith("# NEW is worse in 5 of 12 figures")
    assert text.count("**worse**") == 5
    assert sum(line.startswith(("| int", "| uuid")) for line in text.splitlines()) == 12


def test_other_formats_take_the_same_content(runs: dict[str, Path], tmp_path: Path) -> None:
    from reports.formats import write

    found = publication(compare_runs([runs["base"]], [runs["slower"]]))
    written = write(found, ("md", "pdf"), tmp_path)
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
