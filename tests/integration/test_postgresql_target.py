"""PostgreSQL servers over TCP: TLS and passwords, isolation levels, refusals, a restart."""

import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path
from time import monotonic_ns

import numpy as np
import pytest
from psycopg.conninfo import conninfo_to_dict

from loadtest.engine.users.stream import Stream
from loadtest.errors import InputError, OccbenchError, TargetError
from loadtest.record.attempt import Outcome, outcome_of
from loadtest.targets import SqlTarget, Statement, StatementFailed, open_target, parse_target
from loadtest.targets.aws import clients
from loadtest.targets.postgresql.target import PostgresTarget
from loadtest.workload.access import parse_access
from loadtest.workload.builtin import Work, find_scenario
from loadtest.workload.keyspace import ComputedKeys, KeyType
from seed import SeedPlan, SilentProgress, seed
from tests.commands import (
    RunResult,
    check_conserved,
    occbench,
    one_line,
    results_in,
    run,
    start,
    wait_for,
)
from tests.conftest import sql_target
from tests.rigs.certificates import Authority
from tests.rigs.dsql import OWNER, credentials
from tests.rigs.postgresql import (
    CLERK,
    DATABASE,
    PASSWORD,
    RDS_HOST,
    TELLER,
    RdsServer,
    Server,
    plain_server,
    rds_server,
    tls_server,
)

ACCOUNTS = 1000
# A deadlock is to be found within a short run.
DEADLOCKS = {"deadlock_timeout": "50ms"}


def seed_some(target: str, *key_types: KeyType) -> None:
    made = sql_target(target)
    plan = SeedPlan(key_types or (KeyType.INT, KeyType.UUID), ACCOUNTS, workers=2)
    seed(plan, made, find_scenario("transfer"), SilentProgress())


@pytest.fixture(scope="module")
def tls() -> Iterator[Server]:
    """A server with TLS and passwords, and nothing in it."""
    with tls_server(DEADLOCKS) as server:
        yield server


@pytest.fixture(scope="module")
def plain() -> Iterator[Server]:
    """A server without either, with accounts; it notes every statement."""
    with plain_server({**DEADLOCKS, "log_statement": "all"}) as server:
        seed_some(server.target)
        yield server


# TLS, passwords, and where they come from


