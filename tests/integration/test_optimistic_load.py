"""The optimistic regime under load: many sessions at once, and for long."""

import random
import subprocess
import threading
from pathlib import Path

import psycopg
import pytest

from loadtest.targets.embedded.address import Regime
from loadtest.targets.embedded.binaries import binary
from loadtest.targets.embedded.server import EmbeddedServer
from tests.integration.optimistic_support import Connection, Open, admin, connect, table

__all__ = ["admin", "connect", "table"]


WAIT_MS = 60_000


# Many at once


def transfers(session: Connection, seed: int, tries: int, accounts: int, failures: list[str]) -> int:
    rng = random.Random(seed)  # noqa: S311 - which accounts
    done = 0
    for _ in range(tries):
        payer, payee = rng.sample(range(1, accounts + 1), 2)
        try:
            session.execute("UPDATE acc SET balance = balance - 1 WHERE id = %s", (payer,))
            session.execute("UPDATE acc SET balance = balance + 1 WHERE id = %s", (payee,))
            session.commit()
            done += 1
        except psycopg.Error as error:
            failures.append(f"{error.sqlstate} {str(error).splitlines()[0]}")
            session.rollback()
    return done


@pytest.mark.slow
def test_thirty_two_at_once_conserve_money_and_only_ever_conflict(
    table: str, connect: Open, admin: Connection
) -> None:
    # Commits to one row follow one another, each as long as the disk takes; who waits for ever fails.
    sessions = [connect(lock_timeout=WAIT_MS) for _ in range(32)]
    failures: list[list[str]] = [[] for _ in sessions]
    done = [0] * len(sessions)
    begin = threading.Barrier(len(sessions))

    def work(place: int) -> None:
        begin.wait()
        done[place] = transfers(sessions[place], place, 25, 100, failures[place])

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(sessions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    everything = [text for some in failures for text in some]
    assert sum(done) + len(everything) == 32 * 25
    assert sum(done)
    assert everything, "with 100 accounts somebody must have lost"
    assert {text[:5] for text in everything} == {"40001"}
    assert all("(OC000)" in text for text in everything)
    assert admin.execute("SELECT sum(balance) FROM acc").fetchone() == (500_000,)


def test_both_regimes_at_once_conserve_money(table: str, connect: Open, admin: Connection) -> None:
    regimes: list[Regime] = ["optimistic", "locking"]
    sessions = [connect(regime, lock_timeout=WAIT_MS) for regime in regimes for _ in range(6)]
    failures: list[list[str]] = [[] for _ in sessions]
    done = [0] * len(sessions)
    begin = threading.Barrier(len(sessions))

    def work(place: int) -> None:
        begin.wait()
        done[place] = transfers(sessions[place], place, 40, 50, failures[place])

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(sessions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all(sum(some) for some in (done[:6], done[6:]))
    assert {text[:5] for some in failures for text in some} <= {"40001", "40P01"}
    assert {text[:5] for some in failures[:6] for text in some} <= {"40001"}
    assert admin.execute("SELECT sum(balance) FROM acc").fetchone() == (500_000,)


TRANSFER = r"""
\set payer random(1, 5000)
\set payee 1 + mod(:payer, 5000)
BEGIN;
UPDATE acc SET balance = balance - 1 WHERE id = :payer RETURNING balance;
UPDATE acc SET balance = balance + 1 WHERE id = :payee;
COMMIT;
"""


def pgbench(server: EmbeddedServer, script: Path, clients: int, each: int) -> None:
    done = subprocess.run(
        [
            binary("pgbench"), "-n", "-c", str(clients), "-j", "2", "-t", str(each), "-M", "prepared",
            "--max-tries", "100", "-f", script, server.url("optimistic"),
        ],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"{clients * each}/{clients * each}" in done.stdout, done.stdout


@pytest.mark.slow
def test_the_write_set_does_not_grow_with_time(
    table: str, connect: Open, admin: Connection, load_server: EmbeddedServer, tmp_path: Path
) -> None:
    script = tmp_path / "transfer.sql"
    script.write_text(TRANSFER)

    def size() -> int:
        row = admin.execute("SELECT pg_relation_size('occ.set_acc')").fetchone()
        assert row is not None
        return int(row[0])

    pgbench(load_server, script, 8, 200)
    early = size()
    pgbench(load_server, script, 8, 1800)
    # A few pages for each session, more where one is held up and its snapshot keeps old rows from
    # being overwritten; 16,000 transactions whose rows were all kept would take 1.6 megabytes.
    assert early < 800_000
    assert size() < 800_000
    admin.execute("ANALYZE occ.set_acc")
    session = connect()
    plan = "\n".join(
        row[0] for row in session.execute("EXPLAIN SELECT balance FROM acc WHERE id = 5").fetchall()
    )
    assert "set_acc_pkey" in plan
    assert "Seq Scan on set_acc" not in plan
    assert admin.execute("SELECT sum(balance) FROM acc").fetchone() == (500_000,)
