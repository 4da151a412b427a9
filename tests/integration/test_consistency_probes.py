"""Consistency probes against real databases, and runs on several targets."""

import itertools
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import gevent
import psycopg
import pytest

from loadtest.engine.probes.prober import Endpoint, probe
from loadtest.engine.probes.table import (
    READ,
    STATEMENTS,
    commit_value,
    packed,
    prepare,
    read_value,
    remove_rows,
)
from loadtest.record.probes import FILE, Probe, read_probes, write_probes
from loadtest.targets import SqlSession, SqlTarget, StatementFailed
from loadtest.targets.embedded.server.lifecycle import EmbeddedServer
from loadtest.workload.builtin import find_scenario
from loadtest.workload.keyspace import KeyType
from seed import SeedPlan, SilentProgress, seed
from tests.commands import (
    REPOSITORY,
    RunResult,
    check_conserved,
    environment,
    occbench,
    one_line,
    results_in,
    run,
    start,
    wait_for,
)
from tests.conftest import short_folder, sql_target
from tests.rigs.dsql import FAR_HOST, HOST, REGION, DsqlRig, dsql
from tests.rigs.dsql_rules import Refusal, classify
from tests.rigs.gate import Endpoint as Gateway
from tests.rigs.relay import Relay, relay
from tests.rigs.standby import REPLICATING, lagging_standby

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


# Endpoints that are consistent