def test_seed_and_run_over_tls_with_a_password(tls: Server, tmp_path: Path) -> None:
    words = ("--target", tls.target, "--keys", "int,uuid")
    seeded = occbench("seed", *words, "--accounts", ACCOUNTS, cwd=tmp_path)
    assert seeded.returncode == 0, seeded.stderr
    assert "accounts_uuid: 1,000 accounts, 1,000 loaded" in seeded.stdout
    done = occbench(
        "run", *words, "--users", 8, "--accounts", 8, "--duration", "2s", "--warmup", "200ms",
        "--retry", "immediate", "--out", tmp_path / "results",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (result,) = results_in(tmp_path / "results")
    check_conserved(result)
    outcomes = set(result.summary["overall"]["conflicts_by_outcome"])
    assert outcomes == {"conflict_serialization", "deadlock"}, "PostgreSQL's own, and no other"
    assert not result.summary["overall"]["errors_by_outcome"]
    told = result.run["targets"][0]
    assert (told["family"], told["regime"], told["isolation"]) == (
        "postgresql", "locking", "repeatable read",
    )  # fmt: skip
    assert told["version"].startswith("18")
    # The password is nowhere.
    said = [seeded.stdout, seeded.stderr, done.stdout, done.stderr]
    kept = [path.read_bytes() for path in result.folder.rglob("*") if path.is_file()]
    assert len(kept) > 3
    assert not any(PASSWORD in text for text in said)
    assert not any(PASSWORD.encode() in content for content in kept)


def started(url: str, sslrootcert: str | None = None) -> dict[str, object]:
    """What the target tells of itself, once it could be reached."""
    target = open_target(parse_target(url, sslrootcert))
    target.start()
    return target.describe()


def test_everything_from_the_environment(tls: Server, tmp_path: Path) -> None:
    everything = {
        "PGHOST": "localhost", "PGHOSTADDR": "127.0.0.1", "PGPORT": str(tls.port), "PGUSER": TELLER,
        "PGDATABASE": DATABASE, "PGPASSWORD": PASSWORD, "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": str(tls.authority),
    }  # fmt: skip
    words = ("seed", "--target", "postgresql://", "--keys", "uuid7", "--accounts", 10)
    done = occbench(*words, cwd=tmp_path, **everything)
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    assert PASSWORD not in occbench("run", "--help", cwd=tmp_path, **everything).stdout
    line = one_line(occbench(*words, cwd=tmp_path, **{**everything, "PGPASSWORD": "no-4711"}), 3)
    assert f'"127.0.0.1", port {tls.port}' in line, "the URL does not say where it was"
    assert "password authentication failed" in line
    assert "no-4711" not in line


def test_password_and_authority_each_in_its_place(
    tls: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = tls.url(hostaddr="127.0.0.1", sslmode="verify-full")
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    monkeypatch.setenv("PGSSLROOTCERT", str(tls.authority))
    started(url)
    monkeypatch.delenv("PGPASSWORD")
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"localhost:{tls.port}:{DATABASE}:{TELLER}:{PASSWORD}\n")
    passfile.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passfile))
    started(url)
    monkeypatch.delenv("PGSSLROOTCERT")
    with pytest.raises(TargetError, match="--sslrootcert"):
        started(url)
    started(url, sslrootcert=str(tls.authority))


def test_a_service_file(tls: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"host": "localhost", "port": tls.port, "user": TELLER, "dbname": DATABASE}
    lines = [f"{name}={value}" for name, value in {**options, **tls.verified}.items()]
    (tmp_path / "services").write_text("\n".join(["[bank]", *lines, f"password={PASSWORD}\n"]))
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    started("postgresql://?service=bank")
    started("postgresql://?isolation=serializable&service=bank&connect_timeout=5")
    monkeypatch.setenv("PGSERVICE", "bank")
    started("postgresql://")
    with pytest.raises(TargetError, match="service"):
        started("postgresql://?service=shop")


def test_an_authority_on_the_command_line_is_for_who_names_none(tls: Server, tmp_path: Path) -> None:
    """And where it is given, the certificate is verified: nobody gives one for nothing."""
    stranger = str(Authority(tmp_path, "a stranger").root)
    url = tls.url(password=PASSWORD, hostaddr="127.0.0.1")
    started(url)
    started(url, sslrootcert=str(tls.authority))
    with pytest.raises(TargetError, match="certificate verify failed"):
        started(url, sslrootcert=stranger)
    by_number = tls.url(password=PASSWORD, host="127.0.0.1")
    started(by_number)
    with pytest.raises(TargetError, match="does not match host name"):
        started(by_number, sslrootcert=str(tls.authority))
    started(tls.target, sslrootcert=stranger)
    started(f"{url}&sslmode=require&sslrootcert={tls.authority}", sslrootcert=stranger)


def test_the_authorities_of_the_system(tls: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    url = tls.url(password=PASSWORD, hostaddr="127.0.0.1", sslrootcert="system")
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    with pytest.raises(TargetError, match="certificate verify failed"):
        started(url)
    found = os.environ.get("SSL_CERT_DIR") or os.environ["SSL_CERT_FILE"]
    assert Path(found).exists(), "theirs, where psycopg's own OpenSSL would find none"
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(tls.authority))
    started(url)


