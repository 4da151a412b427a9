"""Transfers on DynamoDB: Amazon's DynamoDB Local, and what it never answers put in front of it."""

import signal
import socket
from collections import Counter
from pathlib import Path

import pytest

from loadtest.targets.base.items import Change
from loadtest.workload.keyspace import KeyType
from seed import contents
from tests.commands import one_line
from tests.integration.dynamodb_support import (
    BALANCE,
    Place,
    command,
    credentials,
    faults,
    local,
    place,
    run,
    upstream,
)
from tests.rigs.certificates import Authority
from tests.rigs.dynamodb_faults import Answer, Drop, Fault, Faults, Plain, canceled, faults_before

__all__ = ["credentials", "faults", "local", "place", "upstream"]


def test_accounts_are_items(place: Place, tmp_path: Path) -> None:
    words = ("seed", "--target", place.text(), "--keys", "int,uuid", "--accounts", 130)
    done = command(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "accounts_int: 130 accounts, 130 loaded" in done.stdout
    assert place.sums("balance") == (130, 130 * BALANCE, 0)
    assert place.sums("version", KeyType.UUID) == (130, 0, 0)
    client = place.target().client
    items = client.scan(TableName=f"{place.prefix}accounts_uuid")["Items"]
    assert all(len(item["id"]["S"]) == 36 for item in items)
    assert client.get_item(TableName=f"{place.prefix}accounts_int", Key={"id": {"N": "130"}})["Item"]
    again = command(*words, cwd=tmp_path)
    assert "accounts_uuid: 130 accounts, was there already" in again.stdout
    found = {one.table: one for one in contents(place.target())}
    assert sorted(found) == ["accounts_int", "accounts_uuid"]
    assert all(one.complete and one.accounts == 130 for one in found.values())
    assert found["accounts_int"].total == 130 * BALANCE


def test_transfers_in_one_request(place: Place, tmp_path: Path) -> None:
    place.load(20, KeyType.INT, KeyType.UUID)
    result = run(
        place.text(), "--keys", "int,uuid", "--users", 32, "--accounts", 20, "--duration", "1s",
        "--warmup", "0s", out=tmp_path / "out",
    )  # fmt: skip
    # A user that is stopped at the end while it waits does not hear what came of its last request.
    committed, unknown = result.of_outcome("committed"), result.of_outcome("ambiguous")
    assert len(committed) + len(unknown) == len(result.rows)
    assert len(unknown) <= 32
    assert {row["key_type"] for row in result.rows} == {"int", "uuid"}
    for row in committed:
        # One request is the whole transaction: there is no COMMIT in it to time, and no window.
        assert row["commit_ns"] == row["window_low_ns"] == row["window_high_ns"] == 0
        assert row["statements_ns"] > 0
        assert row["write_units"] > 0
        assert row["read_units"] is None
        assert row["remote_ns"] is None
    done = sum(place.sums("version", key)[1] for key in (KeyType.INT, KeyType.UUID))
    assert 2 * len(committed) <= done <= 2 * len(result.rows)
    [described] = result.run["targets"]
    assert described["family"] == "dynamodb"
    assert described["version"] == "DynamoDB Local"
    assert described["durable"] is False
    assert described["transfer"] == "atomic"
    assert not {"commit_ms", "predicted_conflict_rate"} & set(result.summary["overall"])
    assert "commit" not in result.summary["overall"]["time_ms"]


def test_transfers_that_read_first_conflict(place: Place, tmp_path: Path) -> None:
    place.load(20)
    result = run(
        place.text(transfer="optimistic"), "--keys", "int", "--users", 32, "--accounts", 20,
        "--duration", "1s", "--warmup", "0s", out=tmp_path / "out",
    )  # fmt: skip
    conflicts = result.of_outcome("conflict_data")
    committed = result.of_outcome("committed")
    assert len(conflicts) + len(committed) == len(result.rows)
    assert conflicts
    assert {row["sqlstate"] for row in conflicts} == {"40001"}
    for row in result.rows:
        assert 0 < row["window_low_ns"] <= row["window_high_ns"]
        assert row["window_high_ns"] >= row["commit_ns"] > 0
        assert row["read_units"] > 0
    assert all(row["write_units"] > 0 for row in committed)
    assert all(row["write_units"] is None for row in conflicts)
    assert place.sums("version")[1] == 2 * len(committed)
    # What began after the measured time is in the record and in no figure.
    measured = [row for row in result.rows if row["block"] >= 0]
    counted = sum(row["outcome"] == "conflict_data" for row in measured)
    assert result.summary["overall"]["conflicts_by_outcome"] == {"conflict_data": counted}
    assert result.summary["overall"]["commit_ms"]["samples"] == len(measured)
    assert "predicted_conflict_rate" in result.summary["overall"]


@pytest.mark.parametrize("transfer", ["atomic", "optimistic"])
def test_who_has_not_enough_is_refused(place: Place, transfer: str, tmp_path: Path) -> None:
    place.load(10, balance=4)
    result = run(
        place.text(transfer=transfer), "--keys", "int", "--users", 4, "--duration", "1s",
        "--warmup", "0s", out=tmp_path / "out",
    )  # fmt: skip
    assert result.of_outcome("refused")
    assert result.of_outcome("committed")
    assert place.sums("balance") == (10, 40, 0)
    assert place.sums("version")[1] == 2 * len(result.of_outcome("committed"))


def test_what_goes_wrong_in_a_run_is_told_apart(place: Place, faults: Faults, tmp_path: Path) -> None:
    """No attempt whose end nobody knows is done again, and so no transfer is done twice."""
    place.load(500)
    kinds: list[Fault | None] = [
        None,
        canceled("TransactionConflict", "None"),
        canceled("None", "ThrottlingError"),
        canceled("TransactionConflict", "ConditionalCheckFailed", item={"balance": {"N": "0"}}),
        Answer(400, "ThrottlingException"),
        Drop(after=True),
        Drop(after=False),
        Answer(500, "InternalServerError"),
        Answer(400, "TransactionInProgressException"),
        Plain(502, b"<html>Bad Gateway</html>"),
        canceled("ItemCollectionSizeLimitExceeded", "None"),
        # A run most of whose transactions fail ends with a status of its own.
        *[None] * 8,
    ]
    numbers: list[int] = []

    def choose(operation: str, number: int) -> Fault | None:
        # The first is the rehearsal.
        if operation != "TransactWriteItems" or number == 0:
            return None
        numbers.append(number)
        return kinds[number % len(kinds)]

    faults.choose = choose
    result = run(
        place.at(faults.url).text(), "--keys", "int", "--users", 8, "--duration", "1s",
        "--warmup", "0s", out=tmp_path / "out",
    )  # fmt: skip
    hits = Counter(number % len(kinds) for number in numbers)
    found = Counter((row["outcome"], row["sqlstate"]) for row in result.rows)
    assert found["conflict_data", "40001"] == hits[1] + hits[3]
    assert found["rejected", "53400"] == hits[2] + hits[4]
    assert found["conflict_serialization", "40001"] == hits[8]
    assert found["ambiguous", "08006"] == hits[5] + hits[6]
    assert found["ambiguous", "XX000"] == hits[7] + hits[9]
    assert found["error", "22023"] == hits[10]
    assert found["committed", None] == sum(n for kind, n in hits.items() if kinds[kind] is None)
    assert all(hits[kind] for kind in range(len(kinds)))
    assert all(row["final"] for row in result.of_outcome("ambiguous", "error"))
    assert {row["commit_ns"] for row in result.rows} == {0}
    applied = found["committed", None] + hits[5]
    assert place.sums("version")[1] == 2 * applied


def test_who_is_stopped_while_it_waits_may_have_written(place: Place) -> None:
    """The user's loop calls an attempt ambiguous, if it is stopped for good, by `commit_sent_ns`."""

    class Stopped(BaseException):
        pass

    def stop(*_: object) -> None:
        raise Stopped

    change = Change("accounts_int", (1).to_bytes(8, "big"), 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        session = place.at(f"http://127.0.0.1:{port}").target().open_session([])
        before = signal.signal(signal.SIGALRM, stop)
        try:
            session.begin()
            assert session.commit_sent_ns == 0
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            with pytest.raises(Stopped):
                session.write([change])
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            session.close()
    assert session.commit_sent_ns


def test_a_read_without_an_answer_is_tried_again(place: Place, faults: Faults, tmp_path: Path) -> None:
    place.load(500)
    kinds: list[Fault | None] = [
        None,
        Drop(after=True),
        Answer(500, "InternalServerError"),
        Answer(400, "ProvisionedThroughputExceededException"),
        None,
    ]
    faults.choose = lambda operation, number: (
        kinds[number % len(kinds)] if operation == "BatchGetItem" else None
    )
    result = run(
        place.at(faults.url).text(transfer="optimistic"), "--keys", "int", "--users", 8,
        "--duration", "1s", "--warmup", "0s", out=tmp_path / "out",
    )  # fmt: skip
    found = Counter((row["outcome"], row["sqlstate"]) for row in result.rows)
    assert found["connection_lost", "08006"]
    assert found["connection_lost", "XX000"]
    assert found["rejected", "53400"]
    assert not result.of_outcome("ambiguous", "error")
    for row in result.of_outcome("connection_lost", "rejected"):
        assert row["commit_ns"] == row["window_high_ns"] == 0
    assert place.sums("version")[1] == 2 * len(result.of_outcome("committed"))


def test_tls_and_whom_it_trusts(place: Place, upstream: str, tmp_path: Path) -> None:
    place.load(100)
    authority = Authority(tmp_path)
    stranger = Authority(tmp_path, "a stranger")
    words = ("--keys", "int", "--users", 4, "--duration", "1s", "--warmup", "0s")
    with faults_before(upstream, authority.issue("localhost")) as server:
        target = place.at(server.url).text()
        done = command("run", "--target", target, "--keys", "int", cwd=tmp_path)
        line = one_line(done, 3)
        assert "cannot be reached: certificate verify failed" in line
        assert "--sslrootcert" in line
        results = [
            run(target, *words, out=tmp_path / "environment", AWS_CA_BUNDLE=str(authority.root)),
            run(
                target, *words, "--sslrootcert", authority.root, out=tmp_path / "option",
                AWS_CA_BUNDLE=str(stranger.root),
            ),
        ]  # fmt: skip
    rows = [row for result in results for row in result.rows]
    assert {row["outcome"] for row in rows} == {"committed"}
    assert place.sums("version")[1] == 2 * len(rows)


def test_two_systems_in_one_run(place: Place, seeded: str, tmp_path: Path) -> None:
    place.load(100, KeyType.INT)
    result = run(
        f"here={seeded}", "--target", f"there={place.text()}", "--keys", "int", "--users", 8,
        "--accounts", 100, "--duration", "1s", "--warmup", "0s", out=tmp_path / "out",
    )  # fmt: skip
    by_target = Counter(row["target"] for row in result.of_outcome("committed"))
    assert set(by_target) == {"here", "there"}
    assert {row["user"] % 2 for row in result.rows if row["target"] == "there"} == {1}
    figures = result.summary["targets"]
    assert figures["here"]["committed"]
    assert figures["there"]["committed"]
    assert all(row["write_units"] is None for row in result.rows if row["target"] == "here")
