"""The simulation against slow references, the formula, and what a record must be."""

import itertools
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.errors import InputError
from loadtest.prediction.formula import conflict_probability
from loadtest.prediction.simulation import SimulateConfig, simulate
from loadtest.prediction.simulation.compiling import compiled_backoff
from loadtest.prediction.simulation.state import Attempts
from loadtest.record.attempt import ATTEMPT_SCHEMA
from loadtest.workload.blocks import blocks_for, key_of_block
from loadtest.workload.retry import POLICIES, RetryPolicy
from reports import summarise
from tests.simulated import (
    COMMITTED,
    CONFLICT,
    attempts,
    conflict_rate,
    conflicted_by_definition,
    measured,
)

THREE = {
    "regions": "east:2,west,north",
    "round_trips": "east/west=6,east/north=3,north/west=4",
}


@pytest.mark.parametrize(
    "options",
    [
        {"users": 16, "accounts": 20, "duration": "1s"},
        {"users": 48, "accounts": 60, "duration": "200ms", "skew": "zipf:1.1", "retry": "immediate"},
        {"users": 4, "accounts": 2, "duration": "2s", "spread": 0, "retry": "fixed"},
        {"rate": 3000, "accounts": 150, "duration": "700ms", "arrivals": "random", **THREE},
        {"users": 20, "accounts": 50, "duration": "500ms", "snapshot_at": 0, "decided_at": 1,
         "think_time": "3ms", "retry": "decorrelated-jitter", "max_attempts": 3},
    ],
)  # fmt: skip
def test_who_loses_is_what_the_definition_says(options: dict[str, Any]) -> None:
    rows = attempts(warmup="100ms", **options)
    assert len(rows.attempt) > 700
    conflicted = rows.outcome == CONFLICT
    assert 0.03 < conflicted.mean() < 0.97
    np.testing.assert_array_equal(conflicted_by_definition(rows), conflicted)


def test_many_users_and_accounts_lose_by_the_definition_too() -> None:
    """The table of last commits is renewed on the way, and chains go round the wheel."""
    rows = attempts(
        users=3000, accounts=300_000, duration="25ms", warmup=0, skew="zipf:0.9", keys="int",
        retry="immediate", think_time="1ms",
    )  # fmt: skip
    assert len(rows.attempt) > 12_000
    conflicted = rows.outcome == CONFLICT
    # Every pair of so many is too much to look at: from each attempt back to its snapshot.
    first = np.searchsorted(rows.decided_ns, rows.snapshot_ns, "right")
    for i in np.flatnonzero(conflicted)[:500].tolist() + np.flatnonzero(~conflicted)[-1500:].tolist():
        before = slice(int(first[i]), i)
        committed = rows.outcome[before] == COMMITTED
        shared = np.isin(rows.rows[before], rows.rows[i]).any(axis=1)
        assert bool((committed & shared).any()) == bool(conflicted[i])


@pytest.mark.parametrize("arrivals", ["even", "random"])
@pytest.mark.parametrize(("accounts", "rate"), [(1000, 900), (20_000, 20_000)])
def test_evenly_accessed_accounts_conflict_as_the_formula_says(
    arrivals: str, accounts: int, rate: int
) -> None:
    """An open loop without retries: the formula's own case."""
    seconds = 400_000 / rate
    rows = measured(
        attempts(
            keys="int", accounts=accounts, rate=rate, arrivals=arrivals, retry="none",
            duration=seconds, warmup="1s", statement_ms=4, commit_ms=8,
        )
    )  # fmt: skip
    window_s = float(np.mean(rows.decided_ns - rows.snapshot_ns)) / 1e9
    commits = np.count_nonzero(rows.outcome == COMMITTED) / seconds
    expected = conflict_probability(commits, window_s, 4 / accounts)
    result = conflict_rate(rows)
    assert expected > 0.02
    # Conflicts come in clusters of a few; four standard errors of twice the variance, and a hundredth
    # for the formula, which takes all windows to be as long as their mean.
    chance = 4 * (2 * expected / len(rows.attempt)) ** 0.5
    assert result == pytest.approx(expected, abs=chance + 0.01 * expected)


