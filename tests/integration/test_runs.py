"""Whole runs against the embedded database, each in a process of its own."""

import itertools
import math
import os
import shutil
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pyarrow.parquet as pq
import pytest

from loadtest.record.probes import FILE
from loadtest.targets.embedded.server import EmbeddedServer
from loadtest.workload.access import parse_access
from loadtest.workload.builtin import Work, find_scenario
from loadtest.workload.keyspace import ComputedKeys, KeyType
from tests.commands import (
    RunResult,
    check_conserved,
    command,
    environment,
    occbench,
    one_line,
    results_in,
    run,
    start,
    wait_for,
)
from tests.conftest import SEEDED, running_server, sql_target

SEED = 1


def connect(target: str) -> psycopg.Connection[tuple[Any, ...]]:
    return sql_target(target).connect()


def balances(target: str, key_type: KeyType) -> dict[int, int]:
    """Account number → balance."""
    keys = ComputedKeys(key_type, SEED).binary(np.arange(SEEDED, dtype=np.int64)).tolist()
    number = {bytes(key): place for place, key in enumerate(keys)}
    send = "int8send" if key_type is KeyType.INT else "uuid_send"
    with closing(connect(target)) as connection:
        rows = connection.execute(f"SELECT {send}(id), balance FROM accounts_{key_type}".encode())
        return {number[bytes(key)]: int(value) for key, value in rows}


def work_of(
    accounts: int, key_type: KeyType, user: int, skew: str = "uniform", seed: int = SEED
) -> Iterator[Work]:
    """What the user is to do, from nothing but the run's options."""
    law, keys = parse_access(skew, accounts), ComputedKeys(key_type, SEED)
    return find_scenario("transfer").stream(law, keys, seed, user)


def transactions(result: RunResult) -> dict[tuple[int, str], list[list[dict[str, Any]]]]:
    """(user, key type) → its transactions in order, each with its attempts."""
    found: dict[tuple[int, str], dict[int, list[dict[str, Any]]]] = defaultdict(dict)
    for row in result.rows:
        found[row["user"], row["key_type"]].setdefault(row["transaction"], []).append(row)
    return {who: list(by_number.values()) for who, by_number in found.items()}


def check_record(result: RunResult) -> None:
    """What holds for every record."""
    numbers: set[int] = set()
    for done in transactions(result).values():
        for attempts in done:
            assert attempts[0]["transaction"] not in numbers
            numbers.add(attempts[0]["transaction"])
            assert [row["attempt"] for row in attempts] == list(range(1, len(attempts) + 1))
            assert not any(row["final"] for row in attempts[:-1])
            assert len({row["numbers"] for row in attempts}) == 1, "the same work again"
            assert attempts[0]["backoff_ns"] == 0
            for before, after in itertools.pairwise(attempts):
                ended = before["start_ns"] + before["statements_ns"] + before["commit_ns"]
                assert after["start_ns"] >= ended + after["backoff_ns"]
                assert before["outcome"] != "committed"
            for row in attempts:
                assert row["start_ns"] >= row["intended_start_ns"]
                if row["outcome"] == "committed":
                    assert row["final"]
                    assert row["sqlstate"] is None
                    assert 0 < row["window_low_ns"] < row["window_high_ns"]
                    assert row["window_high_ns"] <= row["statements_ns"] + row["commit_ns"]
    measured = [row for row in result.rows if row["block"] >= 0]
    assert measured
    for row in measured:
        assert row["start_ns"] >= result.run["measured_from_ns"] - 1_000_000


# How many conflict


@pytest.mark.parametrize(
    ("accounts", "retry", "seconds"),
    [(200, "full-jitter", 1), (1_000, "immediate", 2)],
)
def test_as_many_conflict_as_must_and_every_commit_is_recorded(
    seeded: str, tmp_path: Path, accounts: int, retry: str, seconds: int
) -> None:
    before = balances(seeded, KeyType.UUID)
    result = run(
        "--target", f"{seeded}&commit_delay_ms=20", "--keys", "uuid", "--users", 32,
        "--accounts", accounts, "--retry", retry, "--duration", f"{seconds}s", "--warmup", "300ms",
        out=tmp_path / "results",
    )  # fmt: skip
    check_record(result)
    overall = result.summary["overall"]
    assert overall["attempts"] > 100

    # The rate is in the band of the run's own times, give or take the luck of so many draws. Where in
    # it is a question to a quiet machine: test_agreement.py.
    band, rate = overall["predicted_conflict_rate"], overall["conflict_rate"]
    luck = 4 * math.sqrt(band["high"] / overall["attempts"])
    assert 0.7 * band["low"] - luck <= rate <= 1.3 * band["high"] + luck
    assert set(overall["conflicts_by_outcome"]) == {"conflict_data"}
    assert not overall["errors_by_outcome"]
    measured = [row for row in result.rows if row["block"] >= 0]
    assert overall["attempts"] == len(measured)
    assert overall["conflicts"] == sum(row["outcome"] == "conflict_data" for row in measured)

    # Every transfer that was recorded as committed, and no other, is in the balances.
    expected = dict(before)
    committed = 0
    for (user, _), done in transactions(result).items():
        stream = work_of(accounts, KeyType.UUID, user)
        for attempts in done:
            work = next(stream)
            assert attempts[0]["numbers"] == work.rows
            if attempts[-1]["outcome"] == "committed":
                committed += 1
                amount = int(work.parameters[0])
                expected[work.rows[0]] -= amount
                expected[work.rows[1]] += amount
    assert committed >= overall["committed"] > 0
    assert balances(seeded, KeyType.UUID) == expected


