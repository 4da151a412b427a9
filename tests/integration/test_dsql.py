"""Aurora DSQL as a user meets it: seeding and running through its front door, and being refused."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from loadtest.errors import TargetError
from loadtest.targets import open_target, parse_target
from loadtest.targets.aws import clients as aws
from loadtest.targets.dsql.target import DsqlTarget
from tests import in_process
from tests.commands import Done, RunResult, check_conserved, occbench, one_line, results_in
from tests.rigs.certificates import Authority
from tests.rigs.dsql import (
    FAR_HOST,
    GUEST,
    HOST,
    OWNER,
    READER,
    REGION,
    ROLE,
    VISITOR,
    Database,
    DsqlRig,
    credentials,
    dsql_database,
    dsql_gate,
    no_credentials,
)
from tests.rigs.gate import Endpoint

ACCOUNTS = 2_000

Reach = Callable[..., None]


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with dsql_database() as made:
        yield made


@pytest.fixture(scope="module")
def rig(database: Database) -> Iterator[DsqlRig]:
    endpoints = {HOST: Endpoint(REGION), FAR_HOST: Endpoint("us-west-2", commit_delay_ms=20)}
    with dsql_gate(database, endpoints, record_statements=True) as made:
        yield made


@pytest.fixture(scope="module")
def seeded(rig: DsqlRig, tmp_path_factory: pytest.TempPathFactory) -> DsqlRig:
    """The cluster, loaded by the command, as everybody loads it."""
    done = occbench(
        *("seed", "--target", rig.target, "--keys", "int,uuid", "--accounts", ACCOUNTS),
        *("--workers", 3, "--batch", 500),
        cwd=tmp_path_factory.mktemp("seed"),
        **rig.environment,
    )
    assert done.returncode == 0, done.stderr
    check_secrets(done.stdout + done.stderr)
    return rig


def run(rig: DsqlRig, tmp_path: Path, *words: object, **more: str) -> tuple[RunResult, Done]:
    """A run that must end well, and leave no secret behind."""
    out = tmp_path / "results"
    done = occbench("run", *words, "--out", out, cwd=tmp_path, **{**rig.environment, **more})
    assert done.returncode == 0, done.stderr
    check_secrets(done.stdout + done.stderr, out)
    return results_in(out)[-1], done


def check_secrets(said: str, folder: Path | None = None) -> None:
    """Nothing of what opens a door is in the output or in any file."""
    texts = [said.encode()]
    if folder is not None and folder.is_dir():
        texts += [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    for text in texts:
        for principal in (OWNER, GUEST, VISITOR):
            assert principal.secret.encode() not in text
            assert principal.key_id.encode() not in text
        assert b"X-Amz-Signature=" not in text.replace(b"X-Amz-Signature=***", b"")
        assert VISITOR.session_token.encode() not in text


def test_the_same_run_as_everywhere(seeded: DsqlRig, tmp_path: Path) -> None:
    result, _ = run(
        seeded,
        tmp_path,
        *("--target", seeded.target, "--keys", "int,uuid", "--scenario", "transfer", "--users", 8),
        *("--duration", "2s", "--warmup", "0.5s", "--skew", "hotspot:0.9/0.01"),
    )
    check_conserved(result)
    assert {row["outcome"] for row in result.rows} <= {"committed", "conflict_data", "refused"}
    conflicts = result.of_outcome("conflict_data")
    assert conflicts, "twenty popular accounts, eight users"
    assert {row["sqlstate"] for row in conflicts} == {"40001"}
    assert all(row["commit_ns"] > 0 for row in conflicts), "it is COMMIT that fails"
    overall = result.summary["overall"]
    assert 50 < overall["committed"] <= len(result.of_outcome("committed")), "all but the warm-up"
    assert 0 < overall["conflicts_by_outcome"]["conflict_data"] <= len(conflicts)
    (described,) = result.run["targets"]
    assert described["family"] == "dsql"
    assert described["regime"] == "optimistic"
    assert described["isolation"] == "repeatable read"
    assert described["region"] == REGION
    assert described["durable"] is True


def test_every_statement_was_one_that_dsql_takes(seeded: DsqlRig) -> None:
    """The gate refuses others, so the command would have failed; these must not even be tried."""
    said = " ".join(seeded.gate.statements()).upper()
    for word in ("SAVEPOINT", "TRUNCATE", "SYNCHRONOUS_COMMIT", "PG_ADVISORY", "DEALLOCATE", "VACUUM"):
        assert word not in said
    assert "CREATE TABLE" in said
    assert "COPY" in said


def test_two_regions_of_one_cluster(seeded: DsqlRig, tmp_path: Path) -> None:
    """Both work on the same accounts; the commit from far away takes the way there and back."""
    result, _ = run(
        seeded,
        tmp_path,
        *("--target", f"near={seeded.url()}", "--target", f"far={seeded.url(FAR_HOST)}"),
        *("--keys", "int", "--users", 4, "--duration", "2s", "--warmup", "0.5s"),
    )
    check_conserved(result)
    commits = {
        name: sorted(
            row["commit_ns"] for row in result.of_outcome("committed") if row["target"] == name
        )
        for name in ("near", "far")
    }
    assert commits["near"]
    assert commits["far"]
    assert commits["far"][0] > 20e6, "the delay of every commit"
    assert commits["near"][len(commits["near"]) // 2] < commits["far"][len(commits["far"]) // 2]
    assert {one["region"] for one in result.run["targets"]} == {"us-east-1", "us-west-2"}


def test_a_role_that_may(seeded: DsqlRig, tmp_path: Path) -> None:
    result, _ = run(
        seeded,
        tmp_path,
        *("--target", seeded.url(user=ROLE), "--keys", "int", "--users", 2),
        *("--duration", "0.5s", "--warmup", "0s"),
        **credentials(GUEST),
    )
    assert result.of_outcome("committed")
    check_conserved(result)


@pytest.fixture
def reach(monkeypatch: pytest.MonkeyPatch) -> Reach:
    """Connects as a command with this environment would, in this process: raises TargetError."""

    def reach(url: str, environment: dict[str, str], sslrootcert: str | None = None) -> None:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "PGSSLROOTCERT"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        # Clients keep the credentials that they found first.
        monkeypatch.setattr(aws, "_sessions", {})
        monkeypatch.setattr(aws, "_clients", {})
        open_target(parse_target(url, sslrootcert)).start()

    return reach


def test_credentials_for_a_while(seeded: DsqlRig, reach: Reach) -> None:
    reach(seeded.target, credentials(VISITOR))
    last = seeded.gate.connections()[-1]
    assert (last["answer"], last["user"]) == ("", "admin")


def test_where_the_authority_may_be_named(seeded: DsqlRig, reach: Reach) -> None:
    url = f"dsql://{HOST}:{seeded.gate.port}?hostaddr=127.0.0.1"
    root = str(seeded.database.authority.root)
    reach(url, seeded.environment, root)
    reach(url, {**seeded.environment, "PGSSLROOTCERT": root})
    # The system's, where the system has it.
    reach(url, {**seeded.environment, "SSL_CERT_FILE": root})


def test_every_address_of_a_host_is_tried(
    seeded: DsqlRig, reach: Reach, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until one answers, and be it with a refusal: another would only take a connection more."""
    monkeypatch.setattr(DsqlTarget, "_addresses", lambda target: ["127.0.0.2", "127.0.0.1"])
    reach(seeded.target, seeded.environment)  # nobody listens at the first
    monkeypatch.setattr(DsqlTarget, "_addresses", lambda target: ["127.0.0.1", "127.0.0.2"])
    with pytest.raises(TargetError, match="access denied"):
        reach(seeded.target, credentials(GUEST))