def test_times_are_those_that_were_asked_for() -> None:
    rows = attempts(
        users=50, accounts=10_000, duration="20s", statement_ms=2, commit_ms=5, spread=0.5,
        trip_spread=0.1, keys="int,uuid", slower="uuid=1.5", **THREE,
    )  # fmt: skip
    # The round trip to the nearest other of three Regions, with the own one a majority.
    trips = np.array([3.0, 4.0, 3.0])[rows.target]
    slower = np.where(rows.key_type == 1, 1.5, 1.0)
    some = len(rows.attempt) ** 0.5
    for result, mean in (
        (rows.commit_sent_ns - rows.begin_sent_ns, 6 * slower),
        (rows.commit_sent_ns - rows.first_answered_ns, 2 * slower),
        (rows.ended_ns - rows.begin_answered_ns, 9 * slower + trips),
        (rows.ended_ns - rows.commit_sent_ns, 5 * slower + trips),
        (rows.snapshot_ns - rows.begin_sent_ns, 3 * slower),
        (rows.ended_ns - rows.decided_ns, (5 * slower + trips) / 2),
    ):
        off = np.mean(result / 1e6 / mean)
        assert off == pytest.approx(1, abs=4 * 0.6 / some)
    one = (rows.commit_sent_ns - rows.first_answered_ns)[rows.key_type == 0] / 1e6
    assert np.std(one) / np.mean(one) == pytest.approx(0.5, rel=0.05)
    users = np.bincount(rows.target[np.unique(rows.user, return_index=True)[1]])
    assert users.tolist() == [25, 12, 13] or users.tolist() == [25, 13, 12]


def test_a_client_sees_two_bounds_of_the_window() -> None:
    rows = attempts(users=20, accounts=100, duration="1s", snapshot_at=0.3, decided_at=0.9, **THREE)
    moments = (
        rows.begin_sent_ns, rows.begin_answered_ns, rows.snapshot_ns, rows.first_answered_ns,
        rows.commit_sent_ns, rows.decided_ns, rows.ended_ns,
    )  # fmt: skip
    assert all((earlier <= later).all() for earlier, later in itertools.pairwise(moments))


def by_user(rows: Attempts) -> Attempts:
    """Attempts in the order in which each user made them."""
    return Attempts._make(column[np.lexsort((rows.begin_sent_ns, rows.user))] for column in rows)


def test_users_of_a_closed_loop_do_one_thing_after_another() -> None:
    rows = by_user(attempts(users=30, accounts=50, duration="2s", warmup="200ms", think_time="7ms"))
    same = rows.user[1:] == rows.user[:-1]
    pause = (rows.begin_sent_ns[1:] - rows.ended_ns[:-1])[same]
    again = ~rows.final[:-1][same]
    np.testing.assert_array_equal(pause[again], rows.backoff_ns[1:][same][again])
    assert (pause[~again] == 7_000_000).all()
    for name in ("transaction", "intended_start_ns", "key_type", "block", "target"):
        column = getattr(rows, name)
        assert (column[1:][same][again] == column[:-1][same][again]).all()
    assert (rows.rows[1:][same][again] == rows.rows[:-1][same][again]).all()
    assert (rows.attempt[1:][same][again] == rows.attempt[:-1][same][again] + 1).all()
    first = rows.attempt == 1
    assert (rows.intended_start_ns[first] == rows.begin_sent_ns[first]).all()
    assert len(np.unique(rows.transaction[first])) == np.count_nonzero(first)
    assert (rows.rows[:, 0] != rows.rows[:, 1]).all()


