"""What a `dsql://` URL means, before anything is contacted."""

import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from loadtest.errors import InputError, TargetError
from loadtest.targets import open_target, parse_target
from loadtest.targets.aws import clients
from loadtest.targets.base.target import StatementFailed
from loadtest.targets.dsql.target import DsqlTarget
from loadtest.targets.postgresql import libpq

HOST = "abcdefghijklmnopqrstuvwxyz.dsql.eu-west-1.on.aws"
SECRET = "wJalr/made+up/secret+key+of+nobody"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "PGSSLROOTCERT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAOCCBENCHUNITTEST",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    # Clients keep the credentials that they found first.
    monkeypatch.setattr(clients, "_sessions", {})
    monkeypatch.setattr(clients, "_clients", {})


def target(text: str, sslrootcert: str | None = None) -> DsqlTarget:
    found = open_target(parse_target(text, sslrootcert))
    assert isinstance(found, DsqlTarget)
    return found


def options(text: str, sslrootcert: str | None = None) -> dict[str, str]:
    """What libpq is given."""
    found = conninfo_to_dict(target(text, sslrootcert).conninfo())
    return {name: str(value) for name, value in found.items()}


def test_an_endpoint_is_enough() -> None:
    found = options(f"{HOST}?hostaddr=127.0.0.1")
    assert (found["host"], found["hostaddr"], found["port"]) == (HOST, "127.0.0.1", "5432")
    assert (found["user"], found["dbname"]) == ("admin", "postgres")
    assert (found["sslmode"], found["sslrootcert"]) == ("verify-full", "system")
    assert found["password"].startswith(f"{HOST}/?Action=DbConnectAdmin&")
    assert "%2Feu-west-1%2Fdsql%2F" in found["password"]
    assert "X-Amz-Expires=900&" in found["password"]


def test_all_of_it_can_be_given() -> None:
    url = (
        f"dsql://{HOST}:6543/ledger?user=teller&region=us-east-2&hostaddr=127.0.0.2"
        "&sslrootcert=/a.pem&token_expires_s=60"
    )
    found = options(url, "/b.pem")
    assert (found["port"], found["dbname"], found["user"]) == ("6543", "ledger", "teller")
    assert (found["hostaddr"], found["sslrootcert"]) == ("127.0.0.2", "/a.pem")
    assert found["password"].startswith(f"{HOST}/?Action=DbConnect&")
    assert "%2Fus-east-2%2Fdsql%2F" in found["password"]
    assert "X-Amz-Expires=60&" in found["password"]


def test_where_the_authority_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"{HOST}?hostaddr=127.0.0.1"
    monkeypatch.setenv("PGSSLROOTCERT", "/c.pem")
    assert options(url)["sslrootcert"] == "/c.pem"
    assert options(url, "/b.pem")["sslrootcert"] == "/b.pem"
    assert options(f"{url}&sslrootcert=/a.pem", "/b.pem")["sslrootcert"] == "/a.pem"


def test_a_private_endpoint_names_its_region_too() -> None:
    host = "abcdefghijklmnopqrstuvwxyz.dsql-fnh4.ap-southeast-2.on.aws"
    assert target(host).endpoint() == (host, "ap-southeast-2")


