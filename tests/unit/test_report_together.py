"""Several runs in one report: their names and order, what is said of them, and the page."""

import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loadtest.errors import InputError
from reports.charts.figure import ChartData
from reports.charts.marks import broken
from reports.documents.document import Document, Note, Section
from reports.documents.overview.document import overview_document
from reports.documents.overview.read import read_runs
from reports.text.table import Facts, Table
from reports.write import write_overview
from tests.pages import Page, check_page
from tests.run_folders import FakeRun, write_fake_run

SMALL: dict[str, Any] = {"tps": 250.0, "duration_s": 4.0, "block_s": 0.5, "warmup_s": 0.0}

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes a small run; options in `config` and facts of the run may be given besides."""
    return maker(tmp_path)


def maker(where: Path) -> Make:
    made = 0

    def run(name: str = "", config: dict[str, Any] | None = None, **fake: Any) -> Path:
        nonlocal made
        made += 1
        folder = where / (name or f"20260101-1200{made:02}-transfer-int-uuid")
        write_fake_run(folder, FakeRun(**{**SMALL, "seed": made, **fake}))
        path = folder / "run.json"
        facts = json.loads(path.read_text())
        facts["started_ns"] += made * 10**9
        facts["config"] |= {"label": "", **(config or {})}
        path.write_text(json.dumps(facts))
        return folder

    return run


def overview_of(folders: Sequence[Path]) -> Document:
    return overview_document(read_runs(folders))


def section(document: Document, heading: str) -> Section:
    (found,) = [one for one in document.sections if one.heading == heading]
    return found


def differing_of(document: Document) -> list[Table]:
    return [b for b in section(document, "What differs").blocks if isinstance(b, Table)]


def heads(document: Document) -> list[str]:
    """The rows of the first table."""
    return [head for head, _ in document.every(Table)[0].rows]


def names(document: Document) -> list[str]:
    """The runs in order."""
    return list(dict.fromkeys(head.rpartition(", ")[0] or head for head in heads(document)))


def data(document: Document, chart: str) -> ChartData:
    (found,) = [c.data for c in document.charts if c.name == f"together-{chart}"]
    assert found is not None
    return found


# Names and order


def test_options_that_differ_are_the_names_in_the_order_of_their_values(make: Make) -> None:
    folders = [make(users=users) for users in (32, 4, 128, 1)]
    found = overview_of(folders)
    assert names(found) == ["1 user", "4 users", "32 users", "128 users"]
    assert re.match(r"Users 1: .* of attempts conflicted at .*; 128: .* conflicted", found.headline)


def test_labels_that_differ_are_names_in_the_order_given(make: Make) -> None:
    folders = [make(config={"label": label}, users=u) for label, u in (("before", 9), ("after", 3))]
    found = overview_of(folders)
    assert names(found) == ["before", "after"]
    assert re.match(r"before: .* of attempts conflicted at .* transactions a second", found.headline)
    assert "; after: " in found.headline


def test_repetitions_are_numbered_in_the_order_of_time(make: Make) -> None:
    folders = [make(users=users) for users in (8, 2, 8)]
    found = overview_of(list(reversed(folders)))
    assert names(found) == ["2 users", "8 users #1", "8 users #2"]
    differing = differing_of(found)[0]
    assert [cells[-1].text for _, cells in differing.rows] == [folders[i].name for i in (1, 0, 2)]


def test_runs_that_differ_in_nothing_have_their_folders_names(make: Make) -> None:
    folders = [make(seed=1), make(seed=1)]
    found = overview_of(folders)
    assert names(found) == [folder.name for folder in folders]
    assert "All were run with the same options." in found.lede


def test_of_two_options_the_one_with_fewer_values_makes_groups(make: Make) -> None:
    folders = [make(users=users, skew=skew) for users in (8, 2, 4) for skew in ("zipf:0.9", "uniform")]
    found = overview_of(folders)
    assert names(found) == [f"{s}, {u} users" for s in ("uniform", "zipf:0.9") for u in (2, 4, 8)]
    (distributions,) = [c for c in found.charts if c.name == "together-distribution"]
    titles = [axes.get_label() for axes in distributions.figure.axes]
    assert titles == [f"{s}, {k} keys" for k in ("int", "uuid") for s in ("uniform", "zipf:0.9")]


def test_values_are_in_the_order_of_their_numbers(make: Make) -> None:
    folders = [make(skew=skew, keys=("int",)) for skew in ("zipf:1.1", "zipf:0.9", "uniform")]
    assert heads(overview_of(folders)) == ["uniform", "zipf:0.9", "zipf:1.1"]


# What is said


def test_the_table_has_each_runs_own_figures(make: Make) -> None:
    from reports import summarise

    folders = [make(users=2), make(users=4)]
    found = overview_of(folders)
    rows = {row[:2]: row for row in data(found, "conflicts").rows}
    for folder, name in zip(folders, ("2 users", "4 users"), strict=True):
        for key, own in summarise(folder)["key_types"].items():
            rate, interval = own["conflict_rate"], own["conflict_rate_interval"]
            band = own["predicted_conflict_rate"]
            wanted = (rate, interval["low"], interval["high"], band["low"], band["high"])
            assert tuple(rows[name, key][2:]) == pytest.approx(wanted)
    tps = {row[:2]: row[2] for row in data(found, "throughput").rows}
    own = summarise(folders[1])["key_types"]["uuid"]
    assert tps["4 users", "uuid"] == pytest.approx(own["throughput_tps"])


def test_settings_alike_are_said_once_and_those_that_differ_by_run(make: Make) -> None:
    found = overview_of([make(users=2), make(users=4)])
    assert differing_of(found)[0].columns == ("users", "seed", "folder")
    once = dict(pair for facts in found.every(Facts) for pair in facts.pairs)
    assert once["accounts"] == "1,000"
    assert once["version"] == "PostgreSQL 18.1"
    assert not {"users", "seed", "label", "out"} & set(once)


def test_a_warning_of_a_run_is_a_warning_of_the_report(make: Make) -> None:
    slow = make(users=2, systems={"embedded": {"durable": False}})
    fine = make(users=4)
    found = overview_of([slow, fine])
    (line,) = [note for note in found.every(Note) if note.state == "bad" and "Durability" in note.text]
    assert line.text.startswith("2 users: ")
    also = [note.text for note in found.every(Note) if "without being asked for" in note.text]
    assert len(also) == 1
    assert "durable" in also[0]


def test_what_several_runs_warn_of_is_one_line(make: Make) -> None:
    folders = [make(users=u, systems={"embedded": {"durable": False}}) for u in (1, 2, 4, 8, 16, 32)]
    lines = [n.text for n in overview_of(folders).every(Note) if "Durability" in n.text]
    assert len(lines) == 1
    assert lines[0].startswith(
        "6 of 6 runs have this warning: 1 user; 2 users; 4 users; 8 users; and 2"
    )


def test_rates_above_and_below_their_bands_are_two_warnings(make: Make) -> None:
    """Many users on few accounts hardly conflict, and one user alone does: both cannot be."""
    few = {"accounts": 50, "conflict": 0.002, "tps": 1000.0}
    found = overview_of([make(users=1), make(users=1, config={"think_time": 1.0}), make(**few)])
    lines = [note.text for note in found.every(Note) if note.state == "bad" and "the band" in note.text]
    assert sum("Above the band" in line for line in lines) == 1
    assert sum("Below the band" in line for line in lines) >= 1
    assert not any("3 of 3" in line for line in lines)


def test_it_never_sounds_like_a_test(make: Make) -> None:
    found = overview_of([make(users=2), make(users=4)])
    assert any("`occbench compare`" in note.text for note in found.every(Note))


def test_simulated_and_measured_runs_are_told_apart(make: Make) -> None:
    found = overview_of([make(users=2), make(users=4, run={"simulated": True})])
    assert any("Some runs were simulated" in note.text for note in found.every(Note))


def test_simulated_runs_alone_say_so_and_blame_no_machine(make: Make) -> None:
    found = overview_of([make(users=u, run={"simulated": True}) for u in (2, 4)])
    assert found.kicker[1].endswith(", simulated")
    texts = " ".join(note.text for note in found.every(Note))
    assert "All of this was simulated" in texts
    assert "changed on the machine" not in texts


def test_runs_that_cannot_be_drawn_are_named(make: Make) -> None:
    both = [make(users=u, targets=("east", "west")) for u in (2, 4)]
    found = overview_of([make(users=8), *both])
    (courses,) = [c for c in found.charts if c.name == "together-courses"]
    assert "Not drawn" in courses.reading
    assert any("Not drawn" in note.text for note in found.every(Note))


def test_throughput_over_time_has_gaps_at_other_key_types_blocks() -> None:
    x, values = broken(np.arange(4.0), np.arange(4.0), np.array([False, True, False, True], dtype=bool))
    assert [math.isnan(v) for v in values] == [True, False, False, True, False, False]
    assert len(x) == len(values)


def test_no_conflict_has_a_mark_on_a_logarithmic_axis(make: Make) -> None:
    folders = [make(users=u, conflict=c, keys=("int",)) for u, c in ((1, 0.0), (2, 0.004), (4, 0.5))]
    (chart,) = [c for c in overview_of(folders).charts if c.name == "together-conflicts"]
    axes = chart.figure.axes[0]
    assert axes.get_xscale() == "log"
    assert [line.get_marker() for line in axes.lines].count("<") == 1
    assert "hollow triangle" in chart.reading


def test_what_is_empty_is_no_difference(make: Make) -> None:
    empty = (None, "", "\N{EM DASH}")
    folders = [make(users=u, config={"decided_in": e}) for u, e in zip((2, 4, 8), empty, strict=True)]
    found = overview_of(folders)
    assert differing_of(found)[0].columns == ("users", "seed", "folder")
    assert "decided in" not in found.lede
    assert "users (2; 4; 8)" in found.lede


NINE = (
    "statement_ms", "commit_ms", "spread", "trip_spread", "snapshot_at", "decided_at", "spawn_rate",
    "retry_base_ms", "retry_cap_ms",
)  # fmt: skip


def test_many_differences_of_few_runs_stand_below_one_another(make: Make) -> None:
    folders = [make(users=u, config=dict.fromkeys(NINE, u)) for u in (2, 4)]
    (table,) = differing_of(overview_of(folders))
    assert len(table.columns) == 2
    assert "users" in [head for head, _ in table.rows]


def test_many_differences_of_many_runs_go_on_below(make: Make) -> None:
    folders = [make(users=u, keys=("int",), config=dict.fromkeys(NINE, u)) for u in range(1, 8)]
    tables = differing_of(overview_of(folders))
    assert len(tables) == 2
    assert all(len(table.rows) == 7 and len(table.columns) == 6 for table in tables)


def test_alike_is_said_to_be_alike(make: Make) -> None:
    folders = [make(seed=1, keys=("int",), config={"label": label}) for label in ("a1", "a2")]
    found = overview_of(folders)
    readings = " ".join(chart.reading for chart in found.charts)
    assert "The medians are alike" in readings
    assert " times as long" not in readings


def test_a_run_of_several_targets_has_a_row_for_each(make: Make) -> None:
    folders = [make(users=u, targets=("east", "west"), keys=("int",)) for u in (2, 4)]
    found = overview_of(folders)
    assert heads(found) == [f"{u} users · {t}" for u in (2, 4) for t in ("east", "west")]
    assert len({row[0] for row in data(found, "courses").rows}) == 4


def test_runs_of_different_key_types_are_shown_as_far_as_they_go(make: Make) -> None:
    found = overview_of([make(keys=("int",)), make(keys=("uuid",))])
    assert sorted(heads(found)) == ["int keys, int", "uuid keys, uuid"]


# Input


def test_one_run_is_not_several(make: Make) -> None:
    folder = make()
    for folders in ([folder], [folder, folder / ".." / folder.name]):
        with pytest.raises(InputError, match="at least two"):
            overview_of(folders)


def test_a_broken_run_is_named(make: Make, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere"):
        write_overview([make(), tmp_path / "nowhere"], tmp_path / "all.html")
    assert not (tmp_path / "all.html").exists()


# The page


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Page]:
    """Eighteen runs: three skews by six numbers of users."""
    root = tmp_path_factory.mktemp("many")
    folders = []
    for skew in ("uniform", "zipf:0.8", "zipf:1.1"):
        for power in range(6):
            folder = root / f"{skew.replace(':', '')}-{2**power}"
            write_fake_run(folder, FakeRun(**SMALL, users=2**power, skew=skew))
            facts = json.loads((folder / "run.json").read_text())
            facts["config"]["label"] = ""
            (folder / "run.json").write_text(json.dumps(facts))
            folders.append(folder)
    path = write_overview(folders, root / "new" / "all.html")[0]
    return path, Page(path.read_text(encoding="utf-8"))


def test_many_runs_are_all_there_and_few_colours(many: tuple[Path, Page]) -> None:
    path, page = many
    check_page(page)
    for skew in ("uniform", "zipf:0.8", "zipf:1.1"):
        for users in ("1 user", "32 users"):
            assert f"{skew}, {users}" in page.text
    assert path.stat().st_size < 10_000_000
    drawings = "".join(re.findall(r"<svg.*?</svg>", page.text, re.DOTALL))
    used = set(re.findall(r"var\((--[a-z0-9-]+)\)", drawings))
    assert used <= {"--ink", "--muted", "--grid", "--paper", "--faint", "--int", "--uuid"}


def test_every_chart_gives_its_figures(make: Make) -> None:
    found = overview_of([make(users=2), make(users=4)])
    assert [chart.name.removeprefix("together-") for chart in found.charts] == [
        "throughput", "conflicts", "latency", "retries", "distribution", "courses",
    ]  # fmt: skip
    for chart in found.charts:
        assert chart.data is not None
        assert chart.data.rows
        assert all(len(row) == len(chart.data.columns) for row in chart.data.rows)


def test_a_name_may_hold_anything(tmp_path: Path) -> None:
    """What looks like mathematics to the drawing, or like a tag to the page, stays a name."""
    make = maker(tmp_path)
    folders = [make(name="a $x_1$ <b>", seed=1), make(name="b & $y^2$", seed=1)]
    page = write_overview(folders, tmp_path / "all.html")[0].read_text()
    assert "a $x_1$ &lt;b&gt;" in page
    assert "<b>," not in page