def test_several_hosts_and_a_unix_socket_are_one_server(plain: Server, closed_port: int) -> None:
    assert plain.embedded is not None
    at = sql_target(plain.target)
    folder = plain.embedded.socket_folder
    for url in (
        f"postgresql://{TELLER}@127.0.0.1:{closed_port},127.0.0.1:{plain.port}/{DATABASE}",
        f"postgresql://{TELLER}@/{DATABASE}?host={folder}&port={plain.port}",
        plain.url(hostaddr="127.0.0.1", target_session_attrs="read-write"),
    ):
        started(url)
        assert sql_target(url).place() == at.place()


def test_two_servers_in_one_run(tls: Server, plain: Server, tmp_path: Path) -> None:
    seed_some(tls.target, KeyType.UUID7)
    seed_some(plain.target, KeyType.UUID7)
    assert sql_target(tls.target).place() != sql_target(plain.target).place()
    result = run(
        "--target", f"west={tls.target}", "--target", f"east={plain.target}?isolation=serializable",
        "--users", 4, "--keys", "uuid7", "--duration", "1s", "--warmup", "100ms",
        out=tmp_path / "results",
    )  # fmt: skip
    assert {row["target"] for row in result.rows} == {"west", "east"}
    levels = {told["name"]: told["isolation"] for told in result.run["targets"]}
    assert levels == {"west": "repeatable read", "east": "serializable"}


# Isolation


@pytest.mark.parametrize("level", ["read-committed", "repeatable-read", "serializable"])
def test_the_isolation_that_was_asked_for(plain: Server, tmp_path: Path, level: str) -> None:
    assert plain.embedded is not None
    log = plain.embedded.data_folder / "server.log"
    words = level.replace("-", " ")
    before = log.read_text().count(f"execute begin: BEGIN ISOLATION LEVEL {words.upper()}")
    result = run(
        "--target", f"{plain.target}?isolation={level}", "--users", 8, "--accounts", 20,
        "--keys", "int", "--duration", "1s", "--warmup", "100ms", "--retry", "immediate",
        out=tmp_path / "results",
    )  # fmt: skip
    assert result.run["targets"][0]["isolation"] == words
    begun = log.read_text().count(f"execute begin: BEGIN ISOLATION LEVEL {words.upper()}") - before
    assert begun >= len(result.rows) > 50, "every attempt, by the server's own notes"
    target = sql_target(f"{plain.target}?isolation={level}")
    session = target.open_session([Statement("level", "SHOW transaction_isolation")])
    session.begin()
    assert session.fetch("level", ()) == words.encode()
    session.close()
    conflicts = {row["outcome"] for row in result.rows} - {"committed"}
    if level == "read-committed":
        assert conflicts <= {"deadlock"}
    else:
        assert "conflict_serialization" in conflicts


def test_the_embedded_database_takes_it_with_row_locks(server_folder: Path) -> None:
    target = sql_target(f"embedded://locking?isolation=read-committed&data={server_folder}")
    target.start()
    assert target.describe()["isolation"] == "read committed"
    session = target.open_session([Statement("level", "SHOW transaction_isolation")])
    session.begin()
    assert session.fetch("level", ()) == b"read committed"
    session.close()


