"""Runs over several targets: what the report says of each, and when one of them goes away."""

import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from loadtest.targets.embedded.server import EmbeddedServer
from reports.analysis.reading.attempts import open_attempts
from tests.commands import (
    RunResult,
    check_conserved,
    occbench,
    results_in,
    run,
    start,
    wait_for,
)
from tests.conftest import running_server

EAST_MS, WEST_MS = 20, 70


@pytest.fixture(scope="module")
def two_regions(seeded: str, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """One database through a near and a far endpoint, three users here for each one there."""
    return run(
        "--target", f"east={seeded}&commit_delay_ms={EAST_MS}&weight=3",
        "--target", f"west={seeded}&commit_delay_ms={WEST_MS}",
        "--users", 32, "--keys", "uuid", "--accounts", 1000, "--duration", "4s", "--block", "400ms",
        "--warmup", "300ms", "--retry", "immediate",
        out=tmp_path_factory.mktemp("regions") / "results",
    )  # fmt: skip


def test_users_are_assigned_by_weight(two_regions: RunResult) -> None:
    users = {(row["target"], row["user"]) for row in two_regions.rows}
    assert Counter(target for target, _ in users) == {"east": 24, "west": 8}
    page = (two_regions.folder / "report.html").read_text()
    assert "24 on east and 8 on west" in page


def test_each_target_has_its_own_commit_time(two_regions: RunResult) -> None:
    east, west = (two_regions.summary["targets"][name]["commit_ms"]["p50"] for name in ("east", "west"))
    assert east >= EAST_MS
    # The machine is shared by both: what it adds, it adds to both.
    assert west >= max(WEST_MS, east)


def test_each_target_has_a_band_of_its_own_window(two_regions: RunResult) -> None:
    targets = two_regions.summary["targets"]
    bands = {name: targets[name]["predicted_conflict_rate"] for name in ("east", "west")}
    # The commits of both count for both, and west's attempts live longer: as much as its commits are
    # delayed longer, and less where all the rest takes long.
    assert 1 < bands["west"]["high"] / bands["east"]["high"] < 1.2 * WEST_MS / EAST_MS
    for name, band in bands.items():
        rate, attempts = targets[name]["conflict_rate"], targets[name]["attempts"]
        chance = 4 * (rate * (1 - rate) / attempts) ** 0.5
        assert 0.6 * band["low"] - chance < rate < 1.4 * band["high"] + chance


def test_the_comparison_says_who_is_slower(two_regions: RunResult) -> None:
    (comparison,) = two_regions.summary["target_comparisons"]
    assert (comparison["base"], comparison["other"]) == ("east", "west")
    assert comparison["one_database"] is True
    assert 5 <= comparison["pairs"] <= 10, "a block in which nothing committed is none"
    assert comparison["latency_p50_ms"]["verdict"] == "west is higher"
    assert comparison["throughput_tps"]["verdict"] == "not comparable: 24 and 8 users"
    assert "west compared with east" in two_regions.summary["answer"]["lede"]


def test_the_matrix_of_conflicts(two_regions: RunResult) -> None:
    found, overall = two_regions.summary["conflict_matrix"], two_regions.summary["overall"]
    known = sum(pair["conflicts"] for pair in found["pairs"])
    assert known == found["known"]
    total = found["known"] + found["ambiguous"] + found["unknown"]
    assert total == overall["conflicts"] > 20
    # At this contention hardly any account has two commits within one attempt's life, and only
    # winners from before and after the measured time are missing.
    assert found["known"] > 0.6 * total
    assert found["unknown"] < 0.2 * total
    by_pair = {(pair["failed"], pair["won"]): pair for pair in found["pairs"]}
    for failed in ("east", "west"):
        lost = sum(by_pair[failed, won]["conflicts"] for won in ("east", "west"))
        share = by_pair[failed, "east"]["conflicts"] / lost
        expected = by_pair[failed, "east"]["expected_share"]
        chance = 4 * (expected * (1 - expected) / lost) ** 0.5
        assert abs(share - expected) < 0.12 + chance


def test_what_is_documented_is_what_is_recorded(two_regions: RunResult) -> None:
    """Both endpoints are one server, and neither says anything of its own."""
    places = {target["place"] for target in two_regions.run["targets"]}
    assert len(places) == 1
    with open_attempts(two_regions.folder) as attempts:
        assert attempts.remote == ()
    assert not {"remote", "capacity"} & set(two_regions.summary["overall"])


@pytest.fixture
def two_servers(tmp_path: Path) -> Iterator[dict[str, EmbeddedServer]]:
    """Two databases seeded alike."""
    with running_server() as east, running_server() as west:
        for server in (east, west):
            target = f"embedded?data={server.data_folder}"
            done = occbench(
                "seed", "--target", target, "--keys", "uuid", "--accounts", 1000, cwd=tmp_path
            )
            assert done.returncode == 0, done.stderr
        yield {"east": east, "west": west}


def test_one_endpoint_down(two_servers: dict[str, EmbeddedServer], tmp_path: Path) -> None:
    out = tmp_path / "results"
    targets = [
        f"{name}=embedded?data={server.data_folder}&commit_delay_ms=15"
        for name, server in two_servers.items()
    ]
    process = start(
        "run", "--target", targets[0], "--target", targets[1], "--users", 16, "--keys", "uuid",
        "--duration", "6s", "--warmup", "0", "--out", out,
        cwd=tmp_path,
    )  # fmt: skip
    try:
        wait_for(lambda: process.poll() is not None or any(out.glob("*/run.json")), "the run's begin")
        time.sleep(1.2)
        two_servers["west"].stop()
        stopped = time.monotonic()
        time.sleep(1.2)
        away_s = time.monotonic() - stopped
        two_servers["west"].start()
        _, stderr = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, stderr
    (result,) = results_in(out)
    check_conserved(result)

    gaps = [gap for gap in result.summary["gaps"] if gap["target"] == "west"]
    gap = max(gaps, key=lambda one: one["until_s"] - one["from_s"])
    assert gap["came_back"] is True
    assert gap["until_s"] - gap["from_s"] > away_s
    west = [row for row in result.rows if row["target"] == "west"]
    for outcome, attempts in gap["failed"].items():
        assert attempts <= sum(row["outcome"] == outcome for row in west)
    assert gap["failed"]["connect_failed"] >= 8, "every user tried"
    assert gap["others"]["east"] > 0.5, "the others go on"

    begin = result.run["measured_from_ns"]
    commits = np.array(
        [
            row["start_ns"] + row["statements_ns"] + row["commit_ns"] - begin
            for row in west
            if row["outcome"] == "committed"
        ]
    )
    inside = (commits > gap["from_s"] * 1e9 + 1e6) & (commits < gap["until_s"] * 1e9 - 1e6)
    assert not inside.any(), "no commit lies within a gap"
    after = {
        row["user"]
        for row in west
        if row["outcome"] == "committed" and row["start_ns"] - begin > gap["from_s"] * 1e9
    }
    assert after == {row["user"] for row in west}, "every user came back"
    assert not [
        row
        for row in result.rows
        if row["target"] == "east" and row["outcome"] not in ("committed", "conflict_data")
    ]

    line = next(v["text"] for v in result.summary["verdicts"] if v["about"] == "gap")
    # "Committed" where an attempt was decided against it in the meantime.
    assert re.match("west (answered|committed) nothing from ", line)
    assert "failed to connect" in line
    assert "east went on with" in line
    assert "are different databases, used" in (result.folder / "report.html").read_text()
    assert "conflict_matrix" not in result.summary
