"""libpq's environment variables beside the tool's own database, and beside a user's."""

import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg import pq

from loadtest.targets import SqlTarget
from loadtest.targets.base.dialect import Statement
from loadtest.targets.embedded.binaries import binary
from loadtest.targets.embedded.server import EmbeddedServer
from tests.commands import environment, occbench, run
from tests.conftest import sql_target
from tests.faults.conftest import Measured
from tests.rigs.postgresql import plain_server

_MORE = {
    "PGSERVICE": "no-such-service",
    "PGSERVICEFILE": "/no/such/file",
    "PGSYSCONFDIR": "/no/such/folder",
    "PGPASSFILE": "/etc/passwd",
    "PGTZ": "Nowhere/Land",
    "PGDATESTYLE": "nonsense",
    "PGGEQO": "nonsense",
    "PGOPTIONS": "-c nonsense=1",
    "PGPORT": "1",
    "PGHOSTADDR": "127.0.0.1",
    "PGCONNECT_TIMEOUT": "nonsense",
}
# Every variable that this libpq lists, whatever its version, and those that it reads beside them.
HOSTILE = {
    **{o.envvar.decode(): "nonsense" for o in pq.Conninfo.get_defaults() if o.envvar},
    **_MORE,
}


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    return HOSTILE


@pytest.fixture
def target(server_folder: Path) -> SqlTarget:
    return sql_target(f"embedded?data={server_folder}")


@pytest.fixture
def decoy() -> Iterator[tuple[int, list[object]]]:
    """Another PostgreSQL's port, and who has called there."""
    calls: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            while True:
                try:
                    called, _ = listening.accept()
                except OSError:
                    return
                calls.append(called)
                called.close()

        threading.Thread(target=answer, daemon=True).start()
        yield listening.getsockname()[1], calls
        listening.shutdown(socket.SHUT_RDWR)


def test_a_connection_to_the_own_database_hears_nothing(
    target: SqlTarget, hostile: dict[str, str], measured: Measured
) -> None:
    """No variable of libpq's reaches a connection to the tool's own database."""
    target.start()
    with closing(target.connect()) as connection:
        found = connection.execute(
            "SELECT current_database(), current_user, current_setting('TimeZone'),"
            " current_setting('DateStyle'), current_setting('application_name'),"
            " current_setting('geqo'), inet_server_addr()"
        ).fetchone()
        assert found == ("occbench", "occbench", "UTC", "ISO, MDY", "", "on", None)
        assert connection.prepare_threshold is None
    session = target.open_session([Statement("zone", "SELECT current_setting('TimeZone')")])
    session.begin()
    assert session.fetch("zone", []) == b"UTC"
    session.rollback()
    session.close()
    assert "libpq_variables" not in target.describe()
    # The environment is there as before, for a target that is the user's.
    assert {name: os.environ[name] for name in hostile} == hostile
    measured(f"{len(hostile)} variables set, none heard")


def test_the_printed_url_leads_psql_to_the_own_database(
    embedded_server: EmbeddedServer, hostile: dict[str, str], measured: Measured
) -> None:
    """psql reaches the tool's database by the URL that `db url` prints, whatever is set."""
    # What psql itself is asked to say to any server stays, and so does a service that is nowhere.
    theirs = {"PGSERVICE", "PGTZ", "PGDATESTYLE", "PGGEQO"}
    ours = {name: value for name, value in hostile.items() if name not in theirs}
    found = subprocess.run(
        [binary("psql"), "-X", "-Atc", "SELECT current_database()", embedded_server.url("locking")],
        env={**environment(), **ours},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (found.stdout, found.stderr) == ("occbench\n", "")
    # One that is older refuses options that it has never heard of, and ignores their variables.
    assert "require_auth=" in embedded_server.url("locking")
    assert "require_auth=" not in embedded_server.url("locking", major=15)
    measured(f"reached with {len(ours)} variables set")


def test_a_printed_url_is_not_taken_elsewhere_later(
    embedded_server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A URL that was printed before the variables were set leads to the tool's database as well."""
    url = embedded_server.url("locking")
    for name, value in {
        "PGHOSTADDR": "127.0.0.1",
        "PGHOST": "db.example",
        "PGPORT": "1",
        "PGUSER": "other",
        "PGDATABASE": "other",
        "PGSSLMODE": "verify-full",
        "PGTARGETSESSIONATTRS": "standby",
        "PGCHANNELBINDING": "require",
        "PGGSSENCMODE": "require",
    }.items():
        monkeypatch.setenv(name, value)
    with psycopg.connect(url) as connection:
        assert connection.info.dbname == "occbench"


def test_a_service_cannot_fill_the_printed_url(
    embedded_server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What a service of PGSERVICE sets beside the URL is without effect."""
    file = tmp_path / "services"
    file.write_text("[evil]\nhostaddr=127.0.0.1\nreplication=true\nrequirepeer=nobody-else\n")
    monkeypatch.setenv("PGSERVICE", "evil")
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    with psycopg.connect(embedded_server.url("locking")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_seeding_the_own_database_leaves_another_alone(
    folder: Path, decoy: tuple[int, list[object]], measured: Measured
) -> None:
    """`occbench seed` of the own database never calls a server that PGHOSTADDR and PGPORT name."""
    port, calls = decoy
    more = {"PGHOSTADDR": "127.0.0.1", "PGPORT": str(port), "PGTZ": "Nowhere/Land"}
    data = str(folder / "data")
    try:
        done = occbench(
            *("seed", "--accounts", 100, "--keys", "int"), cwd=folder, OCCBENCH_DATA=data, **more
        )
        assert done.returncode == 0, done.stderr
        assert "100 accounts" in done.stdout
        found = occbench("db", "status", cwd=folder, OCCBENCH_DATA=data, **more)
        assert "accounts_int: 100 accounts" in found.stdout, found.stderr
        assert not calls
    finally:
        occbench("db", "stop", cwd=folder, OCCBENCH_DATA=data)
    measured("100 accounts in the own database, no call at the other")


def test_a_report_names_the_variables_that_a_users_server_heeds(tmp_path: Path) -> None:
    """Where a user's server heeds libpq's variables, the report names them, and no value."""
    secret = "not-in-any-report-5813"
    with plain_server() as server:
        url = server.target
        assert occbench("seed", "--target", url, "--accounts", 100, "--keys", "int", cwd=tmp_path)
        more = {
            "PGPASSWORD": secret,
            "PGAPPNAME": secret,
            "PGTZ": "UTC",
            "PGHOST": "overruled.example",
            "PGSERVICEFILE": f"/{secret}",
        }
        words = ("--keys", "int", "--users", 1, "--duration", "1s", "--warmup", "0s")
        result = run("--target", url, *words, out=tmp_path / "results", **more)
    named = result.run["targets"][0]["libpq_variables"]
    assert named == ["PGAPPNAME", "PGPASSWORD", "PGSERVICEFILE", "PGTZ"]
    page = (result.folder / "report.html").read_text()
    assert "PGAPPNAME, PGPASSWORD, PGSERVICEFILE, PGTZ" in page
    assert secret not in page
    assert secret not in json.dumps(result.run)