def test_a_commit_that_fails_is_a_conflict_with_its_times(plain: Server) -> None:
    """Write skew: two transactions read both rows, and each writes the other one."""
    with closing(sql_target(plain.target).connect()) as connection:
        connection.execute("CREATE TABLE doctors (id bigint PRIMARY KEY, on_call bigint)")
        connection.execute("INSERT INTO doctors VALUES (1, 1), (2, 1)")
    target = sql_target(f"{plain.target}?isolation=serializable")
    statements = [
        Statement("read", "SELECT sum(on_call) FROM doctors"),
        Statement("write", "UPDATE doctors SET on_call = 0 WHERE id = $1", ("bigint",)),
    ]
    one, other = target.open_session(statements), target.open_session(statements)
    for session in (one, other):
        session.begin()
        assert session.fetch("read", ()) == b"2"
    for session, number in ((one, 1), (other, 2)):
        assert session.execute("write", (number.to_bytes(8),)) == 1
    one.commit()
    began = monotonic_ns()
    with pytest.raises(StatementFailed) as caught:
        other.commit()
    failure = caught.value
    assert (failure.sqlstate, failure.commit_sent, failure.connected) == ("40001", True, True)
    outcome = outcome_of("40001", failure.message, commit_sent=True, connected=True)
    assert outcome is Outcome.CONFLICT_SERIALIZATION
    assert began <= other.commit_sent_ns < other.ended_ns
    assert other.begin_answered_ns < other.first_answered_ns < other.commit_sent_ns
    # The session can be used again, and the transaction left nothing.
    other.begin()
    assert other.fetch("read", ()) == b"1"
    other.commit()
    one.close()
    other.close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("isolation=snapshot", "repeatable-read, serializable, read-committed"),
        ("isolation=", "repeatable-read, serializable, read-committed"),
        ("iam=azure", "iam=rds"),
        ("region=us-east-1", "region= belongs to iam=rds"),
        ("no_such_option=1", "no_such_option"),
    ],
)
def test_options_that_are_none(options: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        started(f"postgresql://me@127.0.0.1:1/db?{options}")


# What cannot be done


def refusal(url: str) -> str:
    with pytest.raises(OccbenchError) as caught:
        started(url)
    line = str(caught.value)
    assert caught.value.exit_code == 3
    assert len(line.splitlines()) == 1
    assert PASSWORD not in line
    return line


def test_who_is_not_let_in(tls: Server, plain: Server) -> None:
    line = refusal(tls.url(password=f"{PASSWORD}x", **tls.verified))
    assert 'refuses: password authentication failed for user "teller"; check the user and the' in line
    line = refusal(tls.url(**tls.verified))
    assert "no password supplied; give the password in PGPASSWORD, in ~/.pgpass or in the URL" in line
    line = refusal(tls.url(password=PASSWORD, hostaddr="127.0.0.1", sslmode="disable"))
    assert "no encryption; check the user, the database and sslmode" in line
    line = refusal(plain.url("nobody", host="127.0.0.1"))
    assert 'refuses: role "nobody" does not exist; check the user\'s name' in line
    line = refusal(plain.target.replace(f"/{DATABASE}", "/vault"))
    assert 'refuses: database "vault" does not exist; check the database\'s name' in line


def test_a_server_that_cannot_be_trusted(tls: Server, plain: Server, tmp_path: Path) -> None:
    stranger = str(Authority(tmp_path, "a stranger").root)
    line = refusal(tls.url(password=PASSWORD, **{**tls.verified, "sslrootcert": stranger}))
    assert "certificate verify failed; give the file of the authority that signed" in line
    options = {"sslmode": "verify-full", "sslrootcert": str(tls.authority)}
    line = refusal(tls.url(password=PASSWORD, host="127.0.0.1", **options))
    assert 'does not match host name "127.0.0.1"; check the host: the server\'s certificate' in line
    line = refusal(tls.url(password=PASSWORD, **{**tls.verified, "sslrootcert": "/absent"}))
    assert 'root certificate file "/absent" does not exist; give the file' in line
    line = refusal(plain.url(host="127.0.0.1", sslmode="require"))
    assert "server does not support SSL, but SSL was required; switch TLS on" in line


def test_nobody_there(closed_port: int) -> None:
    line = refusal(f"postgresql://me:{PASSWORD}@127.0.0.1:{closed_port}/db")
    assert f"me@127.0.0.1:{closed_port}/db) cannot be reached: " in line
    assert "Connection refused; check the host, the port and that the server runs" in line
    line = refusal(f"postgresql://me:{PASSWORD}@no-such-host.invalid/db")
    assert "cannot be reached: failed to resolve host 'no-such-host.invalid'" in line
    assert line.endswith("check the host's name")
    line = refusal("postgresql://me@/db?host=/no/such/folder")
    assert "No such file or directory; check the host" in line
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        line = refusal(f"postgresql://me:{PASSWORD}@127.0.0.1:{port}/db?connect_timeout=2")
    assert "timeout expired; check the host, the port, and whether a firewall is in the way" in line


def test_a_server_that_has_no_room_or_shuts_down(tmp_path: Path) -> None:
    with plain_server() as server, closing(server.as_owner()) as owner:
        owner.execute(f"ALTER ROLE {CLERK} CONNECTION LIMIT 2")
        target = sql_target(server.url(CLERK, host="127.0.0.1"))
        assert target.connection_limit() == 2, "the role's own limit, less than the server's"
        first, second = target.connect(), target.connect()
        line = refusal(server.url(CLERK, host="127.0.0.1"))
        assert 'too many connections for role "clerk"; ask for fewer --users' in line
        with pytest.raises(StatementFailed) as caught:
            target.open_session([])
        assert caught.value.sqlstate == "53300", "which means: later"
        second.close()
        first.close()
        owner.execute(f"ALTER ROLE {CLERK} CONNECTION LIMIT -1")
        row = owner.execute("SELECT current_setting('max_connections')").fetchone()
        assert row is not None
        as_owner, as_clerk = sql_target(server.url("occbench")), target
        wait_for(lambda: as_owner.connection_limit() == as_clerk.connection_limit(), "the same")
        assert target.connection_limit() == int(row[0]) - 3 - 1, "reserved ones, and this one"
        # A shutdown that waits for whoever is connected.
        assert server.embedded is not None
        pid = server.embedded.status().pid
        assert pid is not None
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not server.embedded or not server.embedded.status().running, "its end")
        line = refusal(server.target)
        assert "the database system is shutting down; wait until the server is ready" in line


