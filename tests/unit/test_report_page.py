"""The page: complete, self-contained, and right for every kind of run."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from reports import summarise, write_report
from reports.statistics.model import build_model
from reports.text import rounding
from reports.verdicts.rules import verdicts
from tests.pages import Page, check_page
from tests.run_folders import FakeRun, hand_made, run_json, write_fake_run, write_run_json

SMALL: dict[str, Any] = {"tps": 300.0, "duration_s": 12.0, "block_s": 1.0, "warmup_s": 1.0}
ONE_KEY: dict[str, Any] = {**SMALL, "keys": ("int",)}
CHARTS = (
    "throughput", "conflicts", "latency", "distribution", "retries", "parts", "outcomes",
    "accounts",
)  # fmt: skip


def page_of(folder: Path) -> Page:
    return Page(write_report(folder).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_run(tmp_path_factory.mktemp("run"), FakeRun(**SMALL, skew="zipf:0.9"))


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return page_of(folder)


def test_every_section_is_there_in_order(page: Page) -> None:
    wanted = ["answer", "ratios", "verdicts", "charts", *CHARTS, "popularity", "settings"]
    assert [name for name in page.ids if name in wanted] == wanted


def test_the_page_stands_alone_can_be_heard_and_has_a_dark_side(page: Page) -> None:
    check_page(page)
    assert len(page.figures) == len(CHARTS) + 2
    assert "prefers-color-scheme: dark" in page.text
    assert "@media print" in page.text


def test_the_page_is_small(page: Page) -> None:
    assert len(page.text.encode()) < 1_500_000


def test_summary_beside_the_page_says_the_same(folder: Path, page: Page) -> None:
    assert (folder / "report.html").read_text(encoding="utf-8") == page.text
    stored = json.loads((folder / "summary.json").read_text())
    assert stored == json.loads(json.dumps(summarise(folder)))
    assert not [p for p in folder.iterdir() if p.name.startswith(".")], "no temporary file stays"


def test_making_it_again_makes_the_same(folder: Path, page: Page) -> None:
    assert write_report(folder).read_text(encoding="utf-8") == page.text


@pytest.mark.parametrize(
    "changes",
    [
        {"keys": ("int",)},
        {"keys": ("uuid7",), "skew": "hotspot:0.9/0.1"},
        {"keys": ("int", "uuid", "uuid7")},
        {"conflict": 0.0},
        {"conflict": 0.9, "max_attempts": 3},
        {"targets": ("east", "west")},
        {"errors": 1.0, "conflict": 0.0},
        {"refused": 1.0, "conflict": 0.0},
        {"rate": 300.0},
        {"accounts": 2},
        {"duration_s": 0.2, "block_s": 0.1, "tps": 60.0, "warmup_s": 0.0},
        {"duration_s": 600.0, "tps": 20.0, "block_s": 5.0},
    ],
    ids=str,
)
def test_every_kind_of_run_has_a_page(tmp_path: Path, changes: dict[str, Any]) -> None:
    found = page_of(write_fake_run(tmp_path, FakeRun(**{**SMALL, **changes})))
    assert {"answer", "verdicts", "charts", "settings", "throughput", "conflicts"} <= set(found.ids)
    words = re.sub(r"<[^>]*>", " ", found.text.split("</style>", 1)[1])
    assert not re.search(r"\b(nan|inf|None)\b", words)
    assert ("targets" in found.ids) == ("targets" in changes)
    assert ("popularity" in found.ids) == ("skew" in changes)


@pytest.mark.parametrize("outcome", ["committed", "conflict_data", "connect_failed"])
@pytest.mark.usefixtures("undrawn")
def test_a_single_attempt_is_a_run(tmp_path: Path, outcome: str) -> None:
    page = page_of(hand_made(tmp_path, [{"outcome": outcome}]))
    assert "too few" in page.text


def said(folder: Path, about: str) -> tuple[str, str]:
    found = [v for v in verdicts(build_model(folder)) if v.about.startswith(about)]
    assert found, about
    return found[0].state, found[0].text


def changed(folder: Path, **changes: Any) -> Path:
    """A made-up run, with these parts of its `run.json` replaced."""
    fake = FakeRun(**ONE_KEY)
    write_fake_run(folder, fake)
    write_run_json(folder, run_json(fake, **changes))
    return folder


def test_verdict_on_lost_money(tmp_path: Path) -> None:
    check = {
        "target": "embedded", "key_type": "int", "what": "money conserved", "expected": "100",
        "found": "99", "negative": 1, "holds": False,
    }  # fmt: skip
    state, text = said(changed(tmp_path, invariant=[check]), "invariant")
    assert state == "bad"
    assert "expected 100, found 99" in text
    assert summarise(tmp_path)["invariant"]["holds"] is False


def test_verdict_on_an_unchecked_invariant(tmp_path: Path) -> None:
    assert said(changed(tmp_path, invariant=[]), "invariant")[0] == "note"
    assert summarise(tmp_path)["invariant"]["holds"] is None


@pytest.mark.parametrize(
    ("generator", "state"),
    [
        ({"cpu_share": 0.5, "loop_lag_ms": {"p99": 0.5}}, "good"),
        ({"cpu_share": 0.95, "loop_lag_ms": {"p99": 0.5}}, "bad"),
        ({"cpu_share": 0.5, "loop_lag_ms": {"p50": 0.2, "p99": 25.0}}, "note"),
        ({"cpu_share": 0.5, "loop_lag_ms": {"p50": 4.0, "p99": 5.0}}, "bad"),  # of about 6 ms
        ({"pid": 1}, "note"),
    ],
)
def test_verdict_on_the_tool(tmp_path: Path, generator: dict[str, Any], state: str) -> None:
    assert said(changed(tmp_path, generators=[{"worker": 0, **generator}]), "generator")[0] == state


def test_verdict_on_durability(tmp_path: Path) -> None:
    targets = [{"name": "fast", "durable": False}]
    state, text = said(changed(tmp_path, targets=targets), "durability")
    assert state == "bad"
    assert "fast" in text


def test_verdict_on_an_interrupted_run(tmp_path: Path) -> None:
    assert "interrupted after 12" in said(changed(tmp_path, interrupted=True), "interrupted")[1]


@pytest.mark.parametrize(("late", "state"), [(1, "good"), (300, "bad")])
def test_verdict_on_an_open_loop(tmp_path: Path, late: int, state: str) -> None:
    fake = FakeRun(**ONE_KEY, rate=300.0)
    write_fake_run(tmp_path, fake)
    write_run_json(tmp_path, run_json(fake, pacing={"rate": 300.0, "late": late, "scheduled": 3600}))
    assert said(tmp_path, "loop")[0] == state


def test_an_open_loop_that_could_not_start_everything_did_not_keep_its_rate(tmp_path: Path) -> None:
    fake = FakeRun(**ONE_KEY, rate=300.0)
    write_fake_run(tmp_path, fake)
    generator = {"worker": 0, "scheduled": 4000, "started": 3600}
    write_run_json(tmp_path, run_json(fake, generators=[generator], pacing={"scheduled": 4000}))
    state, text = said(tmp_path, "loop")
    assert state == "bad"
    assert "400 could not start" in text


@pytest.mark.parametrize(
    ("scheduled", "started", "late", "state"),
    [
        (1000, 990, 0, "good"),
        (1000, 990, 1, "bad"),
        (1000, 1000, 10, "good"),
        (1000, 1000, 11, "bad"),
        # What was due before measuring began may start within it, and makes up for nothing.
        (1000, 1040, 11, "bad"),
    ],
)
def test_late_and_never_started_count_together(
    tmp_path: Path, scheduled: int, started: int, late: int, state: str
) -> None:
    """By what the generators scheduled in the measured time, not by the whole run's number."""
    fake = FakeRun(**ONE_KEY, rate=300.0)
    write_fake_run(tmp_path, fake)
    halves = [
        {"worker": w, "scheduled": scheduled // 2, "started": started // 2 + w * (started % 2)}
        for w in range(2)
    ]
    pacing = {"scheduled": 9_000, "late": late}
    write_run_json(tmp_path, run_json(fake, generators=halves, pacing=pacing))
    assert said(tmp_path, "loop")[0] == state
    found = summarise(tmp_path)["pacing"]
    assert found["scheduled"] == scheduled
    assert found["never_started"] == max(0, scheduled - started)


def test_verdict_on_processes_that_did_not_report(tmp_path: Path) -> None:
    config = run_json(FakeRun(**ONE_KEY))["config"] | {"processes": 4}
    generators = [{"worker": 0}, {"worker": 3}]
    state, text = said(changed(tmp_path, config=config, generators=generators), "processes")
    assert state == "bad"
    assert text == "2 of 4 load processes did not report: what was measured there last is missing."


def test_verdict_on_attempts_that_could_not_be_written(tmp_path: Path) -> None:
    generators = [{"worker": 0, "lost_attempts": 1200}, {"worker": 1, "lost_attempts": 34}]
    state, text = said(changed(tmp_path, generators=generators), "lost attempts")
    assert state == "bad"
    assert "1,234 attempts could not be written" in text


@pytest.mark.parametrize("lost", [0, None])
def test_no_verdict_where_nothing_is_missing(tmp_path: Path, lost: int | None) -> None:
    folder = changed(tmp_path, generators=[{"worker": 0, "lost_attempts": lost}])
    about = [v["about"] for v in summarise(folder)["verdicts"]]
    assert not {"processes", "lost attempts"} & set(about)


@pytest.mark.parametrize(
    ("tps", "conflict", "state"),
    [(2000.0, 0.036, "good"), (2000.0, 0.2, "bad"), (2000.0, 0.0, "bad"), (10.0, 0.0, "good")],
)
def test_verdict_on_the_prediction(tmp_path: Path, tps: float, conflict: float, state: str) -> None:
    write_fake_run(tmp_path, FakeRun(**{**ONE_KEY, "tps": tps, "conflict": conflict}))
    assert said(tmp_path, "prediction")[0] == state


def test_skewed_access_is_held_against_its_own_band(tmp_path: Path) -> None:
    fake = FakeRun(**{**ONE_KEY, "tps": 2000.0, "conflict": 0.0, "skew": "zipf:0.5"})
    write_fake_run(tmp_path, fake)
    assert said(tmp_path, "prediction")[0] == "bad"


def test_row_locks_are_no_test_of_the_formula(tmp_path: Path) -> None:
    even = FakeRun(**{**ONE_KEY, "tps": 2000.0, "conflict": 0.0})
    write_fake_run(tmp_path, even)
    write_run_json(tmp_path, run_json(even, targets=[{"name": "pg", "regime": "locking"}]))
    assert said(tmp_path, "prediction")[0] == "note"


@pytest.mark.usefixtures("undrawn")
def test_passwords_stay_out_of_the_page(tmp_path: Path) -> None:
    config = run_json(FakeRun(**ONE_KEY))["config"] | {
        "target": ["east=postgresql://me:swordfish@host/db", "x?password=swordfish&y=1"]
    }
    page = page_of(changed(tmp_path, config=config))
    assert "swordfish" not in page.text


@pytest.mark.usefixtures("undrawn")
def test_names_from_outside_are_text(tmp_path: Path) -> None:
    page = page_of(changed(tmp_path, label="<script>alert(1)</script>"))
    assert not page.named("script")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (0.012345, "0.0123"), (1.0, "1.00"), (9.996, "10.0"), (99.96, "100"),
        (1234.5, "1,234"), (-2.5, "\N{MINUS SIGN}2.50"), (None, "too few"),
    ],
)  # fmt: skip
def test_numbers_have_three_digits(value: float | None, text: str) -> None:
    assert rounding.number(value) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0.0, "0"), (0.0656, "6.56"), (0.99999, "99.999"), (1.0, "100")]
)
def test_a_share_short_of_all_never_reads_as_all(share: float, text: str) -> None:
    assert rounding.percent(share) == f"{text}\N{NO-BREAK SPACE}%"
