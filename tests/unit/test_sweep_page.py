"""A sweep's page: complete, self-contained, and small enough to open."""

import itertools
import re
from pathlib import Path

import pytest

from reports.charts.sweep.curves import extremes
from reports.charts.sweep.panels import MOST_PANELS, along, make_grid
from reports.statistics.sweep.study import read_study
from reports.write import write_as
from tests.pages import Page, check_page
from tests.sweep_folders import FakeSweep, made, page_of, write_fake_sweep, written_summary

CURVES = ("throughput_tps", "cost", "conflict_rate", "retry_rate", "p50_ms", "p99_ms")
USERS = (1, 2, 4, 8, 16, 32, 64, 128)


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
    check_page(page)


def test_the_same_folder_makes_the_same_page(folder: Path, page: Page) -> None:
    assert page_of(folder).text == page.text


def test_a_clean_sweep_has_nothing_to_complain_of(page: Page, folder: Path) -> None:
    del page
    states = {one["about"]: one["state"] for one in written_summary(folder)["verdicts"]}
    assert "bad" not in states.values()
    assert (states["points"], states["invariant"], states["generator"]) == ("good", "good", "good")


@pytest.mark.usefixtures("undrawn")
def test_a_simulated_sweep_claims_no_database(tmp_path: Path) -> None:
    folder = made(tmp_path, axes={"users": (1, 8, 64)}, simulated=True)
    page = page_of(folder)
    assert "no database was there" in page.text
    assert {"invariant", "generator"} & {
        one["about"] for one in written_summary(folder)["verdicts"]
    } == {"invariant"}
    assert "<span>simulated</span>" in page.text


@pytest.mark.usefixtures("undrawn")
def test_a_link_leads_only_to_a_page_that_is_there(tmp_path: Path) -> None:
    folder = made(tmp_path, axes={"users": (1, 8, 64)}, keys=("int",))
    (folder / "points/p002/report.html").write_text("a page")
    links = [str(a["href"]) for a in page_of(folder).named("a") if "download" not in a]
    assert links == ["points/p002/report.html"]


def test_two_hundred_points_are_a_page_that_opens(tmp_path: Path) -> None:
    axes = {"users": (1, 2, 4, 8, 16, 32, 64, 128), "accounts": tuple(range(100, 2600, 100))}
    folder = made(tmp_path, axes=axes, keys=("int",))
    page = page_of(folder)
    assert len(page.text.encode()) < 5_000_000
    assert written_summary(folder)["points"]["reported"] == 200
    assert page.text.count('<tr><th scope="row">100 accounts') == 8


def test_of_very_many_combinations_some_are_drawn(tmp_path: Path) -> None:
    axes = {"users": (1, 64), "accounts": tuple(range(100, 4100, 100))}
    study = read_study(made(tmp_path, axes=axes, keys=("int",)))
    assert len(study.panel_values) == 40
    assert len(make_grid(study).axes) == MOST_PANELS < 40


def test_attempts_without_end_are_the_most(tmp_path: Path) -> None:
    folder = made(tmp_path, axes={"max_attempts": (0, 1, 3, 10), "users": (4, 8)}, repeats=2)
    swept = read_study(made(tmp_path / "one", axes={"max_attempts": (0, 1, 3, 10)}))
    assert [place.value for place in swept.curves[0].places] == [1, 3, 10, 0]
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


def test_a_single_known_point_is_said_once(tmp_path: Path) -> None:
    study = read_study(write_fake_sweep(tmp_path, FakeSweep(keys=("int",), pending=(1, 2, 3, 4))))
    text = extremes(study, "p50_ms", study.curves)
    assert text.endswith(", the only known point.")
    assert text.count("ms") == 1


def test_the_other_formats_say_the_same(tmp_path: Path) -> None:
    folder = made(tmp_path, axes={"users": (1, 8)}, keys=("int",))
    page = page_of(folder)
    text = write_as(folder, ("md",))[0].read_text(encoding="utf-8")
    assert re.findall(r"\(charts/(\S+)\.png\)", text) == page.figures
    assert written_summary(folder)["answer"]["headline"] in text
    assert "contention costs" in text
