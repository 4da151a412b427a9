"""What the tests share: folders a server can live in, and a server."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

from loadtest.targets import SqlTarget, open_target, parse_target
from loadtest.targets.embedded.server import EmbeddedServer
from loadtest.workload.builtin import find_scenario
from loadtest.workload.keyspace import KeyType
from seed import SeedPlan, seed
from tests.known_secrets import secrets_in, secrets_under
from tests.rigs.data_folder import copied

# In the background of a shell Ctrl-C is ignored, and by `nohup` a hangup; the commands that tests start
# would ignore them too.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

SEEDED = 10_000
"""How many accounts of each key type the `seeded` target has."""


# What is generated is the same in every run: a test that fails has been broken, not unlucky.
settings.register_profile("full", deadline=None, derandomize=True)
settings.register_profile("fast", settings.get_profile("full"), max_examples=10)
settings.load_profile("full")


SIMULATION = Path(__file__).parents[1] / "loadtest/prediction/simulation"
_SIMULATE = """
import sys
from loadtest.prediction.simulation import SimulateConfig, simulate
simulate(SimulateConfig.read(accounts=10, users=1, duration="1s", warmup="0s", out=sys.argv[1]))
"""


def pytest_sessionstart(session: pytest.Session) -> None:
    """Have the simulation compiled once, before each of several processes does it for itself."""
    if not getattr(session.config.option, "numprocesses", None):
        return
    compiled = [path.stat().st_mtime for path in SIMULATION.glob("__pycache__/events.*.nbi")]
    if not compiled or max(compiled) < max(path.stat().st_mtime for path in SIMULATION.glob("*.py")):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                [sys.executable, "-c", _SIMULATE, folder], cwd=Path(__file__).parents[1], check=True
            )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that printed a secret has failed."""
    report = yield
    if report.passed:
        found = secrets_in(report.capstdout + report.capstderr + report.caplog)
        if found:
            report.outcome, report.longrepr = "failed", f"the test printed {found}"
    return report


_leaks: list[str] = []


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Files that tests left in their folders are searched for secrets."""
    if hasattr(session.config, "workerinput"):
        # One of several processes (pytest-xdist): its folders lie in those of the one that started it,
        # whose status is the one that counts.
        return
    factory = getattr(session.config, "_tmp_path_factory", None)
    base = getattr(factory, "_basetemp", None)
    _leaks.extend(secrets_under(base) if base is not None else ())
    if _leaks:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say where they were found."""
    for leak in _leaks:
        terminalreporter.write_line(f"a secret: {leak}", red=True)


def sql_target(text: str) -> SqlTarget:
    """The target of this URL, which must speak SQL."""
    target = open_target(parse_target(text))
    assert isinstance(target, SqlTarget)
    return target


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder with a short name that the server's user can reach, which pytest's own is not."""
    folder = Path(tempfile.mkdtemp(prefix="occ-", dir="/tmp"))
    if os.geteuid() == 0:
        folder.chmod(0o755)
    try:
        yield folder
        leaks = list(secrets_under(folder))
        assert not leaks, leaks
    finally:
        shutil.rmtree(folder)


@contextmanager
def running_server() -> Iterator[EmbeddedServer]:
    """A server on a data folder of its own, both gone at the end."""
    with short_folder() as made:
        server = EmbeddedServer(copied(made / "data"))
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine that nothing listens on, held so that it stays so."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture(autouse=True)
def _fresh_credentials() -> Iterator[None]:
    """AWS clients that one test's environment has made are not the next one's."""
    yield
    aws = sys.modules.get("loadtest.targets.aws.clients")
    if aws is not None:
        aws._sessions.clear()
        aws._clients.clear()


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder for one test."""
    with short_folder() as made:
        yield made


@pytest.fixture(scope="session")
def embedded_server() -> Iterator[EmbeddedServer]:
    """A running server that all tests share; they keep to tables of their own."""
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def server_folder(embedded_server: EmbeddedServer) -> Path:
    """The data folder of the shared server, for `OCCBENCH_DATA` and `embedded?data=`."""
    return embedded_server.data_folder


@pytest.fixture(scope="session")
def load_server() -> Iterator[EmbeddedServer]:
    """A running server for what runs load and for tables in the optimistic regime."""
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def load_target(load_server: EmbeddedServer) -> str:
    """What to give to `--target` for that server."""
    return f"embedded?data={load_server.data_folder}"


@pytest.fixture(scope="session")
def seeded(load_target: str) -> str:
    """The same, with SEEDED accounts of every key type."""
    target = open_target(parse_target(load_target))
    target.start()
    plan = SeedPlan(tuple(KeyType), SEEDED, workers=2)
    seed(plan, target, find_scenario("transfer"))
    return load_target
