"""A sweep's page and summary: complete, self-contained, and right for every kind of sweep."""

import itertools
import json
import math
import re
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from loadtest.errors import InputError
from reports.charts.sweep.panels import MOST_PANELS, along, make_grid
from reports.documents.sweep.summary import to_summary
from reports.statistics.sweep.knee import Knee, KneeState
from reports.statistics.sweep.scalability import Fit, NoFit
from reports.statistics.sweep.study import read_study
from reports.text.rounding import about
from reports.write.report import answer_of, write_as, write_report
from tests.page_colours import check_colours
from tests.sweep_folders import FakeSweep, write_fake_sweep

CURVES = ("throughput_tps", "cost", "conflict_rate", "retry_rate", "p50_ms", "p99_ms")
USERS = (1, 2, 4, 8, 16, 32, 64, 128)


class Page(HTMLParser):
    """Collects what the tests ask about."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = text
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]

    @property
    def ids(self) -> list[str]:
        return [str(attrs["id"]) for _, attrs in self.tags if "id" in attrs]

    @property
    def figures(self) -> list[str]:
        return [str(attrs["id"]) for attrs in self.named("figure")]


def made(folder: Path, **changes: Any) -> Path:
    return write_fake_sweep(folder / "sweep", FakeSweep(**changes))


def page_of(folder: Path) -> Page:
    return Page(write_report(folder).read_text(encoding="utf-8"))


def summary_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "sweep-summary.json").read_text(encoding="utf-8")))


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
    for variable in set(re.findall(r"var\((--[a-z0-9-]+)\)", page.text)):
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
    said = answer_of(folder).splitlines()
    assert re.match(
        r"Contention starts to hurt at about .* with 300 accounts and does not hurt", said[0]
    )


def test_a_curve_has_the_repeats_of_its_own_key_type(tmp_path: Path) -> None:
    folder = made(tmp_path, axes={"users": (4, 8)}, repeats=3, slower={"uuid": 3.0})
    write_report(folder)
    stored = json.loads((folder / "sweep.json").read_text())
    for curve in summary_of(folder)["curves"]:
        for place in curve["places"]:
            mine = [
                json.loads((folder / point["folder"] / "summary.json").read_text())
                for point in stored["points"]
                if point["values"] == {"users": place["value"]}
            ]
            tps = sorted(one["key_types"][curve["key_type"]]["throughput_tps"] for one in mine)
            assert place["throughput_tps"] == {"median": tps[1], "min": tps[0], "max": tps[2]}


ANSWERS: list[tuple[dict[str, Any], str]] = [
    ({"axes": {"users": (1, 8, 32)}, "accounts": 10**7}, r"does not hurt up to 32 users\."),
    ({"axes": {"users": (16, 64, 128)}, "accounts": 60}, r"hurts already at 16 users\."),
    (
        {"axes": {"rate": (100, 1000, 4000)}, "config": {"users": 300}},
        r"starts to hurt at about [\d,]+ transactions/s\.",
    ),
    ({"axes": {"accounts": (100, 10_000, 10**6)}}, r"hurts below about [\d,]+ accounts\."),
    (
        {"axes": {"think_time": (0.0, 0.05, 0.5)}, "accounts": 300},
        r"hurts below about \d+\Wms of think time\.",
    ),
    ({"axes": {"skew": ("uniform", "zipf:1.1")}}, r"costs most with skew zipf:1\.1, .*"),
    ({"axes": {"retry": ("full-jitter", "backoff")}}, r"costs about as much at every point: .*"),
    (
        {"axes": {"users": (1, 64), "target": ("a", "b c")}, "accounts": 300},
        r"starts to hurt at about \d users\.",
    ),
    (
        {"axes": {"users": (4, 32), "accounts": (10, 300, 10**6), "skew": ("uniform", "zipf:0.8")}},
        (
            r"starts to hurt at about [\d to]+ users in 1 of 6 combinations of accounts and skew, "
            r"hurts already at 4 users in 3 and does not hurt up to 32 users in 2\."
        ),
    ),
    (
        {"axes": {"users": (1, 32), "accounts": (100, 200, 300, 400, 500)}},
        r"starts to hurt at about \d+ to \d+ users in 5 of 5 combinations of accounts\.",
    ),
    (
        # What says the same is said once.
        {"axes": {"users": (4, 32), "accounts": (10, 300, 10**5, 10**6)}},
        (
            r"hurts already at 4 users with 10 accounts, starts to hurt at about \d+ users with 300 "
            r"accounts and does not hurt up to 32 users with 100,000 accounts and 1,000,000 accounts\."
        ),
    ),
]


@pytest.mark.parametrize(("changes", "headline"), ANSWERS)
def test_every_kind_of_sweep_has_an_answer(
    tmp_path: Path, changes: dict[str, Any], headline: str
) -> None:
    folder = made(tmp_path, **changes)
    page = page_of(folder)
    assert re.fullmatch(f"Contention {headline}", summary_of(folder)["answer"]["headline"])
    assert f"<h1>{summary_of(folder)['answer']['headline']}</h1>" in page.text
    assert len(page.figures) >= len(CURVES)


def test_key_types_that_differ_are_told_apart(tmp_path: Path) -> None:
    folder = made(tmp_path, axes={"users": USERS}, accounts=300, slower={"uuid": 6.0})
    write_report(folder)
    assert re.fullmatch(
        r"Contention starts to hurt at about \S+ users with int keys and .* with uuid keys\.",
        summary_of(folder)["answer"]["headline"],
    )


def rewritten(folder: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> Path:
    """Each point's summary, changed by what is called with the point and the summary."""
    for point in json.loads((folder / "sweep.json").read_text())["points"]:
        path = folder / point["folder"] / "summary.json"
        summary = json.loads(path.read_text())
        change(point, summary)
        path.write_text(json.dumps(summary))
    return folder


