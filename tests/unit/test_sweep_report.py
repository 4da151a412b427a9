"""A sweep's page and summary: complete, self-contained, and right for every kind of sweep."""

import itertools
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loadtest.errors import InputError
from reports.formats import write
from reports.sweep import answer_of_sweep, publish_sweep, write_sweep_report
from reports.sweep.panels import MOST_PANELS, along, make_grid
from reports.sweep.study import read_study
from reports.sweep.summary import to_summary
from tests.page_colours import check_colours
from tests.pages import Page
from tests.sweep_folders import FakeSweep, write_fake_sweep
from tests.sweep_pages import CURVES, USERS, made, page_of, rewritten, summary_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    axes = {"users": USERS, "accounts": (300, 30_000)}
    return made(tmp_path_factory.mktemp("sweep"), axes=axes, repeats=2)


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return page_of(folder)


def test_every_chart_is_there_with_its_figures(page: Page) -> None:
    maps = ("map-conflict_rate", "map-cost", "map-throughput_tps")
    assert page.figures == [*maps, *(f"sweep-{name}" for name in CURVES), "scalability"]
    downloads = [a for a in page.named("a") if "download" in a]
    assert [a["download"] for a in downloads] == [f"{name}.csv" for name in page.figures]
    for drawing in page.named("svg"):
        assert drawing["role"] == "img"
        assert len(drawing["aria-label"] or "") > 40


def test_nothing_is_loaded_from_elsewhere(page: Page) -> None:
    for tag in ("script", "link", "img", "iframe"):
        assert not page.named(tag)
    assert "http" not in page.text
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    for tag, attrs in page.tags:
        address = attrs.get("href")
        if address and not address.startswith("#"):
            assert tag == "a"
            assert address.startswith(("data:text/csv", "points/"))


def test_ids_are_unique_and_every_colour_follows_the_page(page: Page) -> None:
    assert len(page.ids) == len(set(page.ids))
    used = re.findall(r'href="#([^"]+)"', page.text) + re.findall(r"url\(#([^)]+)\)", page.text)
    assert set(used) <= set(page.ids)
    css, body = page.text.split("</style>", 1)
    check_colours(css, body)
    # A drawing's natural width is no colour.
    for variable in set(re.findall(r"var\((--[a-z0-9-]+)\)", page.text)) - {"--natural"}:
        assert css.count(f"{variable}:") >= 2, variable


def test_the_same_folder_makes_the_same_page(folder: Path, page: Page) -> None:
    assert page_of(folder).text == page.text


def test_the_summary_says_what_results_format_promises(folder: Path, page: Page) -> None:
    del page
    summary = summary_of(folder)
    promised = (Path(__file__).parents[2] / "docs/results-format.md").read_text(encoding="utf-8")
    promised = promised[promised.index("### sweep-summary.json") :].replace("[]`", "`")

    def check(value: Any) -> None:
        if isinstance(value, list):
            for one in value:
                check(one)
        elif isinstance(value, dict):
            for name, one in value.items():
                if name not in ("users", "accounts"):
                    assert f"`{name}`" in promised, name
                check(one)

    check(summary)
    assert summary["points"] == {"planned": 32, "reported": 32, "failed": 0, "pending": 0}
    assert (summary["axis"], summary["other_axes"]) == ("users", ["accounts"])
    assert len(summary["curves"]) == 4
    for curve in summary["curves"]:
        assert [place["value"] for place in curve["places"]] == list(USERS)
        assert all(len(place["points"]) == 2 for place in curve["places"])


def test_the_answer_is_where_the_cost_passes_a_tenth(folder: Path, page: Page) -> None:
    del page
    for curve in summary_of(folder)["curves"]:
        costs = {place["value"]: place["contention_cost"] for place in curve["places"]}
        onset = curve["onset"]
        if curve["at"]["accounts"] == 300:
            assert onset["state"] == "found"
            assert costs[onset["low"]]["max"] < 0.1 <= costs[onset["high"]]["min"]
            assert onset["low"] < onset["at"] < onset["high"]
        else:
            assert onset["state"] == "not reached"
            assert max(cost["max"] for cost in costs.values()) < 0.1
    said = answer_of_sweep(folder).splitlines()
    assert re.match(
        r"Contention starts to hurt at about .* with 300 accounts and does not hurt", said[0]
    )