# Who is not let in learns why in one line, before anything is made.


def refused(target: str, tmp_path: Path, environment: dict[str, str], *words: object) -> str:
    out = tmp_path / "results"
    done = in_process.occbench(
        *("run", "--target", target, "--keys", "int", "--users", 2, "--duration", "1s"),
        *("--out", out, *words),
        cwd=tmp_path,
        **environment,
    )
    check_secrets(done.stdout + done.stderr, tmp_path)
    line = one_line(done, 3)
    assert not list(tmp_path.iterdir()), "no folder, no file"
    assert line.startswith("occbench: target ")
    return line


def test_an_expired_token(seeded: DsqlRig, tmp_path: Path, reach: Reach) -> None:
    with dsql_gate(seeded.database, clock_ahead_s=1000) as late:
        line = refused(late.target, tmp_path, late.environment)
        assert late.gate.connections()[0]["why"] == "it has expired"
        assert "access denied" in line
        assert "credentials have not expired, and this machine's clock" in line
        # The same clock, and a token that lasts long enough.
        reach(late.url(token_expires_s=1200), late.environment)


@pytest.mark.parametrize(
    "environment",
    [{"AWS_SECRET_ACCESS_KEY": "another/made-up+secret"}, credentials(GUEST)],
    ids=["wrong-key", "may-not"],
)
def test_a_token_that_is_not_accepted(
    seeded: DsqlRig, tmp_path: Path, environment: dict[str, str]
) -> None:
    line = refused(seeded.target, tmp_path, {**seeded.environment, **environment})
    assert f"({seeded.target})" in line
    assert "access denied" in line
    assert "dsql:DbConnectAdmin" in line