Costs = Mapping[str, Mapping[int, tuple[float, ...]]]


def costing(costs: Costs) -> Callable[..., None]:
    """Sets what contention costs: by key type and users, of each repeat."""

    def change(point: dict[str, Any], summary: dict[str, Any]) -> None:
        for key, one in summary["key_types"].items():
            one["conflict_rate"] = costs[key][point["values"]["users"]][point["repeat"] - 1]
            one["time_ms"] |= {"backoff": 0.0, "other": 0.0}

    return change


CALM: dict[int, tuple[float, ...]] = {1: (0.0,), 4: (0.02,), 16: (0.0995,), 64: (0.4,)}
CLAUSES: list[tuple[Costs, str]] = [
    # A hair on either side of the line is no difference; the same at the end of the axis.
    ({"int": CALM, "uuid": CALM | {16: (0.1005,)}}, r"starts to hurt at about 16 users\."),
    (
        {"int": CALM | {64: (0.0995,)}, "uuid": CALM | {64: (0.1005,)}},
        r"starts to hurt between 16 and 64 users or beyond\.",
    ),
    (
        {"int": CALM | {1: (0.0995,), 16: (0.3,)}, "uuid": CALM | {1: (0.1005,), 4: (0.2,)}},
        r"starts to hurt at about \d+ users with int keys and .* with uuid keys\.",
    ),
    # A great difference at the place where one bracket ends and the other begins.
    (
        {"int": CALM | {16: (0.01,)}, "uuid": CALM | {16: (0.6,)}},
        r"starts to hurt at about \d+ users with int keys and about \d users with uuid keys\.",
    ),
]


@pytest.mark.parametrize(("costs", "headline"), CLAUSES)
def test_chance_does_not_tell_key_types_apart(tmp_path: Path, costs: Costs, headline: str) -> None:
    folder = rewritten(made(tmp_path, axes={"users": (1, 4, 16, 64)}), costing(costs))
    said = to_summary(read_study(folder))["answer"]["headline"]
    assert re.fullmatch(f"Contention {headline}", said), said


def test_repeats_on_both_sides_of_the_line_cross_it_once(tmp_path: Path) -> None:
    costs: Costs = {"int": {1: (0.0,) * 3, 8: (0.03,) * 3, 64: (0.095, 0.105, 0.115)}}
    folder = made(tmp_path, axes={"users": (1, 8, 64)}, repeats=3, keys=("int",))
    page = page_of(rewritten(folder, costing(costs)))
    said = summary_of(folder)
    assert said["answer"]["headline"] == "Contention starts to hurt between 8 and 64 users or beyond."
    onset = said["curves"][0]["onset"]
    assert (onset["state"], onset["low"], onset["high"]) == ("open", 8, None)
    assert "int: starts to hurt between 8 and 64 users or beyond." in page.text
    assert "falls back" not in page.text


def test_what_was_measured_once_only_seems(tmp_path: Path) -> None:
    axes = {"users": USERS}
    for repeats in (1, 3):
        folder = made(tmp_path / str(repeats), axes=axes, accounts=300, repeats=repeats, keys=("int",))
        text = page_of(folder).text
        for words in ("seems to be", "measured once, so chance"):
            assert (words in text) is (repeats == 1), words


