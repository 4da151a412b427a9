"""What tests of consistency probes share: reading a record of probes, and endpoints to probe."""

import itertools
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import quote

import psycopg
import pytest

from loadtest.engine.probes.prober import ProbeSession
from loadtest.engine.probes.table import STATEMENTS
from loadtest.record.probes import Probe, read_probes
from loadtest.targets import SqlSession, SqlTarget
from loadtest.targets.embedded.server import EmbeddedServer
from loadtest.workload.builtin import find_scenario
from loadtest.workload.keyspace import KeyType
from seed import SeedPlan, seed
from tests.commands import RunResult
from tests.conftest import short_folder, sql_target
from tests.rigs.data_folder import copied
from tests.rigs.standby import REPLICATING

LOCKING = quote("-c search_path=public", safe="")


def probes_of(result: RunResult) -> list[Probe]:
    found = read_probes(result.folder)
    assert found is not None
    return found


def rows_left(target: str) -> int:
    with closing(sql_target(target).connect()) as connection:
        try:
            found = connection.execute("SELECT count(*) FROM occbench_probe").fetchone()
        except psycopg.errors.UndefinedTable:
            return 0
    assert found is not None
    return int(found[0])


def check_probes(result: RunResult, interval_s: float) -> list[Probe]:
    """What holds for every record of probes."""
    found = probes_of(result)
    begin, end = result.run["measured_from_ns"], result.run["measured_until_ns"]
    for one in found:
        assert begin - 1_000_000 <= one.at_ns <= end, "within the measured time only"
        assert one.writer != one.reader
        if one.failed:
            assert one.stale_ns is None
        else:
            assert one.commit_ns is not None
            assert one.read_ns is not None
            assert one.commit_ns > 0
            assert one.read_ns > 0
            assert one.seen or one.stale_ns is not None
            assert one.stale_ns is None or one.stale_ns >= one.read_ns
    # Never more often than asked for; a busy machine may keep a probe from its turn.
    assert len(found) <= (end - begin) / 1e9 / interval_s + 2
    assert all(later.at_ns > one.at_ns for one, later in itertools.pairwise(found))
    return found


def seed_some(target: str) -> None:
    opened = sql_target(target)
    opened.start()
    seed(SeedPlan((KeyType.INT,), 500), opened, find_scenario("transfer"))


@pytest.fixture(scope="module")
def other_server() -> Iterator[EmbeddedServer]:
    """Another database, with accounts of the same keys; it can be replicated."""
    with short_folder() as made:
        server = EmbeddedServer(copied(made / "data"), REPLICATING)
        server.start()
        try:
            seed_some(f"embedded?data={server.data_folder}")
            yield server
        finally:
            server.stop()


def opened(target: SqlTarget) -> SqlSession:
    return target.open_session(STATEMENTS)


class DirectSource:
    """A session source without a budget, for an endpoint without a run."""

    until_ns = float("inf")

    def __init__(self, target: SqlTarget) -> None:
        self._target = target
        self.session: SqlSession | None = None

    def open(self) -> SqlSession:
        self.session = opened(self._target)
        return self.session


def endpoint(name: str, target: SqlTarget) -> tuple[ProbeSession, DirectSource]:
    source = DirectSource(target)
    return ProbeSession(name, source), source  # type: ignore[arg-type]