@pytest.mark.parametrize(
    ("options", "environment", "why"),
    [
        ({}, {"AWS_SECRET_ACCESS_KEY": "another/made-up+secret"}, "the signature is wrong"),
        ({}, {"AWS_ACCESS_KEY_ID": "AKIAOCCBENCHSTRANGER"}, "nobody has this key"),
        ({}, credentials(GUEST), "DbConnectAdmin is not allowed"),
        ({}, {**credentials(VISITOR), "AWS_SESSION_TOKEN": "older"}, "the session token is"),
        ({"region": "eu-west-1"}, {}, "the scope is"),
    ],
    ids=["wrong-key", "unknown-key", "may-not", "old-session", "region"],
)
def test_why_a_token_is_not_accepted(
    seeded: DsqlRig, reach: Reach, options: dict[str, Any], environment: dict[str, str], why: str
) -> None:
    """What the gate found: every part of the signature is looked at."""
    with pytest.raises(TargetError, match="access denied"):
        reach(seeded.url(**options), {**seeded.environment, **environment})
    last = seeded.gate.connections()[-1]
    assert last["answer"] == "28000"
    assert why in last["why"]


def test_a_server_that_quotes_the_token(seeded: DsqlRig, tmp_path: Path) -> None:
    with dsql_gate(seeded.database, principal=GUEST, tells_token=True) as chatty:
        line = refused(chatty.target, tmp_path, chatty.environment)
    assert "access denied" in line
    assert "X-Amz-Signature=***" in line


def test_an_unknown_cluster(seeded: DsqlRig, tmp_path: Path) -> None:
    line = refused(seeded.url(f"unknown.dsql.{REGION}.on.aws"), tmp_path, seeded.environment)
    assert "cluster not found" in line
    assert "check the host" in line


def test_a_cluster_without_an_address(seeded: DsqlRig, tmp_path: Path) -> None:
    url = f"dsql://no-such-cluster.invalid?region={REGION}"
    line = refused(url, tmp_path, seeded.environment)
    assert "no-such-cluster.invalid" in line
    assert "check the cluster's identifier and Region" in line


def test_an_authority_that_is_not_trusted(seeded: DsqlRig, tmp_path: Path, reach: Reach) -> None:
    other = Authority(seeded.database.folder, "another authority")
    line = refused(seeded.url(sslrootcert=other.root), tmp_path, seeded.environment)
    assert "certificate verify failed" in line
    assert "--sslrootcert" in line
    url = f"dsql://{HOST}:{seeded.gate.port}?hostaddr=127.0.0.1"
    with pytest.raises(TargetError, match="certificate verify failed"):
        reach(url, seeded.environment)  # this machine does not know the test's authority
    with pytest.raises(TargetError, match="certificate verify failed"):
        reach(url, seeded.environment, str(other.root))


def test_a_certificate_for_another_name(seeded: DsqlRig, tmp_path: Path) -> None:
    shown = seeded.database.authority.issue("db.example")
    with dsql_gate(seeded.database, certificate=shown) as other:
        line = refused(other.target, tmp_path, other.environment)
    assert "does not match host name" in line
    assert "check the host" in line


def test_nobody_listens(seeded: DsqlRig, tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        url = f"dsql://{HOST}:{port}?hostaddr=127.0.0.1"
        line = refused(url, tmp_path, seeded.environment)
    assert "cannot be reached" in line
    assert "Connection refused" in line
    assert "check the host, the port" in line


def test_a_table_that_is_not_there(seeded: DsqlRig, tmp_path: Path) -> None:
    line = refused(seeded.target, tmp_path, seeded.environment, "--keys", "uuid7")
    assert "accounts_uuid7 is not seeded" in line
    assert "occbench seed --target" in line


def test_a_role_that_may_not_write(seeded: DsqlRig, tmp_path: Path) -> None:
    line = refused(seeded.url(user=READER), tmp_path, seeded.environment)
    assert "permission denied" in line
    assert "grant its role what is missing" in line


def test_no_credentials(seeded: DsqlRig, tmp_path: Path) -> None:
    line = refused(seeded.target, tmp_path, no_credentials())
    assert f"({seeded.target}): there are no AWS credentials; check AWS_PROFILE" in line
    line = refused(seeded.url(profile="nobody"), tmp_path, seeded.environment)
    assert "nobody" in line
    assert "aws configure list-profiles" in line


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"connection_burst": 0}, ["rate exceeded", "connection_rate="]),
        ({"most_connections": 0}, ["too many open connections", "have the quota raised"]),
    ],
)
def test_a_cluster_that_takes_no_more(
    seeded: DsqlRig, tmp_path: Path, settings: dict[str, Any], words: list[str]
) -> None:
    with dsql_gate(seeded.database, **settings) as full:
        line = refused(full.target, tmp_path, full.environment)
    for word in words:
        assert word in line


def test_seeding_is_refused_in_the_same_way(seeded: DsqlRig, tmp_path: Path) -> None:
    done = in_process.occbench(
        *("seed", "--target", seeded.target, "--keys", "int", "--accounts", ACCOUNTS),
        cwd=tmp_path,
        **credentials(GUEST),
    )
    check_secrets(done.stdout + done.stderr)
    assert "access denied" in one_line(done, 3)
