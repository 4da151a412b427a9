"""Figures against records whose result is known by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from loadtest.prediction.formula import conflict_probability
from loadtest.record.outcome import OUTCOMES
from reports import summarise
from reports.analysis import percentiles
from tests.examples import at_most
from tests.run_folders import (
    BEGIN_NS,
    FakeRun,
    hand_made,
    run_json,
    table_of,
    write_attempts,
    write_fake_run,
    write_run_json,
)

MS = 1_000_000


def attempt(transaction: int, number: int, final: bool, outcome: str, **more: Any) -> dict[str, Any]:
    return {
        "transaction": transaction,
        "attempt": number,
        "final": final,
        "outcome": outcome,
        **more,
    }


# Three transactions in one second: at once; after two conflicts; given up after a conflict.
STORY = [
    attempt(1, 1, True, "committed", statements_ns=3 * MS, commit_ns=MS),
    attempt(2, 1, False, "conflict_data", statements_ns=3 * MS, commit_ns=2 * MS),
    attempt(2, 2, False, "conflict_schema", start_ns=BEGIN_NS + 15 * MS, backoff_ns=10 * MS),
    attempt(2, 3, True, "committed", start_ns=BEGIN_NS + 39 * MS, backoff_ns=20 * MS),
    attempt(3, 1, True, "conflict_data", statements_ns=6 * MS, commit_ns=2 * MS),
]


@pytest.fixture
def story(tmp_path: Path) -> dict[str, Any]:
    overall: dict[str, Any] = summarise(hand_made(tmp_path, STORY))["overall"]
    return overall


def test_counts(story: dict[str, Any]) -> None:
    assert story["attempts"] == 5
    assert story["transactions"] == 3
    assert story["committed"] == 2
    assert story["conflicts"] == 3
    assert story["conflicts_by_outcome"] == {"conflict_data": 2, "conflict_schema": 1}
    assert story["give_ups"] == 1
    assert story["errors_by_outcome"] == {}


def test_rates(story: dict[str, Any]) -> None:
    assert story["conflict_rate"] == pytest.approx(3 / 5)
    assert story["retry_rate"] == pytest.approx(1 / 3)
    assert story["retries_mean"] == pytest.approx(2 / 3)
    assert story["retries_max"] == 2
    assert story["duration_s"] == pytest.approx(1.0)
    assert story["throughput_tps"] == pytest.approx(2.0)


def test_latency_runs_from_the_intended_start_to_the_end_of_the_last_attempt(
    story: dict[str, Any],
) -> None:
    # 4 ms, 39 + 4 ms, 8 ms
    assert story["latency_ms"]["mean"] == pytest.approx((4 + 43 + 8) / 3)
    assert story["latency_ms"]["max"] == pytest.approx(43)
    assert story["latency_ms"]["p50"] is None, "three samples say nothing of a median"
    assert story["commit_ms"]["mean"] == pytest.approx((1 + 2 + 1 + 1 + 2) / 5)


def test_parts_of_the_time_add_up_to_the_latency(story: dict[str, Any]) -> None:
    parts = story["time_ms"]
    assert parts["statements"] == pytest.approx((3 + 3 + 3 + 3 + 6) / 3)
    assert parts["backoff"] == pytest.approx(10)
    assert sum(parts.values()) == pytest.approx(story["latency_ms"]["mean"])


@at_most(12)
@given(data=st.data())
def test_parts_add_up_whatever_was_cut_off(data: st.DataObject, tmp_path_factory: Any) -> None:
    """Attempts of transactions that never ended have no latency to be a part of."""
    rows, total = [], 0
    for number in range(data.draw(st.integers(1, 4))):
        at = BEGIN_NS
        tries = data.draw(st.integers(1, 3))
        ends = number == 0 or data.draw(st.booleans())
        for place in range(1, tries + 1):
            waited, worked, sent = (data.draw(st.integers(0, 9)) * 10**6 for _ in range(3))
            at += waited
            last = ends and place == tries
            rows.append({
                "transaction": number, "attempt": place, "final": last, "start_ns": at,
                "backoff_ns": waited if place > 1 else 0, "statements_ns": worked, "commit_ns": sent,
                "outcome": "committed" if last else "conflict_data",
            })  # fmt: skip
            at += worked + sent
        total += (at - BEGIN_NS) * ends
    overall = summarise(hand_made(tmp_path_factory.mktemp("run"), rows))["overall"]
    mean = total / overall["transactions"] / 1e6
    assert overall["latency_ms"]["mean"] == pytest.approx(mean)
    assert sum(overall["time_ms"].values()) == pytest.approx(mean, abs=1e-9)
    assert overall["time_ms"]["other"] == pytest.approx(0, abs=1e-9), "nothing was left over"


def test_the_predicted_band_is_the_formula(story: dict[str, Any]) -> None:
    # Two commits in one second, 32 users of whom 31 are others, 1,000 accounts; windows of 2 ms at
    # least, and of 5 ms at most in the mean (4, 5, 4, 4 and 8).
    rate = 2 * 31 / 32
    band = story["predicted_conflict_rate"]
    assert band["low"] == pytest.approx(conflict_probability(rate, 0.002, 4 / 1000))
    # The upper end takes commits to come evenly spaced: each of two accounts is spared with 1 − x.
    spared = 1 - rate * 0.005 * 2 / 1000
    assert band["high"] == pytest.approx(1 - spared**2)


def test_attempts_that_never_sent_commit_do_not_shorten_the_window(tmp_path: Path) -> None:
    refused = attempt(9, 1, True, "refused", commit_ns=0, window_low_ns=0, window_high_ns=0)
    folder = hand_made(tmp_path, [*STORY, refused])
    overall = summarise(folder)["overall"]
    rate = 2 * 31 / 32
    assert overall["predicted_conflict_rate"]["low"] == pytest.approx(
        conflict_probability(rate, 0.002, 4 / 1000)
    )
    assert overall["refused"] == 1
    assert overall["give_ups"] == 1, "a refusal is no give-up"


def test_targets_on_the_same_tables_add_up_their_commits(tmp_path: Path) -> None:
    rows = [attempt(i, 1, True, "committed", target=t) for i, t in enumerate(["east", "west"])]
    summary = summarise(hand_made(tmp_path, rows))
    expected = conflict_probability(2 * 31 / 32, 0.002, 4 / 1000)
    for target in ("east", "west"):
        assert summary["targets"][target]["throughput_tps"] == pytest.approx(1.0)
        assert summary["targets"][target]["predicted_conflict_rate"]["low"] == pytest.approx(expected)


def test_warm_up_is_in_no_figure(tmp_path: Path) -> None:
    warm = [attempt(100 + i, 1, True, "conflict_data", block=-1) for i in range(7)]
    assert (
        summarise(hand_made(tmp_path / "a", STORY))["overall"]
        == summarise(hand_made(tmp_path / "b", [*warm, *STORY]))["overall"]
    )


def test_an_interrupted_transaction_counts_its_attempts_only(tmp_path: Path) -> None:
    cut = attempt(50, 1, False, "conflict_data")
    overall = summarise(hand_made(tmp_path, [*STORY, cut]))["overall"]
    assert overall["attempts"] == 6
    assert overall["transactions"] == 3
    assert overall["unfinished"] == 1
    assert overall["conflicts"] == 4


def test_errors_are_no_conflicts(tmp_path: Path) -> None:
    rows = [
        attempt(1, 1, True, "error", sqlstate="XX000"),
        attempt(2, 1, True, "error", sqlstate="XX000"),
        attempt(3, 1, True, "ambiguous", sqlstate="08006"),
        attempt(4, 1, True, "committed"),
    ]
    summary = summarise(hand_made(tmp_path, rows))
    assert summary["overall"]["errors_by_outcome"] == {"ambiguous": 1, "error": 2}
    assert summary["overall"]["conflicts"] == 0
    assert summary["overall"]["give_ups"] == 0
    assert summary["errors_by_sqlstate"] == [
        {"outcome": "ambiguous", "sqlstate": "08006", "attempts": 1},
        {"outcome": "error", "sqlstate": "XX000", "attempts": 2},
    ]


def test_what_starts_after_the_planned_end_is_in_no_figure(tmp_path: Path) -> None:
    late = attempt(60, 1, True, "conflict_data", intended_start_ns=BEGIN_NS + 1001 * MS)
    changes = {"measured_until_ns": BEGIN_NS + 1100 * MS}
    overall = summarise(hand_made(tmp_path, [*STORY, late], **changes))["overall"]
    assert overall["attempts"] == 5
    assert overall["duration_s"] == pytest.approx(1.0)


def test_a_run_without_its_end_is_measured_up_to_the_last_attempt(tmp_path: Path) -> None:
    rows = [
        attempt(1, 1, True, "committed"),
        attempt(2, 1, True, "committed", start_ns=BEGIN_NS + 496 * MS),
    ]
    folder = hand_made(tmp_path, rows, measured_until_ns=None, ended_ns=None)
    assert summarise(folder)["overall"]["duration_s"] == pytest.approx(0.5)


def test_each_key_type_is_measured_in_its_own_blocks(tmp_path: Path) -> None:
    fake = FakeRun(warmup_s=0.0, duration_s=4.0, block_s=1.0)
    keys = ["int", "uuid", "uuid", "int"]
    rows = [
        attempt(
            i, 1, True, "committed", key_type=keys[i // 3], block=i // 3,
            intended_start_ns=BEGIN_NS + i // 3 * 1000 * MS + 10 * MS,
            start_ns=BEGIN_NS + i // 3 * 1000 * MS + 10 * MS,
        )
        for i in range(12)
    ]  # fmt: skip
    write_run_json(tmp_path, run_json(fake))
    write_attempts(tmp_path, table_of(rows))
    summary = summarise(tmp_path)
    for key in ("int", "uuid"):
        assert summary["key_types"][key]["duration_s"] == pytest.approx(2.0)
        assert summary["key_types"][key]["throughput_tps"] == pytest.approx(3.0)
    assert summary["overall"]["throughput_tps"] == pytest.approx(3.0)


def test_blocks_of_another_length_than_asked_for_are_found(tmp_path: Path) -> None:
    # Three seconds in blocks of 2 s for two key types are two blocks of 1.5 s.
    fake = FakeRun(warmup_s=0.0, duration_s=3.0, block_s=1.5, tps=300)
    write_fake_run(tmp_path, fake)
    run = json.loads((tmp_path / "run.json").read_text())
    run["config"]["block"] = 2.0
    write_run_json(tmp_path, run)
    for figures in summarise(tmp_path)["key_types"].values():
        assert figures["duration_s"] == pytest.approx(1.5)


times = hnp.arrays(np.int64, st.integers(1, 3000), elements=st.integers(0, 10**12))


@given(times, st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.999]))
def test_percentiles_are_those_of_numpy(values: np.ndarray[Any, Any], quantile: float) -> None:
    values.sort()
    assert percentiles.at(values, quantile) == pytest.approx(np.quantile(values, quantile))


@given(times)
def test_a_percentile_is_given_exactly_when_ten_samples_lie_beyond(
    values: np.ndarray[Any, Any],
) -> None:
    values.sort()
    found = percentiles.describe(values)
    for name, quantile in percentiles.QUANTILES.items():
        assert (getattr(found, name) is not None) == (
            round(len(values) * (1000 - quantile * 1000)) >= 10_000
        )


rows_of_a_run = st.lists(
    st.builds(
        lambda t, outcome, final, ms, commit, target: attempt(
            t, 1, final, outcome, statements_ns=ms * MS, commit_ns=commit, target=target
        ),
        st.integers(0, 10**6),
        st.sampled_from([str(o) for o in OUTCOMES]),
        st.booleans(),
        st.integers(0, 50),
        st.integers(0, 10**7),
        st.sampled_from(["east", "west"]),
    ),
    min_size=1,
    max_size=40,
    unique_by=lambda row: row["transaction"],
)


@at_most(15)
@given(rows_of_a_run, st.integers(1, 4), st.randoms())
def test_rates_are_shares_and_the_order_of_files_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], files: int, random: Any
) -> None:
    folders = [tmp_path_factory.mktemp("run") for _ in range(2)]
    for folder in folders:
        write_run_json(folder, run_json(FakeRun(keys=("int",), warmup_s=0.0, duration_s=1.0)))
        write_attempts(folder, *(table_of(rows[i::files]) for i in range(files) if rows[i::files]))
        random.shuffle(rows)
    first, second = (summarise(folder) for folder in folders)
    assert json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
    overall = first["overall"]
    for name in ("conflict_rate", "retry_rate"):
        assert overall[name] is None or 0 <= overall[name] <= 1
    assert overall["attempts"] == len(rows)
    assert overall["unfinished"] + overall["transactions"] == len(rows)
    assert overall["committed"] + overall["give_ups"] <= overall["transactions"]
    split = [summarise_target["attempts"] for summarise_target in first["targets"].values()]
    assert sum(split) == len(rows)
