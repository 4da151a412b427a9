"""What tests of DynamoDB share: Amazon's DynamoDB Local, faults in front of it, tables of their own."""

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from loadtest.targets import open_target, parse_target
from loadtest.targets.dynamodb.target import DynamoTarget
from loadtest.workload.builtin import find_scenario
from loadtest.workload.keyspace import KeyType
from seed import SeedPlan, seed
from tests import commands, in_process
from tests.commands import Done, RunResult, check_conserved
from tests.rigs import Rig
from tests.rigs.dynamodb import ACCESS_KEY, SECRET, Unavailable, environment, rig
from tests.rigs.dynamodb_faults import Faults, faults_before

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
        done = seed(plan, self.target(), SCENARIO)
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
    done = commands.occbench(
        *("run", "--target", target, *words, "--scenario", "transfer", "--out", out),
        cwd=out.parent,
        **{**environment(), **more},
    )
    check_keys(done)
    assert done.returncode == 0, done.stderr
    [result] = commands.results_in(out)
    check_conserved(result)
    for path in [path for path in out.rglob("*") if path.is_file()]:
        written = path.read_bytes()
        assert SECRET.encode() not in written
        assert ACCESS_KEY.encode() not in written
    return result


def command(*words: object, cwd: Path, **more: str) -> Done:
    """Any other command, or a run that is refused."""
    done = in_process.occbench(*words, cwd=cwd, **{**environment(), **more})
    check_keys(done)
    return done


def check_keys(done: Done) -> None:
    for text in (done.stdout, done.stderr):
        assert SECRET not in text
        assert ACCESS_KEY not in text
