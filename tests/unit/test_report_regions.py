"""Several targets in one report: figures, comparison, prediction and page."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from loadtest.prediction import conflict_probability
from reports import style, summarise, write_report
from reports.model import build_model
from reports.regions import relation
from reports.run_file import Run
from reports.systems import databases
from tests.run_folders import BEGIN_NS, FakeRun, hand_made, write_fake_run

SMALL: dict[str, Any] = {
    "keys": ("int",), "tps": 600.0, "duration_s": 12.0, "block_s": 1.0, "warmup_s": 1.0,
}  # fmt: skip
SLICE = {
    "attempts", "transactions", "unfinished", "committed", "refused", "conflicts",
    "conflicts_by_outcome", "conflict_rate", "retried", "retry_rate", "retries_mean", "retries_max",
    "give_ups", "errors_by_outcome", "throughput_tps", "latency_ms", "commit_ms", "time_ms",
    "predicted_conflict_rate", "duration_s",
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
            "target": name, "block": block, "start_ns": BEGIN_NS + block * 10**8,
            "intended_start_ns": BEGIN_NS + block * 10**8, "statements_ns": 10**6 * (1 + place),
        }
        for block in range(10)
        for place, name in enumerate(("zone", "area"))
        for _ in range(20)
    ]  # fmt: skip
    config = {"keys": ["int"], "duration": 1.0, "block": 0.1, "users": 4, "accounts": 1000}
    targets = [{"name": "zone"}, {"name": "area"}]
    first = summarise(hand_made(tmp_path / "a", rows, targets=targets, config=config))
    again = summarise(hand_made(tmp_path / "b", rows[::-1], targets=targets, config=config))
    assert list(first["targets"]) == list(again["targets"]) == ["zone", "area"]
    assert json.dumps(first, sort_keys=True) == json.dumps(again, sort_keys=True)
    assert first["target_comparisons"][0]["latency_p50_ms"]["verdict"] == "area is higher"


def test_more_blocks_than_can_be_held_are_taken_together(tmp_path: Path) -> None:
    summary = made(tmp_path, targets=("east", "west"), duration_s=30.0, block_s=0.1, tps=300.0)
    assert summary["blocks"] == 300
    assert summary["target_comparisons"][0]["pairs"] == 200


def test_databases_of_their_own_are_predicted_from_their_own_commits(tmp_path: Path) -> None:
    """Two commits a second on one of them, one on the other; two users on each."""
    rows = [
        {"target": "east", "user": 0}, {"target": "east", "user": 1},
        {"target": "west", "user": 2}, {"target": "west", "user": 3, "outcome": "refused",
         "window_low_ns": 0, "window_high_ns": 0, "commit_ns": 0},
    ]  # fmt: skip
    apart = [{"name": name, "family": "embedded", "place": name} for name in ("east", "west")]
    targets = summarise(hand_made(tmp_path / "a", rows, targets=apart))["targets"]
    for name, commits in (("east", 2), ("west", 1)):
        expected = conflict_probability(commits / 2, 0.002, 4 / 1000)
        assert targets[name]["predicted_conflict_rate"]["low"] == pytest.approx(expected)
    together = [{**target, "place": "one"} for target in apart]
    targets = summarise(hand_made(tmp_path / "b", rows, targets=together))["targets"]
    expected = conflict_probability(3 * 31 / 32, 0.002, 4 / 1000)
    assert targets["west"]["predicted_conflict_rate"]["low"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("targets", "numbers"),
    [
        ([{}, {}], (0, 0)),
        ([{"family": "embedded"}, {"family": "embedded"}], (0, 0)),
        ([{"family": "embedded", "place": "x"}, {"family": "embedded", "place": "y"}], (0, 1)),
        ([{"family": "embedded", "place": "x"}, {"family": "postgresql", "place": "x"}], (0, 0)),
        ([{"family": "dsql", "place": "x"}, {"family": "dsql-cluster", "place": "y"}], (0, 0)),
        ([{"family": "embedded"}, {"family": "dynamodb"}, {"family": "embedded"}], (0, 1, 0)),
    ],
)
def test_which_targets_are_one_database(
    targets: list[dict[str, Any]], numbers: tuple[int, ...]
) -> None:
    names = [str(place) for place in range(len(targets))]
    described = [{"name": name, **target} for name, target in zip(names, targets, strict=True)]
    run = Run.model_validate({"format": 1, "targets": described})
    assert databases(run, names) == numbers


DYNAMO = {"family": "dynamodb", "version": None, "place": "d"}


@pytest.mark.parametrize(
    ("systems", "words"),
    [
        ({}, "endpoints of one database (embedded, PostgreSQL 18.1, optimistic)"),
        ({"west": DYNAMO, "east": {"place": "e"}}, "are different systems"),
        ({"west": {"place": "w"}, "east": {"place": "e"}}, "databases of their own, of one kind"),
    ],
)
def test_what_the_targets_are_to_one_another(
    tmp_path: Path, systems: dict[str, Any], words: str
) -> None:
    fake = FakeRun(**{**SMALL, "duration_s": 2.0}, targets=("east", "west"), systems=systems)
    text = relation(build_model(write_fake_run(tmp_path, fake)))
    assert words in text
    assert "Each had 16 users." in text


@pytest.mark.parametrize("targets", [("east", "west"), LONG], ids=["two", "four with long names"])
@pytest.mark.parametrize("keys", [("int",), ("int", "uuid")], ids=["one key type", "two"])
def test_the_section_is_there_with_all_its_charts(
    tmp_path: Path, targets: tuple[str, ...], keys: tuple[str, ...]
) -> None:
    fake = FakeRun(**{**SMALL, "keys": keys}, targets=targets, commit_ms={targets[1]: 20.0})
    page = write_report(write_fake_run(tmp_path, fake)).read_text()
    section = page.split('id="targets"', 1)[1].split("<section", 1)[0]
    charts = ("target-ratios", "target-throughput", "target-distribution", "target-conflicts")
    for name in (*charts, "conflict-matrix"):
        assert section.count(f'<figure id="{name}"') == 1
    for place in range(len(targets)):
        variable = style.target_look(place).css
        for chart in charts[1:]:
            drawing = section.split(f'<figure id="{chart}"', 1)[1].split("</figure>", 1)[0]
            assert f"var({variable})" in drawing, "the same colour for the same target"
    assert ("By target and key type" in section) == (len(keys) > 1)
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


def test_with_one_target_nothing_is_said_twice(tmp_path: Path) -> None:
    page = write_report(write_fake_run(tmp_path, FakeRun(**SMALL))).read_text()
    assert 'id="targets"' not in page
    assert "target-throughput" not in page


@pytest.mark.parametrize(
    ("name", "most", "short"),
    [("east", 4, "east"), ("us-west-2-and-more", 9, "us-w…more"), ("abcdef", 4, "a…ef")],
)
def test_long_names_keep_both_ends(name: str, most: int, short: str) -> None:
    assert style.shortened(name, most) == short
