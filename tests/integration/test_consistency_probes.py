"""Consistency probes against real databases: what is refused, and what is stale."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import gevent
import pytest

from loadtest.engine.probes.prober import probe
from loadtest.engine.probes.table import READ, commit_value, packed, prepare, read_value, remove_rows
from loadtest.record.probes import read_probes, write_probes
from loadtest.targets import StatementFailed
from loadtest.targets.embedded.server import EmbeddedServer
from tests import in_process
from tests.commands import one_line, run
from tests.conftest import sql_target
from tests.integration.probes_support import (
    LOCKING,
    check_probes,
    endpoint,
    opened,
    other_server,
    rows_left,
)
from tests.rigs.standby import lagging_standby

__all__ = ["other_server"]


# Endpoints that are not


def refused(tmp_path: Path, status: int, *words: object) -> str:
    out = tmp_path / "results"
    done = in_process.occbench(
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


@pytest.mark.parametrize("regime", ["optimistic", "locking"])
def test_a_read_from_an_old_snapshot_is_stale(seeded: str, regime: str) -> None:
    """The reader is held in a transaction that began before the commit, and then let go."""
    target = sql_target(seeded.replace("embedded", f"embedded://{regime}", 1))
    row = prepare([target, target])
    writer, _ = endpoint("writer", target)
    reader, source = endpoint("reader", target)
    try:
        for value in range(1, 4):
            assert probe(writer, reader, row, value, lambda: True).stale_ns is None
        session = source.session
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
    reader, source = endpoint("reader", target)
    try:
        reader.open()
        session = source.session
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
        assert 300e6 < late.stale_ns < 20e9, "about as long as the standby waits"
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


def test_a_lost_commit_says_nothing(load_server: EmbeddedServer, seeded: str) -> None:
    """Whether it took effect nobody knows, so neither value would be stale."""
    target = sql_target(f"{seeded}&commit_delay_ms=1000")
    row = prepare([target, target])
    writer, _ = endpoint("writer", target)
    reader, _ = endpoint("reader", sql_target(seeded))

    def break_it() -> None:
        with closing(sql_target(seeded).connect()) as connection:
            while not connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE query = 'COMMIT' AND state = 'active' AND pid <> pg_backend_pid()"
            ).fetchall():
                gevent.sleep(0.02)

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