@pytest.mark.usefixtures("undrawn")
def test_attempts_without_end_are_the_most(tmp_path: Path) -> None:
    folder = made(tmp_path, axes={"max_attempts": (0, 1, 3, 10), "users": (4, 8)}, repeats=2)
    swept = read_study(made(tmp_path / "one", axes={"max_attempts": (0, 1, 3, 10)}))
    assert [place.value for place in swept.curves[0].places] == [1, 3, 10, 0]
    assert "At any number of attempts allowed" in to_summary(swept)["answer"]["lede"]
    for text in (page_of(folder).text, page_of(tmp_path / "one/sweep").text):
        assert "∞" in text
    grid = make_grid(swept)
    where = along(swept, grid)
    x = [where(value) for value in (1, 3, 10, 0)]
    assert x == sorted(set(x))
    assert [tick.get_text() for tick in grid.first.get_xticklabels()][-1] == "∞"


def test_ticks_of_a_plain_axis_are_round(tmp_path: Path) -> None:
    study = read_study(made(tmp_path, axes={"users": (1, 4, 16, 64, 256)}))
    grid = make_grid(study)
    along(study, grid, logarithmic=False)
    ticks = [value for value in grid.first.get_xticks() if 0 <= value <= 256]
    assert len(ticks) >= 5
    steps = {round(b - a, 9) for a, b in itertools.pairwise(ticks)}
    assert steps == {50.0}


DAMAGED: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
    ("no key types", lambda summary: summary["key_types"].clear()),
    ("NaN", lambda summary: summary["key_types"]["int"].update(throughput_tps=math.nan)),
    ("throughput_tps", lambda summary: summary["key_types"]["int"].update(throughput_tps="many")),
    ("conflict_rate is 7", lambda summary: summary["key_types"]["int"].update(conflict_rate=7)),
    ("p99 is -3", lambda summary: summary["key_types"]["int"]["latency_ms"].update(p99=-3)),
    ("statements", lambda summary: summary["key_types"]["int"]["time_ms"].update(statements=-1.0)),
    ("conflicts is", lambda summary: summary["key_types"]["int"].update(conflicts=10**9)),
]


@pytest.mark.parametrize(("reason", "damage"), DAMAGED)
@pytest.mark.usefixtures("undrawn")
def test_figures_that_cannot_be_make_a_point_unreadable(
    tmp_path: Path, reason: str, damage: Callable[[dict[str, Any]], object]
) -> None:
    folder = made(tmp_path, axes={"users": (1, 8, 64)}, keys=("int",))

    def change(point: dict[str, Any], summary: dict[str, Any]) -> None:
        if point["number"] == 2:
            damage(summary)

    page_of(rewritten(folder, change))
    said = summary_of(folder)
    assert said["points"]["reported"] == 2
    assert re.search(f"1 point could not be read: .*{reason}", "\n".join(said["answer"]["attention"]))


@pytest.mark.usefixtures("undrawn")
def test_what_is_missing_or_wrong_is_said(tmp_path: Path) -> None:
    folder = made(
        tmp_path,
        axes={"users": USERS},
        failed={2: "no <connection>"},
        pending=(3,),
        limited=(4,),
        broken=(5,),
    )
    (folder / "points/p006/summary.json").write_text("{")
    page = page_of(folder)
    said = "\n".join(summary_of(folder)["answer"]["attention"])
    for words in (
        "Failed and left out: 1 of 8 points", "no <connection>", "Not measured yet: 1 of 8 points",
        "the load generator was the limit", "invariant was broken at 1 point", "could not be read",
    ):  # fmt: skip
        assert words in said
        assert words.replace("<", "&lt;").replace(">", "&gt;") in page.text
    assert said in answer_of_sweep(folder)
    assert "generator was the limit" in page.text
    points = summary_of(folder)["points"]
    assert points == {"planned": 8, "reported": 5, "failed": 1, "pending": 1}


@pytest.mark.parametrize("everywhere", [True, False])
@pytest.mark.usefixtures("undrawn")
def test_points_at_which_nothing_was_committed(tmp_path: Path, everywhere: bool) -> None:
    folder = made(tmp_path, axes={"users": (1, 8, 32)}, keys=("int",))
    nothing = {
        "attempts": 0, "transactions": 0, "committed": 0, "conflicts": 0, "retried": 0,
        "conflict_rate": None, "retry_rate": None, "throughput_tps": 0.0, "time_ms": None,
        "latency_ms": {"samples": 0, "mean": None, "p50": None, "p99": None},
    }  # fmt: skip
    for number in (1, 2, 3) if everywhere else (2,):
        path = folder / f"points/p{number:03}/summary.json"
        summary = json.loads(path.read_text())
        del summary["key_types"]["int"]["predicted_conflict_rate"]
        summary["key_types"]["int"] |= nothing
        path.write_text(json.dumps(summary))
    page_of(folder)
    said = summary_of(folder)["answer"]["headline"]
    assert (said == "Nothing was committed at any point.") is everywhere
    assert said.startswith(("Nothing", "Contention"))


