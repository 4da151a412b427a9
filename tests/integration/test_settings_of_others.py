"""Settings of another project, for Locust, gevent or psycopg, decide nothing in occbench's commands."""

import signal
import socket
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.commands import command, environment, occbench, results_in, wait_for

VARIABLES = {
    "LOCUST_TAGS": "smoke",
    "LOCUST_PROCESSES": "2",
    "LOCUST_USERS": "many",
    "LOCUST_SKIP_MONKEY_PATCH": "1",
    "LOCUST_USER_CLASSES": "Nobody",
    "LOCUST_LOGLEVEL": "loud",
    "LOCUST_HEADLESS": "true",
    "OCC_KEYS": "none",
    "GEVENT_LOOP": "nowhere.loop",
    "GEVENT_RESOLVER": "nowhere",
    "PSYCOPG_IMPL": "python",
    "PSYCOPG_WAIT_FUNC": "none",
}


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """The folder of another project, and a home with settings for all."""
    (tmp_path / "locust.conf").write_text("processes = 2\nusers = many\n")
    (tmp_path / "pyproject.toml").write_text('[tool.locust]\nusers = "many"\nheadless = true\n')
    (tmp_path / ".locust.conf").write_text("users = many\nunknown-word = 1\n")
    return tmp_path


@pytest.mark.parametrize("processes", [1, 2])
def test_a_run(seeded: str, elsewhere: Path, processes: int) -> None:
    done = occbench(
        "run", "--target", seeded, "--users", 2, "--processes", processes, "--keys", "int",
        "--duration", "1s", "--warmup", "0s", "--accounts", 1000, "--out", elsewhere / "out",
        cwd=elsewhere, HOME=str(elsewhere), **VARIABLES,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (result,) = results_in(elsewhere / "out")
    assert len(result.run["generators"]) == processes
    assert {row["user"] for row in result.of_outcome("committed")} == {0, 1}


def test_the_page(seeded: str, elsewhere: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    page = subprocess.Popen(
        command("ui", "--target", seeded, "--port", port), cwd=elsewhere,
        env=environment(HOME=str(elsewhere), **VARIABLES), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip

    def answers() -> bool:
        assert page.poll() is None, page.communicate()
        with closing(socket.socket()) as asked:
            return asked.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_for(answers, "the page")
        page.send_signal(signal.SIGHUP)
        _, said = page.communicate(timeout=60)
    finally:
        page.kill()
    assert "Traceback" not in said
    assert page.returncode == 0