def test_a_user_before_the_host() -> None:
    assert target(f"dsql://teller@{HOST}").user == "teller"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{HOST}?usr=admin", ["no option 'usr'", "user, region, profile"]),
        (f"{HOST}?iam=rds", ["no option 'iam'"]),
        (f"dsql://admin:hunter2@{HOST}", ["takes no password", "AWS credentials"]),
        (f"{HOST}?session_age_s=3601", ["session_age_s=3601", "from 1 to 3,600"]),
        (f"{HOST}?session_age_s=soon", ["session_age_s=soon", "from 1 to 3,600"]),
        (f"{HOST}?token_expires_s=604801", ["token_expires_s=604801", "from 1 to 604,800"]),
        (f"{HOST}?token_expires_s=0", ["token_expires_s=0"]),
        (f"{HOST}?connection_rate=0", ["connection_rate=0"]),
        (f"{HOST}?connection_burst=nan", ["connection_burst=nan"]),
        (f"{HOST}?hostaddr=db.example", ["hostaddr=db.example is not an IP address"]),
        (f"dsql://{HOST}:0x1f/", ["port"]),
    ],
)
def test_what_makes_no_sense(text: str, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        target(text)
    line = str(caught.value)
    assert "\n" not in line
    assert "hunter2" not in line
    for word in words:
        assert word in line


def test_a_region_that_cannot_be_read() -> None:
    with pytest.raises(InputError, match=r"no Region can be read from the host 'db\.example'; give"):
        target("dsql://db.example").server_id()
    assert target("dsql://db.example?region=us-east-1").endpoint() == ("db.example", "us-east-1")


def test_limits() -> None:
    limits = target(HOST).limits
    assert limits.connections_per_s is not None
    assert 90 <= limits.connections_per_s < 100, "some are left for the tool's own questions"
    assert 900 <= limits.connection_burst < 1000
    assert (limits.session_age_s, limits.batch_rows) == (3600, 3000)
    assert target(HOST).connection_limit() == 10_000
    given = target(f"{HOST}?connection_rate=20.5&connection_burst=30&session_age_s=2.5").limits
    assert (given.connections_per_s, given.connection_burst, given.session_age_s) == (20.5, 30, 2.5)


def test_two_regions_are_two_places() -> None:
    other = HOST.replace("eu-west-1", "eu-west-2")
    assert target(HOST).server_id() != target(other).server_id()
    assert target(HOST).server_id() == target(f"a={HOST}?user=teller").server_id()


def test_the_session_token_is_signed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "for/a+while")
    assert "X-Amz-Security-Token=for%2Fa%2Bwhile" in options(f"{HOST}?hostaddr=127.0.0.1")["password"]


def test_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    one = target(f"{HOST}?hostaddr=127.0.0.1")
    with pytest.raises(TargetError, match="there are no AWS credentials; check AWS_PROFILE") as caught:
        one.connect()
    assert HOST in str(caught.value)
    with pytest.raises(StatementFailed) as failed:
        one.open_session([])
    assert failed.value.sqlstate == "28000", "as good as a refusal; tried again with patience"


def test_an_unknown_profile() -> None:
    with pytest.raises(TargetError, match="nobody-at-all"):
        target(f"{HOST}?hostaddr=127.0.0.1&profile=nobody-at-all").connect()


def test_a_host_that_is_not_there() -> None:
    with pytest.raises(TargetError, match=r"cannot be reached: .*; check the cluster's identifier"):
        target("dsql://no-such-cluster.invalid?region=us-east-1").connect()


def test_one_that_lets_in_and_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(connection: object) -> None:
        raise psycopg.errors.ConnectionTimeout("no answer for 30 s")

    monkeypatch.setattr(DsqlTarget, "open_connection", lambda *_: None)
    monkeypatch.setattr("loadtest.targets.postgresql.libpq.expect_answer", wait)
    with pytest.raises(TargetError, match="cannot be reached: no answer for 30 s"):
        target(f"{HOST}?hostaddr=127.0.0.1").connect()


def test_nothing_of_a_token_in_a_message() -> None:
    token = options(f"{HOST}?hostaddr=127.0.0.1")["password"]
    for said in (f"FATAL: what is {token}?", f'password "{token[40:]}" is wrong'):
        line = str(target(HOST).explain(psycopg.OperationalError(said)))
        assert "Signature=" not in line or "Signature=***" in line
        for secret in re.findall(r"X-Amz-[A-Za-z]+=([^&]{12,})", token):
            assert secret not in line


def test_the_system_s_authorities_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    assert options(f"{HOST}?hostaddr=127.0.0.1")["sslrootcert"] == "system"
    found = os.environ.get("SSL_CERT_DIR") or os.environ["SSL_CERT_FILE"]
    assert Path(found).exists()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "mine"))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    libpq.find_system_roots()
    assert os.environ["SSL_CERT_FILE"] == str(tmp_path / "mine")
    assert "SSL_CERT_DIR" not in os.environ


def test_boto3_is_not_imported_before_it_must_be() -> None:
    """Imported before gevent has patched the standard library, it could not be used any more."""
    program = (
        "import sys, loadtest.config.run, loadtest.config.options, loadtest.targets\n"
        f"loadtest.targets.parse_target('{HOST}')\n"
        "sys.exit('boto3' in sys.modules or 'botocore' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_client_is_made_once() -> None:
    assert clients.client("dsql", "us-east-1") is clients.client("dsql", "us-east-1")
    assert clients.client("dsql", "us-east-1") is not clients.client("dsql", "us-east-2")
    retries = clients.client("dynamodb", "us-east-1").meta.config.retries
    assert retries["total_max_attempts"] == 1
    assert (
        clients.client("dynamodb", "us-east-1", attempts=3).meta.config.retries["total_max_attempts"]
        == 3
    )