def test_what_its_user_may_not_do_shows_before_the_load(plain: Server, tmp_path: Path) -> None:
    url = plain.url(CLERK, host="127.0.0.1")
    out = tmp_path / "results"
    words = ("--duration", "1s", "--users", 2, "--out", out)
    line = one_line(occbench("run", "--target", url, *words, cwd=tmp_path), 3)
    assert "permission denied for table occbench_tables; grant its user what is missing" in line
    with closing(plain.as_owner()) as owner:
        owner.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {CLERK}")
    line = one_line(occbench("run", "--target", url, *words, cwd=tmp_path), 3)
    assert f"target 127.0.0.1 ({url}) refuses: permission denied for table accounts_int; grant" in line
    read_only = f"{plain.target}?options=-c%20default_transaction_read_only%3Don"
    line = one_line(occbench("run", "--target", read_only, *words, cwd=tmp_path), 3)
    assert "cannot execute UPDATE in a read-only transaction; give the primary's address" in line
    line = one_line(occbench("seed", "--target", url, "--keys", "uuid7", cwd=tmp_path), 3)
    assert "permission denied" in line
    assert "CREATE on the schema" in line
    assert not out.exists()


def test_what_a_server_lacks_is_absent(plain: Server) -> None:
    """Poolers and relatives do not have all that PostgreSQL has; here it is taken away."""
    with closing(sql_target(plain.target).connect()) as connection:
        connection.execute("CREATE SCHEMA lacking")
        connection.execute("CREATE FUNCTION lacking.pg_backend_pid() RETURNS int RETURN -1")
        less = f"{plain.target}?options=-c%20search_path%3Dlacking,public,pg_catalog"
        target = sql_target(less)
        assert target.connection_limit() is None, "another process answers: a pooler"
        connection.execute("CREATE VIEW lacking.pg_stat_activity AS SELECT 1 AS nothing")
        assert target.connection_limit() is None
        for signature in (
            "pg_postmaster_start_time() RETURNS timestamptz",
            "current_setting(text, boolean) RETURNS text",
        ):
            connection.execute(
                f"CREATE FUNCTION lacking.{signature} LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'no such function' USING ERRCODE = '42883'; END $$"
            )
        assert target.place() == f"127.0.0.1:{plain.port}"
        told = target.describe()
        assert told["isolation"] == "repeatable read"
        assert str(told["version"]).startswith("18")
        assert "durable" not in told
        connection.execute("DROP SCHEMA lacking CASCADE")


