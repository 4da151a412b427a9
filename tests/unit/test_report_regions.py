"""Several targets in one report: figures, comparison, prediction and page."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from loadtest.prediction.formula import conflict_probability
from loadtest.record.run import Run
from reports import summarise, write_report
from reports.analysis.reading.systems import Databases, find_databases
from reports.charts import style
from reports.documents.run.regions import relation
from reports.statistics.model import build_model
from reports.text import rounding
from tests.run_folders import BEGIN_NS, FakeRun, hand_made, write_fake_run

SMALL: dict[str, Any] = {
    "keys": ("int",), "tps": 600.0, "duration_s": 12.0, "block_s": 1.0, "warmup_s": 1.0,
}  # fmt: skip
SLICE = {
    "attempts", "decided", "transactions", "counted", "failed", "unfinished", "committed", "refused",
    "conflicts", "conflicts_by_outcome", "conflict_rate", "conflict_rate_interval", "retried",
    "retry_rate", "retries_mean", "retries_max", "give_ups", "errors_by_outcome", "throughput_tps",
    "latency_ms", "commit_ms", "time_ms", "predicted_conflict_rate", "duration_s",
}  # fmt: skip
LONG = ("us-east-1-primary-endpoint", "us-west-2-with-a-name-that-never-ends", "eu", "ap-northeast-1")


def made(folder: Path, **changes: Any) -> dict[str, Any]:
    return summarise(write_fake_run(folder, FakeRun(**{**SMALL, **changes})))


def test_every_target_has_every_figure(tmp_path: Path) -> None:
    summary = made(tmp_path, keys=("int", "uuid"), targets=("east", "west"), errors=0.02)
    slices = [
        *summary["targets"].values(),
        *(one for target in summary["targets_by_key_type"].values() for one in target.values()),
    ]
    assert len(slices) == 6
    for one in slices:
        assert set(one) == SLICE
        assert one["latency_ms"]["p99"] is not None
        assert one["retries_max"] >= 1
        assert one["errors_by_outcome"]
    for name in ("attempts", "committed", "conflicts", "give_ups"):
        total = sum(one[name] for one in summary["targets"].values())
        assert total == summary["overall"][name]


def test_equal_targets_show_no_difference(tmp_path: Path) -> None:
    (found,) = made(tmp_path, targets=("east", "west"))["target_comparisons"]
    assert (found["base"], found["other"], found["pairs"]) == ("east", "west", 12)
    for metric in ("throughput_tps", "latency_p50_ms"):
        assert found[metric]["verdict"] == "no difference shown"
        assert found[metric]["low"] <= 1 <= found[metric]["high"]


def test_a_slower_target_is_said_to_be(tmp_path: Path) -> None:
    summary = made(tmp_path, targets=("east", "west"), commit_ms={"west": 20.0})
    (found,) = summary["target_comparisons"]
    assert found["latency_p50_ms"]["verdict"] == "west is higher"
    assert found["latency_p50_ms"]["ratio"] == pytest.approx(
        summary["targets"]["west"]["latency_ms"]["p50"]
        / summary["targets"]["east"]["latency_ms"]["p50"]
    )
    assert found["conflict_rate"]["verdict"] == "no difference shown"
    assert "west compared with east: median latency" in summary["answer"]["lede"]


def test_the_first_asked_for_is_compared_with(tmp_path: Path) -> None:
    """Whatever order the record's own dictionaries have."""
    rows = [
        {
            "target": name, "block": block, "start_ns": BEGIN_NS + block * 10**9,
            "intended_start_ns": BEGIN_NS + block * 10**9, "statements_ns": 10**6 * (1 + place),
        }
        for block in range(10)
        for place, name in enumerate(("zone", "area"))
        for _ in range(20)
    ]  # fmt: skip
    config = {"keys": ["int"], "duration": 10.0, "block": 1.0, "users": 4, "accounts": 1000}
    more = {"targets": [{"name": "zone"}, {"name": "area"}], "measured_until_ns": None}
    first = summarise(hand_made(tmp_path / "a", rows, config=config, **more))
    again = summarise(hand_made(tmp_path / "b", rows[::-1], config=config, **more))
    assert list(first["targets"]) == list(again["targets"]) == ["zone", "area"]
    assert json.dumps(first, sort_keys=True) == json.dumps(again, sort_keys=True)
    assert first["target_comparisons"][0]["latency_p50_ms"]["verdict"] == "area is higher"


def test_more_blocks_than_can_be_held_are_taken_together(tmp_path: Path) -> None:
    summary = made(tmp_path, targets=("east", "west"), duration_s=30.0, block_s=0.1, tps=300.0)
    assert summary["blocks"] == 300
    assert summary["target_comparisons"][0]["pairs"] == 60, "pieces of half a second"