def test_a_sweep_can_be_stopped_at_any_point(tmp_path: Path) -> None:
    axes = {"users": (1, 8, 64), "accounts": (50, 1000, 10**6)}
    for done in range(1, 9):
        folder = tmp_path / str(done)
        write_fake_sweep(folder, FakeSweep(axes=axes, pending=tuple(range(done + 1, 10)), seed=done))
        study = read_study(folder)
        said = to_summary(study)["answer"]
        assert said["headline"].startswith("Contention")
        assert said["headline"].endswith("the only known point.") is (done == 1)
        assert f"{9 - done} of 9 points" in said["attention"][0]
    # What there is to draw of a single point, too.
    page = page_of(tmp_path / "1")
    assert len(page.figures) >= len(CURVES)


def test_a_clean_sweep_has_nothing_to_complain_of(page: Page, folder: Path) -> None:
    del page
    states = {one["about"]: one["state"] for one in summary_of(folder)["verdicts"]}
    assert "bad" not in states.values()
    assert (states["points"], states["invariant"], states["generator"]) == ("good", "good", "good")


@pytest.mark.usefixtures("undrawn")
def test_a_simulated_sweep_claims_no_database(tmp_path: Path) -> None:
    folder = made(tmp_path, axes={"users": (1, 8, 64)}, simulated=True)
    page = page_of(folder)
    assert "no database was there" in page.text
    assert {"invariant", "generator"} & {one["about"] for one in summary_of(folder)["verdicts"]} == {
        "invariant"
    }
    assert "<span>simulated</span>" in page.text


@pytest.mark.usefixtures("undrawn")
def test_a_link_leads_only_to_a_page_that_is_there(tmp_path: Path) -> None:
    folder = made(tmp_path, axes={"users": (1, 8, 64)}, keys=("int",))
    (folder / "points/p002/report.html").write_text("a page")
    links = [str(a["href"]) for a in page_of(folder).named("a") if "download" not in a]
    assert links == ["points/p002/report.html"]


@pytest.mark.usefixtures("undrawn")
def test_several_targets_are_never_mixed(tmp_path: Path) -> None:
    folder = made(tmp_path, axes={"users": (4, 16, 64)}, targets=("east", "west"), keys=("uuid",))
    page_of(folder)
    assert [(c["target"], c["key_type"]) for c in summary_of(folder)["curves"]] == [
        ("east", "uuid"),
        ("west", "uuid"),
    ]


def test_two_hundred_points_are_a_page_that_opens(tmp_path: Path) -> None:
    axes = {"users": (1, 2, 4, 8, 16, 32, 64, 128), "accounts": tuple(range(100, 2600, 100))}
    folder = made(tmp_path, axes=axes, keys=("int",))
    page = page_of(folder)
    assert len(page.text.encode()) < 5_000_000
    assert summary_of(folder)["points"]["reported"] == 200
    assert page.text.count('<tr><th scope="row">100 accounts') == 8


def test_of_very_many_combinations_some_are_drawn(tmp_path: Path) -> None:
    axes = {"users": (1, 64), "accounts": tuple(range(100, 4100, 100))}
    study = read_study(made(tmp_path, axes=axes, keys=("int",)))
    assert len(study.panel_values) == 40
    assert len(make_grid(study).axes) == MOST_PANELS < 40


@pytest.mark.usefixtures("undrawn")
def test_the_other_formats_say_the_same(tmp_path: Path) -> None:
    folder = made(tmp_path, axes={"users": (1, 8)}, keys=("int",))
    page = page_of(folder)
    publication = publish_sweep(folder)
    assert [chart.name for chart in publication.every_chart] == page.figures
    files = write(publication, ("md",), tmp_path)
    text = files[0].read_text(encoding="utf-8")
    assert publication.headline in text
    assert "contention costs" in text


@pytest.mark.parametrize("spoil", ["nothing", "pending", "failed", "unreadable"])
def test_a_folder_without_anything_to_report_is_refused(tmp_path: Path, spoil: str) -> None:
    everything = tuple(range(1, 3))
    changes: dict[str, Any] = {"axes": {"users": (1, 8)}}
    if spoil == "pending":
        changes["pending"] = everything
    elif spoil == "failed":
        changes["failed"] = dict.fromkeys(everything, "it was not there")
    folder = tmp_path if spoil == "nothing" else made(tmp_path, **changes)
    if spoil == "unreadable":
        for number in everything:
            (folder / f"points/p{number:03}/summary.json").unlink()
    with pytest.raises(InputError) as refused:
        write_sweep_report(folder)
    assert str(folder) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (folder / "report.html").exists()