def test_throughput_reaches_from_the_lowest_top_to_the_highest(tmp_path: Path) -> None:
    tps = {"int": {1: 50, 8: 103, 64: 100}, "uuid": {1: 50, 8: 100, 64: 103}}

    def change(point: dict[str, Any], summary: dict[str, Any]) -> None:
        for key, one in summary["key_types"].items():
            one["throughput_tps"] = tps[key][point["values"]["users"]]

    folder = rewritten(made(tmp_path, axes={"users": (1, 8, 64)}), change)
    lede = to_summary(read_study(folder))["answer"]["lede"]
    assert "Throughput reached 103 transactions/s." in lede
    tps["uuid"][64] = 130
    lede = to_summary(read_study(rewritten(folder, change)))["answer"]["lede"]
    assert "Throughput reached 103 to 130 transactions/s." in lede


def test_a_rate_that_is_not_known_is_not_said(tmp_path: Path) -> None:
    def change(point: dict[str, Any], summary: dict[str, Any]) -> None:
        if point["values"]["users"] == 64:
            summary["key_types"]["int"] |= {"conflict_rate": None}

    folder = rewritten(made(tmp_path, axes={"users": (1, 8, 64)}), change)
    known = [
        place.all("conflict_rate") for curve in read_study(folder).curves for place in curve.places
    ]
    rates = [about(rate) for rate in sorted(values[0] for values in known if values)]
    assert len(rates) == 5
    lede = to_summary(read_study(folder))["answer"]["lede"]
    assert all(rate in lede for rate in (rates[0], rates[-1])), lede

    def forget(point: dict[str, Any], summary: dict[str, Any]) -> None:
        summary["key_types"]["int"] |= {"conflict_rate": None}

    alone = rewritten(made(tmp_path / "one", axes={"users": (1, 8, 64)}, keys=("int",)), forget)
    assert "conflict rate" not in to_summary(read_study(alone))["answer"]["lede"]


def test_where_nothing_is_committed_any_more_there_was_a_knee(tmp_path: Path) -> None:
    def change(point: dict[str, Any], summary: dict[str, Any]) -> None:
        if point["values"]["users"] == 64:
            one = summary["key_types"]["int"]
            one |= {"committed": 0, "throughput_tps": 0.0, "conflict_rate": 1.0}
            one["latency_ms"] |= {"mean": None, "p50": None, "p99": None}

    folder = made(
        tmp_path, axes={"users": (1, 4, 16, 64)}, keys=("int",), accounts=10**7, capacity_tps=1e6
    )
    assert read_study(folder).curves[0].knee == Knee(KneeState.ABOVE, low=16)
    knee = read_study(rewritten(folder, change)).curves[0].knee
    assert knee == Knee(KneeState.FOUND, 16, 4, 64)


def test_the_law_is_that_of_the_database_and_of_its_own_users(tmp_path: Path) -> None:
    users = (1, 2, 4, 8, 16, 32, 64)

    def change(point: dict[str, Any], summary: dict[str, Any]) -> None:
        n = point["values"]["users"]
        summary["generator"]["was_limit"] = n == 64
        for one in summary["key_types"].values():
            one["throughput_tps"] = 100.0 * n / (1 + 0.05 * (n - 1)) * (0.5 if n == 64 else 1)

    folder = rewritten(made(tmp_path, axes={"users": users}, repeats=2, keys=("int",)), change)
    law = read_study(folder).curves[0].law
    assert isinstance(law, Fit)
    assert law.sigma.value == pytest.approx(0.05)
    text = page_of(folder).text
    assert "without 64 users. Left out: where the generator was the limit" in text
    several = made(tmp_path / "two", axes={"users": users}, repeats=2, targets=("east", "west"))
    laws = [curve.law for curve in read_study(several).curves]
    assert [isinstance(law, NoFit) for law in laws] == [True] * 4
    assert "no law of one target" in page_of(several).text


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


DAMAGED: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
    ("no key types", lambda summary: summary["key_types"].clear()),
    ("NaN", lambda summary: summary["key_types"]["int"].update(throughput_tps=math.nan)),
    ("throughput_tps", lambda summary: summary["key_types"]["int"].update(throughput_tps="many")),
    ("conflict_rate is 7", lambda summary: summary["key_types"]["int"].update(conflict_rate=7)),
    ("p99_ms is -3", lambda summary: summary["key_types"]["int"]["latency_ms"].update(p99=-3)),
    ("statements", lambda summary: summary["key_types"]["int"]["time_ms"].update(statements=-1.0)),
    ("conflicts is", lambda summary: summary["key_types"]["int"].update(conflicts=10**9)),
]


