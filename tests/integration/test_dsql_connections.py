"""Aurora DSQL's limits on connections: their age, their number a second, and what a run does within.

The gate keeps to the limits by itself, and notes when each connection came.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import in_process
from tests.commands import Done, RunResult, check_conserved, locust, occbench, results_in
from tests.rigs.dsql import Database, DsqlRig, dsql_database, dsql_gate
from tests.rigs.gate import Gate

ACCOUNTS = 5_000


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Loaded, and with a log of every change to an account that was committed."""
    with dsql_database() as made:
        with dsql_gate(made) as rig:
            done = in_process.occbench(
                *("seed", "--target", rig.target, "--keys", "int", "--accounts", ACCOUNTS),
                cwd=tmp_path_factory.mktemp("seed"),
                **rig.environment,
            )
            assert done.returncode == 0, done.stderr
        with made.connect() as connection:
            connection.execute("CREATE TABLE changes (account bigint, by numeric)")
            connection.execute(
                "CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "INSERT INTO public.changes VALUES (new.id, new.balance - old.balance); "
                "RETURN NULL; END $$"
            )
            connection.execute(
                "CREATE TRIGGER note_change AFTER UPDATE ON public.accounts_int "
                "FOR EACH ROW EXECUTE FUNCTION note_change()"
            )
        yield made


def run(rig: DsqlRig, tmp_path: Path, target: str, *words: object) -> tuple[RunResult, Done]:
    """A run that must end well."""
    out = tmp_path / "results"
    done = occbench(
        *("run", "--target", target, "--keys", "int", "--out", out, *words),
        cwd=tmp_path,
        **rig.environment,
    )
    assert done.returncode == 0, done.stderr
    result = results_in(out)[-1]
    check_conserved(result)
    return result, done


def changes(database: Database) -> int:
    """How many changes of accounts the server has committed since this was last asked."""
    with database.connect() as connection:
        row = connection.execute("SELECT count(*) FROM changes").fetchone()
        connection.execute("TRUNCATE changes")
    assert row is not None
    return int(row[0])


def users_connections(gate: Gate) -> list[dict[str, Any]]:
    """Those of the load, in the order in which they came: the tool's own are few, before and after."""
    return sorted(gate.connections(), key=lambda one: one["at_ns"])


def check_rate(gate: Gate, per_s: float, burst: int) -> None:
    """In no length of time did more connections come than the budget allows for it."""
    at = np.array([one["at_ns"] for one in users_connections(gate)]) / 1e9
    number = np.arange(len(at))
    for first in range(len(at)):
        came = number[first:] - first + 1
        allowed = burst + per_s * (at[first:] - at[first])
        assert (came <= allowed).all(), (first, came[came > allowed][0])


# Age


def test_sessions_are_replaced_before_they_are_too_old(database: Database, tmp_path: Path) -> None:
    """The gate ends sessions of 4 s; the run is longer, and nobody notices."""
    with dsql_gate(database, session_age_s=4) as rig:
        result, _ = run(
            rig,
            tmp_path,
            rig.url(session_age_s=2),
            *("--users", 8, "--duration", "6s", "--warmup", "0s"),
        )
        connections = users_connections(rig.gate)
    assert {row["outcome"] for row in result.rows} <= {"committed", "conflict_data", "refused"}
    # Of an age of 2 s a session uses 1.5 to 1.84 s.
    assert 8 * 3 <= len(connections) <= 8 * 5 + 12
    assert {one["answer"] for one in connections} == {""}
    per_user = Counter(row["user"] for row in result.of_outcome("committed"))
    assert len(per_user) == 8
    # Each came with a token of its own. They are dated in whole seconds, and eight come at a time.
    assert connections[-1]["at_ns"] - connections[0]["at_ns"] > 5e9
    signed = [one["signed"] for one in connections]
    assert len(set(signed)) >= 4


@pytest.mark.parametrize("abrupt", [False, True], ids=["told", "cut"])
def test_sessions_that_the_server_ends(database: Database, tmp_path: Path, abrupt: bool) -> None:
    """In flight or not: what is lost was not done, or nobody knows; nothing is done twice."""
    changes(database)
    with dsql_gate(database, session_age_s=0.7, abrupt=abrupt) as rig:
        result, _ = run(
            rig, tmp_path, rig.target, *("--users", 8, "--duration", "4s", "--warmup", "0s")
        )
        connections = len(rig.gate.connections())
    lost, unknown = result.of_outcome("connection_lost"), result.of_outcome("ambiguous")
    assert lost
    assert connections > 8 * 3
    assert {row["outcome"] for row in result.rows} <= {
        *("committed", "conflict_data", "refused", "connection_lost", "ambiguous", "connect_failed")
    }
    committed = result.of_outcome("committed")
    assert len({row["transaction"] for row in committed}) == len(committed)
    # Two accounts a transfer; what nobody knows was either done or not.
    done = changes(database)
    assert 2 * len(committed) <= done <= 2 * (len(committed) + len(unknown))
    again = {row["transaction"] for row in unknown} & {row["transaction"] for row in committed}
    assert not again, "nobody tries again what may have been done"
    retried = {row["transaction"] for row in lost} & {row["transaction"] for row in committed}
    assert retried, "what was surely not done is tried again"


# Rate


