"""What cannot be done is said in one line, before anything is made."""

import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from shlex import quote

import pytest

from loadtest.targets import parse_target
from loadtest.targets.embedded.server import EmbeddedServer
from loadtest.workload.builtin import find_scenario
from loadtest.workload.keyspace import KeyType
from seed import SeedPlan, seed
from tests import in_process
from tests.commands import occbench, one_line
from tests.conftest import short_folder, sql_target


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--target", "mysql://u:hunter2@h/db"], ["--target", "embedded, postgresql"]),
        (["--scenario", "tpcc"], ["--scenario", "transfer"]),
        (["--keys", "int,serial"], ["--keys", "uuid7"]),
        (["--retry", "hope"], ["--retry", "full-jitter"]),
        (["--users", "0"], ["--users"]),
        (["--duration", "-5s"], ["--duration", "90s"]),
        (["--skew", "zipf:99"], ["--skew", "zipf:THETA"]),
        (["--no-such-option", "1"], ["--no-such-option"]),
        (["--users"], ["--users"]),
    ],
)
def test_bad_options(tmp_path: Path, words: list[str], expected: list[str]) -> None:
    done = in_process.occbench("run", *words, cwd=tmp_path, OCCBENCH_DATA=str(tmp_path / "data"))
    line = one_line(done, 2)
    for part in expected:
        assert part in line
    assert "hunter2" not in line
    assert not list(tmp_path.iterdir()), "nothing was started or made"


def refused(target: str, tmp_path: Path, *words: object, status: int = 2) -> str:
    out = tmp_path / "results"
    more = ("--duration", "2s", "--out", out, *words)
    done = in_process.occbench("run", "--target", target, *more, cwd=tmp_path)
    line = one_line(done, status)
    assert not out.exists()
    return line


def test_fewer_accounts_than_asked(seeded: str, tmp_path: Path) -> None:
    line = refused(seeded, tmp_path, "--accounts", 10_001)
    assert "10,000 accounts" in line
    assert "occbench seed --target" in line


def test_more_users_than_connections(seeded: str, tmp_path: Path) -> None:
    line = refused(seeded, tmp_path, "--users", 2000)
    assert "--users" in line


def test_keys_from_another_file(seeded: str, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("5\n6\n7\n")
    line = refused(seeded, tmp_path, "--keys", "int", "--keys-from", "keys")
    assert "the keys of accounts_int are computed" in line
    assert "No such file" in refused(seeded, tmp_path, "--keys", "int", "--keys-from", "absent")


def test_results_cannot_be_made(seeded: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = occbench("run", "--target", seeded, "--duration", "1s", "--out", "file/below", cwd=tmp_path)
    assert "--out" in one_line(done, 2)


@pytest.fixture
def empty() -> Iterator[EmbeddedServer]:
    with short_folder() as made:
        server = EmbeddedServer(made / "data")
        try:
            yield server
        finally:
            server.stop()


def test_a_database_that_is_not_seeded_or_not_all_of_it(empty: EmbeddedServer, tmp_path: Path) -> None:
    text = f"embedded?data={empty.data_folder}"
    line = refused(text, tmp_path, status=3)
    assert "accounts_int is not seeded" in line
    assert f"occbench seed --target {quote(text)}" in line
    target = sql_target(text)
    plan = SeedPlan((KeyType.INT,), 100)
    seed(plan, target, find_scenario("transfer"))
    assert "accounts_uuid is not seeded" in refused(text, tmp_path, status=3)
    with closing(target.connect()) as connection:
        names = connection.execute(
            "SELECT table_schema || '.' || table_name FROM information_schema.columns "
            "WHERE column_name = 'state' AND table_schema = 'public'"
        ).fetchall()
        for (name,) in names:
            connection.execute(f"UPDATE {name} SET state = 'loading'".encode())
    assert names
    assert "only in part" in refused(text, tmp_path, "--keys", "int", status=3)


def test_a_postgresql_that_is_not_there(tmp_path: Path, closed_port: int) -> None:
    line = refused(f"postgresql://me:hunter2@127.0.0.1:{closed_port}/db", tmp_path, status=3)
    assert f"(postgresql://me@127.0.0.1:{closed_port}/db) cannot be reached: " in line
    assert line.endswith("Connection refused; check the host, the port and that the server runs")
    assert "hunter2" not in line


@pytest.fixture
def broken_run(seeded: str) -> Iterator[Path]:
    """A run's folder, small, to be broken."""
    with tempfile.TemporaryDirectory() as made:
        out = Path(made) / "results"
        done = occbench(
            "run", "--target", seeded, "--users", 2, "--keys", "int", "--duration", "500ms",
            "--warmup", "0", "--out", out,
            cwd=Path(made),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        yield next(out.iterdir())


def test_a_results_folder_that_is_none_or_broken(broken_run: Path, tmp_path: Path) -> None:
    for nothing in (tmp_path / "absent", tmp_path):
        assert str(nothing) in one_line(in_process.occbench("report", nothing, cwd=tmp_path), 2)
    first = next((broken_run / "attempts").glob("*.parquet"))
    whole = first.read_bytes()
    first.write_bytes(whole[: len(whole) // 2])
    assert first.name in one_line(in_process.occbench("report", broken_run, cwd=tmp_path), 2)
    first.write_bytes(whole)
    facts = broken_run / "run.json"
    facts.write_text(facts.read_text()[:100])
    assert "run.json" in one_line(in_process.occbench("report", broken_run, cwd=tmp_path), 2)


def test_two_targets_on_one_server_share_its_connections(seeded: str, tmp_path: Path) -> None:
    out = tmp_path / "results"
    done = in_process.occbench(
        "run", "--target", f"east={seeded}", "--target", f"west={seeded}", "--users", 1000,
        "--out", out,
        cwd=tmp_path,
    )  # fmt: skip
    line = one_line(done, 2)
    assert "east and west" in line
    assert "--users 6" in line, "what the one server has room for, and not twice that"
    assert not out.exists()


def test_a_user_that_may_not_read(seeded: str, tmp_path: Path) -> None:
    server = EmbeddedServer(Path(parse_target(seeded).options["data"]))
    with closing(sql_target(seeded).connect()) as connection:
        connection.execute("CREATE ROLE reader LOGIN")
    try:
        url = f"postgresql://reader@/occbench?host={server.socket_folder}"
        line = refused(url, tmp_path, status=3)
        assert "permission denied for table occbench_tables; grant its user what is missing" in line
    finally:
        with closing(sql_target(seeded).connect()) as connection:
            connection.execute("DROP ROLE reader")


def test_foreign_keys_are_not_exported(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("5\n6\n7\n")
    words = ("seed", "--keys", "int", "--keys-from", "keys", "--export-keys", "out")
    assert "--export-keys" in one_line(in_process.occbench(*words, cwd=tmp_path), 2)
    assert not (tmp_path / "out").exists()
