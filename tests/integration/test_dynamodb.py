"""Transfers on DynamoDB: Amazon's DynamoDB Local, and what it never answers put in front of it."""

import itertools
import os
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from loadtest.config.run import RunConfig
from loadtest.engine.preflight import make_plan
from loadtest.errors import InputError, TargetError
from loadtest.targets import open_target, parse_target
from loadtest.targets.base.dialect import Statement
from loadtest.targets.base.items import Change
from loadtest.targets.dynamodb.target import SEEDED, DynamoTarget
from loadtest.workload.access import parse_access
from loadtest.workload.builtin import find_scenario
from loadtest.workload.keyspace import ComputedKeys, KeyType
from seed import SeedInterrupted, SeedPlan, SilentProgress, contents, key_source, seed
from tests import commands
from tests.commands import Done, RunResult, check_conserved, occbench, one_line
from tests.rigs import Rig
from tests.rigs.certificates import Authority
from tests.rigs.dynamodb import ACCESS_KEY, SECRET, Unavailable, environment, rig
from tests.rigs.dynamodb_faults import (
    Answer,
    Drop,
    Fault,
    Faults,
    Page,
    Part,
    Plain,
    canceled,
    faults_before,
)

SCENARIO = find_scenario("transfer")
BALANCE = 10_000
UNREACHABLE = "http://127.0.0.1:1"

_prefixes = (f"t{number}_" for number in itertools.count())


@pytest.fixture(scope="module")
def local() -> Iterator[Rig]:
    try:
        with rig() as running:
            yield running
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def upstream(local: Rig) -> str:
    return parse_target(local.target).options["endpoint_url"]


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what the tests do in this process; commands get theirs themselves."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in environment().items():
        monkeypatch.setenv(name, value)


@dataclass(frozen=True)
class Place:
    """Tables of one test's own."""

    url: str
    prefix: str

    def text(self, **options: str) -> str:
        given = {"endpoint_url": self.url, "prefix": self.prefix, **options}
        return "dynamodb://us-east-1?" + "&".join(f"{n}={quote(v)}" for n, v in given.items())

    def target(self) -> DynamoTarget:
        found = open_target(parse_target(self.text()))
        assert isinstance(found, DynamoTarget)
        return found

    def at(self, url: str) -> "Place":
        return Place(url, self.prefix)

    def load(self, accounts: int, *key_types: KeyType, **more: Any) -> int:
        """Seed; returns how many accounts had to be loaded."""
        plan = SeedPlan(key_types or (KeyType.INT,), accounts, workers=2, **more)
        done = seed(plan, self.target(), SCENARIO, SilentProgress())
        return sum(table.loaded for table in done.tables)

    def sums(self, attribute: str, key_type: KeyType = KeyType.INT) -> tuple[int, int, int]:
        return self.target().sums(SCENARIO.table(key_type).name, attribute)


@pytest.fixture
def place(upstream: str) -> Place:
    return Place(upstream, next(_prefixes))


@pytest.fixture
def faults(upstream: str) -> Iterator[Faults]:
    with faults_before(upstream) as server:
        yield server


def run(target: str, *words: object, out: Path, **more: str) -> RunResult:
    """A run that must end well, and must not say any of the keys."""
    done = command(
        "run",
        "--target",
        target,
        *words,
        "--scenario",
        "transfer",
        "--out",
        out,
        cwd=out.parent,
        **more,
    )
    assert done.returncode == 0, done.stderr
    [result] = commands.results_in(out)
    check_conserved(result)
    for path in [path for path in out.rglob("*") if path.is_file()]:
        written = path.read_bytes()
        assert SECRET.encode() not in written
        assert ACCESS_KEY.encode() not in written
    return result


def command(*words: object, cwd: Path, **more: str) -> Done:
    done = occbench(*words, cwd=cwd, **{**environment(), **more})
    for text in (done.stdout, done.stderr):
        assert SECRET not in text
        assert ACCESS_KEY not in text
    return done


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
        place.text(), "--keys", "int,uuid", "--users", 32, "--accounts", 20, "--duration", "2s",
        "--warmup", "0s", out=tmp_path / "out",
    )  # fmt: skip
    outcomes = Counter(row["outcome"] for row in result.rows)
    assert set(outcomes) == {"committed"}
    assert {row["key_type"] for row in result.rows} == {"int", "uuid"}
    for row in result.rows:
        # One request is the whole transaction: there is no COMMIT in it to time, and no window.
        assert row["commit_ns"] == row["window_low_ns"] == row["window_high_ns"] == 0
        assert row["statements_ns"] > 0
        assert row["write_units"] > 0
        assert row["read_units"] is None
        assert row["remote_ns"] is None
    done = len(result.rows)
    assert sum(place.sums("version", key)[1] for key in (KeyType.INT, KeyType.UUID)) == 2 * done
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
        "--duration", "2s", "--warmup", "0s", out=tmp_path / "out",
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
        place.at(faults.url).text(), "--keys", "int", "--users", 8, "--duration", "2s",
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
        "--duration", "2s", "--warmup", "0s", out=tmp_path / "out",
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


