"""A peer that takes everything and answers nothing: its kernel acknowledges what comes."""

import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import gevent
import psutil
import pytest

from loadtest.record.outcome import Outcome, outcome_of
from loadtest.targets import Statement, StatementFailed
from tests.commands import occbench, results_in, start, wait_for
from tests.conftest import running_server, sql_target
from tests.faults.conftest import Measured, updates, url
from tests.rigs.relay import Relay

SLEEP = Statement("sleep", "SELECT pg_sleep($1::text::float8)", ("text",))


@pytest.mark.parametrize(
    ("commit", "expected"), [(False, Outcome.CONNECTION_LOST), (True, Outcome.AMBIGUOUS)]
)
def test_a_silent_connection_is_lost(
    proxy: Relay, measured: Measured, commit: bool, expected: Outcome
) -> None:
    """A connection on which no answer comes is lost after `tcp_user_timeout`, whoever acknowledges it.

    Before COMMIT was sent nothing happened; afterwards the outcome is unknown.
    """
    session = sql_target(url(proxy, tcp_user_timeout=1000)).open_session([SLEEP])
    session.begin()
    session.execute("sleep", [b"0"])
    proxy.silence()
    since = time.monotonic()
    ask = session.commit if commit else lambda: session.execute("sleep", [b"0"])
    with pytest.raises(StatementFailed, match="no answer for 1 s") as caught:
        ask()
    took = time.monotonic() - since
    said = caught.value
    assert (
        outcome_of(said.sqlstate, said.message, commit_sent=said.commit_sent, connected=said.connected)
        is expected
    )
    session.close()
    measured(f"{expected} after {took:.1f} s")
    assert 1 <= took < 20


@pytest.mark.long
def test_many_answers_are_no_silence(proxy: Relay, measured: Measured) -> None:
    """A connection that is answered is not lost, however long it is used for and waits in all.

    Twenty answers of a fifth of a second each, with a limit of one second.
    """
    session = sql_target(url(proxy, tcp_user_timeout=1000)).open_session([SLEEP])
    session.begin()
    since = time.monotonic()
    for _ in range(20):
        session.execute("sleep", [b"0.2"])
    session.commit()
    session.close()
    measured(f"used for {time.monotonic() - since:.1f} s")


@pytest.mark.long
def test_who_asks_to_wait_for_ever_waits(proxy: Relay) -> None:
    """`tcp_user_timeout=0` waits for an answer as long as it takes."""
    session = sql_target(url(proxy, tcp_user_timeout=0)).open_session([SLEEP])
    session.begin()
    session.execute("sleep", [b"5"])
    session.commit()
    session.close()


def test_a_wait_for_a_lock_that_is_given_up_leaves_nothing_behind(
    seeded: str, proxy: Relay, measured: Measured
) -> None:
    """A statement that waits for too long and is given up does not go on waiting in the server."""
    update = Statement("touch", "UPDATE accounts_int SET balance = balance WHERE id = 1")
    waits = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
        "AND query LIKE '%balance = balance%'"
    )
    more = f"&options={quote('-c search_path=public', safe='')}"
    session = sql_target(url(proxy, tcp_user_timeout=1000) + more).open_session([update])
    with (
        closing(sql_target(seeded).connect()) as owner,
        closing(sql_target(seeded).connect()) as watcher,
        owner.transaction(),
    ):
        owner.execute("LOCK TABLE accounts_int")
        session.begin()
        with pytest.raises(StatementFailed, match="no answer for 1 s") as caught:
            session.execute("touch", [])
        assert not caught.value.connected
        session.close()
        since = time.monotonic()
        while watcher.execute(waits).fetchone() != (0,):
            assert time.monotonic() - since < 20
            gevent.sleep(0.1)
        measured(f"gone after {time.monotonic() - since:.1f} s")