def test_an_open_loop_keeps_its_schedule_whatever_happens() -> None:
    rows = attempts(rate=1000, accounts=10, duration="2s", warmup="1s", users=60, keys="int")
    first = rows.attempt == 1
    places = np.sort(rows.intended_start_ns[first])
    # Contention is so high that users are missing: places are used one by one all the same.
    late = rows.begin_sent_ns[first] - rows.intended_start_ns[first]
    assert np.mean(late > 10_000_000) > 0.5
    assert (late >= 0).all()
    measured_places = places[places >= 1_000_000_000]
    assert (np.diff(measured_places) == 1_000_000).all()
    assert measured_places[0] == 1_000_000_000
    # A queue of the warm-up is none of the measured time.
    begun = rows.begin_sent_ns[first] >= 1_000_000_000
    assert rows.intended_start_ns[first][begun].min() == 1_000_000_000
    # The user that is free first takes the next arrival: they are taken in the order of their starts.
    order = np.lexsort((rows.intended_start_ns[first], rows.begin_sent_ns[first]))
    taken = rows.intended_start_ns[first][order]
    assert (np.diff(taken) >= 0).mean() > 0.99


def test_arrivals_at_a_region_do_not_wait_for_another() -> None:
    """Weights say how much arrives where, however long it takes there."""
    rows = attempts(
        rate=8000, accounts=10**6, duration="4s", warmup=0, keys="int", regions="near:3,far",
        round_trips="near/far=80", decided_in="near",
    )  # fmt: skip
    first = rows.attempt == 1
    assert np.bincount(rows.target[first]).tolist() == [24_000, 8_000]
    assert (rows.begin_sent_ns == rows.intended_start_ns)[first].mean() > 0.99
    assert np.mean(rows.ended_ns[rows.target == 1] - rows.begin_sent_ns[rows.target == 1]) > 80e6


def test_random_arrivals_are_a_poisson_process() -> None:
    rows = attempts(
        rate=5000, arrivals="random", accounts=10**8, duration="10s", warmup=0, keys="int", users=500
    )
    gaps = np.diff(np.sort(rows.intended_start_ns[rows.attempt == 1])) / 1e9 * 5000
    assert len(gaps) == pytest.approx(50_000, abs=4 * 50_000**0.5)
    assert np.mean(gaps) == pytest.approx(1, abs=0.02)
    assert np.mean(gaps > 1) == pytest.approx(np.exp(-1), abs=0.01)
    assert np.mean(gaps > 3) == pytest.approx(np.exp(-3), abs=0.005)


@pytest.mark.parametrize("retry", [name for name in POLICIES if name != "none"])
def test_waits_are_those_of_the_policy(retry: str) -> None:
    rows = by_user(
        attempts(users=20, accounts=4, duration="1s", retry=retry, retry_base_ms=1, retry_cap_ms=9,
                 max_attempts=6)
    )  # fmt: skip
    same = (rows.user[1:] == rows.user[:-1]) & ~rows.final[:-1]
    attempt = rows.attempt[:-1][same]
    before, waited = rows.backoff_ns[:-1][same], rows.backoff_ns[1:][same]
    assert len(waited) > 300
    assert attempt.max() == 5
    policy = RetryPolicy(retry, 0.001, 0.009, 6)
    low, high = (
        np.array([policy.wait_after(int(n), b / 1e9, u) for n, b in zip(attempt, before, strict=True)])
        for u in (0.0, 1.0)
    )
    assert (waited >= low * 1e9 - 1).all()
    assert (waited <= high * 1e9 + 1).all()
    if "jitter" in retry:
        # Where the cap cuts nothing off, every wait of the range is as likely.
        whole = high < policy.cap_s
        u = (waited / 1e9 - low)[whole] / (high - low)[whole]
        assert len(u) > 300
        assert np.mean(u) == pytest.approx(0.5, abs=4 / (12 * len(u)) ** 0.5)
    assert (rows.final == ((rows.outcome == COMMITTED) | (rows.attempt == 6))).all()


@given(
    st.sampled_from([name for name in POLICIES if name != "none"]),
    st.integers(1, 200), st.floats(0, 600), st.floats(0, 600), st.floats(0, 600),
    st.floats(0, 1, exclude_max=True),
)  # fmt: skip
def test_compiled_policies_are_the_policies(
    name: str, attempt: int, before: float, base: float, more: float, u: float
) -> None:
    policy = RetryPolicy(name, base, base + more, 0)
    result = compiled_backoff(policy)(attempt, before, base, base + more, u)
    assert result == pytest.approx(policy.wait_after(attempt, before, u), rel=1e-12)


