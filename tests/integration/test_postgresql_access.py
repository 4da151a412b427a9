"""PostgreSQL servers over TCP: TLS, passwords and tokens, and who is not let in."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from loadtest.errors import InputError, TargetError
from loadtest.targets import StatementFailed, open_target, parse_target
from loadtest.targets.aws import clients as aws
from loadtest.targets.postgresql.target import PostgresTarget
from loadtest.workload.keyspace import KeyType
from tests import in_process
from tests.commands import check_conserved, occbench, one_line, results_in, run, wait_for
from tests.conftest import sql_target
from tests.integration.postgresql_support import ACCOUNTS, plain, refusal, seed_some, started, tls
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
)

__all__ = ["plain", "tls"]


# TLS, passwords, and where they come from


def test_seed_and_run_over_tls_with_a_password(tls: Server, tmp_path: Path) -> None:
    words = ("--target", tls.target, "--keys", "int,uuid")
    seeded = in_process.occbench("seed", *words, "--accounts", ACCOUNTS, cwd=tmp_path)
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


def test_everything_from_the_environment(tls: Server, tmp_path: Path) -> None:
    everything = {
        "PGHOST": "localhost", "PGHOSTADDR": "127.0.0.1", "PGPORT": str(tls.port), "PGUSER": TELLER,
        "PGDATABASE": DATABASE, "PGPASSWORD": PASSWORD, "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": str(tls.authority),
    }  # fmt: skip
    words = ("seed", "--target", "postgresql://", "--keys", "uuid7", "--accounts", 10)
    done = in_process.occbench(*words, cwd=tmp_path, **everything)
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    assert PASSWORD not in in_process.occbench("run", "--help", cwd=tmp_path, **everything).stdout
    line = one_line(
        in_process.occbench(*words, cwd=tmp_path, **{**everything, "PGPASSWORD": "no-4711"}), 3
    )
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
        assert sql_target(url).server_id() == at.server_id()


def test_two_servers_in_one_run(tls: Server, plain: Server, tmp_path: Path) -> None:
    seed_some(tls.target, KeyType.UUID7)
    seed_some(plain.target, KeyType.UUID7)
    assert sql_target(tls.target).server_id() != sql_target(plain.target).server_id()
    result = run(
        "--target", f"west={tls.target}", "--target", f"east={plain.target}?isolation=serializable",
        "--users", 4, "--keys", "uuid7", "--duration", "1s", "--warmup", "100ms",
        out=tmp_path / "results",
    )  # fmt: skip
    assert {row["target"] for row in result.rows} == {"west", "east"}
    levels = {told["name"]: told["isolation"] for told in result.run["targets"]}
    assert levels == {"west": "repeatable read", "east": "serializable"}


# What cannot be done


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
        # The session that asked takes a place until the server has ended it.
        theirs = f"SELECT FROM pg_stat_activity WHERE usename = '{CLERK}'"
        wait_for(lambda: not owner.execute(theirs).fetchall(), "the end of its session")
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
        pid = server.embedded.pid
        assert pid is not None
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not server.embedded or server.embedded.pid is None, "its end")
        line = refusal(server.target)
        assert "the database system is shutting down; wait until the server is ready" in line


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
        monkeypatch.setattr(aws, kept, {})
    for name, value in credentials().items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_every_connection_has_a_token_of_its_own(rds: RdsServer, tmp_path: Path) -> None:
    words = ("--target", rds.target, "--keys", "int")
    done = in_process.occbench("seed", *words, "--accounts", ACCOUNTS, cwd=tmp_path, **rds.environment)
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
    as_owner.setattr(aws, "_sessions", {})
    as_owner.setattr(aws, "_clients", {})
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