def gap_of(folder: Path) -> tuple[dict[str, float], str]:
    """(a run's longest gap, its verdict's text), the verdict being bad."""
    (result,) = results_in(folder)
    gap = max(result.summary["gaps"], key=lambda one: one["until_s"] - one["from_s"])
    (verdict,) = [v for v in result.summary["verdicts"] if v["about"] == "gap"]
    assert verdict["state"] == "bad", verdict
    return gap, verdict["text"]


def measuring(out: Path) -> bool:
    """Whether the run that writes there has begun to measure."""
    return any(result.files for result in results_in(out))


def test_a_locked_table_is_a_gap(seeded: str, measured: Measured, tmp_path: Path) -> None:
    """A target that commits nothing for a while has a gap, though no attempt fails.

    LOCK TABLE for 2 s of 6 s, on the one table of the run.
    """
    out = tmp_path / "results"
    target = sql_target(seeded)
    process = start(
        "run", "--target", f"{seeded.replace('embedded', 'embedded://locking', 1)}", "--keys", "int",
        "--users", 4, "--duration", "6s", "--warmup", "1s", "--out", out,
        cwd=tmp_path,
    )  # fmt: skip
    with closing(target.connect()) as connection:
        before = updates(connection)
        wait_for(lambda: updates(connection) > before + 100, "transfers", 60)
        time.sleep(2)  # The warm-up.
        with connection.transaction():
            connection.execute("LOCK TABLE accounts_int")
            time.sleep(2)
    assert process.wait(60) == 0, process.communicate()
    gap, text = gap_of(out)
    measured(f"a gap of {gap['until_s'] - gap['from_s']:.1f} s")
    assert gap["until_s"] - gap["from_s"] > 1.5
    assert "no attempt failed" in text


@pytest.mark.long
def test_a_server_that_is_stopped_for_a_while(measured: Measured, tmp_path: Path) -> None:
    """A database that stands still for 5 s of 12 is a gap of 5 s and a bad verdict."""
    with running_server() as server:
        where = f"embedded?data={server.data_folder}"
        assert occbench("seed", "--target", where, "--accounts", 1000, cwd=tmp_path).returncode == 0
        out = tmp_path / "results"
        process = start(
            "run", "--target", where, "--keys", "int", "--users", 8, "--duration", "12s",
            "--warmup", "1s", "--out", out,
            cwd=tmp_path,
        )  # fmt: skip
        wait_for(lambda: measuring(out), "a file of attempts", 60)
        postmaster = psutil.Process(server.pid)
        stopped = [postmaster, *postmaster.children(recursive=True)]
        for one in stopped:
            one.suspend()
        time.sleep(5)
        for one in stopped:
            one.resume()
        assert process.wait(90) == 0, process.communicate()
    gap, _ = gap_of(out)
    length = gap["until_s"] - gap["from_s"]
    measured(f"a gap of {length:.1f} s")
    assert 4.5 < length < 8


@pytest.mark.long
def test_a_silent_proxy(proxy: Relay, seeded: str, measured: Measured, tmp_path: Path) -> None:
    """A proxy that is silent for 45 s of 55 is a gap, and sessions are lost after half a minute.

    No attempt lasts longer than that, and the run ends.
    """
    out = tmp_path / "results"
    process = start(
        "run", "--target", f"{url(proxy)}&options={quote('-c search_path=public', safe='')}",
        "--keys", "int", "--users", 4, "--duration", "55s", "--warmup", "1s", "--out", out,
        cwd=tmp_path,
    )  # fmt: skip
    wait_for(lambda: measuring(out), "a file of attempts", 60)
    proxy.silence()
    time.sleep(45)
    proxy.speak()
    said, wrong = process.communicate(timeout=120)
    assert process.returncode == 0, (said, wrong)
    gap, text = gap_of(out)
    (result,) = results_in(out)
    lost = result.of_outcome("connection_lost", "ambiguous")
    took = [(row["statements_ns"] + row["commit_ns"]) / 1e9 for row in lost]
    measured(f"{len(lost)} lost after {min(took):.0f} to {max(took):.0f} s, {text}")
    assert lost
    assert max(took) < 45
    assert gap["until_s"] - gap["from_s"] > 40