@pytest.mark.parametrize(
    ("duration_s", "block_s", "keys", "pairs"),
    [
        (8.0, 2.0, ("int",), 10),
        (2.0, 1.0, ("int",), 4),
        (40.0, 2.0, ("int",), 20),
        (8.0, 2.0, ("int", "uuid"), 4),
        (30.0, 0.1, ("int", "uuid"), 200),
    ],
    ids=["more than blocks", "none too short", "as many as blocks", "alternating", "joined"],
)
def test_pieces_that_targets_are_compared_in(
    tmp_path: Path, duration_s: float, block_s: float, keys: tuple[str, ...], pairs: int
) -> None:
    fake = {"tps": 200.0, "duration_s": duration_s, "block_s": block_s, "keys": keys}
    (found,) = made(tmp_path, targets=("east", "west"), **fake)["target_comparisons"]
    assert found["pairs"] == pairs
    assert (found["latency_p50_ms"]["low"] is not None) == (pairs >= 5)


def test_pieces_hold_every_attempt_once(tmp_path: Path) -> None:
    summary = made(tmp_path, targets=("east", "west"), duration_s=7.0, block_s=7.0, conflict=0.2)
    (found,) = summary["target_comparisons"]
    for side, name in (("base", "east"), ("other", "west")):
        for metric in ("conflict_rate", "throughput_tps"):
            assert found[metric][side] == pytest.approx(summary["targets"][name][metric])


def test_databases_of_their_own_are_predicted_from_their_own_commits(tmp_path: Path) -> None:
    """Two commits a second on one of them, one on the other; two users on each."""
    rows = [
        {"target": "east", "user": 0}, {"target": "east", "user": 1},
        {"target": "west", "user": 2}, {"target": "west", "user": 3, "outcome": "refused",
         "window_low_ns": 0, "window_high_ns": 0, "commit_ns": 0},
    ]  # fmt: skip
    apart = [{"name": name, "family": "embedded", "data": name} for name in ("east", "west")]
    targets = summarise(hand_made(tmp_path / "a", rows, targets=apart))["targets"]
    for name, commits in (("east", 2), ("west", 1)):
        expected = conflict_probability(commits / 2, 0.002, 4 / 1000)
        assert targets[name]["predicted_conflict_rate"]["low"] == pytest.approx(expected)
    together = [{**target, "data": "one"} for target in apart]
    targets = summarise(hand_made(tmp_path / "b", rows, targets=together))["targets"]
    expected = conflict_probability(3 * 31 / 32, 0.002, 4 / 1000)
    assert targets["west"]["predicted_conflict_rate"]["low"] == pytest.approx(expected)


MARKED, PLACED, NEITHER = {"data": "m"}, {"place": "p"}, dict[str, str]()
ONE, OTHER, UNKNOWN = True, False, None


@pytest.mark.parametrize(
    ("first", "second", "one"),
    [
        (MARKED, MARKED, ONE),
        (MARKED, {"data": "n"}, OTHER),
        (MARKED, NEITHER, UNKNOWN),
        (NEITHER, MARKED, UNKNOWN),
        # The family and the place say nothing where the marks do.
        ({**MARKED, "family": "dsql"}, {"data": "n", "family": "dsql"}, OTHER),
        ({**MARKED, "family": "embedded"}, {**MARKED, "family": "lambda"}, ONE),
        ({**MARKED, **PLACED}, {"data": "n", **PLACED}, OTHER),
        ({**MARKED, **PLACED}, PLACED, UNKNOWN),
        # Records without any mark.
        (PLACED, PLACED, ONE),
        (PLACED, {"place": "q"}, UNKNOWN),
        (NEITHER, NEITHER, UNKNOWN),
        ({"family": "dsql", "place": "x"}, {"family": "dsql", "place": "y"}, UNKNOWN),
    ],
)
def test_which_targets_are_one_database(
    first: dict[str, str], second: dict[str, str], one: bool | None
) -> None:
    run = Run.model_validate({"targets": [{"name": "a", **first}, {"name": "b", **second}]})
    found = find_databases(run, ("a", "b"))
    assert found.one(0, 1) is found.one(1, 0) is one
    assert found.whole is (one is True)
    assert found.settled(0) is found.settled(1) is (one is not None)
    assert find_databases(run, ("b", "nobody knows it")).one(0, 1) is None