@pytest.mark.timed
@pytest.mark.slow
def test_a_thousand_users(database: Database, tmp_path: Path) -> None:
    """DSQL's own limits: the gate turns nobody away, for nobody comes too fast."""
    with dsql_gate(database) as rig:
        result, done = run(
            rig, tmp_path, rig.target, *("--users", 1000, "--duration", "1s", "--warmup", "4s")
        )
        check_rate(rig.gate, 100, 1000)
        connections = rig.gate.connections()
    assert {one["answer"] for one in connections} == {""}
    # How many come by the end is a question to the machine; twenty are the tool's own.
    assert 20 < len(connections) <= 1020
    assert "limits new connections: the ramp-up takes 0.5 s longer" in done.stderr
    assert result.run["held_back_s"]
    assert not result.of_outcome("rejected", "connect_failed", "error")


def test_a_budget_that_is_smaller_than_the_users(database: Database, tmp_path: Path) -> None:
    """The burst at once, the others one after the other, as many a second as the URL says."""
    with dsql_gate(database, connections_per_s=25, connection_burst=30) as rig:
        result, done = run(
            rig,
            tmp_path,
            rig.url(connection_rate=20, connection_burst=15),
            *("--users", 60, "--duration", "1s", "--warmup", "0s"),
        )
        check_rate(rig.gate, 25, 30)
        at = [one["at_ns"] for one in users_connections(rig.gate)]
        connections = rig.gate.connections()
    assert {one["answer"] for one in connections} == {""}
    # (60 − 15) / 20 a second.
    assert at[-1] - at[0] > 2.2e9
    assert "the ramp-up takes 2.2 s longer, and the warm-up is as much longer" in done.stderr
    assert len({row["user"] for row in result.rows}) == 60


def test_two_processes_share_the_budget(database: Database, tmp_path: Path) -> None:
    with dsql_gate(database, connections_per_s=25, connection_burst=30) as rig:
        result, _ = run(
            rig,
            tmp_path,
            rig.url(connection_rate=20, connection_burst=16),
            *("--users", 40, "--duration", "1s", "--warmup", "0s", "--processes", 2),
        )
        check_rate(rig.gate, 25, 30)
        connections = rig.gate.connections()
    assert {one["answer"] for one in connections} == {""}
    assert len(connections) > 40
    assert {row["worker"] for row in result.rows} == {0, 1}


@pytest.mark.timed
def test_locust_s_own_timer_has_the_ramp_up_in_it(database: Database, tmp_path: Path) -> None:
    """Its run time is the whole test: what the limit takes of it is not measured, and that is said."""
    out = tmp_path / "results"
    with dsql_gate(database) as rig:
        target = rig.url(connection_rate=10, connection_burst=10)
        words = (
            "--headless", "--users", 30, "--spawn-rate", 1000, f"--occ-target={target}",
            "--occ-keys=int", "--occ-warmup=0", f"--occ-out={out}",
        )  # fmt: skip
        done = locust(*words, "--run-time", "5s", cwd=tmp_path, **rig.environment)
        assert done.returncode == 0, done.stderr
        assert "the ramp-up takes 2.0 s longer" in done.stderr
        (result,) = results_in(out)
        # Two of the five seconds, and what starting the users takes on a slow machine.
        assert 1.5 < result.run["config"]["duration"] <= 3.1
        assert result.run["interrupted"] is False
        assert 1.5 < result.summary["measured_s"] <= 3.1
        check_conserved(result)
        refused = locust(*words, "--run-time", "1s", cwd=tmp_path, **rig.environment)
    assert refused.returncode == 2
    (line,) = [one for one in refused.stderr.splitlines() if one.startswith("occbench: ")]
    assert "nothing after the warm-up of 0 s and 2 s" in line
    assert len(results_in(out)) == 1


def test_a_cluster_that_lets_fewer_in(database: Database, tmp_path: Path) -> None:
    """Others use the cluster too: who is turned away for now comes again, but not at once."""
    users = 40
    with dsql_gate(database, connections_per_s=8, connection_burst=20) as rig:
        result, _ = run(
            rig,
            tmp_path,
            rig.url(connection_rate=1000, connection_burst=1000),
            *("--users", users, "--duration", "4s", "--warmup", "0s"),
        )
        answers = Counter(one["answer"] for one in rig.gate.connections())
    rejected = result.of_outcome("rejected")
    assert rejected
    assert {row["sqlstate"] for row in rejected} == {"53400"}
    assert set(answers) == {"", "53400"}
    # After an eighth of a second at the soonest, whatever the policy, and less often each time.
    again = [row for row in rejected if row["attempt"] > 1]
    assert again
    assert all(row["backoff_ns"] > 0.12e9 for row in again)
    assert answers["53400"] < users * 8
    assert {row["outcome"] for row in result.rows} <= {
        *("committed", "conflict_data", "refused", "rejected")
    }
    let_in = {row["user"] for row in result.of_outcome("committed")}
    turned_away = {row["user"] for row in rejected}
    assert let_in & turned_away, "some came in later"


def test_a_cluster_that_is_full(database: Database, tmp_path: Path) -> None:
    with dsql_gate(database, most_connections=10) as rig:
        result, _ = run(
            rig, tmp_path, rig.target, *("--users", 14, "--duration", "2s", "--warmup", "0s")
        )
    rejected = result.of_outcome("rejected")
    assert {row["sqlstate"] for row in rejected} == {"53300"}
    assert len({row["user"] for row in result.of_outcome("committed")}) == 10