def test_seeding_trusts_whom_it_is_told_to(place: Place, upstream: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with faults_before(upstream, authority.issue("localhost")) as server:
        words = ("seed", "--target", place.at(server.url).text(), "--keys", "int", "--accounts", 30)
        line = one_line(command(*words, "--sslrootcert", tmp_path / "absent.pem", cwd=tmp_path), 2)
        assert "--sslrootcert: no certificates can be read from" in line
        done = command(*words, "--sslrootcert", authority.root, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert place.sums("balance") == (30, 30 * BALANCE, 0)


def test_two_systems_in_one_run(place: Place, seeded: str, tmp_path: Path) -> None:
    place.load(100, KeyType.INT)
    result = run(
        f"here={seeded}", "--target", f"there={place.text()}", "--keys", "int", "--users", 8,
        "--accounts", 100, "--duration", "2s", "--warmup", "0s", out=tmp_path / "out",
    )  # fmt: skip
    by_target = Counter(row["target"] for row in result.of_outcome("committed"))
    assert set(by_target) == {"here", "there"}
    assert {row["user"] % 2 for row in result.rows if row["target"] == "there"} == {1}
    figures = result.summary["targets"]
    assert figures["here"]["committed"]
    assert figures["there"]["committed"]
    assert all(row["write_units"] is None for row in result.rows if row["target"] == "here")


def test_what_a_batch_leaves_is_written_again(place: Place, faults: Faults) -> None:
    kinds: list[Fault | None] = [
        Part(10),
        Part(0),
        None,
        Part(24),
        Answer(400, "ThrottlingException"),
        Answer(500, "InternalServerError"),
        Drop(after=True),
        Drop(after=False),
    ]
    faults.choose = lambda operation, number: (
        kinds[number % len(kinds)] if operation == "BatchWriteItem" else None
    )
    assert place.at(faults.url).load(300, KeyType.UUID) == 300
    assert faults.faults["BatchWriteItem"] > 10
    assert place.sums("balance", KeyType.UUID) == (300, 300 * BALANCE, 0)


def test_scans_have_patience(place: Place, faults: Faults) -> None:
    place.load(100)
    faults.choose = lambda operation, number: (
        Answer(400, "ProvisionedThroughputExceededException")
        if operation == "Scan" and number < 5
        else None
    )
    assert place.at(faults.url).sums("balance") == (100, 100 * BALANCE, 0)


@pytest.mark.parametrize("key_type", [KeyType.INT, KeyType.UUID])
def test_a_scan_goes_on_to_the_last_page(place: Place, faults: Faults, key_type: KeyType) -> None:
    place.load(100, key_type)
    faults.choose = lambda operation, number: Page(3) if operation == "Scan" else None
    assert place.at(faults.url).sums("balance", key_type) == (100, 100 * BALANCE, 0)
    assert faults.faults["Scan"] > 30


def test_a_table_grows_and_is_replaced(place: Place) -> None:
    assert place.load(100) == 100
    assert place.load(160) == 60
    assert place.sums("balance") == (160, 160 * BALANCE, 0)
    with pytest.raises(InputError, match="holds 160 accounts, not 80; ask for the same"):
        place.load(80)
    with pytest.raises(InputError, match=r"a balance of 10,000, not 5"):
        place.load(160, balance=5)
    assert place.load(80, balance=5, recreate=True) == 80
    assert place.sums("balance") == (80, 400, 0)


def test_a_strangers_table_is_left_alone(place: Place) -> None:
    place.target().client.create_table(
        TableName=f"{place.prefix}accounts_int",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    with pytest.raises(InputError, match="a table accounts_int is there that occbench did not make"):
        place.load(50)
    assert place.load(50, recreate=True) == 50


def test_something_changed_the_table(place: Place) -> None:
    place.load(50)
    place.target().client.delete_item(TableName=f"{place.prefix}accounts_int", Key={"id": {"N": "7"}})
    with pytest.raises(TargetError, match="has accounts 49 where 50 is right"):
        place.load(50)


def test_ctrl_c_and_the_same_command_goes_on(place: Place, faults: Faults, tmp_path: Path) -> None:
    slow = threading.Event()

    def choose(operation: str, number: int) -> Fault | None:
        if operation == "BatchWriteItem" and number >= 60:
            slow.set()
            time.sleep(0.05)
        return None

    faults.choose = choose
    words = (
        "seed", "--target", place.at(faults.url).text(), "--keys", "int", "--accounts", 10_000,
        "--workers", 2,
    )  # fmt: skip
    process = subprocess.Popen(
        commands.command(*words),
        cwd=tmp_path,
        env=commands.environment(**environment()),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert slow.wait(60)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "of 10,000 accounts are loaded; the same command goes on from there" in said
    loaded = int(said.partition("interrupted; ")[2].split()[0].replace(",", ""))
    assert 0 < loaded < 10_000
    with pytest.raises(InputError, match="is half loaded with 10,000 accounts, not 9,000"):
        place.load(9_000)
    denied = command("run", "--target", place.text(), "--keys", "int", cwd=tmp_path)
    assert "accounts_int is loaded only in part" in one_line(denied, 3)
    faults.choose = lambda operation, number: None
    assert place.load(10_000) == 10_000 - loaded
    assert place.sums("balance") == (10_000, 10_000 * BALANCE, 0)
    assert place.sums("version") == (10_000, 0, 0)


def test_only_one_command_loads_a_table(place: Place, faults: Faults) -> None:
    """One that is alive is left alone; the place of one that was killed is taken."""
    faults.choose = lambda operation, number: (
        time.sleep(0.05) if operation == "BatchWriteItem" else None
    )
    words = ("seed", "--target", place.at(faults.url).text(), "--keys", "int", "--accounts", 100_000)
    process = subprocess.Popen(
        commands.command(*words),
        env=commands.environment(**environment()),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        commands.wait_for(lambda: faults.seen["BatchWriteItem"] > 50, "loading")
        with pytest.raises(InputError, match="another command is seeding table accounts_int"):
            place.load(100_000)
    finally:
        process.kill()
        process.wait()
    faults.choose = lambda operation, number: None
    with pytest.raises(SeedInterrupted, match="accounts are loaded"):
        seed(SeedPlan((KeyType.INT,), 100_000), place.target(), SCENARIO, Interrupting())
    assert place.load(50, recreate=True) == 50


class Interrupting(SilentProgress):
    """Somebody presses Ctrl-C as soon as something is loaded."""

    def advance(self, accounts: int) -> None:
        raise KeyboardInterrupt


def test_a_stretch_that_is_not_finished_holds_the_mark(place: Place, faults: Faults) -> None:
    """One worker hangs in the first or second stretch: what is written after it counts for nothing."""
    go_on = threading.Event()

    def choose(operation: str, number: int) -> Fault | None:
        if operation == "BatchWriteItem" and number == 0:
            go_on.wait(30)
        return None

    class Later(SilentProgress):
        stretches = 0

        def advance(self, accounts: int) -> None:
            self.stretches += 1
            if self.stretches == 3:
                go_on.set()
                raise KeyboardInterrupt

    faults.choose = choose
    plan = SeedPlan((KeyType.INT,), 5_000, workers=2)
    with pytest.raises(SeedInterrupted, match=r"interrupted; (0|500) of 5,000 accounts"):
        seed(plan, place.at(faults.url).target(), SCENARIO, Later())
    assert place.sums("balance")[0] >= 1_500
    assert place.load(5_000) >= 4_500
    assert place.sums("balance") == (5_000, 5_000 * BALANCE, 0)


def test_a_rehearsal_changes_nothing(place: Place) -> None:
    place.load(10)
    target = place.target()
    statements: list[Statement] = []
    tried: list[bool] = []

    def attempt(session: Any) -> None:
        keys = ComputedKeys(KeyType.INT, 1)
        [work] = SCENARIO.draw(np.random.default_rng(1), parse_access("uniform", 10), keys, 1)
        tried.append(SCENARIO.operation(target.language)(session, KeyType.INT, work))

    target.rehearse(statements, attempt)
    assert tried == [True]
    assert place.sums("version") == (10, 0, 0)
    place.target().client.delete_table(TableName=f"{place.prefix}accounts_int")
    with pytest.raises(TargetError, match=r"ResourceNotFoundException.+; seed it first"):
        target.rehearse(statements, attempt)


def deny(operation: str, code: str, status: int = 400) -> Callable[[str, int], Fault | None]:
    return lambda asked, number: Answer(status, code) if asked == operation else None


@pytest.mark.parametrize(
    ("operation", "code", "cause", "remedy"),
    [
        ("TransactWriteItems", "AccessDeniedException", "AccessDenied", "allow dynamodb:UpdateItem"),
        ("TransactWriteItems", "ResourceNotFoundException", "ResourceNotFound", "seed it first"),
        ("TransactWriteItems", "ExpiredTokenException", "ExpiredToken", "check the AWS credentials"),
        (
            "DescribeTable",
            "UnrecognizedClientException",
            "does not know these credentials",
            "check AWS_",
        ),
        ("DescribeTable", "ExpiredTokenException", "the AWS session token has expired", "log in again"),
        ("DescribeTable", "InvalidSignatureException", "not accept the signature", "clock"),
        ("DescribeTable", "AccessDeniedException", "AccessDenied", "let the IAM policy"),
        ("Scan", "AccessDeniedException", "AccessDenied", "let the IAM policy"),
    ],
)
def test_what_is_not_allowed_is_one_line(
    place: Place, faults: Faults, operation: str, code: str, cause: str, remedy: str
) -> None:
    place.load(10)
    faults.choose = deny(operation, code)
    config = RunConfig.read(target=[f"east={place.at(faults.url).text()}"], keys=["int"])
    with pytest.raises(TargetError, match=r"^target east \(dynamodb://us-east-1\?.+\)") as caught:
        make_plan(config, contents, key_source)
    assert cause in str(caught.value)
    assert remedy in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_not_allowed_is_said_before_the_load(
    place: Place, faults: Faults, tmp_path: Path
) -> None:
    place.load(10)
    faults.choose = deny("TransactWriteItems", "AccessDeniedException")
    done = command(
        "run", "--target", f"east={place.at(faults.url).text()}", "--keys", "int", "--out",
        tmp_path / "out", cwd=tmp_path,
    )  # fmt: skip
    assert "let the IAM policy of these credentials allow" in one_line(done, 3)
    assert not (tmp_path / "out").exists()


def test_what_is_missing_is_said_before_the_load(place: Place, tmp_path: Path) -> None:
    words = ("run", "--keys", "int", "--out", tmp_path / "out", "--target")
    said = one_line(command(*words, place.text(), cwd=tmp_path), 3)
    assert "table accounts_int is not seeded; run `occbench seed" in said
    bare = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    said = one_line(command(*words, place.text(), cwd=tmp_path, **bare), 3)
    assert "there are no AWS credentials; check AWS_PROFILE" in said
    away = place.at(UNREACHABLE).text()
    for asked in (words, ("seed", "--accounts", 10, "--target")):
        said = one_line(command(*asked, away, cwd=tmp_path), 3)
        assert "cannot be reached: Connection refused; check endpoint_url=" in said
    assert not (tmp_path / "out").exists()


def test_a_table_that_is_gone_is_not_seeded(place: Place) -> None:
    place.load(10)
    place.target().client.delete_table(TableName=f"{place.prefix}accounts_int")
    assert contents(place.target()) == []
    assert place.load(10) == 10


def test_where_it_cannot_start(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(text: str) -> str:
        with pytest.raises(TargetError) as caught:
            open_target(parse_target(text)).start()
        assert str(caught.value).startswith("target ")
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "The config profile (nobody) could not be found" in refused(place.text(profile="nobody"))
    with monkeypatch.context() as patched:
        patched.setenv("AWS_ENDPOINT_URL_DYNAMODB", UNREACHABLE)
        assert "boto3 knows no Region xx-nowhere-9" in refused("dynamodb://xx-nowhere-9")
        assert refused("dynamodb://eu-central-1").endswith("; check the network")
    monkeypatch.setenv("http_proxy", "http://me:geheim@127.0.0.1:1")
    # What is known of another address than this test's is kept for the life of the process.
    said = refused(Place(place.url, f"{place.prefix}proxy_").text())
    assert "add 127.0.0.1 to NO_PROXY" in said
    assert "geheim" not in said


def test_the_record_of_what_is_seeded_has_its_own_prefix(place: Place) -> None:
    place.load(10)
    assert place.target().describe_table(SEEDED) is not None
    assert contents(Place(place.url, f"{place.prefix}other_").target()) == []