def test_one_that_nobody_knows_unsettles_all() -> None:
    """Its commits may fail attempts of any of them."""
    found = Databases(numbers=(0, 0, 2, 3), said=(True, True, False, True))
    assert found.one(0, 1) is True
    assert found.one(0, 3) is False
    assert not any(found.settled(place) for place in range(4))


DYNAMO = {"family": "dynamodb", "version": None, "data": "d"}


@pytest.mark.parametrize(
    ("systems", "words"),
    [
        ({}, "endpoints of one database (embedded, PostgreSQL 18.1, optimistic)"),
        ({"west": DYNAMO}, "are different databases on different systems"),
        ({"west": {"data": "w"}}, "are different databases, used"),
        (
            {"west": {"data": None}},
            "The record does not say of east and west whether they hold the same",
        ),
        (
            {"west": {"family": "lambda", "version": None, "regime": None}},
            "one database (embedded, PostgreSQL 18.1, optimistic and lambda)",
        ),
    ],
)
def test_what_the_targets_are_to_one_another(
    tmp_path: Path, systems: dict[str, Any], words: str
) -> None:
    fake = FakeRun(**{**SMALL, "duration_s": 2.0}, targets=("east", "west"), systems=systems)
    text = relation(build_model(write_fake_run(tmp_path, fake)))
    assert words in text
    assert ("no commit in one" in text) == ("different databases" in words)
    assert "Each had 16 users." in text


@pytest.mark.parametrize("targets", [("east", "west"), LONG], ids=["two", "four with long names"])
@pytest.mark.parametrize("keys", [("int",), ("int", "uuid")], ids=["one key type", "two"])
def test_the_section_is_there_with_all_its_charts(
    tmp_path: Path, targets: tuple[str, ...], keys: tuple[str, ...]
) -> None:
    fake = FakeRun(**{**SMALL, "keys": keys}, targets=targets, commit_ms={targets[1]: 20.0})
    page = write_report(write_fake_run(tmp_path, fake)).read_text()
    section = page.split('id="targets"', 1)[1].split("<section", 1)[0]
    charts = ["target-ratios", "target-throughput", "target-distribution", "target-conflicts"]
    assert page.count('<figure id="target-ratios"') == 1
    if len(keys) == 1:
        answer = page.split("<section", 2)[1]
        assert '<figure id="target-ratios"' in answer, "beside the table of the same"
        del charts[0]
    assert section.count('id="conflict-matrix"') == 1
    for name in charts:
        assert section.count(f'<figure id="{name}"') == 1
    for place in range(len(targets)):
        variable = style.target_look(place).colour.variable
        colour = next(one.light for one in style.COLOURS if one.variable == variable)
        for chart in charts[-3:]:
            drawing = section.split(f'<figure id="{chart}"', 1)[1].split("</figure>", 1)[0]
            assert colour in drawing, "the same colour for the same target"
    many = len(keys) * len(targets) > 6
    assert ("By target and key type" in section) == (many and len(keys) > 1)
    words = re.sub(r"<[^>]*>", " ", section)
    assert not re.search(r"\b(nan|inf|None)\b", words)


def test_the_colours_of_targets_differ_from_each_other_and_from_key_types() -> None:
    """In grey as well, except that line and marker tell what brightness does not."""
    looks = [style.target_look(place) for place in range(4)]
    keys = {style.look(name).colour for name in ("int", "uuid", "uuid7")}
    assert len({look.colour for look in looks} | keys) == 7
    assert len({look.marker for look in looks}) == len({look.line for look in looks}) == 4
    assert style.target_look(4).marker not in {look.marker for look in looks}
    for dark in (False, True):
        shades = [
            _brightness(one.dark if dark else one.light)
            for one in (style.TARGET_1, style.TARGET_2, style.TARGET_3, style.TARGET_4)
        ]
        paper = _brightness(style.PAPER.dark if dark else style.PAPER.light)
        for shade in shades:
            high, low = max(shade, paper), min(shade, paper)
            assert (high + 0.05) / (low + 0.05) >= 3, "readable on its page"


def _brightness(colour: str) -> float:
    """Relative luminance, as the accessibility guidelines compute it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.usefixtures("undrawn")
def test_with_one_target_nothing_is_said_twice(tmp_path: Path) -> None:
    page = write_report(write_fake_run(tmp_path, FakeRun(**SMALL))).read_text()
    assert 'id="targets"' not in page
    assert "target-throughput" not in page


@pytest.mark.parametrize(
    ("name", "most", "short"),
    [("east", 4, "east"), ("us-west-2-and-more", 9, "us-w…more"), ("abcdef", 4, "a…ef")],
)
def test_long_names_keep_both_ends(name: str, most: int, short: str) -> None:
    assert rounding.shortened(name, most) == short