# The same again


@pytest.fixture(scope="module")
def in_two_processes(seeded: str, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    return run(
        "--target", seeded, "--users", 8, "--accounts", 500, "--duration", "4s", "--warmup", "300ms",
        "--block", "500ms", "--skew", "zipf:0.8", "--seed", 77, "--processes", 2,
        out=tmp_path_factory.mktemp("two") / "results",
    )  # fmt: skip


def test_processes_share_a_run(in_two_processes: RunResult) -> None:
    result = in_two_processes
    check_record(result)
    assert {path.name[:4] for path in result.files} == {"000-", "001-"}
    by_worker: dict[int, set[int]] = defaultdict(set)
    users: dict[int, set[int]] = defaultdict(set)
    for row in result.rows:
        by_worker[row["worker"]].add(row["transaction"])
        users[row["worker"]].add(row["user"])
    assert set(by_worker) == {0, 1}
    assert not by_worker[0] & by_worker[1]
    assert not users[0] & users[1]
    assert users[0] | users[1] == set(range(8))
    assert [path.name for path in result.folder.glob("*.json")].count("run.json") == 1
    generators = result.run["generators"]
    assert [generator["worker"] for generator in generators] == [0, 1]
    assert len({generator["pid"] for generator in generators}) == 2
    # They agree on the blocks without talking.
    key_of: dict[int, set[str]] = defaultdict(set)
    for row in result.rows:
        if row["attempt"] == 1 and row["block"] >= 0:
            key_of[row["block"]].add(row["key_type"])
    assert all(len(keys) == 1 for keys in key_of.values())
    assert {key for keys in key_of.values() for key in keys} == {"int", "uuid"}


def test_the_same_seed_is_the_same_work(
    seeded: str, in_two_processes: RunResult, tmp_path: Path
) -> None:
    """Whatever the timing, the number of processes, and the targets."""
    other = run(
        "--target", f"{seeded}&commit_delay_ms=7", "--users", 8, "--accounts", 500,
        "--duration", "3s", "--warmup", "100ms", "--block", "300ms",
        "--skew", "zipf:0.8", "--seed", 77,
        out=tmp_path / "results",
    )  # fmt: skip
    sequences = [
        {who: [attempts[0]["numbers"] for attempts in done] for who, done in found.items()}
        for found in (transactions(in_two_processes), transactions(other))
    ]
    assert set(sequences[0]) == set(sequences[1]) == {(u, k) for u in range(8) for k in ("int", "uuid")}
    for who in sequences[0]:
        length = min(len(sequence[who]) for sequence in sequences)
        assert length > 5
        assert sequences[0][who][:length] == sequences[1][who][:length]
    beginnings = {tuple(sequences[1][user, "int"][:5]) for user in range(8)}
    assert len(beginnings) == 8, "users do not do the same"


# When, how often, where


def test_an_open_loop_keeps_its_rate(seeded: str, tmp_path: Path) -> None:
    result = run(
        "--target", seeded, "--users", 16, "--keys", "uuid", "--duration", "2s", "--warmup", "200ms",
        "--rate", 200,
        out=tmp_path / "results",
    )  # fmt: skip
    check_record(result)
    intended = sorted(row["intended_start_ns"] for row in result.rows if row["attempt"] == 1)
    gaps = np.diff(intended) / 5_000_000
    # Where no user is free, one is left out, and those after it keep their times.
    assert np.abs(gaps - gaps.round()).max() < 1e-6
    assert gaps.min() > 0.5
    begin, end = result.run["measured_from_ns"], result.run["measured_until_ns"]
    inside = sum(begin <= moment < end for moment in intended)
    pacing = result.summary["pacing"]
    assert pacing["scheduled"] == pytest.approx(200 * (end - begin) / 1e9, abs=3)
    # All that a free user was there for, but what was still going on at the end.
    started = pacing["scheduled"] - pacing["never_started"]
    assert inside == pytest.approx(started, abs=3)
    assert result.summary["overall"]["transactions"] == pytest.approx(started, abs=16 + 3)
    assert result.run["pacing"]["rate"] == 200
    # Of one target there is nothing to hold side by side.
    assert not {"target_comparisons", "conflict_matrix"} & set(result.summary)
    assert result.summary["gaps"] == []
    assert 'id="targets"' not in (result.folder / "report.html").read_text()


def test_attempts_end_where_they_should(seeded: str, tmp_path: Path) -> None:
    result = run(
        "--target", f"{seeded}&commit_delay_ms=10", "--users", 16, "--keys", "int", "--accounts", 4,
        "--duration", "1500ms", "--warmup", "0", "--retry", "immediate", "--max-attempts", 3,
        out=tmp_path / "results",
    )  # fmt: skip
    check_record(result)
    assert max(row["attempt"] for row in result.rows) == 3
    gave_up = [row for row in result.of_outcome("conflict_data") if row["final"]]
    assert gave_up
    assert {row["attempt"] for row in gave_up} == {3}
    assert {row["final"] for row in result.rows if row["attempt"] == 3} == {True}
    measured = [row for row in gave_up if row["block"] >= 0]
    assert result.summary["overall"]["give_ups"] == len(measured)
    assert result.summary["overall"]["retries_max"] == 2


def test_two_targets_have_every_other_user(seeded: str, tmp_path: Path) -> None:
    """And without retries every transaction is one attempt."""
    result = run(
        "--target", f"east={seeded}&commit_delay_ms=5", "--target", f"west={seeded}&commit_delay_ms=40",
        "--users", 10, "--keys", "uuid", "--accounts", 100, "--duration", "2s", "--warmup", "0",
        "--retry", "none",
        out=tmp_path / "results",
    )  # fmt: skip
    check_record(result)
    assert {(row["user"] % 2, row["target"]) for row in result.rows} == {(0, "east"), (1, "west")}
    assert {row["user"] for row in result.rows} == set(range(10))
    for name, delay_ms in (("east", 5), ("west", 40)):
        committed = [
            row["commit_ns"] for row in result.of_outcome("committed") if row["target"] == name
        ]
        assert min(committed) >= delay_ms * 1_000_000
        assert committed
    assert {target["name"] for target in result.run["targets"]} == {"east", "west"}
    assert not (result.folder / FILE).exists(), "nothing is probed unless it is asked for"
    assert "consistency" not in result.summary
    assert {row["attempt"] for row in result.rows} == {1}
    assert result.of_outcome("conflict_data")
    assert all(row["final"] for row in result.rows)


# Runs that end early, and databases that do


@contextmanager
def running(*words: object, out: Path) -> Iterator[subprocess.Popen[str]]:
    """A run that has begun; it is gone in the end, whatever happens."""
    process = start("run", *words, "--out", out, cwd=out.parent)
    try:
        wait_for(
            lambda: process.poll() is not None or any(out.glob("*/run.json")), "the begin of the run"
        )
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("moment", ["warm-up", "two processes"])
def test_ctrl_c_keeps_what_was_measured(seeded: str, tmp_path: Path, moment: str) -> None:
    out = tmp_path / "results"
    warmup = "30s" if moment == "warm-up" else "100ms"
    processes = 2 if moment == "two processes" else 1
    with running(
        "--target", seeded, "--users", 4, "--keys", "int", "--duration", "60s", "--warmup", warmup,
        "--processes", processes,
        out=out,
    ) as process:  # fmt: skip
        wait_for(lambda: len(list(out.glob("*/attempts/*.parquet"))) >= processes, "a record of each")
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    (result,) = results_in(out)
    check_conserved(result)
    assert result.run["interrupted"] is True
    assert result.run["measured_from_ns"] <= result.run["measured_until_ns"] <= result.run["ended_ns"]
    assert all(path.suffix == ".parquet" for path in result.files)
    assert {path.name[:3] for path in result.files} == {f"{n:03d}" for n in range(processes)}
    assert len(result.rows) > 50
    measured = [row for row in result.rows if row["block"] >= 0]
    again = occbench("report", result.folder, cwd=tmp_path)
    if moment == "warm-up":
        assert not measured
        assert "before its warm-up had ended" in one_line(again, 2)
        return
    assert measured
    assert result.summary["interrupted"] is True
    assert (result.folder / "report.html").stat().st_size > 1000
    assert again.returncode == 0, again.stderr


@pytest.fixture
def own_server() -> Iterator[EmbeddedServer]:
    """A server that may be stopped, with a thousand accounts."""
    with running_server() as server:
        yield server


def test_a_run_outlives_a_restart_of_the_database(own_server: EmbeddedServer, tmp_path: Path) -> None:
    target = f"embedded?data={own_server.data_folder}"
    done = occbench("seed", "--target", target, "--keys", "uuid", "--accounts", 1000, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    out = tmp_path / "results"
    with running(
        *("--target", f"{target}&commit_delay_ms=100", "--users", 16, "--keys", "uuid"),
        "--duration", "6s",
        "--warmup", "0",
        out=out,
    ) as process:  # fmt: skip
        time.sleep(1.2)
        own_server.stop()
        time.sleep(0.7)
        own_server.start()
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert "Traceback" not in stderr
    (result,) = results_in(out)
    check_conserved(result)
    check_record(result)
    lost = result.of_outcome("connection_lost", "ambiguous")
    assert len(lost) >= 8, "most users were in a transaction"
    assert result.of_outcome("ambiguous"), "most of a transaction is its commit"
    assert all(row["final"] for row in result.of_outcome("ambiguous")), "never tried again"
    assert result.of_outcome("connect_failed")
    known = {"committed", "conflict_data", "connection_lost", "ambiguous", "connect_failed", "rejected"}
    assert {row["outcome"] for row in result.rows} <= known
    back = max(row["start_ns"] for row in result.of_outcome("connect_failed"))
    after = [row for row in result.of_outcome("committed") if row["start_ns"] > back]
    assert {row["user"] for row in after} == set(range(16)), "every user is at work again"
    errors = result.summary["overall"]["errors_by_outcome"]
    assert errors["ambiguous"] == len(result.of_outcome("ambiguous"))


def test_files_are_in_the_schema_that_is_documented(in_two_processes: RunResult) -> None:
    for path in in_two_processes.files:
        assert b"occbench" in pq.read_schema(path).metadata


def test_slow_transactions_do_not_break_an_open_loop(seeded: str, tmp_path: Path) -> None:
    done = run(
        "--target", f"{seeded}&commit_delay_ms=700", "--keys", "int", "--users", 40, "--rate", 30,
        "--duration", "2s", "--warmup", "1s", "--retry", "none",
        out=tmp_path / "results",
    )  # fmt: skip
    pacing = done.summary["pacing"]
    assert pacing["scheduled"] == pytest.approx(60, abs=3), "the measured time only"
    assert pacing["never_started"] <= 1, "every user was free in time"
    assert done.summary["overall"]["transactions"] == pytest.approx(60, abs=5)


def test_sessions_that_the_server_ends_cost_no_user(seeded: str, tmp_path: Path) -> None:
    out = tmp_path / "results"
    process = start(
        "run", "--target", seeded.replace("embedded", "embedded://locking", 1), "--keys", "int",
        "--users", 16, "--accounts", 2, "--duration", "3s", "--warmup", "0", "--retry", "immediate",
        "--out", out,
        cwd=tmp_path,
    )  # fmt: skip
    wait_for(out.is_dir, "the run's folder")
    with closing(connect(seeded)) as connection:
        for _ in range(3):
            time.sleep(0.5)
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "Traceback" not in said
    (found,) = results_in(out)
    assert set(found.table["user"].to_pylist()) == set(range(16))
    check_conserved(found)


def test_a_record_that_cannot_be_written_is_an_error(seeded: str, tmp_path: Path) -> None:
    out = tmp_path / "results"
    process = start(
        "run", "--target", seeded, "--users", 4, "--duration", "60s", "--warmup", "0", "--out", out,
        cwd=tmp_path,
    )  # fmt: skip
    wait_for(lambda: list(out.glob("*/attempts/*.parquet")), "the first file of the record")
    shutil.rmtree(next(out.glob("*/attempts")))
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "attempts could not be written" in said.strip().splitlines()[-1]
    assert "Traceback" not in said


def test_ctrl_c_in_the_demo_still_gives_a_report(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    process = subprocess.Popen(
        command(
            "demo", "--data", folder / "data", "--accounts", 1000, "--users", 8, "--duration", "60s",
            "--out", out,
        ),
        cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        wait_for(lambda: list(out.glob("*/run.json")), "the run's folder")
        time.sleep(6)
        os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 130, said
        assert len(list(out.glob("*/report.html"))) == 1, said
    finally:
        process.kill()
        EmbeddedServer(folder / "data").stop()
