"""Seeding DynamoDB: what is loaded, what is left alone, and what goes wrong on the way."""

import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from loadtest.errors import InputError, TargetError
from loadtest.targets.dynamodb.target import SEEDED
from loadtest.workload.keyspace import KeyType
from seed import SeedInterrupted, SeedPlan, SeedProgress, contents, seed
from tests import commands
from tests.commands import one_line
from tests.integration.dynamodb_support import (
    BALANCE,
    SCENARIO,
    Place,
    command,
    credentials,
    faults,
    local,
    place,
    upstream,
)
from tests.rigs.certificates import Authority
from tests.rigs.dynamodb import environment
from tests.rigs.dynamodb_faults import Answer, Drop, Fault, Faults, Page, Part, faults_before

__all__ = ["credentials", "faults", "local", "place", "upstream"]


def test_seeding_trusts_whom_it_is_told_to(place: Place, upstream: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with faults_before(upstream, authority.issue("localhost")) as server:
        words = ("seed", "--target", place.at(server.url).text(), "--keys", "int", "--accounts", 30)
        line = one_line(command(*words, "--sslrootcert", tmp_path / "absent.pem", cwd=tmp_path), 2)
        assert "--sslrootcert: no certificates can be read from" in line
        done = command(*words, "--sslrootcert", authority.root, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert place.sums("balance") == (30, 30 * BALANCE, 0)


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


class Interrupting(SeedProgress):
    """Somebody presses Ctrl-C as soon as something is loaded."""

    def advance(self, accounts: int) -> None:
        raise KeyboardInterrupt


def test_a_batch_that_is_not_written_holds_the_mark(place: Place, faults: Faults) -> None:
    """One worker hangs in its first batch: what is written after it counts for nothing."""
    go_on = threading.Event()

    def choose(operation: str, number: int) -> Fault | None:
        if operation == "BatchWriteItem" and number == 0:
            go_on.wait(30)
            return Answer(400, "ThrottlingException")
        return None

    class Later(SeedProgress):
        loaded = 0

        def advance(self, accounts: int) -> None:
            self.loaded += accounts
            if self.loaded == 1_500:
                threading.Timer(0.5, go_on.set).start()
                raise KeyboardInterrupt

    faults.choose = choose
    plan = SeedPlan((KeyType.INT,), 5_000, workers=2)
    with pytest.raises(SeedInterrupted, match=r"interrupted; (0|500) of 5,000 accounts"):
        seed(plan, place.at(faults.url).target(), SCENARIO, Later())
    assert place.sums("balance")[0] >= 1_500
    assert place.load(5_000) >= 4_500
    assert place.sums("balance") == (5_000, 5_000 * BALANCE, 0)


def test_a_table_that_is_gone_is_not_seeded(place: Place) -> None:
    place.load(10)
    place.target().client.delete_table(TableName=f"{place.prefix}accounts_int")
    assert contents(place.target()) == []
    assert place.load(10) == 10


def test_the_record_of_what_is_seeded_has_its_own_prefix(place: Place) -> None:
    place.load(10)
    assert place.target().describe_table(SEEDED) is not None
    assert contents(Place(place.url, f"{place.prefix}other_").target()) == []