@pytest.mark.parametrize(("reason", "damage"), DAMAGED)
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
    assert said in answer_of(folder)
    assert "generator was the limit" in page.text
    points = summary_of(folder)["points"]
    assert points == {"planned": 8, "reported": 5, "failed": 1, "pending": 1}


@pytest.mark.parametrize("everywhere", [True, False])
def test_points_at_which_nothing_was_committed(tmp_path: Path, everywhere: bool) -> None:
    folder = made(tmp_path, axes={"users": (1, 8, 32)}, keys=("int",))
    nothing = {
        "attempts": 0, "decided": 0, "transactions": 0, "counted": 0, "committed": 0, "conflicts": 0,
        "retried": 0,
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


GRID = {"users": (1, 2), "retry": ("none", "full-jitter")}
INCOMPLETE: list[tuple[dict[str, tuple[Any, ...]], list[dict[str, Any]], str]] = [
    (
        GRID,
        [{"users": 2, "retry": "none"}],
        (
            "Contention does not hurt up to 2 users with retry full-jitter. "
            "With retry none it is not known."
        ),
    ),
    (GRID, [], "Contention does not hurt up to 2 users."),
    (
        {"users": (1, 2, 4), "retry": ("none", "full-jitter")},
        [{"users": 4, "retry": "none"}],
        (
            "Contention does not hurt up to 2 users with retry none and up to 4 users with retry "
            "full-jitter."
        ),
    ),
    (
        {"users": (1, 2, 4), "retry": tuple("abcde")},
        [{"users": 4, "retry": "a"}, *({"users": n, "retry": "b"} for n in (2, 4))],
        (
            "Contention does not hurt up to 2 users with retry a and up to 4 users with retry c, "
            "retry d and retry e. With retry b it is not known."
        ),
    ),
    (
        {"skew": ("uniform", "zipf:0.8"), "retry": ("none", "full-jitter")},
        [{"skew": "zipf:0.8", "retry": "none"}],
        (
            "Contention costs less than 1.0\N{NO-BREAK SPACE}% of the time at every point. "
            "1 of 4 points are not known."
        ),
    ),
]


@pytest.mark.parametrize(("axes", "missing", "headline"), INCOMPLETE)
@pytest.mark.parametrize("state", ["failed", "pending"])
def test_a_headline_speaks_of_what_was_measured(
    tmp_path: Path, axes: Any, missing: list[dict[str, Any]], headline: str, state: str
) -> None:
    """A grid of which points failed, or which was interrupted, has its page all the same."""
    whole = json.loads(
        (write_fake_sweep(tmp_path / "whole", FakeSweep(axes=axes)) / "sweep.json").read_text()
    )
    numbers = tuple(p["number"] for p in whole["points"] if p["values"] in missing)
    assert len(numbers) == len(missing)
    gone: dict[str, Any] = (
        {"pending": numbers} if state == "pending" else {"failed": dict.fromkeys(numbers, "gone")}
    )
    folder = made(tmp_path / "sweep", axes=axes, accounts=10**9, **gone)
    page_of(folder)
    assert summary_of(folder)["answer"]["headline"] == headline


def test_a_clean_sweep_has_nothing_to_complain_of(page: Page, folder: Path) -> None:
    del page
    states = {one["about"]: one["state"] for one in summary_of(folder)["verdicts"]}
    assert "bad" not in states.values()
    assert (states["points"], states["invariant"], states["generator"]) == ("good", "good", "good")


def test_a_simulated_sweep_claims_no_database(tmp_path: Path) -> None:
    folder = made(tmp_path, axes={"users": (1, 8, 64)}, simulated=True)
    page = page_of(folder)
    assert "no database was there" in page.text
    assert {"invariant", "generator"} & {one["about"] for one in summary_of(folder)["verdicts"]} == {
        "invariant"
    }
    assert "<span>simulated</span>" in page.text


def test_a_link_leads_only_to_a_page_that_is_there(tmp_path: Path) -> None:
    folder = made(tmp_path, axes={"users": (1, 8, 64)}, keys=("int",))
    (folder / "points/p002/report.html").write_text("a page")
    links = [str(a["href"]) for a in page_of(folder).named("a") if "download" not in a]
    assert links == ["points/p002/report.html"]


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


def test_the_other_formats_say_the_same(tmp_path: Path) -> None:
    folder = made(tmp_path, axes={"users": (1, 8)}, keys=("int",))
    page = page_of(folder)
    text = write_as(folder, ("md",))[0].read_text(encoding="utf-8")
    assert re.findall(r"\(charts/(\S+)\.png\)", text) == page.figures
    assert summary_of(folder)["answer"]["headline"] in text
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
        write_report(folder)
    assert str(folder) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (folder / "report.html").exists()
