"""Targets that are one database, different ones, or of which nobody knows: what the report claims."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from loadtest.record.outcome import Outcome
from reports import summarise, write_report
from reports.statistics.model import build_model
from tests.run_folders import BEGIN_NS, FakeRun, hand_made, write_fake_run

pytestmark = pytest.mark.usefixtures("undrawn")

SMALL: dict[str, Any] = {
    "keys": ("int",), "tps": 600.0, "duration_s": 12.0, "block_s": 1.0, "warmup_s": 0.0,
    "targets": ("east", "west"),
}  # fmt: skip
ONE: dict[str, Any] = {}
APART: dict[str, Any] = {"west": {"data": "another"}}
UNKNOWN: dict[str, Any] = {"west": {"data": None}}
POOLED = ("conflicts", "retries", "outcomes", "throughput")
NEVER = ("latency", "distribution", "parts")


def fake(systems: dict[str, Any], **more: Any) -> FakeRun:
    return FakeRun(**{**SMALL, **more}, systems=systems)


def charts_of(page: str) -> set[str]:
    return set(re.findall(r'<figure id="([^"]+)"', page))


@pytest.mark.parametrize(
    ("systems", "one"), [(ONE, True), (APART, False), (UNKNOWN, None)], ids=["one", "apart", "unknown"]
)
@pytest.mark.parametrize("keys", [("int",), ("int", "uuid")], ids=["one key type", "two"])
def test_what_a_page_shows_of_all_targets_together(
    tmp_path: Path, systems: dict[str, Any], one: bool | None, keys: tuple[str, ...]
) -> None:
    folder = write_fake_run(tmp_path, fake(systems, keys=keys, commit_ms={"west": 20.0}))
    page = write_report(folder).read_text()
    summary = json.loads((folder / "summary.json").read_text())
    assert not charts_of(page) & set(NEVER), "times of several targets are nobody's"
    assert charts_of(page) & set(POOLED) == (set(POOLED) if one else set())
    assert summary["target_comparisons"][0]["one_database"] is one
    assert ("conflict_matrix" in summary) == (one is True)
    assert ("conflict-matrix" in page) == (one is True)
    bands = [name for name, t in summary["targets"].items() if "predicted_conflict_rate" in t]
    assert bands == ([] if one is None else ["east", "west"])
    assert ("predicted_conflict_rate" in summary["overall"]) == (one is True)
    drawing = page.split('<figure id="target-conflicts"', 1)[1].split("</figure>", 1)[0]
    assert ("% predicted)" in drawing) == (one is not None)
    assert ("different" in page.split('id="targets"', 1)[1]) == (one is False)
    lines = {v["about"]: v["text"] for v in summary["verdicts"]}
    predicted = {about for about in lines if about.startswith("prediction")}
    if one:
        assert {f"prediction, {key}" for key in keys} <= predicted
    else:
        assert predicted == {"prediction, east", "prediction, west"}
    assert ("may share its data" in " ".join(lines.values())) == (one is None)
    # Percentiles of the mixture, and its conflict rate, are nowhere on the page.
    if not one and len(keys) == 1:
        visible = re.sub(r"<[^>]*>", " ", page.split('id="settings"', 1)[0])
        assert f"{summary['overall']['latency_ms']['p99']:.1f}" not in visible


@pytest.mark.parametrize("keys", [("int",), ("int", "uuid")], ids=["one key type", "two"])
def test_the_first_table_has_a_column_for_each_target(tmp_path: Path, keys: tuple[str, ...]) -> None:
    page = write_report(write_fake_run(tmp_path, fake(ONE, keys=keys))).read_text()
    table = page.split('id="result"', 1)[1].split("</table>", 1)[0]
    heads = re.findall(r'<th scope="col">(?:<i[^>]*></i>)?([^<]+)</th>', table)
    if len(keys) == 1:
        assert heads == ["east", "west", "west / east"]
    else:
        assert heads == [
            "east, int", "east, uuid", "west, int", "west, uuid", "east, uuid / int", "west, uuid / int"
        ]  # fmt: skip
    section = page.split('id="targets"', 1)[1]
    assert ("<table" in section.split("<figure", 1)[0]) == (len(keys) > 1), "nothing is shown twice"


def test_no_red_band_where_an_unknown_neighbour_may_be_the_cause(tmp_path: Path) -> None:
    """Its commits may be on the same accounts: above the band says nothing then."""
    rows = [
        {
            "target": "east" if n % 2 else "fn", "user": n % 4, "start_ns": BEGIN_NS + n * 10**6,
            "outcome": "conflict_data" if n % 4 == 1 else "committed",
            "sqlstate": "40001" if n % 4 == 1 else None,
        }
        for n in range(800)
    ]  # fmt: skip

    def bad(folder: Path, data: str | None) -> list[str]:
        targets: list[dict[str, Any]] = [{"name": "east", "data": "a"}, {"name": "fn", "data": data}]
        found = summarise(hand_made(folder, rows, targets=targets))["verdicts"]
        return [v["about"] for v in found if v["about"].startswith("pred") and v["state"] == "bad"]

    assert bad(tmp_path / "apart", "b") == ["prediction, east"]
    assert bad(tmp_path / "unknown", None) == []


def test_lag_is_held_against_the_fastest_target(tmp_path: Path) -> None:
    """Half of all attempts are slow, so the median of the mixture would hide the lag."""
    lag = {"worker": 0, "cpu_share": 0.2, "loop_lag_ms": {"p50": 2.0, "p99": 3.0}}
    more: dict[str, Any] = {"commit_ms": {"west": 200.0}, "weights": {"west": 3}, "users": 16}
    folder = write_fake_run(tmp_path, fake(APART, run={"generators": [lag]}, **more))
    assert summarise(folder)["generator"]["was_limit"] is True


def touched(target: str, key_type: str, block: int, conflicts: int, fine: int) -> list[dict[str, Any]]:
    at = BEGIN_NS + block * 10**8
    return [
        {
            "target": target, "key_type": key_type, "block": block, "rows": [7, 100 + n],
            "start_ns": at, "intended_start_ns": at,
            "outcome": Outcome.CONFLICT_DATA if n < conflicts else Outcome.COMMITTED,
        }
        for n in range(conflicts + fine)
    ]  # fmt: skip


@pytest.mark.parametrize("data", ["b", None], ids=["apart", "unknown"])
def test_an_account_is_hot_in_its_own_database(tmp_path: Path, data: str | None) -> None:
    """Number 7 of another database is another account: its quiet life dilutes nothing."""
    rows = touched("hot", "int", 0, 9, 1) + touched("quiet", "int", 0, 0, 90)
    targets: list[dict[str, Any]] = [{"name": "hot", "data": "a"}, {"name": "quiet", "data": data}]
    hot_rows = build_model(hand_made(tmp_path / "a", rows, targets=targets)).hot_rows
    first = hot_rows.top[0]
    assert (first.targets, first.number, first.accesses, first.conflicts) == (("hot",), 7, 10, 9)
    assert first.times_mean == pytest.approx(10 / (20 / 1000))
    assert hot_rows.conflicts == 18
    together = [{**target, "data": "a"} for target in targets]
    first = build_model(hand_made(tmp_path / "b", rows, targets=together)).hot_rows.top[0]
    assert (first.targets, first.accesses) == (("hot", "quiet"), 100)


def test_an_account_is_hot_in_its_own_table(tmp_path: Path) -> None:
    rows = touched("one", "int", 0, 9, 1) + touched("one", "uuid", 1, 3, 87)
    folder = hand_made(tmp_path, rows)
    first, second = (a for a in build_model(folder).hot_rows.top if a.number == 7)
    assert (first.key_type, first.accesses, first.conflicts) == ("int", 10, 9)
    assert (second.key_type, second.accesses, second.conflicts) == ("uuid", 90, 3)
    page = write_report(folder).read_text()
    caption = page.split('id="accounts"', 1)[1].split("</figcaption>", 1)[0]
    assert "Account 7, int: 9 of 10 attempts" in caption


def test_hot_accounts_are_named_with_their_database(tmp_path: Path) -> None:
    page = write_report(write_fake_run(tmp_path, fake(APART, conflict=0.1))).read_text()
    caption = page.split('id="accounts"', 1)[1].split("</figcaption>", 1)[0]
    assert re.search(r"Account [\d,]+, (east|west): \d+ of \d+ attempts", caption)