def weighted_run(seeded: str, out: Path, processes: int, duration: str) -> tuple[RunResult, str]:
    """Three users of `east` for each of `west`, which is farther away; and what it wrote meanwhile."""
    done = occbench(
        "run", "--target", f"east={seeded}&commit_delay_ms=4&weight=3",
        "--target", f"west={seeded}&commit_delay_ms=30",
        "--users", 8, "--accounts", 500, "--duration", duration, "--warmup", "300ms",
        "--spawn-rate", 4, "--block", "500ms", "--seed", 5, "--consistency", "50ms",
        "--processes", processes, "--out", out,
        cwd=out.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (result,) = results_in(out)
    check_conserved(result)
    return result, done.stderr


@pytest.fixture(scope="module")
def in_one_process(seeded: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, str]:
    return weighted_run(seeded, tmp_path_factory.mktemp("one") / "results", 1, "2500ms")


@pytest.fixture(scope="module")
def in_two_processes(seeded: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, str]:
    return weighted_run(seeded, tmp_path_factory.mktemp("two") / "results", 2, "5s")


@pytest.fixture(params=["in_one_process", "in_two_processes"])
def weighted(request: pytest.FixtureRequest) -> RunResult:
    result: RunResult = request.getfixturevalue(request.param)[0]
    return result


def test_probes_come_at_their_rate_and_none_is_stale(weighted: RunResult, seeded: str) -> None:
    found = check_probes(weighted, 0.05)
    assert len(found) >= 20, "50 and more are asked for"
    assert not any(one.failed or one.stale_ns is not None for one in found)
    pairs = Counter((one.writer, one.reader) for one in found)
    assert set(pairs) == {("east", "west"), ("west", "east")}
    assert abs(pairs["east", "west"] - pairs["west", "east"]) <= 1, "in turn"
    for writer, delay_ms in (("east", 4), ("west", 30)):
        commits = [one.commit_ns or 0 for one in found if one.writer == writer]
        assert min(commits) >= delay_ms * 1e6, "it commits through the target's own sessions"
    consistency = weighted.summary["consistency"]
    assert (consistency["probes"], consistency["stale"]) == (len(found), 0)
    verdict = next(v for v in weighted.summary["verdicts"] if v["about"] == "consistency")
    assert verdict["state"] == "good"
    assert f"{len(found)} probes, none stale" in (weighted.folder / "report.html").read_text()
    assert rows_left(seeded) == 0, "nothing is left behind"


def test_users_are_dealt_by_weight_in_every_process(weighted: RunResult) -> None:
    processes = weighted.run["config"]["processes"]
    assert len(weighted.run["generators"]) == processes
    users: dict[tuple[int, str], set[int]] = defaultdict(set)
    for row in weighted.rows:
        users[row["worker"], row["target"]].add(row["user"])
    each = {where: len(found) for where, found in users.items()}
    assert each == {
        (worker, name): count // processes
        for worker in range(processes)
        for name, count in (("east", 6), ("west", 2))
    }
    # The same users in either number of processes.
    west = {user for (_, name), found in users.items() if name == "west" for user in found}
    assert west == {2, 6}
    assert sorted(user for found in users.values() for user in found) == list(range(8))
    assert set(weighted.summary["targets"]) == {"east", "west"}


def test_the_live_line_names_the_targets(in_two_processes: tuple[RunResult, str]) -> None:
    lines = [line for line in in_two_processes[1].splitlines() if " users  " in line]
    assert lines
    east, west = lines[-1].split("  ")[-1].split(", ")
    assert east.startswith("east ")
    assert west.startswith("west ")
    speeds = [float(part.split()[1].removesuffix("/s").replace(",", "")) for part in (east, west)]
    assert speeds[0] > speeds[1] > 0


def test_without_the_option_nothing_is_probed(seeded: str, tmp_path: Path) -> None:
    before = rows_left(seeded)
    result = run(
        "--target", f"a={seeded}", "--target", f"b={seeded}", "--users", 2, "--keys", "int",
        "--duration", "500ms", "--warmup", "0",
        out=tmp_path / "results",
    )  # fmt: skip
    assert not (result.folder / FILE).exists()
    assert "consistency" not in result.summary
    assert rows_left(seeded) == before


def test_plain_locust_with_two_processes(seeded: str, tmp_path: Path) -> None:
    out = tmp_path / "results"
    done = subprocess.run(
        [
            sys.executable, "-m", "locust", "-f", str(REPOSITORY / "locustfile.py"), "--headless",
            "--users", "6", "--spawn-rate", "6", "--run-time", "4s", "--processes", "2",
            f"--occ-target=a={seeded} b={seeded}", "--occ-warmup=500ms", "--occ-accounts=500",
            "--occ-consistency=100ms", f"--occ-out={out}",
        ],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False, timeout=90,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    (result,) = results_in(out)
    assert len(result.run["generators"]) == 2
    assert len(check_probes(result, 0.1)) >= 8
    assert result.summary["consistency"]["stale"] == 0
    assert {(row["worker"], row["target"]) for row in result.rows} == {
        (worker, name) for worker in (0, 1) for name in ("a", "b")
    }


# Endpoints that are not


def seed_some(target: str) -> None:
    opened = sql_target(target)
    opened.start()
    seed(SeedPlan((KeyType.INT,), 500), opened, find_scenario("transfer"), SilentProgress())


@pytest.fixture(scope="module")
def other_server() -> Iterator[EmbeddedServer]:
    """Another database, with accounts of the same keys; it can be replicated."""
    with short_folder() as made:
        server = EmbeddedServer(made / "data", REPLICATING)
        server.start()
        try:
            seed_some(f"embedded?data={server.data_folder}")
            yield server
        finally:
            server.stop()


def refused(tmp_path: Path, status: int, *words: object) -> str:
    out = tmp_path / "results"
    done = occbench(
        "run", "--keys", "int", "--accounts", 100, "--duration", "1s", "--out", out, *words,
        cwd=tmp_path,
    )  # fmt: skip
    line = one_line(done, status)
    assert not out.exists()
    return line


def test_two_databases_are_refused(seeded: str, other_server: EmbeddedServer, tmp_path: Path) -> None:
    before = rows_left(seeded)
    line = refused(
        tmp_path, 2, "--target", f"here={seeded}",
        "--target", f"there=embedded?data={other_server.data_folder}", "--consistency", "1s",
    )  # fmt: skip
    assert "targets here and there do not serve the same database" in line
    assert rows_left(seeded) == before


def test_one_target_is_refused(seeded: str, tmp_path: Path) -> None:
    line = refused(tmp_path, 2, "--target", seeded, "--consistency", "1s")
    assert "at least two such targets" in line


def test_endpoints_that_do_not_speak_sql_are_refused(seeded: str, tmp_path: Path) -> None:
    line = refused(
        tmp_path, 2, "--target", f"a={seeded}", "--target", "b=dynamodb://us-east-1",
        "--consistency", "1s",
    )  # fmt: skip
    assert "--consistency compares endpoints that speak SQL" in line


def test_its_sessions_need_room(seeded: str, tmp_path: Path) -> None:
    words = ["--target", f"a={seeded}", "--target", f"b={seeded}", "--users", 2000]
    line = refused(tmp_path, 2, *words, "--consistency", "1s")
    assert "2,000 users and 2 for --consistency" in line
    assert "for --consistency" not in refused(tmp_path, 2, *words)


def url_for(server: EmbeddedServer, user: str) -> str:
    host = quote(str(server.socket_folder), safe="")
    return f"postgresql://{user}@/occbench?host={host}&port=5432&options={LOCKING}"


@pytest.mark.parametrize("granted", ["", "SELECT", "SELECT, INSERT, DELETE"])
def test_a_missing_permission_is_named(
    other_server: EmbeddedServer, tmp_path: Path, granted: str
) -> None:
    target = f"embedded?data={other_server.data_folder}"
    with closing(sql_target(target).connect()) as connection:
        connection.execute("CREATE ROLE poor LOGIN")
        try:
            connection.execute("GRANT SELECT ON occbench_tables TO poor")
            connection.execute("GRANT SELECT, UPDATE ON accounts_int TO poor")
            prepared = prepare([sql_target(f"a={target}"), sql_target(f"b={target}")])
            remove_rows([sql_target(target)], prepared)
            if granted:
                connection.execute(f"GRANT {granted} ON occbench_probe TO poor".encode())
            line = refused(
                tmp_path, 3, "--target", f"rich={target}",
                "--target", f"poor={url_for(other_server, 'poor')}", "--consistency", "1s",
            )  # fmt: skip
            assert "target poor" in line
            assert "permission denied for table occbench_probe" in line
        finally:
            connection.execute("DROP OWNED BY poor")
            connection.execute("DROP ROLE poor")


def test_a_table_that_may_not_be_made_is_named(other_server: EmbeddedServer, tmp_path: Path) -> None:
    target = f"embedded?data={other_server.data_folder}"
    with closing(sql_target(target).connect()) as connection:
        sql_target(target).before_drop(connection, "occbench_probe")
        connection.execute("DROP TABLE IF EXISTS occbench_probe")
        connection.execute("CREATE ROLE poor LOGIN")
        try:
            connection.execute("GRANT SELECT ON occbench_tables TO poor")
            connection.execute("GRANT SELECT, UPDATE ON accounts_int TO poor")
            poor = url_for(other_server, "poor")
            line = refused(
                tmp_path, 3, "--target", f"poor={poor}", "--target", f"rich={target}",
                "--consistency", "1s",
            )  # fmt: skip
            assert "target poor" in line
            assert "permission denied for schema" in line
            assert "--consistency keeps its values in the table occbench_probe" in line
        finally:
            connection.execute("DROP OWNED BY poor")
            connection.execute("DROP ROLE poor")


# Reads that are stale


def opened(target: SqlTarget) -> SqlSession:
    return target.open_session(STATEMENTS)


class Straight:
    """A door that always opens, for an endpoint without a run."""

    until_ns = float("inf")

    def __init__(self, target: SqlTarget) -> None:
        self._target = target
        self.session: SqlSession | None = None

    def open(self) -> SqlSession:
        self.session = opened(self._target)
        return self.session


def endpoint(name: str, target: SqlTarget) -> tuple[Endpoint, Straight]:
    door = Straight(target)
    return Endpoint(name, door), door  # type: ignore[arg-type]


@pytest.mark.parametrize("regime", ["optimistic", "locking"])
def test_a_read_from_an_old_snapshot_is_stale(seeded: str, regime: str) -> None:
    """The reader is held in a transaction that began before the commit, and then let go."""
    target = sql_target(seeded.replace("embedded", f"embedded://{regime}", 1))
    row = prepare([target, target])
    writer, _ = endpoint("writer", target)
    reader, door = endpoint("reader", target)
    try:
        for value in range(1, 4):
            assert probe(writer, reader, row, value, lambda: True).stale_ns is None
        session = door.session
        assert session is not None
        session.begin()
        assert session.fetch(READ.name, (packed(row),)) == b"3"
        # BEGIN within a transaction is only a warning: the snapshot stays until the read is over.
        stale = probe(writer, reader, row, 4, lambda: True)
        assert stale.stale_ns is not None
        assert stale.read_ns is not None
        assert stale.stale_ns > stale.read_ns
        assert stale.seen
        assert not stale.failed
        assert probe(writer, reader, row, 5, lambda: True).stale_ns is None
    finally:
        writer.close()
        reader.close()
        remove_rows([target], row)


def test_a_stale_probe_ends_with_the_run(seeded: str) -> None:
    target = sql_target(seeded)
    row = prepare([target, target])
    writer, _ = endpoint("writer", target)
    reader, door = endpoint("reader", target)
    try:
        reader.open()
        session = door.session
        assert session is not None
        session.begin()
        session.fetch(READ.name, (packed(row),))
        stale = probe(writer, reader, row, 1, lambda: False)
        assert stale.stale_ns == stale.read_ns
        assert not stale.seen, "nothing is read again"
    finally:
        writer.close()
        reader.close()
        remove_rows([target], row)


def test_a_standby_that_lags_is_stale_for_as_long(other_server: EmbeddedServer, tmp_path: Path) -> None:
    primary = sql_target(f"embedded://locking?data={other_server.data_folder}")
    row = prepare([primary, primary])
    with lagging_standby(other_server, 400) as url:
        behind = sql_target(f"behind={url}")
        writer, _ = endpoint("primary", primary)
        reader, _ = endpoint("behind", behind)
        again, _ = endpoint("again", primary)
        try:
            stale = [probe(writer, reader, row, value, lambda: True) for value in (1, 2, 3)]
            fresh = probe(writer, again, row, 4, lambda: True)
            written = probe(reader, writer, row, 5, lambda: True)
        finally:
            for end in (writer, reader, again):
                end.close()
            remove_rows([primary], row)
    for late in stale:
        assert late.stale_ns is not None
        assert late.seen
        assert 300e6 < late.stale_ns < 4e9, "about as long as the standby waits"
    assert fresh.stale_ns is None
    assert not fresh.failed
    assert written.failed, "a standby takes no writes"
    assert written.stale_ns is None

    write_probes(tmp_path, [*stale, fresh, written], 0)
    assert read_probes(tmp_path) == sorted([*stale, fresh, written], key=lambda one: one.at_ns)


LAG_S = 0.25


@pytest.fixture
def lagging(other_server: EmbeddedServer) -> Iterator[str]:
    """An endpoint that writes at once but shows the probes' table only as it was a while ago."""
    target = f"embedded?data={other_server.data_folder}"
    row = prepare([sql_target(f"a={target}"), sql_target(f"b={target}")])
    remove_rows([sql_target(target)], row)
    stop = threading.Event()
    with closing(sql_target(target).connect()) as connection:
        connection.execute("CREATE SCHEMA late")
        connection.execute("CREATE TABLE late.copy (id bigint PRIMARY KEY, value bigint NOT NULL)")
        connection.execute("CREATE VIEW late.occbench_probe AS SELECT id, value FROM late.copy ")
        connection.execute(
            "CREATE FUNCTION late.write() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "UPDATE public.occbench_probe SET value = NEW.value WHERE id = NEW.id; RETURN NEW; END $$"
        )
        connection.execute(
            "CREATE TRIGGER write INSTEAD OF UPDATE ON late.occbench_probe "
            "FOR EACH ROW EXECUTE FUNCTION late.write()"
        )

    def copy_for_ever() -> None:
        # Not cooperative on purpose: it is another process's work, as a replica's is.
        with closing(sql_target(target).connect()) as own:
            while not stop.wait(LAG_S):
                own.execute(
                    "INSERT INTO late.copy SELECT id, value FROM public.occbench_probe "
                    "ON CONFLICT (id) DO UPDATE SET value = excluded.value"
                )

    copier = threading.Thread(target=copy_for_ever)
    copier.start()
    options = quote("-c search_path=late,public", safe="")
    host = quote(str(other_server.socket_folder), safe="")
    try:
        yield f"postgresql://occbench@/occbench?host={host}&port=5432&options={options}"
    finally:
        stop.set()
        copier.join()
        with closing(sql_target(target).connect()) as connection:
            connection.execute("DROP SCHEMA late CASCADE")


def test_a_run_on_an_endpoint_that_lags(
    other_server: EmbeddedServer, lagging: str, tmp_path: Path
) -> None:
    result = run(
        "--target", f"now=embedded?data={other_server.data_folder}", "--target", f"late={lagging}",
        "--users", 4, "--keys", "int", "--duration", "3s", "--warmup", "200ms",
        "--consistency", "100ms",
        out=tmp_path / "results",
    )  # fmt: skip
    found = check_probes(result, 0.1)
    by_pair = defaultdict(list)
    for one in found:
        by_pair[one.writer, one.reader].append(one)
    late = by_pair["now", "late"]
    assert sum(one.stale_ns is not None for one in late) >= 2
    assert all(one.stale_ns is None and not one.failed for one in by_pair["late", "now"])
    longest = max(one.stale_ns or 0 for one in late)
    assert longest > 20e6
    consistency = result.summary["consistency"]
    assert consistency["stale"] == sum(one.stale_ns is not None for one in late)
    assert consistency["longest_stale_ms"] == longest / 1e6
    verdict = next(v for v in result.summary["verdicts"] if v["about"] == "consistency")
    assert verdict["state"] == "bad"
    assert "written through now, read through late" in verdict["text"]


# An endpoint that goes down


@pytest.fixture
def endpoint_of_its_own(load_server: EmbeddedServer) -> Iterator[Relay]:
    with relay(load_server.socket_folder / ".s.PGSQL.5432") as made:
        yield made


def test_a_run_outlives_an_endpoint_that_goes_down(
    seeded: str, endpoint_of_its_own: Relay, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    there = (
        f"postgresql://occbench@127.0.0.1:{endpoint_of_its_own.port}/occbench"
        f"?sslmode=disable&gssencmode=disable&options={LOCKING}"
    )
    process = start(
        "run", "--target", f"here={seeded}", "--target", f"there={there}", "--users", 6,
        "--keys", "int", "--duration", "6s", "--warmup", "0", "--consistency", "50ms", "--out", out,
        cwd=tmp_path,
    )  # fmt: skip
    try:
        wait_for(lambda: process.poll() is not None or any(out.glob("*/run.json")), "the run")
        time.sleep(1.5)
        endpoint_of_its_own.down()
        time.sleep(1.5)
        endpoint_of_its_own.up()
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, said
    assert "Traceback" not in said
    (result,) = results_in(out)
    found = check_probes(result, 0.05)
    fates = [one.failed for one in found]
    assert sum(fates) >= 3
    first, last = fates.index(True), len(fates) - 1 - fates[::-1].index(True)
    assert first > 3, "it was well before"
    assert len(fates) - last > 5, "and is well again"
    assert not any(one.stale_ns is not None for one in found)
    # The first that failed may have begun a moment before.
    outage = (found[first + 1].at_ns, found[last].at_ns)
    inside = [row for row in result.of_outcome("committed") if outage[0] < row["start_ns"] < outage[1]]
    assert {row["target"] for row in inside} == {"here"}, "the others go on"
    after = [row for row in result.of_outcome("committed") if row["start_ns"] > outage[1] + 5e7]
    assert {row["target"] for row in after} == {"here", "there"}
    assert result.summary["consistency"]["failed"] == sum(fates)
    assert "failed and say nothing" in (result.folder / "report.html").read_text()


def test_a_lost_commit_says_nothing(load_server: EmbeddedServer, seeded: str) -> None:
    """Whether it took effect nobody knows, so neither value would be stale."""
    target = sql_target(f"{seeded}&commit_delay_ms=300")
    row = prepare([target, target])
    writer, _ = endpoint("writer", target)
    reader, _ = endpoint("reader", sql_target(seeded))

    def break_it() -> None:
        gevent.sleep(0.1)
        with closing(sql_target(seeded).connect()) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE query = 'COMMIT' AND state = 'active' AND pid <> pg_backend_pid()"
            )

    try:
        breaker = gevent.spawn(break_it)
        lost = probe(writer, reader, row, 1, lambda: True)
        breaker.join()
        assert lost.failed
        assert (lost.commit_ns, lost.read_ns, lost.stale_ns) == (None, None, None)
        well = probe(writer, reader, row, 2, lambda: True)
        assert not well.failed, "it has opened another session"
        assert well.stale_ns is None
    finally:
        writer.close()
        reader.close()
        remove_rows([target], row)


def test_a_row_that_is_gone_fails_the_probe(seeded: str) -> None:
    target = sql_target(seeded)
    row = prepare([target, target])
    remove_rows([target], row)
    session = opened(target)
    with pytest.raises(StatementFailed) as failed:
        commit_value(session, row, 1)
    assert (failed.value.sqlstate, failed.value.connected) == ("02000", True)
    session.rollback()
    assert read_value(session, row)[0] is None
    session.close()
    writer, _ = endpoint("writer", target)
    reader, _ = endpoint("reader", target)
    assert probe(writer, reader, row, 1, lambda: True).failed
    writer.close()
    reader.close()


def test_runs_at_the_same_time_do_not_meet(seeded: str) -> None:
    target = sql_target(seeded)
    rows = [prepare([target, target]) for _ in range(3)]
    assert len(set(rows)) == 3
    for row in rows:
        remove_rows([target], row)
    assert rows_left(seeded) == 0


# Aurora DSQL


def test_two_regions_of_a_dsql_cluster(tmp_path: Path) -> None:
    """Through the front door: tokens, TLS, only what DSQL takes, and sessions of two seconds."""
    endpoints = {HOST: Gateway(REGION), FAR_HOST: Gateway("us-west-2", commit_delay_ms=15)}
    with dsql(endpoints=endpoints, record_statements=True, session_age_s=3.0) as rig:
        done = occbench(
            "seed", "--target", rig.target, "--keys", "uuid", "--accounts", 500,
            cwd=tmp_path, **rig.environment,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        seeding = len(rig.gate.statements())
        out = tmp_path / "results"
        done = occbench(
            "run", "--target", f"east={rig.url()}&session_age_s=2",
            "--target", f"west={rig.url(FAR_HOST)}&session_age_s=2", "--keys", "uuid", "--users", 6,
            "--duration", "4s", "--warmup", "200ms", "--consistency", "100ms", "--processes", 2,
            "--out", out,
            cwd=tmp_path, **rig.environment,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said = rig.gate.statements()[seeding:]
        left = rows_behind(rig)
    (result,) = results_in(out)
    found = check_probes(result, 0.1)
    assert len(found) >= 10
    assert not any(one.failed or one.stale_ns is not None for one in found)
    assert result.summary["consistency"]["stale"] == 0
    assert not [text for text in said if isinstance(classify(text), Refusal)]
    assert sum(text.startswith("CREATE TABLE occbench_probe") for text in said) == 1
    assert left == 0


def rows_behind(rig: DsqlRig) -> int:
    with closing(rig.database.connect()) as connection:
        found = connection.execute("SELECT count(*) FROM occbench_probe").fetchone()
    assert found is not None
    return int(found[0])
