"""Commands that would take the database, or its tables, away from a run that is going on."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import psycopg
import pytest

from loadtest.errors import InputError
from loadtest.process.in_use import Noted, noted_in
from loadtest.targets.embedded.server import EmbeddedServer
from loadtest.workload.builtin import find_scenario
from loadtest.workload.keyspace import KeyType
from seed import SeedPlan, seed
from tests import in_process
from tests.commands import REPOSITORY, environment, occbench, one_line, results_in, start, wait_for
from tests.conftest import running_server, sql_target
from tests.faults.conftest import Measured
from tests.rigs.postgresql import Server, plain_server


@pytest.fixture(scope="module")
def own() -> Iterator[EmbeddedServer]:
    with running_server() as server:
        load(f"embedded?data={server.data_folder}")
        yield server


def load(target: str, **more: object) -> None:
    made = sql_target(target)
    made.start()
    plan = SeedPlan((KeyType.INT,), **{"accounts": 500, "workers": 1, **more})  # type: ignore[arg-type]
    seed(plan, made, find_scenario("transfer"))


@contextmanager
def going_on(target: str, cwd: Path, *words: object) -> Iterator[tuple[Popen[str], Path]]:
    """A run that goes on until the end of the test, and its folder."""
    options = ("--keys", "int", "--users", 2, "--duration", "5m", "--warmup", "0s", *words)
    run = start("run", "--target", target, *options, cwd=cwd)
    try:
        out = cwd / "results"
        wait_for(lambda: list(out.glob("*/run.json")), "the run's folder")
        yield run, results_in(out)[0].folder
    finally:
        run.terminate()
        run.communicate()


@pytest.mark.parametrize("words", [(), pytest.param(("--processes", 2), marks=pytest.mark.long)])
def test_the_database_is_not_taken_from_a_run(
    own: EmbeddedServer, tmp_path: Path, words: tuple[object, ...], measured: Measured
) -> None:
    """`db stop`, `db reset` and `seed --recreate` during a run are refused in one line naming it; a
    run that was killed is in nobody's way."""
    target = f"embedded?data={own.data_folder}"
    data = ("--data", own.data_folder)
    recreate = ("seed", "--recreate", "--target", target, "--keys", "int", "--accounts", 600)
    with going_on(target, tmp_path, *words) as (run, folder):
        wait_for(lambda: noted_in(own.data_folder / "going-on"), "the run's note")
        for command in (("db", "stop", *data), ("db", "reset", *data), recreate):
            line = one_line(in_process.occbench(*command, cwd=tmp_path), 2)
            assert str(folder) in line
            assert "--force" in line
        with pytest.raises(InputError, match="is going on"):
            load(target, accounts=700)  # more accounts: money that the run would have to explain
        load(target)  # all there already: only looked at
        if not words:
            os.kill(run.pid, signal.SIGKILL)
            run.wait(30)
            assert not noted_in(own.data_folder / "going-on")
            load(target, recreate=True)
    measured("refused three commands; free after SIGKILL")


@pytest.mark.long
def test_force_stops_it_all_the_same(tmp_path: Path, folder: Path) -> None:
    """With --force the database is stopped under a run."""
    data = folder / "data"
    load(f"embedded?data={data}")
    with going_on(f"embedded?data={data}", tmp_path):
        done = occbench("db", "stop", "--data", data, "--force", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "stopped" in done.stdout


@pytest.mark.long
def test_a_sweep_is_noted_between_its_points_too(own: EmbeddedServer, tmp_path: Path) -> None:
    """A sweep holds its database for all of its time, beside the run that is going on."""
    target = sql_target(f"embedded?data={own.data_folder}")
    options = ("--users", "1,2", "--keys", "int", "--duration", "5m", "--warmup", "0s")
    sweep = start("sweep", "--target", target.spec.url, *options, cwd=tmp_path)
    try:
        wait_for(lambda: len(target.in_use([])) == 2, "the notes of the sweep and of its run")
        [folder] = (tmp_path / "results").iterdir()
        assert f"{folder} is going on" in target.in_use([])
    finally:
        sweep.terminate()
        sweep.communicate()
    assert target.in_use([]) == []


def test_several_runs_and_what_is_left_of_killed_ones(tmp_path: Path) -> None:
    """Every run that goes on is named, one that has ended is not, nor what it left behind."""
    (tmp_path / "data").mkdir()
    target = sql_target(f"embedded?data={tmp_path / 'data'}")
    notes = target.notes_folder()
    one, other = Noted([target, target], tmp_path / "one"), Noted([target], tmp_path / "other")
    assert sorted(target.in_use([])) == [f"{tmp_path}/{n} is going on" for n in ("one", "other")]
    one.end()
    assert target.in_use([]) == [f"{tmp_path}/other is going on"]
    program = (
        "import os, sys; from pathlib import Path; from loadtest.process.in_use import Noted; "
        "from tests.conftest import sql_target; "
        "Noted([sql_target(sys.argv[1])], Path('killed')); print(flush=True); os.kill(os.getpid(), 9)"
    )
    command = [sys.executable, "-c", program, target.spec.url]
    with Popen(command, cwd=REPOSITORY, env=environment()) as killed:
        killed.wait(60)
    assert len(list(notes.iterdir())) == 2
    assert target.in_use([]) == [f"{tmp_path}/other is going on"]
    other.end()
    assert target.in_use([]) == []
    assert not notes.exists()


def test_a_run_is_worth_more_than_its_note(tmp_path: Path) -> None:
    """Where nothing can be noted, a run goes on all the same."""
    (tmp_path / "data").write_text("a file")
    Noted([sql_target(f"embedded?data={tmp_path / 'data'}")], tmp_path / "run").end()


@pytest.fixture(scope="module")
def plain() -> Iterator[Server]:
    with plain_server() as made:
        load(made.target)
        yield made


def test_a_users_server_is_not_seeded_anew_during_a_run(plain: Server, tmp_path: Path) -> None:
    """`seed --recreate` on a user's PostgreSQL during a run of this machine is refused, naming it."""
    with going_on(plain.target, tmp_path) as (_, folder):
        other = plain.target.replace("127.0.0.1", "localhost")
        wait_for(lambda: sql_target(other).in_use([]), "the run's note")
        with pytest.raises(InputError, match=str(folder)):
            load(other, recreate=True)
        load(plain.target)


def test_a_table_that_somebody_writes_to_is_not_replaced(plain: Server) -> None:
    """Another machine's load on a table shows in the server's locks, and refuses its replacement."""
    with psycopg.connect(plain.target) as writer:
        writer.execute("UPDATE accounts_int SET balance = balance WHERE id = 1")
        with pytest.raises(InputError, match="others write to accounts_int"):
            load(plain.target, recreate=True)
        writer.rollback()
        writer.execute("SELECT count(*) FROM accounts_int")
        writer.rollback()
    load(plain.target, recreate=True)