def test_a_table_that_is_not_there(plain: Server) -> None:
    target = sql_target(plain.target)
    statements = [Statement("gone", "SELECT balance FROM accounts_gone")]
    with pytest.raises(TargetError, match='relation "accounts_gone" does not exist; seed it first'):
        target.rehearse(statements, lambda session: session.fetch("gone", ()))


# Aurora and RDS with IAM


@pytest.fixture(scope="module")
def rds() -> Iterator[RdsServer]:
    """A server that checks signature, host, port, user, Region and age of a token, as RDS would."""
    with rds_server() as server:
        yield server


@pytest.fixture
def as_owner(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """This process has the credentials, and no others that it may have kept from before."""
    for kept in ("_sessions", "_clients"):
        monkeypatch.setattr(clients, kept, {})
    for name, value in credentials().items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_every_connection_has_a_token_of_its_own(rds: RdsServer, tmp_path: Path) -> None:
    words = ("--target", rds.target, "--keys", "int")
    done = occbench("seed", *words, "--accounts", ACCOUNTS, cwd=tmp_path, **rds.environment)
    assert done.returncode == 0, done.stderr
    done = occbench(
        "run", *words, "--users", 4, "--duration", "500ms", "--warmup", "100ms",
        "--out", tmp_path / "results",
        cwd=tmp_path, **rds.environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (result,) = results_in(tmp_path / "results")
    check_conserved(result)
    let_in = rds.gate.connections()
    assert len(let_in) > 8
    assert not any(one["answer"] for one in let_in)
    assert max(one["token_age_s"] for one in let_in) <= 5, "signed when it was needed"
    # Neither the token nor the key is kept or said.
    content = b"".join(path.read_bytes() for path in result.folder.rglob("*") if path.is_file())
    for secret in (b"X-Amz", OWNER.secret.encode(), OWNER.key_id.encode()):
        assert secret not in content + (done.stdout + done.stderr).encode()


def test_a_token_that_is_not_taken(rds: RdsServer, as_owner: pytest.MonkeyPatch) -> None:
    root = {"sslrootcert": str(rds.authority)}
    started(rds.target)
    line = refusal(rds.url(**root, region="us-east-1"))
    assert 'PAM authentication failed for user "teller"; check that the user has the role rds_' in line
    assert "X-Amz" not in line
    assert "certificate verify failed" in refusal(rds.url(sslrootcert="system"))
    for options in ({**root, "sslmode": "prefer"}, {"sslmode": "disable"}):
        with pytest.raises(InputError, match="iam=rds needs TLS"):
            started(rds.url(**options))
    as_owner.setattr(clients, "_sessions", {})
    as_owner.setattr(clients, "_clients", {})
    as_owner.delenv("AWS_ACCESS_KEY_ID")
    assert "there are no AWS credentials; check AWS_PROFILE" in refusal(rds.target)


def test_where_tokens_are_for(as_owner: pytest.MonkeyPatch) -> None:
    def conninfo(url: str) -> dict[str, object]:
        target = open_target(parse_target(url))
        assert isinstance(target, PostgresTarget)
        return dict(conninfo_to_dict(target.conninfo()))

    found = conninfo(f"postgresql://me@{RDS_HOST}/db?iam=rds")
    assert str(found["password"]).startswith(f"{RDS_HOST}:5432/?Action=connect&DBUser=me&")
    assert "%2Feu-west-1%2Frds-db%2F" in str(found["password"])
    assert found["sslmode"] == "require"
    found = conninfo(f"postgresql://me@{RDS_HOST}/db?iam=rds&sslrootcert=bundle.pem")
    assert found["sslmode"] == "verify-full", "an authority that is known is asked"
    found = conninfo("postgresql://me@db.example:5433/db?iam=rds&region=us-west-2")
    assert "%2Fus-west-2%2Frds-db%2F" in str(found["password"])
    assert str(found["password"]).startswith("db.example:5433/")
    assert conninfo(f"postgresql://me@{RDS_HOST}.cn/db?iam=rds")["password"]
    with pytest.raises(InputError, match=r"no Region can be read from the host 'db\.example'"):
        conninfo("postgresql://me@db.example/db?iam=rds")
    for several in (f"{RDS_HOST},{RDS_HOST}", f"{RDS_HOST}:1,{RDS_HOST}:2", f"{RDS_HOST}:any"):
        with pytest.raises(InputError, match="one host and one port"):
            conninfo(f"postgresql://me@{several}/db?iam=rds")


# A restart in the middle


def transfers(target: SqlTarget) -> Counter[tuple[int, int]]:
    """(account's key, change) of every change that the server has committed."""
    with closing(target.connect()) as connection:
        return Counter(connection.execute("SELECT id, change::bigint FROM changes").fetchall())


def test_a_restart_costs_what_was_in_flight_and_nothing_twice(tmp_path: Path) -> None:
    with plain_server() as server:
        seed_some(server.target, KeyType.INT)
        target = sql_target(server.target)
        with closing(target.connect()) as connection:
            # The server's own account, written by the transactions themselves.
            connection.execute("CREATE TABLE changes (id bigint, change numeric)")
            connection.execute(
                "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "INSERT INTO changes VALUES (new.id, new.balance - old.balance); RETURN NULL; END $$"
            )
            connection.execute(
                "CREATE TRIGGER note AFTER UPDATE ON accounts_int FOR EACH ROW EXECUTE FUNCTION note()"
            )
        users = 8
        out = tmp_path / "results"
        running = start(
            "run", "--target", server.target, "--users", users, "--keys", "int",
            "--duration", "5s", "--warmup", "100ms", "--out", out,
            cwd=tmp_path,
        )  # fmt: skip
        wait_for(lambda: sum(transfers(target).values()) > 200, "the load")
        server.stop()
        time.sleep(0.2)
        server.start()
        _, said = running.communicate(timeout=60)
        assert running.returncode == 0, said
        (result,) = results_in(out)
        check_conserved(result)
        there = transfers(target)
    lost = result.of_outcome("connection_lost", "ambiguous")
    assert 0 < len(lost) <= users, "the attempts in flight, and no more"
    interrupted = max(row["start_ns"] for row in lost)
    assert any(row["start_ns"] > interrupted for row in result.of_outcome("committed")), "it went on"
    committed, unknown = changes(result, "committed"), changes(result, "ambiguous")
    assert not committed - there, "what was answered is there"
    assert not (there - committed) - unknown, "and nothing else, unless nobody knows"
    assert sum(committed.values()) > 400


def changes(result: RunResult, outcome: str) -> Counter[tuple[int, int]]:
    """What the attempts with this outcome were to change, from nothing but the run's options."""
    law, keys = parse_access("uniform", ACCOUNTS), ComputedKeys(KeyType.INT, 1)
    draw = find_scenario("transfer").draw

    def drawn(rng: np.random.Generator, size: int) -> list[Work]:
        return draw(rng, law, keys, size)

    streams: dict[int, Stream] = {}
    found: Counter[tuple[int, int]] = Counter()
    for _, attempts in groupby(result.rows, key=lambda row: row["transaction"]):
        rows = list(attempts)
        user = rows[0]["user"]
        work = streams.setdefault(user, Stream(drawn, 1, user)).next()
        assert rows[0]["numbers"] == work.rows
        amount, payer, payee = work.parameters
        for row in rows:
            if row["outcome"] == outcome:
                found[int.from_bytes(payer), -int(amount)] += 1
                found[int.from_bytes(payee), int(amount)] += 1
    return found
