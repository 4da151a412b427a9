"""The commands, as they are typed."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer
import typer.main

from loadtest.cli.application import app
from loadtest.targets.embedded.binaries import binary
from loadtest.targets.embedded.server import EmbeddedServer
from tests import commands, in_process
from tests.commands import Done, one_line, results_in
from tests.conftest import short_folder

COMMANDS = (
    "demo", "run", "ui", "seed", "sweep", "report", "compare", "predict", "simulate", "list",
)  # fmt: skip
SECRET = "hunter2"
WITH_AN_EXAMPLE = (
    "seed", "run", "ui", "sweep", "report", "compare", "predict", "simulate", "db url",
)  # fmt: skip


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """A data folder for the commands; its server is stopped in the end."""
    with short_folder() as made:
        try:
            yield made / "data"
        finally:
            EmbeddedServer(made / "data").stop()


def well(*words: object, cwd: Path, occbench: Callable[..., Done] = in_process.occbench) -> str:
    done = occbench(*words, cwd=cwd)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def every_command() -> list[str]:
    """As typer knows them, so that a new one is not forgotten here."""
    found = []
    for name, command in typer.main.get_group(app).commands.items():
        below = getattr(command, "commands", None)
        found += [f"{name} {sub}" for sub in below] if below else [name]
    return sorted(found)


def test_help_names_every_command(tmp_path: Path) -> None:
    text = well("--help", cwd=tmp_path, occbench=commands.occbench)
    assert "occbench demo" in text
    for name in (*COMMANDS, "db"):
        assert f" {name} " in text
    assert set(COMMANDS) <= set(every_command())


@pytest.mark.parametrize("name", every_command())
def test_every_command_has_help(tmp_path: Path, name: str) -> None:
    text = well(*name.split(), "--help", cwd=tmp_path)
    assert "Usage" in text
    if name in WITH_AN_EXAMPLE:
        assert "Example" in text
        assert f"occbench {name}" in text
    assert not list(tmp_path.iterdir())


def test_without_words_it_shows_its_help_or_says_what_is_wrong(tmp_path: Path) -> None:
    done = in_process.occbench(cwd=tmp_path)
    assert "Usage" in done.stdout + done.stderr
    assert "nonsense" in one_line(commands.occbench("nonsense", cwd=tmp_path), 2)
    assert "'colours'" in one_line(in_process.occbench("list", "colours", cwd=tmp_path), 2)


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("scenarios", ["transfer"]),
        ("targets", ["embedded", "postgresql"]),
        ("retries", ["none", "immediate", "full-jitter", "decorrelated-jitter"]),
    ],
)
def test_lists(tmp_path: Path, what: str, names: list[str]) -> None:
    lines = well("list", what, cwd=tmp_path).splitlines()
    first_words = [line.split()[0] for line in lines]
    assert set(names) <= set(first_words)
    assert all(len(line.split()) > 1 for line in lines)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--accounts 1000 --rate 909 --latency-ms 20.12", "7.06 %"),
        ("--accounts 1000000 --rate 4192 --latency-ms 409.45", "0.684 %"),
        ("--accounts 1000 --rate 0 --latency-ms 20", "0 %"),
    ],
)
def test_predict(tmp_path: Path, words: str, expected: str) -> None:
    assert expected in well("predict", *words.split(), cwd=tmp_path)


@pytest.mark.parametrize(
    "words",
    [
        "--accounts 1 --rate 1 --latency-ms 1",
        "--accounts 10 --rate -1 --latency-ms 1",
        "--accounts 10 --rate 1",
        "--accounts 10 --rate 1 --latency-ms 1 --skew zipf:0",
    ],
)
def test_predict_refuses(tmp_path: Path, words: str) -> None:
    one_line(in_process.occbench("predict", *words.split(), cwd=tmp_path), 2)


def psql(url: str, sql: str) -> str:
    done = subprocess.run(
        [binary("psql"), "-X", "-A", "-t", "-c", sql, url],
        capture_output=True, text=True, check=True, timeout=20,
    )  # fmt: skip
    return done.stdout.strip()


def test_the_database_from_its_start_to_its_reset(data: Path, tmp_path: Path) -> None:
    def db(*words: str) -> str:
        return well("db", *words, "--data", data, cwd=tmp_path)

    assert "stopped" in db("status")
    assert not data.exists(), "looking makes nothing"
    started = well("db", "start", "--data", data, cwd=tmp_path, occbench=commands.occbench)
    assert "running" in started
    assert str(data) in db("status")
    well("seed", "--target", f"embedded?data={data}", "--keys", "int", "--accounts", 500, cwd=tmp_path)
    assert "accounts_int: 500 accounts" in db("status")

    for regime, relation in (("optimistic", "view"), ("locking", "table")):
        url = db("url", "--regime", regime).splitlines()[-1]
        assert psql(url, "SELECT count(*) FROM accounts_int") == "500"
        kind = psql(url, "SELECT relkind FROM pg_class WHERE oid = 'accounts_int'::regclass")
        assert kind == {"view": "v", "table": "r"}[relation]
    line = one_line(
        in_process.occbench("db", "url", "--regime", "hopeful", "--data", data, cwd=tmp_path), 2
    )
    assert "optimistic" in line

    assert "stopped" in db("stop")
    assert "stopped" in db("stop")
    assert "running" in db("start")
    assert "500 accounts" in db("status")
    assert "running" in db("reset")
    assert "accounts" not in db("status").replace(str(data), "")
    assert "stopped" in db("stop")


@pytest.mark.slow
def test_the_demo_in_small(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "results"
    text = well(
        "demo", "--data", data, "--accounts", 2000, "--users", 4, "--duration", "1s", "--out", out,
        cwd=tmp_path, occbench=commands.occbench,
    )  # fmt: skip
    (result,) = results_in(out)
    assert str(result.folder / "report.html") in text
    assert set(result.summary["key_types"]) == {"int", "uuid"}


@pytest.fixture(scope="module")
def with_a_password(data: Path) -> str:
    """The embedded server under an ordinary PostgreSQL URL that has a password in it."""
    server = EmbeddedServer(data)
    server.start()
    place = f"host={server.socket_folder}&dbname=occbench"
    return f"postgresql://occbench:{SECRET}@/occbench?{place}&password={SECRET}"


def test_no_password_is_written_anywhere(with_a_password: str, tmp_path: Path) -> None:
    target = f"mine={with_a_password}"
    out = tmp_path / "results"
    said = []
    good: list[tuple[object, ...]] = [
        ("seed", "--target", target, "--keys", "uuid7", "--accounts", 100),
        ("run", "--target", target, "--keys", "uuid7", "--users", 2, "--duration", "1s", "--warmup", 0,
         "--out", out),
    ]  # fmt: skip
    for words in good:
        done = commands.occbench(*words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        said.append(done)
    (result,) = results_in(out)
    assert result.run["targets"][0]["name"] == "mine"
    more: list[tuple[object, ...]] = [
        ("report", result.folder),
        ("run", "--target", target, "--keys", "uuid7", "--accounts", 101),
        ("run", "--target", target, "--target", target),
        ("run", "--target", f"{target}&no_such=1"),
        ("run", "--target", f"postgresql://me:{SECRET}@127.0.0.1:9/db", "--duration", "1s"),
        ("seed", "--target", f"postgresql://me:{SECRET}@127.0.0.1:9/db", "--accounts", 10),
    ]
    for words in more:
        done = in_process.occbench(*words, cwd=tmp_path)
        assert "Traceback" not in done.stderr
        said.append(done)
    assert [done.returncode for done in said] == [0, 0, 0, 2, 2, 2, 3, 3]
    for done in said:
        assert SECRET not in done.stdout + done.stderr
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 4
    for path in files:
        assert SECRET.encode() not in path.read_bytes(), path.name