def test_blocks_are_those_of_a_run() -> None:
    rows = attempts(users=20, accounts=100, duration="7s", warmup="1500ms", block="1s", seed=9)
    block_ns = round(blocks_for(7, 1, 2) * 1e9)
    first = rows.attempt == 1
    since = rows.begin_sent_ns[first] - 1_500_000_000
    expected = np.where(since < 0, -1, since // block_ns)
    np.testing.assert_array_equal(rows.block[first], expected)
    keys = np.array([key_of_block(n, 2, 9) for n in range(int(expected.max()) + 1)])
    inside = expected >= 0
    np.testing.assert_array_equal(rows.key_type[first][inside], keys[expected[inside]])
    assert set(rows.key_type[first][~inside].tolist()) == {0, 1}


def test_key_types_meet_the_same_accounts_in_the_same_order() -> None:
    rows = attempts(users=10, accounts=10**6, duration="3s", warmup=0, block="200ms", skew="zipf:0.7")
    first = rows.attempt == 1
    order = np.argsort(rows.transaction[first])
    accounts, keys = rows.rows[first][order], rows.key_type[first][order]
    ints, uuids = accounts[keys == 0], accounts[keys == 1]
    common = min(len(ints), len(uuids)) - 20
    assert common > 2000
    np.testing.assert_array_equal(ints[:common], uuids[:common])


def test_key_types_meet_the_same_accounts_however_many_they_met() -> None:
    """Thrice what is drawn at once; the slower key type comes to the end of its pool elsewhere."""
    rows = attempts(
        users=500, accounts=10**6, duration="1500ms", warmup=0, block="50ms", slower="uuid=1.3",
        retry="none",
    )  # fmt: skip
    order = np.argsort(rows.transaction)
    accounts, keys = rows.rows[order], rows.key_type[order]
    ints, uuids = accounts[keys == 0], accounts[keys == 1]
    # Both are in the order in which users took them up; at the very end some are on the way.
    common = min(len(ints), len(uuids)) - 1000
    assert common > 3 * 16_384
    np.testing.assert_array_equal(ints[:common], uuids[:common])


def test_a_rate_of_hardly_ever_is_refused_and_the_least_one_ends() -> None:
    with pytest.raises(InputError, match="--rate is at least"):
        SimulateConfig.read(rate=1e-8)
    rows = attempts(rate=0.001, accounts=10, duration="1s", warmup=0, keys="int")
    assert len(rows.attempt) <= 1


@pytest.mark.parametrize("accounts", [2, 10_000_000_000])
def test_every_number_of_accounts_can_be_simulated(accounts: int) -> None:
    rows = attempts(users=2, accounts=accounts, duration="1s", warmup=0, skew="hotspot:0.9/0.1")
    assert rows.rows.min() >= 0
    assert rows.rows.max() < accounts
    if accounts == 2:
        assert conflict_rate(rows) > 0.1


def test_one_user_never_conflicts() -> None:
    assert conflict_rate(attempts(users=1, accounts=2, duration="3s")) == 0


def test_moments_may_be_equal() -> None:
    """What was committed in the very moment of a snapshot is in it; equal decisions have an order."""
    rows = attempts(
        users=100, accounts=30, duration=1e-7, warmup=0, spread=0, retry="fixed",
        statement_ms=1e-6, commit_ms=1e-6, retry_base_ms=0,
    )  # fmt: skip
    assert len(rows.attempt) > 1000
    assert (np.diff(rows.decided_ns) >= 0).all()
    assert (np.diff(rows.decided_ns) == 0).mean() > 0.5
    assert np.isin(rows.snapshot_ns, rows.decided_ns).mean() > 0.5
    conflicted = rows.outcome == CONFLICT
    assert 0.03 < conflicted.mean() < 0.97
    np.testing.assert_array_equal(conflicted_by_definition(rows), conflicted)


OPTIONS: dict[str, Any] = {
    "users": 30, "accounts": 300, "duration": "2s", "warmup": "500ms", "block": "250ms", **THREE,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(SimulateConfig.read(out=tmp_path_factory.mktemp("simulated"), **OPTIONS))


def test_the_record_is_that_of_a_run(folder: Path) -> None:
    tables = [pq.read_table(path) for path in sorted((folder / "attempts").iterdir())]
    assert all(table.schema.equals(ATTEMPT_SCHEMA) for table in tables)
    (table,) = tables
    rows = attempts(**OPTIONS)
    for name in ("transaction", "attempt", "final", "user", "block", "backoff_ns"):
        np.testing.assert_array_equal(table.column(name).to_numpy(), getattr(rows, name))
    begin = json.loads((folder / "run.json").read_text())["started_ns"]
    for name in ("intended_start_ns", "begin_sent_ns", "begin_answered_ns", "first_answered_ns",
                 "commit_sent_ns", "ended_ns"):  # fmt: skip
        np.testing.assert_array_equal(table.column(name).to_numpy() - begin, getattr(rows, name))
    assert table.column("rows").to_pylist() == [
        [{"table": key, "row": payer}, {"table": key, "row": payee}]
        for key, (payer, payee) in zip(rows.key_type.tolist(), rows.rows.tolist(), strict=True)
    ]
    assert set(table.column("target").to_pylist()) == {"east", "west", "north"}
    outcome = table.column("outcome").to_pylist()
    assert [o == "conflict_data" for o in outcome] == (rows.outcome == CONFLICT).tolist()
    assert [s == "40001" for s in table.column("sqlstate").to_pylist()] == [
        o == "conflict_data" for o in outcome
    ]
    assert table.column("remote_ns").null_count == len(table)


def test_the_record_shows_a_winner_of_every_conflict_and_none_over_a_commit(folder: Path) -> None:
    """What a client can tell from outside, read from the files alone."""
    (path,) = (folder / "attempts").iterdir()
    rows = pq.read_table(path).to_pylist()
    by_account: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for row in rows:
        row["touched"] = [(one["table"], one["row"]) for one in row["rows"]]
        if row["outcome"] == "committed":
            for one in row["touched"]:
                by_account.setdefault(one, []).append(row)
    for row in rows:
        rivals = [
            other for one in row["touched"] for other in by_account.get(one, ()) if other is not row
        ]
        if row["outcome"] == "conflict_data":
            assert any(
                r["commit_sent_ns"] <= row["ended_ns"] and r["ended_ns"] >= row["begin_sent_ns"]
                for r in rivals
            )
        else:
            # One that was decided within its window for certain would have failed it.
            assert not any(
                r["commit_sent_ns"] > row["first_answered_ns"] and r["ended_ns"] < row["commit_sent_ns"]
                for r in rivals
            )


def test_the_report_reads_it(folder: Path) -> None:
    summary = summarise(folder)
    rows = measured(attempts(**OPTIONS))
    assert summary["overall"]["attempts"] == len(rows.attempt)
    assert summary["overall"]["conflict_rate"] == pytest.approx(conflict_rate(rows))
    committed = np.count_nonzero(rows.outcome == COMMITTED)
    assert summary["overall"]["throughput_tps"] == pytest.approx(committed / 2)
    assert summary["blocks"] == 8
    assert set(summary["targets"]) == {"east", "west", "north"}
    band = summary["overall"]["predicted_conflict_rate"]
    assert band["low"] < summary["overall"]["conflict_rate"] < band["high"]
    # The Regions are one database, so it is known which commit failed an attempt.
    assert summary["conflict_matrix"]["unknown"] <= 2


def test_the_same_seed_gives_the_same_record(folder: Path, tmp_path: Path) -> None:
    config = SimulateConfig.read(out=tmp_path, **OPTIONS)
    again = simulate(config)
    other = simulate(config.model_copy(update={"seed": 2}))

    def bytes_of(where: Path) -> bytes:
        return b"".join(path.read_bytes() for path in sorted((where / "attempts").iterdir()))

    assert bytes_of(again) == bytes_of(folder)
    assert bytes_of(other) != bytes_of(folder)
    # As text of options, and in a thread that Ctrl-C does not reach.
    result: list[Path] = []
    thread = threading.Thread(target=lambda: result.append(simulate(config)))
    thread.start()
    thread.join()
    assert bytes_of(result[0]) == bytes_of(folder)


def test_large_records_have_several_files(tmp_path: Path) -> None:
    folder = simulate(
        SimulateConfig.read(rate=600_000, duration="500ms", warmup=0, keys="int", accounts=10**7,
                            out=tmp_path)
    )  # fmt: skip
    files = sorted((folder / "attempts").iterdir())
    assert len(files) > 1
    assert all(path.suffix == ".parquet" for path in files)
    summary = summarise(folder)
    assert summary["pacing"]["scheduled"] == 300_000
    assert summary["pacing"]["never_started"] == 0
    assert summary["pacing"]["late"] == 0
    assert summary["overall"]["transactions"] == 300_000


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"regions": "a,a"}, "--regions: the Region 'a' is named twice"),
        ({"regions": "a:0,b"}, "--regions: 'a:0' is not a Region"),
        ({"regions": "a,b"}, "--round-trips: no round trip between a and b is given"),
        ({"regions": "a,b", "round_trips": "a/b"}, "--round-trips: 'a/b' is not a round trip"),
        ({"regions": "a,b", "round_trips": "a/b=5,b/a=5"}, "is given twice"),
        ({"regions": "a,b", "round_trips": "a/b=5,a/c=5"}, "--round-trips: a round trip names 'c'"),
        ({"decided_in": "b"}, "--decided-in: 'b' decides no commits"),
        ({"arrivals": "random"}, "--arrivals random is of an open loop"),
        ({"arrivals": "often", "rate": 5}, "--arrivals: 'often' is neither"),
        ({"slower": "uuid=x"}, "--slower: 'uuid=x' is not a key type"),
        ({"slower": "uuid7=2"}, "--slower names uuid7, which --keys does not"),
        ({"rate": 5, "think_time": "1s"}, "--think-time belongs to the closed loop"),
        ({"users": 1, "regions": "a,b", "round_trips": "a/b=1"}, "leaves no user for Region b"),
        ({"accounts": 1}, "--accounts"),
        ({"statement_ms": 0}, "--statement-ms"),
        ({"snapshot_at": 1.5}, "--snapshot-at"),
        ({"commit_ms": "nan"}, "--commit-ms"),
        ({"spread": "inf"}, "--spread"),
        ({"target": "embedded"}, "--target"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_said_in_one_line(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        SimulateConfig.read(**options)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("decided_in", "trips"),
    [("majority", [14.0, 14.0, 52.0]), ("east", [0.0, 14.0, 62.0]), ("west", [62.0, 52.0, 0.0])],
)
def test_commits_pay_the_way_to_their_decision(decided_in: str, trips: list[float]) -> None:
    config = SimulateConfig.read(
        regions="east,middle,west", decided_in=decided_in,
        round_trips="east/middle=14,east/west=62,middle/west=52",
    )  # fmt: skip
    assert config.decision_trips_ms() == trips


def test_two_of_two_and_three_of_five_are_a_majority() -> None:
    two = SimulateConfig.read(regions="a,b", round_trips="a/b=30")
    assert two.decision_trips_ms() == [30, 30]
    names = "abcde"
    trips = ",".join(f"{a}/{b}={10 * (j - i)}" for i, a in enumerate(names)
                     for j, b in enumerate(names) if i < j)  # fmt: skip
    five = SimulateConfig.read(regions=",".join(names), round_trips=trips)
    assert five.decision_trips_ms() == [20, 10, 10, 10, 20]


def test_an_open_loop_has_users_enough() -> None:
    few = SimulateConfig.read(rate=10)
    many = SimulateConfig.read(rate=1_000_000, statement_ms=10, commit_ms=20)
    assert (few.user_count(), many.user_count()) == (33, 100_032)
    assert SimulateConfig.read().user_count() == 32
